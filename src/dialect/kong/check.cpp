#include "dialect/kong/check.h"

#include <fmt/format.h>

#include <algorithm>

#include "dialect/kong/registry.h"

namespace kong {

int check(std::vector<schema::SourceFile> sources, const LoadOptions& options, CheckFormat format, std::string& out) {
    LoadResult result = load(std::move(sources), options);
    const gateway::Document& document = result.document;
    if (format == CheckFormat::json) {
        out += schema::print_json(result.problems, document.files);
    } else if (format == CheckFormat::kong && !result.ok()) {
        out += "Error: Failed parsing:\n" + schema::print_kong(result.problems);
    } else if (format == CheckFormat::kong) {
        out += "parse successful\n";
    } else {
        out += schema::print_human(result.problems, document.files);
        if (result.ok()) {
            out += fmt::format("ok: {} services, {} routes, {} upstreams, {} consumers, {} plugins\n",
                               document.services.size(), document.routes.size(), document.upstreams.size(),
                               document.consumers.size(), document.plugins.size());
        }
    }
    return result.ok() ? 0 : 1;
}

namespace {

std::string list_of(std::string_view singular) {
    return fmt::format(
        "{{\"anyOf\": [{{\"type\": \"array\", \"items\": {{\"$ref\": \"#/$defs/{}\"}}}}, {{\"type\": \"null\"}}]}}",
        singular);
}

// The keys that are no fields; `linked` = children are described under $defs.
std::vector<schema::ExtraProperty> extra_properties(const EntityType& type, bool linked) {
    std::vector<schema::ExtraProperty> extra;
    for (std::string_view key : other_keys(type.kind)) {
        if (key == "_comment") {
            extra.push_back({key, R"({"type": "string", "description": "For people; dropped."})"});
        } else if (key == "_ignore") {
            extra.push_back({key, R"({"type": "array", "description": "Anything; dropped."})"});
        } else if (key == "url") {
            extra.push_back({key, R"({"type": "string", "description": "Short for protocol, host, port and path."})"});
        } else if (const EntityType* child = find_entity(key);
                   child != nullptr && linked && key != "snis" && key != "consumers") {
            extra.push_back({key, list_of(child->singular)});
        } else {
            extra.push_back({key, R"({"type": ["array", "null"]})"});
        }
    }
    return extra;
}

// A service needs `host` or `url`; a nested child does not name its parent.
std::string entity_schema(const EntityType& type) {
    std::string object = schema::json_schema_object(type.record(), extra_properties(type, true));
    if (type.kind == EntityKind::service) {
        constexpr std::string_view host = "\"required\": [\"host\"]";
        if (std::size_t at = object.find(host); at != std::string::npos) {
            object.replace(at, host.size(), "\"anyOf\": [{\"required\": [\"host\"]}, {\"required\": [\"url\"]}]");
        }
    }
    return object;
}

std::string document_schema() {
    std::string properties =
        "\"_format_version\": {\"enum\": [\"1.1\", \"2.1\", \"3.0\"]}, \"_transform\": {\"type\": \"boolean\", "
        "\"default\": true}, "
        "\"_comment\": {\"type\": \"string\"}, \"_ignore\": {\"type\": \"array\"}, \"_info\": {\"type\": \"object\"}, "
        "\"_workspace\": {\"type\": \"string\"}, \"_konnect\": {\"type\": \"object\"}, \"_plugin_configs\": {\"type\": "
        "\"object\"}";
    std::string definitions;
    for (const EntityType& type : entity_types()) {
        if (type.record == nullptr) {
            properties += fmt::format(", \"{}\": {{\"type\": \"array\"}}", type.plural);
            continue;
        }
        properties += fmt::format(", \"{}\": {}", type.plural, list_of(type.singular));
        definitions +=
            fmt::format("{}\"{}\": {}", definitions.empty() ? "" : ",\n  ", type.singular, entity_schema(type));
    }
    return fmt::format(
        "{{\"$schema\": \"https://json-schema.org/draft/2020-12/schema\", \"title\": \"configuration\", \"type\": "
        "\"object\",\n"
        " \"properties\": {{{}}},\n \"required\": [\"_format_version\"], \"additionalProperties\": false,\n \"$defs\": "
        "{{\n  {}}}}}\n",
        properties, definitions);
}

}  // namespace

int print_schema(std::string_view name, std::span<const PluginType> plugins, std::string& out) {
    if (name.empty()) {
        out += document_schema();
        return 0;
    }
    std::vector<std::string_view> known;
    for (const EntityType& type : entity_types()) {
        if (type.record == nullptr) continue;
        known.insert(known.end(), {type.singular, type.plural});
        if (name != type.singular && name != type.plural) continue;
        out +=
            schema::json_schema(type.record(), type.singular, type.description, extra_properties(type, false)) + "\n";
        return 0;
    }
    for (const PluginType& plugin : plugins) {
        if (plugin.config == nullptr) continue;
        known.push_back(plugin.name);
        if (name != plugin.name) continue;
        out +=
            schema::json_schema(*plugin.config, plugin.name, fmt::format("Settings of the plugin {}.", plugin.name)) +
            "\n";
        return 0;
    }
    std::string_view near = schema::nearest(name, known);
    out += fmt::format("no entity or plugin named '{}'{}\n", name,
                       near.empty() ? std::string() : fmt::format("; did you mean '{}'?", near));
    return 1;
}

std::vector<ReferencePage> reference_pages() {
    std::vector<ReferencePage> pages;
    std::string index =
        "# Configuration reference\n\nMade from the program's own schema; a test holds these pages to it.\n\n";
    for (const EntityType& type : entity_types()) {
        if (type.record == nullptr) continue;
        std::string text =
            fmt::format("# {}\n\n{}\n\nWritten under `{}`", type.singular, type.description, type.plural);
        for (std::size_t i = 0; i < type.parents.size(); ++i) {
            text += fmt::format("{} `{}`", i == 0 ? ", at the top or inside" : " or",
                                entity_type(type.parents[i].parent).plural);
        }
        text += ".";
        if (!type.key.empty()) text += fmt::format(" Others refer to it by `id` or `{}`.", type.key);
        std::vector<std::string_view> children;
        for (std::string_view key : other_keys(type.kind)) {
            if (key.front() != '_' && key != "url") children.push_back(key);
        }
        if (!children.empty()) text += fmt::format(" It may hold `{}`.", fmt::join(children, "`, `"));
        if (type.kind == EntityKind::service) text += " `url` is short for `protocol`, `host`, `port` and `path`.";
        text += "\n\n" + schema::reference_table(type.record());
        std::string file = fmt::format("{}.md", type.singular);
        index += fmt::format("- [{}]({}): {}\n", type.singular, file, type.description);
        pages.push_back({std::move(file), std::move(text)});
    }
    pages.push_back({"README.md", std::move(index)});
    return pages;
}

}  // namespace kong
