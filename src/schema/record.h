// Record: the run-time face of a struct with fields(). From it derive reading with all errors, defaults, JSON Schema
// and the reference page; it knows nothing of the C++ types. Made once by record_of<T>() in field.h, then immutable.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schema/reader.h"
#include "schema/rules.h"

namespace schema {

class FieldInfo {
  public:
    FieldInfo(const Rules& rules, const TypeInfo& type) : rules_(rules), type_(type) {}
    virtual ~FieldInfo() = default;
    [[nodiscard]] const Rules& rules() const { return rules_; }
    [[nodiscard]] const TypeInfo& type() const { return type_; }
    // The default as JSON; empty = unset.
    [[nodiscard]] virtual std::string default_json(const void* owner) const = 0;
    // False: problems were reported.
    virtual bool read(void* owner, const Node& node, Reader& reader) const = 0;

  private:
    Rules rules_;
    TypeInfo type_;
};

class Record {
  public:
    using Verify = void (*)(const void* object, Checks& checks);
    struct Methods {
        std::shared_ptr<void> (*make)() = nullptr;  // a fresh object with the defaults
        Verify verify = nullptr;                    // rules across fields; may be absent
    };
    Record(std::vector<std::unique_ptr<FieldInfo>> fields, Methods methods);

    // Reads a map into `object` (which is of this record's type). `also` are keys that somebody else reads.
    bool read(void* object, const Node& node, Reader& reader, std::span<const std::string_view> also = {}) const;
    // Reads into a throw-away object: only the problems matter.
    bool check(const Node& node, Reader& reader) const;

    [[nodiscard]] const std::vector<std::unique_ptr<FieldInfo>>& fields() const { return fields_; }
    [[nodiscard]] std::size_t index_of(std::string_view name) const;  // fields().size() if unknown
    [[nodiscard]] const std::string& default_json(std::size_t field) const { return defaults_[field]; }

  private:
    std::vector<std::unique_ptr<FieldInfo>> fields_;
    std::vector<std::string> defaults_;
    Methods methods_;
};

// JSON Schema 2020-12 of a record; `title` names it. `also` are further properties, each with its own schema text.
struct ExtraProperty {
    std::string_view name;
    std::string schema;
};
[[nodiscard]] std::string json_schema(const Record& record, std::string_view title, std::string_view description,
                                      std::span<const ExtraProperty> also = {});
// The same without the head, for use inside another schema.
[[nodiscard]] std::string json_schema_object(const Record& record, std::span<const ExtraProperty> also = {});

// A Markdown table of the fields; nested records by dotted names.
[[nodiscard]] std::string reference_table(const Record& record);

}  // namespace schema
