// Consumers: who may call, with their groups and credentials, as one configuration says. Immutable, owned by the
// snapshot; a million of them take some 100 bytes each, so that texts lie in one piece and ids as bytes.
#pragma once

#include <cstdint>
#include <deque>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/uuid.h"

namespace plugin {

using Index = std::uint32_t;
inline constexpr Index none = std::numeric_limits<Index>::max();

struct Consumer {
    base::Uuid id;
    Index index = none;             // its place in Consumers
    std::string_view username;      // may be empty
    std::string_view custom_id;     // may be empty
    std::span<const Index> groups;  // consumer groups, in the order of their names
};

// One credential of one kind (keyauth_credentials, jwt_secrets, acls, ...), as the document wrote it.
struct Credential {
    base::Uuid id;
    Index consumer = none;
    std::span<const std::string_view> values;  // in the order of Credentials::fields
};

struct Credentials {
    std::vector<std::string> fields;  // names, the same for all
    std::vector<Credential> all;
    // The value of a field of one of them; empty if there is none.
    [[nodiscard]] std::string_view value(const Credential& credential, std::string_view field) const;
    // Its place in `values`; fields.size() if no credential has it.
    [[nodiscard]] std::size_t place(std::string_view field) const;
};

class Consumers {
  public:
    // Filled once, before anybody reads. Texts are copied.
    struct NewCredential {
        base::Uuid id;
        std::string_view kind;
        std::span<const std::pair<std::string, std::string>> fields;
    };
    Index add(const base::Uuid& id, std::string_view username, std::string_view custom_id,
              std::span<const Index> groups, std::span<const NewCredential> credentials);
    void set_groups(std::vector<std::string> names) { group_names_ = std::move(names); }
    void seal();

    [[nodiscard]] std::size_t size() const { return consumers_.size(); }
    [[nodiscard]] const Consumer& operator[](Index index) const { return consumers_[index]; }
    // By id, else by username; nullptr if there is none. Slow (a scan): for what a configuration names, not a request.
    [[nodiscard]] const Consumer* find(std::string_view id_or_username) const;
    // All of one kind; empty if nobody has one.
    [[nodiscard]] const Credentials& of_kind(std::string_view kind) const;
    [[nodiscard]] std::string_view group_name(Index group) const { return group_names_[group]; }
    [[nodiscard]] std::size_t memory_bytes() const;

  private:
    std::string_view keep(std::string_view text);

    std::vector<Consumer> consumers_;
    std::vector<std::string> group_names_;
    std::map<std::string, Credentials, std::less<>> credentials_;
    std::deque<std::vector<Index>> groups_;
    std::deque<std::vector<std::string_view>> values_;
    std::deque<std::string> texts_;  // blocks; never move once filled
};

}  // namespace plugin
