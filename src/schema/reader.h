// Reader: walks a document beside the fields, knows where it is, and collects every problem.
// Checks: what a record's own check() says about several fields at once. Used by Record, and by dialects around it.
#pragma once

#include <bitset>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>

#include "schema/error.h"
#include "schema/node.h"
#include "schema/rules.h"

namespace schema {

// Answers what `{vault://...}` stands for; nothing = unresolvable.
using Resolve = std::function<std::optional<std::string>(std::string_view reference)>;

class Reader {
  public:
    explicit Reader(Problems& problems, Resolve resolve = {}) : problems_(problems), resolve_(std::move(resolve)) {}

    void problem(Mark mark, std::string message, std::string hint = {});
    void warning(Mark mark, std::string message, std::string hint = {});
    void entity_problem(Mark mark, std::string message);
    [[nodiscard]] Problems& problems() { return problems_; }
    [[nodiscard]] const Path& path() const { return path_; }

    // Enters a key or an index for as long as it lives.
    class Under {
      public:
        Under(Reader& reader, std::string_view key) : reader_(reader) {
            reader_.path_.push_back({key.empty() ? std::string("''") : std::string(key), 0});
        }
        Under(Reader& reader, std::size_t index) : reader_(reader) {
            reader_.path_.push_back({{}, static_cast<std::uint32_t>(index)});
        }
        Under(const Under&) = delete;
        Under& operator=(const Under&) = delete;
        ~Under() { reader_.path_.pop_back(); }

      private:
        Reader& reader_;
    };
    // While it lives, the present path is the entity that rules over several fields are reported for.
    class Entity {
      public:
        explicit Entity(Reader& reader) : reader_(reader), before_(reader.entity_depth_) {
            reader_.entity_depth_ = reader_.path_.size();
        }
        Entity(const Entity&) = delete;
        Entity& operator=(const Entity&) = delete;
        ~Entity() { reader_.entity_depth_ = before_; }

      private:
        Reader& reader_;
        std::size_t before_;
    };

    // Leaves of every type. False: a problem was reported and `out` is untouched.
    bool read(const Node& node, bool& out);
    bool read_integer(const Node& node, const Rules& rules, double least, double most, std::int64_t& out);
    bool read_number(const Node& node, const Rules& rules, double& out);
    bool read(const Node& node, const Rules& rules, std::string& out);
    bool expect(const Node& node, Kind kind, std::string_view what);
    bool check_count(const Node& node, const Rules& rules, std::size_t count);

  private:
    Problems& problems_;
    Resolve resolve_;
    Path path_;
    std::size_t entity_depth_ = 0;
};

// The set of a record's fields, by their order.
using FieldSet = std::bitset<320>;

class Checks {
  public:
    Checks(Reader& reader, const Record& record, const Node& node, const FieldSet& given, const FieldSet& failed)
        : reader_(reader), record_(record), node_(node), given_(given), failed_(failed) {}

    // Written in the document and not null.
    [[nodiscard]] bool given(std::string_view field) const;
    // Already reported: its value is the default.
    [[nodiscard]] bool failed(std::string_view field) const;
    // A fault of one field (dropped if the field was reported already).
    void field(std::string_view field, std::string message, std::string hint = {});
    // A fault of one element of a list field.
    void element(std::string_view field, std::size_t index, std::string message, std::string hint = {});
    // A fault of a field of a nested record.
    void nested(std::string_view field, std::string_view inner, std::string message);
    // A fault of several fields together: Kong's `@entity`.
    void entity(std::string message);
    // A fault of this record as a whole.
    void record(std::string message);

  private:
    [[nodiscard]] Mark mark_of(std::string_view field) const;
    Reader& reader_;
    const Record& record_;
    const Node& node_;
    const FieldSet& given_;
    const FieldSet& failed_;
};

}  // namespace schema
