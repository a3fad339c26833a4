#include "dialect/kong/loader.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/pacing.h"
#include "dialect/kong/consumer.h"
#include "dialect/kong/rewrite.h"
#include "dialect/kong/security.h"

namespace kong {

using gateway::Index;
using schema::Kind;
using schema::Member;
using schema::Node;
using schema::Reader;

LoadResult load(std::vector<schema::SourceFile> sources, const LoadOptions& options) {
    return Loader(options).run(std::move(sources));
}

Loader::Loader(const LoadOptions& options)
    : options_(options),
      merge_budget_(options.limits.alias_nodes),
      reader_(result_.problems,
              [this](std::string_view reference) { return resolve(reference, vaults_, options_.environment); }) {}

Loader::~Loader() {
    for (auto* tables : {&names_, &ids_})
        for (auto& [kind, table] : *tables) base::clear_paced(table);
    base::clear_paced(pending_);
}

LoadResult Loader::run(std::vector<schema::SourceFile> sources) {
    constexpr std::size_t most_files = 65535;
    if (sources.size() > most_files) sources.resize(most_files);
    std::vector<File> files;
    result_.document.trees.reserve(sources.size());  // nodes are pointed into: a Tree may not move
    for (schema::SourceFile& source : sources) {
        auto number = static_cast<std::uint16_t>(result_.document.files.size());
        result_.document.files.push_back(source.name);
        if (source.bytes.find("${{") != std::string::npos) {
            source.bytes = with_deck_variables(source.bytes, number, options_.environment, options_.limits.bytes,
                                               result_.problems);
        }
        schema::ParseResult parsed = schema::parse(source, number, options_.limits);
        source.bytes = {};
        if (auto* problem = std::get_if<schema::Problem>(&parsed)) {
            problem->message = fmt::format("failed parsing declarative configuration: {}", problem->message);
            result_.problems.add(std::move(*problem));
            continue;
        }
        result_.document.trees.push_back(std::move(std::get<schema::Tree>(parsed)));
        schema::Tree& tree = result_.document.trees.back();
        if (!tree.root().is(Kind::map)) {
            reader_.problem(tree.root().mark(), "failed parsing declarative configuration: expected an object");
            continue;
        }
        files.push_back({.number = number, .root = &tree.root(), .arena = &tree.arena()});
    }
    for (File& file : files) read_header(file);
    // Kind by kind over all files: vaults before what refers to them.
    for (const EntityType& type : entity_types()) {
        for (File& file : files) {
            if (type.kind == EntityKind::unread) {
                const Node* list = file.root->find(type.plural);
                if (list != nullptr && !list->is_null()) read_list(file, type, *list, {});
            } else {
                read_entities(file, type.kind);
            }
        }
    }
    if (merge_budget_ == 0) {
        reader_.problem({}, fmt::format("defaults and shared settings write out to more than {} values",
                                        options_.limits.alias_nodes));
    }
    bind_pending();
    finish();
    report_unserved();
    result_.problems.sort();
    result_.document.resolve = [vaults = vaults_, environment = options_.environment](std::string_view reference) {
        return kong::resolve(reference, vaults, environment);
    };
    return std::move(result_);
}

void Loader::read_header(File& file) {
    std::vector<std::string_view> known{"_format_version", "_transform", "_comment", "_ignore",
                                        "_info",           "_workspace", "_konnect", "_plugin_configs"};
    for (const EntityType& type : entity_types()) known.push_back(type.plural);
    for (const Member& member : file.root->members()) {
        std::string_view key = member.key.text();
        if (std::find(known.begin(), known.end(), key) != known.end()) continue;
        std::string_view near = schema::nearest(key, known);
        Reader::Under under(reader_, key);
        reader_.problem(member.key.mark(), "unknown field",
                        near.empty() ? std::string("remove it") : fmt::format("did you mean '{}'?", near));
    }
    auto given = [&file](std::string_view key) -> const Node* {
        const Node* value = file.root->find(key);
        return value == nullptr || value->is_null() ? nullptr : value;
    };
    {
        Reader::Under under(reader_, "_format_version");
        const Node* version = given("_format_version");
        // Kong reads an unquoted 3.0 as the text it was meant to be.
        std::string text = version == nullptr          ? std::string()
                           : version->is(Kind::number) ? fmt::format("{:.1f}", version->as_number())
                                                       : std::string(version->text());
        if (version == nullptr) {
            reader_.problem(file.root->mark(), "required field missing", "write `_format_version: \"3.0\"` at the top");
        } else if (!version->is(Kind::number) && !version->is(Kind::text)) {
            reader_.problem(version->mark(), "expected a string", "write it in quotes");
        } else if (text == "1.1") {
            file.version = Version::v1_1;
        } else if (text == "2.1") {
            file.version = Version::v2_1;
        } else if (text != "3.0") {
            reader_.problem(version->mark(), "expected one of: 1.1, 2.1, 3.0");
        }
    }
    if (const Node* transform = given("_transform")) {
        Reader::Under under(reader_, "_transform");
        reader_.read(*transform, file.transform);
    }
    if (const Node* info = given("_info")) {
        Reader::Under under(reader_, "_info");
        if (reader_.expect(*info, Kind::map, "a record")) read_info(file, *info);
    }
    if (const Node* configs = given("_plugin_configs")) {
        Reader::Under under(reader_, "_plugin_configs");
        if (reader_.expect(*configs, Kind::map, "a map")) file.plugin_configs = configs;
    }
    if (const Node* workspace = given("_workspace"); workspace != nullptr && workspace->text() != "default") {
        Reader::Under under(reader_, "_workspace");
        reader_.warning(workspace->mark(), "there is one workspace; the name is not used",
                        "give each workspace a gateway of its own");
    }
    if (const Node* konnect = given("_konnect")) {
        Reader::Under under(reader_, "_konnect");
        reader_.warning(konnect->mark(), "it concerns Konnect only and is not used");
    }
}

void Loader::read_info(File& file, const Node& info) {
    for (const Member& member : info.members()) {
        std::string_view key = member.key.text();
        const Node& value = member.value;
        Reader::Under under(reader_, key);
        if (value.is_null()) continue;
        if (key == "select_tags") {
            if (!reader_.expect(value, Kind::list, "an array")) continue;
            schema::Rules rules{.format = tag_format};
            for (std::size_t i = 0; i < value.items().size(); ++i) {
                Reader::Under element(reader_, i);
                std::string tag;
                if (reader_.read(value.items()[i], rules, tag)) file.select_tags.push_back(std::move(tag));
            }
        } else if (key == "defaults") {
            if (!reader_.expect(value, Kind::map, "a record")) continue;
            file.defaults = &value;
            for (const Member& entity : value.members()) {
                Reader::Under entity_under(reader_, entity.key.text());
                std::string_view name = entity.key.text();
                if (name != "service" && name != "route" && name != "upstream" && name != "target" &&
                    name != "consumer" && name != "plugin") {
                    reader_.problem(entity.key.mark(), "unknown field",
                                    "defaults exist for service, route, upstream and target");
                }
            }
        } else if (key == "default_lookup_tags" || key == "konnect") {
            reader_.warning(member.key.mark(), "it guides what deck reads from a running gateway and is not used here");
        } else {
            reader_.problem(member.key.mark(), "unknown field",
                            "known are select_tags, defaults and default_lookup_tags");
        }
    }
}

void Loader::read_entities(File& file, EntityKind kind) {
    const EntityType& type = entity_type(kind);
    const Node* list = file.root->find(type.plural);
    if (list != nullptr && !list->is_null()) read_list(file, type, *list, {});
}

void Loader::read_list(File& file, const EntityType& type, const Node& list, const Parent& parent) {
    Reader::Under under(reader_, type.plural);
    if (!reader_.expect(list, Kind::list, "an array")) return;
    for (std::size_t i = 0; i < list.items().size(); ++i) {
        if (result_.problems.errors() >= schema::Problems::limit) return;
        Reader::Under element(reader_, i);
        Reader::Entity entity(reader_);
        read_entity(file, type, list.items()[i], parent);
        base::pace(10);
    }
}

Node Loader::prepared(File& file, const EntityType& type, const Node& node, const Parent& parent) {
    Node entity = node;
    // The certificate's own list of server names: plain texts.
    if (type.kind == EntityKind::sni && parent.type != nullptr && node.is(Kind::text)) {
        return map_of(*file.arena, {{Node::string("name", node.mark()), node}}, node.mark());
    }
    if (!entity.is(Kind::map)) return entity;
    if (type.kind == EntityKind::service) entity = with_url_split(*file.arena, entity, reader_);
    if (file.defaults != nullptr) {
        const Node* defaults = file.defaults->find(type.singular);
        if (defaults != nullptr) entity = merged(*file.arena, entity, *defaults, merge_budget_);
    }
    if (type.kind == EntityKind::route) {
        entity = file.version == Version::v3_0 ? with_regexes_marked(*file.arena, entity, reader_)
                                               : with_paths_migrated(*file.arena, entity);
    }
    return entity;
}

void Loader::read_entity(File& file, const EntityType& type, const Node& given, const Parent& parent) {
    Node node = prepared(file, type, given, parent);
    if (!reader_.expect(node, Kind::map, "a record")) return;
    if (parent.type != nullptr) {
        for (const ForeignKey& key : type.parents) {
            const Node* value = key.parent == parent.type->kind ? node.find(key.field) : nullptr;
            if (value == nullptr || value->is_null()) continue;
            Reader::Under under(reader_, key.field);
            reader_.problem(value->mark(), "value must be null", "the nesting says it already");
        }
    }
    auto served_already = [&] { return !type.served_by.empty() && plugin_is_served(type.served_by); };
    bool silent =
        type.reason.empty() || served_already() ||
        (type.guards && type.kind != EntityKind::unread && options_.served.certificates) ||
        (type.plural == "workspaces" && node.find("name") != nullptr && node.find("name")->text() == "default");
    if (!silent) {
        Unserved& unserved = unserved_[type.plural];
        if (unserved.count++ == 0) unserved = {.type = &type, .count = 1, .first = given.mark()};
    }
    Parent self;
    switch (type.kind) {
        case EntityKind::service:
            self = add_service(file, node, parent);
            break;
        case EntityKind::route:
            self = add_route(file, node, parent);
            break;
        case EntityKind::upstream:
            self = add_upstream(file, node, parent);
            break;
        case EntityKind::target:
            self = add_target(file, node, parent);
            break;
        case EntityKind::plugin:
            self = add_plugin(file, node, parent);
            break;
        case EntityKind::consumer:
            self = add_consumer(file, node, parent);
            break;
        case EntityKind::consumer_group:
            self = add_consumer_group(file, node, parent);
            break;
        case EntityKind::acl:
            self = add_credential<Acl>(file, type.kind, node, parent);
            break;
        case EntityKind::keyauth:
            self = add_credential<KeyauthCredential>(file, type.kind, node, parent);
            break;
        case EntityKind::basicauth:
            self = add_credential<BasicauthCredential>(file, type.kind, node, parent);
            break;
        case EntityKind::hmacauth:
            self = add_credential<HmacauthCredential>(file, type.kind, node, parent);
            break;
        case EntityKind::jwt:
            self = add_credential<JwtSecret>(file, type.kind, node, parent);
            break;
        case EntityKind::oauth2:
            self = add_credential<Oauth2Credential>(file, type.kind, node, parent);
            break;
        case EntityKind::mtls:
            self = add_credential<MtlsAuthCredential>(file, type.kind, node, parent);
            break;
        case EntityKind::vault:
            self = add_vault(file, node, parent);
            break;
        case EntityKind::certificate:
            self = add_plain<Certificate>(file, type.kind, node, parent);
            break;
        case EntityKind::sni:
            self = add_plain<Sni>(file, type.kind, node, parent);
            break;
        case EntityKind::ca_certificate:
            self = add_plain<CaCertificate>(file, type.kind, node, parent);
            break;
        case EntityKind::key_set:
            self = add_plain<KeySet>(file, type.kind, node, parent);
            break;
        case EntityKind::key:
            self = add_plain<Key>(file, type.kind, node, parent);
            break;
        case EntityKind::unread:
            return;
    }
    read_children(file, type, node, self);
}

void Loader::read_children(File& file, const EntityType& type, const Node& node, const Parent& self) {
    for (const Member& member : node.members()) {
        if (member.value.is_null()) continue;
        std::string_view key = member.key.text();
        if (type.kind == EntityKind::consumer && key == "groups") {
            Reader::Under under(reader_, key);
            add_members(member.value, EntityKind::consumer_group, self);
        } else if (type.kind == EntityKind::consumer_group && key == "consumers") {
            Reader::Under under(reader_, key);
            add_members(member.value, EntityKind::consumer, self);
        } else if (const EntityType* child = find_entity(key); child != nullptr && child->plural == key) {
            bool nests = std::any_of(child->parents.begin(), child->parents.end(),
                                     [&](const ForeignKey& parent) { return parent.parent == type.kind; });
            if (nests) read_list(file, *child, member.value, self);
        }
    }
}

void Loader::report_unserved() {
    for (const auto& [plural, unserved] : unserved_) {
        Reader::Under under(reader_, plural);
        std::string count = unserved.count == 1 ? "1 entity is" : fmt::format("{} entities are", unserved.count);
        std::string message = fmt::format("{} known, but not served by this version: {}", count, unserved.type->reason);
        if (unserved.type->guards) {
            reader_.problem(unserved.first, std::move(message), "remove them if that is what you want");
        } else {
            reader_.warning(unserved.first, std::move(message));
        }
    }
}

}  // namespace kong
