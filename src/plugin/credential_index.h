// CredentialIndex: finds the credential of one kind that has a given value (an API key, a username) among a million, in
// 8 bytes each and about 100 ns. Built when a configuration is compiled and shared by all uses of a plugin in it;
// const then, and read by all cores.
//
// What a client sends is hashed with a seed that nobody outside knows, and a candidate is compared in constant time, so
// that neither long chains nor timing can be had by choosing keys.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "plugin/type.h"

namespace plugin {

class CredentialIndex {
  public:
    // The one of this configuration; `consumers` must outlive it. Of two credentials with one value the first counts
    // (the dialect refuses documents with two).
    static std::shared_ptr<const CredentialIndex> of(const Setup& setup, std::string_view kind, std::string_view field);

    CredentialIndex(const Consumers& consumers, std::string_view kind, std::string_view field, std::uint64_t seed);

    // nullptr: nobody has it. An empty value is nobody's.
    [[nodiscard]] const Credential* find(std::string_view value) const;
    [[nodiscard]] const Credentials& credentials() const { return credentials_; }
    [[nodiscard]] std::size_t place(const Credential& credential) const {
        return static_cast<std::size_t>(&credential - credentials_.all.data());
    }
    [[nodiscard]] const Consumer& consumer_of(const Credential& credential) const {
        return consumers_[credential.consumer];
    }
    [[nodiscard]] std::size_t memory_bytes() const { return slots_.capacity() * sizeof(Slot); }

  private:
    struct Slot {
        Index credential = none;
        std::uint32_t tag = 0;  // 32 bits of the hash: other chains' entries are passed over unread
    };
    [[nodiscard]] std::string_view value_of(const Credential& credential) const {
        return place_ < credential.values.size() ? credential.values[place_] : std::string_view();
    }
    void insert(Index credential);

    const Consumers& consumers_;
    const Credentials& credentials_;
    std::size_t place_;  // of the field
    std::uint64_t seed_;
    std::size_t mask_ = 0;
    std::vector<Slot> slots_;  // a power of two, at most half full
};

}  // namespace plugin
