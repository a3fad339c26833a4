// JSON Schema (2020-12) and reference tables out of a Record.
#include <fmt/format.h>

#include <cmath>

#include "schema/field.h"

namespace schema {

namespace detail {
std::string json_number(double value) {
    if (!std::isfinite(value)) return "null";
    return fmt::format("{:.15g}", value);
}
}  // namespace detail

bool Codec<base::Uuid>::read(const Node& node, base::Uuid& out, const Rules& rules, Reader& reader) {
    std::string text;
    if (!reader.read(node, rules, text)) return false;
    base::Result<base::Uuid> id = base::Uuid::parse(text);
    // Kong takes the lower-case form only.
    if (!id || id->text() != text) {
        reader.problem(node.mark(), "expected a valid UUID", "write it as 8-4-4-4-12 lower-case hexadecimal digits");
        return false;
    }
    out = *id;
    return true;
}

namespace {

std::string choices_json(const std::string_view* names, std::size_t count) {
    std::string out;
    for (std::size_t i = 0; i < count; ++i) out += (i == 0 ? "" : ", ") + json_quoted(names[i]);
    return out;
}

// Parts of one schema object, in order.
class Parts {
  public:
    void add(std::string_view key, const std::string& json) {
        text_ += fmt::format("{}{}: {}", text_.empty() ? "" : ", ", json_quoted(key), json);
    }
    [[nodiscard]] std::string object() const { return "{" + text_ + "}"; }

  private:
    std::string text_;
};

std::string type_json(const TypeInfo& type, const Rules& rules, Parts parts) {
    using enum TypeInfo::Kind;
    switch (type.kind) {
        case boolean:
            parts.add("type", "\"boolean\"");
            break;
        case integer:
        case number: {
            parts.add("type", type.kind == integer ? "\"integer\"" : "\"number\"");
            std::optional<double> least = rules.at_least ? rules.at_least : (rules.above ? std::nullopt : type.least);
            std::optional<double> most = rules.at_most ? rules.at_most : type.most;
            if (least) parts.add("minimum", detail::json_number(*least));
            if (rules.above) parts.add("exclusiveMinimum", detail::json_number(*rules.above));
            if (most) parts.add("maximum", detail::json_number(*most));
            break;
        }
        case text:
            parts.add("type", "\"string\"");
            if (type.name_count > 0) parts.add("enum", "[" + choices_json(type.names, type.name_count) + "]");
            if (rules.choice_count > 0) {
                parts.add("enum", "[" + choices_json(rules.choices.data(), rules.choice_count) + "]");
            } else if (type.name_count == 0 && rules.min_length > 0) {
                parts.add("minLength", std::to_string(rules.min_length));
            }
            if (!type.format.empty()) parts.add("format", json_quoted(type.format));
            // A vault reference has its own shape.
            if (!rules.format.pattern.empty() && !rules.referenceable) {
                parts.add("pattern", json_quoted(rules.format.pattern));
            }
            break;
        case list:
        case set:
            parts.add("type", "\"array\"");
            parts.add("items", type_json(*type.element, rules, {}));
            if (rules.min_count > 0) parts.add("minItems", std::to_string(rules.min_count));
            break;
        case map:
            parts.add("type", "\"object\"");
            if (!rules.key_format.pattern.empty()) {
                parts.add("propertyNames", fmt::format("{{\"pattern\": {}}}", json_quoted(rules.key_format.pattern)));
            }
            parts.add("additionalProperties", type_json(*type.element, rules, {}));
            break;
        case record:
            return json_schema_object(*type.record);
        case any:
            break;
    }
    return parts.object();
}

std::string type_word(const TypeInfo& type) {
    using enum TypeInfo::Kind;
    switch (type.kind) {
        case boolean:
            return "boolean";
        case integer:
            return type.unit.empty() ? "integer" : fmt::format("integer, {}", type.unit);
        case number:
            return type.unit.empty() ? "number" : fmt::format("number, {}", type.unit);
        case text:
            return type.format == "uuid" ? "UUID" : "string";
        case list:
            return "array of " + type_word(*type.element);
        case set:
            return "set of " + type_word(*type.element);
        case map:
            return "map to " + type_word(*type.element);
        case record:
            return "record";
        case any:
            return "any";
    }
    return {};
}

std::string rule_words(const TypeInfo& type, const Rules& rules) {
    std::vector<std::string> words;
    if (rules.required) words.emplace_back("required");
    if (rules.above) words.push_back(fmt::format("above {:.16g}", *rules.above));
    std::optional<double> least = rules.at_least ? rules.at_least : std::nullopt;
    if (least && rules.at_most) {
        words.push_back(fmt::format("{:.16g} to {:.16g}", *least, *rules.at_most));
    } else if (least) {
        words.push_back(fmt::format("at least {:.16g}", *least));
    } else if (rules.at_most) {
        words.push_back(fmt::format("at most {:.16g}", *rules.at_most));
    }
    const TypeInfo& leaf = type.element != nullptr ? *type.element : type;
    if (leaf.name_count > 0)
        words.push_back(fmt::format("one of {}", fmt::join(leaf.names, leaf.names + leaf.name_count, ", ")));
    if (rules.choice_count > 0) {
        words.push_back(fmt::format(
            "one of {}", fmt::join(rules.choices.begin(), rules.choices.begin() + rules.choice_count, ", ")));
    }
    if (rules.min_count > 0) words.push_back(fmt::format("at least {} of them", rules.min_count));
    if (rules.referenceable) words.emplace_back("may be a vault reference");
    if (rules.secret) words.emplace_back("secret");
    return fmt::format("{}", fmt::join(words, "; "));
}

std::string cell(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (c == '|') out += '\\';
        out += c;
    }
    return out;
}

void add_rows(const Record& record, const std::string& prefix, std::string& out) {
    for (std::size_t i = 0; i < record.fields().size(); ++i) {
        const FieldInfo& field = *record.fields()[i];
        // What must be given has no default, whatever the member begins with.
        std::string value = field.rules().required ? std::string() : record.default_json(i);
        out += fmt::format("| `{}{}` | {} | {} | {} | {} |\n", prefix, field.rules().name, type_word(field.type()),
                           value.empty() ? "" : fmt::format("`{}`", cell(value)),
                           cell(rule_words(field.type(), field.rules())), cell(field.rules().description));
        const TypeInfo* inner = &field.type();
        std::string name = fmt::format("{}{}", prefix, field.rules().name);
        while (inner->element != nullptr) {
            inner = inner->element;
            name += "[]";
        }
        if (inner->kind == TypeInfo::Kind::record) add_rows(*inner->record, name + ".", out);
    }
}

}  // namespace

std::string json_schema_object(const Record& record, std::span<const ExtraProperty> also) {
    std::string properties;
    std::string required;
    for (std::size_t i = 0; i < record.fields().size(); ++i) {
        const FieldInfo& field = *record.fields()[i];
        const Rules& rules = field.rules();
        Parts outer;
        outer.add("description", json_quoted(rules.description));
        if (!rules.required && !record.default_json(i).empty()) outer.add("default", record.default_json(i));
        if (rules.secret) outer.add("writeOnly", "true");
        std::string type = type_json(field.type(), rules, {});
        if (type != "{}") outer.add("anyOf", fmt::format("[{}, {{\"type\": \"null\"}}]", type));
        properties += fmt::format("{}{}: {}", properties.empty() ? "" : ", ", json_quoted(rules.name), outer.object());
        if (rules.required) required += (required.empty() ? "" : ", ") + json_quoted(rules.name);
    }
    for (const ExtraProperty& extra : also) {
        properties += fmt::format("{}{}: {}", properties.empty() ? "" : ", ", json_quoted(extra.name), extra.schema);
    }
    Parts parts;
    parts.add("type", "\"object\"");
    parts.add("properties", "{" + properties + "}");
    if (!required.empty()) parts.add("required", "[" + required + "]");
    parts.add("additionalProperties", "false");
    return parts.object();
}

std::string json_schema(const Record& record, std::string_view title, std::string_view description,
                        std::span<const ExtraProperty> also) {
    std::string object = json_schema_object(record, also);
    return fmt::format(
        "{{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": {}, \"description\": {}, {}",
        json_quoted(title), json_quoted(description), object.substr(1));
}

std::string reference_table(const Record& record) {
    std::string out = "| field | type | default | rules | meaning |\n| --- | --- | --- | --- | --- |\n";
    add_rows(record, "", out);
    return out;
}

}  // namespace schema
