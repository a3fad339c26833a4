// Ids, uniqueness and references of the entities of a load (contract 1.2 and 1.3).
#include <fmt/format.h>

#include "base/pacing.h"
#include "dialect/kong/loader.h"
#include "dialect/kong/uuid.h"

namespace kong {

using gateway::Index;
using schema::Kind;
using schema::Node;

namespace {

base::Uuid fixed(std::string_view text) {
    base::Result<base::Uuid> id = base::Uuid::parse(text);
    ensure(id.ok(), text);
    return *id;
}

const base::Uuid& name_space(const EntityType& type) {
    static const base::Uuid root = fixed("fd02801f-0957-4a15-a55a-c8d9606f30b5");
    static std::map<std::string_view, base::Uuid> spaces = [] {
        std::map<std::string_view, base::Uuid> made;
        for (const EntityType& each : entity_types()) made[each.plural] = uuid_v5(root, each.plural);
        return made;
    }();
    return spaces.at(type.plural);
}

std::string key_of(const base::Uuid& id) { return {reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()}; }

std::string uniqueness(const EntityType& type, std::string_view field, std::string_view value) {
    return fmt::format("uniqueness violation: '{}' entity with {} set to '{}' already declared", type.plural, field,
                       value);
}

std::string place(const std::vector<std::string>& files, schema::Mark mark) {
    return fmt::format("the first stands at {}:{}:{}", files[mark.file], mark.line, mark.column);
}

// Kong shows the value of a twin; a secret one never appears in our messages.
bool is_secret(const EntityType& type, std::string_view field) {
    if (type.record == nullptr) return false;
    const schema::Record& record = type.record();
    std::size_t index = record.index_of(field);
    return index < record.fields().size() && record.fields()[index]->rules().secret;
}

// Where Kong's text form shows faults found after all entities were flattened: under the entity's own list.
schema::Path flat_path(const EntityType& type, const schema::Path& path) {
    std::uint32_t index = 0;
    for (const schema::Step& step : path) {
        if (step.key.empty()) index = step.index;
    }
    return {{std::string(type.plural), 0}, {{}, index}};
}

// A text that two entities share only if they say the same.
void append_content(const Node& node, std::string& out) {
    switch (node.kind()) {
        case Kind::null:
            out += 'n';
            break;
        case Kind::boolean:
            out += node.as_boolean() ? 't' : 'f';
            break;
        case Kind::integer:
            out += fmt::format("i{};", node.as_integer());
            break;
        case Kind::number:
            out += fmt::format("d{};", node.as_number());
            break;
        case Kind::text:
            out += fmt::format("s{}:{}", node.text().size(), node.text());
            break;
        case Kind::list:
            out += '[';
            for (const Node& item : node.items()) append_content(item, out);
            out += ']';
            break;
        case Kind::map:
            out += '{';
            for (const schema::Member& member : node.members()) {
                append_content(member.key, out);
                append_content(member.value, out);
            }
            out += '}';
            break;
    }
}

}  // namespace

std::string Loader::id_part(const Parent& parent, EntityKind kind, const Reference& reference) const {
    if (parent.type != nullptr && parent.type->kind == kind) return parent.id.text();
    return reference.text;
}

// `key` is Kong's for the entity, empty if it has none: Kong then takes a random id on every load. Ours comes from the
// content or, for credentials, from the position, so that counters and pools survive a reload; never from a secret,
// since a credential's id is sent to upstreams.
base::Uuid Loader::identify(const EntityType& type, const std::optional<base::Uuid>& given, const std::string& key,
                            bool unique, const Node& node, const Parent& parent, Index index) {
    Table& ids = ids_[type.kind];
    base::Uuid id;
    if (given) {
        id = *given;
    } else if (!key.empty()) {
        id = uuid_v5(name_space(type), key);
    } else {
        std::string content = fmt::format("{}\n", parent.type == nullptr ? std::string() : parent.id.text());
        bool open = type.kind == EntityKind::service || type.kind == EntityKind::route;
        if (open) {
            append_content(node, content);
        } else {
            content += schema::text(reader_.path());
        }
        id = uuid_v5(name_space(type), content);
        // Twins: told apart by their number.
        for (unsigned twin = 2; ids.contains(key_of(id)); ++twin)
            id = uuid_v5(name_space(type), fmt::format("{}\n{}", content, twin));
    }
    Entry entry{.index = index, .id = id, .mark = node.mark()};
    if (unique && !given) {
        ids.emplace(key_of(id), entry);  // a twin is reported under its name
    } else {
        declare(type, "id", id.text(), node, entry);
        // Under an id of its own a second one of the same scope is still a second one.
        if (given && !key.empty() && !unique) declare(type, "scope", key, node, entry);
    }
    return id;
}

void Loader::declare(const EntityType& type, std::string_view field, std::string_view value, const Node& node,
                     const Entry& entry) {
    bool is_id = field == "id";
    Table& table = is_id ? ids_[type.kind] : names_[type.kind];
    std::string key = is_id ? key_of(entry.id) : fmt::format("{}={}", field, value);
    auto [at, fresh] = table.emplace(std::move(key), entry);
    if (fresh) return;
    const Node* written = node.find(field);
    schema::Path path = reader_.path();
    schema::Path tree = flat_path(type, path);
    if (written != nullptr) path.push_back({std::string(field), 0});
    std::string hint = place(result_.document.files, at->second.mark);
    if (type.kind == EntityKind::plugin && written == nullptr) hint = "the same plugin for the same scope; " + hint;
    std::string message = uniqueness(type, is_id ? "primary key" : field, is_secret(type, field) ? "***" : value);
    result_.problems.add({schema::Severity::error, written == nullptr ? node.mark() : written->mark(), std::move(path),
                          std::move(message), hint, std::move(tree), false});
}

Index Loader::bind(const EntityType& type, const ForeignKey& key, const Reference& reference, const Node& node,
                   const Parent& parent, Index self, std::string_view label) {
    if (parent.type != nullptr && parent.type->kind == key.parent) return parent.index;
    if (reference.is_set()) {
        schema::Path path = reader_.path();
        path.push_back({std::string(key.field), 0});
        pending_.push_back(
            {&type, self, key.field, key.parent, reference.text, reference.mark, std::move(path), std::string(label)});
    } else if (key.required && node.find(key.field) == nullptr) {
        schema::Reader::Under under(reader_, key.field);
        reader_.problem(node.mark(), "required field missing");
    }
    return gateway::none;
}

void Loader::bind_pending() {
    std::map<std::string, std::uint32_t> faults;
    for (const Pending& pending : pending_) {
        base::pace();
        const EntityType& to = entity_type(pending.to);
        const Table& names = names_[pending.to];
        const Entry* found = nullptr;
        if (auto at = names.find(fmt::format("{}={}", to.key, pending.text)); !to.key.empty() && at != names.end())
            found = &at->second;
        if (found == nullptr) {
            base::Result<base::Uuid> id = base::Uuid::parse(pending.text);
            const Table& ids = ids_[pending.to];
            if (auto at = id ? ids.find(key_of(*id)) : ids.end(); at != ids.end()) found = &at->second;
        }
        if (found != nullptr) {
            attach(pending, *found);
            continue;
        }
        std::string label = fmt::format("{}\n{}", pending.from->plural, pending.label);
        std::vector<std::string_view> candidates;
        constexpr std::size_t most_candidates = 2000;
        std::size_t prefix = to.key.size() + 1;
        if (names.size() <= most_candidates && faults.size() < 20) {
            for (const auto& [name, entry] : names) {
                if (name.starts_with(to.key))
                    candidates.push_back(std::string_view(name).substr(std::min(prefix, name.size())));
            }
        }
        std::string_view near = schema::nearest(pending.text, candidates);
        result_.problems.add(
            {schema::Severity::error,
             pending.mark,
             pending.path,
             fmt::format("invalid reference '{}: {}' (no such entry in '{}')", pending.field, pending.text, to.plural),
             near.empty() ? std::string() : fmt::format("did you mean '{}'?", near),
             {{std::string(pending.from->plural), 0}, {pending.label, 0}, {{}, faults[label]++}},
             false});
    }
}

void Loader::attach(const Pending& pending, const Entry& found) {
    gateway::Document& document = result_.document;
    switch (pending.from->kind) {
        case EntityKind::route:
            document.routes[pending.index].service = found.index;
            break;
        case EntityKind::service:
            document.services[pending.index].client_certificate = found.id;
            break;
        case EntityKind::upstream:
            document.upstreams[pending.index].client_certificate = found.id;
            break;
        case EntityKind::target:
            targets_[pending.index].upstream = found.index;
            break;
        case EntityKind::plugin: {
            gateway::PluginUse& use = document.plugins[pending.index];
            Index& slot = pending.to == EntityKind::service    ? use.service
                          : pending.to == EntityKind::route    ? use.route
                          : pending.to == EntityKind::consumer ? use.consumer
                                                               : use.consumer_group;
            slot = found.index;
            break;
        }
        case EntityKind::consumer:
            document.consumers[pending.index].groups.push_back(found.index);
            break;
        case EntityKind::consumer_group:
            document.consumers[found.index].groups.push_back(pending.index);
            break;
        case EntityKind::acl:
        case EntityKind::keyauth:
        case EntityKind::basicauth:
        case EntityKind::hmacauth:
        case EntityKind::jwt:
        case EntityKind::oauth2:
        case EntityKind::mtls:
            if (pending.to == EntityKind::consumer) credentials_[pending.index].consumer = found.index;
            break;
        case EntityKind::sni:
            document.server_names[pending.index].certificate = found.id;
            break;
        default:
            break;  // key: that the reference holds is all there is to know
    }
}

}  // namespace kong
