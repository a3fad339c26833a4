// Kong's plugin entities: their settings checked against what the plugin declares, their bindings, their order.
#include <fmt/format.h>

#include <algorithm>

#include "dialect/kong/loader.h"
#include "dialect/kong/plugin.h"
#include "dialect/kong/rewrite.h"

namespace kong {

using gateway::Index;
using schema::Kind;
using schema::Member;
using schema::Node;
using schema::Reader;

namespace {

// The map with `value` under `key`, in the place of what was there.
Node with_member(base::Arena& arena, const Node& map, std::string_view key, const Node& value) {
    std::vector<Member> members;
    bool is_there = false;
    for (const Member& member : map.members()) {
        bool is_it = member.key.text() == key;
        is_there = is_there || is_it;
        members.push_back({member.key, is_it ? value : member.value});
    }
    if (!is_there) members.push_back({Node::string(key, value.mark()), value});
    return map_of(arena, members, map.mark());
}

Node without_member(base::Arena& arena, const Node& map, std::string_view key) {
    std::vector<Member> members;
    for (const Member& member : map.members())
        if (member.key.text() != key) members.push_back(member);
    return map_of(arena, members, map.mark());
}

}  // namespace

const Node* Loader::with_new_names(File& file, std::string_view plugin, const Node& config) {
    const std::vector<PluginType>& served = options_.served.plugins;
    auto type = std::find_if(served.begin(), served.end(), [&](const PluginType& each) { return each.name == plugin; });
    if (type == served.end() || !config.is(Kind::map)) return &config;
    const Node* current = &config;
    for (const plugin::Alias& alias : type->aliases) {
        const Node* given = current->find(alias.old_name);
        if (given == nullptr) continue;
        Node value = *given;
        Node renamed = without_member(*file.arena, *current, alias.old_name);
        std::size_t dot = alias.path.find('.');
        std::string_view outer = alias.path.substr(0, dot);
        if (!value.is_null()) {
            if (dot == alias.path.npos) {
                if (renamed.find(outer) == nullptr) renamed = with_member(*file.arena, renamed, outer, value);
            } else {
                std::string_view inner = alias.path.substr(dot + 1);
                const Node* record = renamed.find(outer);
                Node parent = record != nullptr && record->is(Kind::map) ? *record : Node::map({}, value.mark());
                // The new name says more.
                bool is_said = parent.find(inner) != nullptr && !parent.find(inner)->is_null();
                if (!is_said && (record == nullptr || record->is(Kind::map) || record->is_null()))
                    renamed = with_member(*file.arena, renamed, outer, with_member(*file.arena, parent, inner, value));
            }
        }
        Node* kept = static_cast<Node*>(file.arena->allocate(sizeof(Node), alignof(Node)));
        *kept = renamed;
        current = kept;
    }
    return current;
}

std::vector<std::string> Loader::ordering_of(const Node* ordering, std::string_view side) {
    std::vector<std::string> out;
    const Node* record = ordering == nullptr ? nullptr : ordering->find(side);
    const Node* names = record == nullptr ? nullptr : record->find("access");
    if (names == nullptr) return out;
    for (const Node& name : names->items())
        if (!name.text().empty()) out.emplace_back(name.text());
    return out;
}

void Loader::check_plugin(const Plugin& plugin, const Node& node, const Node* config, const Parent& parent) {
    const std::vector<PluginType>& served = options_.served.plugins;
    auto type =
        std::find_if(served.begin(), served.end(), [&](const PluginType& each) { return each.name == plugin.name; });
    if (type != served.end()) {
        if (type->config != nullptr) {
            Node empty = Node::map({}, node.mark());
            Reader::Under under(reader_, "config");
            type->config->check(config == nullptr ? empty : *config, reader_);
        }
        if (!type->is_for_consumers)
            for (auto [field, reference] :
                 {std::pair{"consumer", &plugin.consumer}, std::pair{"consumer_group", &plugin.consumer_group}})
                if (reference->is_set() || (parent.type != nullptr && parent.type->singular == field)) {
                    Reader::Under under(reader_, field);
                    reader_.problem(mark_of(node, field), "value must be null");
                }
        if (plugin.ordering != nullptr && !options_.served.ordering) {
            Reader::Under under(reader_, "ordering");
            reader_.warning(plugin.ordering->mark(), "the order of plugins is not changed by this version");
        }
        for (auto [field, given] : {std::pair{"condition", plugin.condition.has_value()},
                                    std::pair{"partials", plugin.partials != nullptr}}) {
            if (!given) continue;
            Reader::Under under(reader_, field);
            reader_.problem(mark_of(node, field), fmt::format("'{}' is not served by this version", field));
        }
        return;
    }
    Reader::Under under(reader_, "name");
    const KnownPlugin* known = find_plugin(plugin.name);
    schema::Mark mark = mark_of(node, "name");
    if (known == nullptr) {
        std::vector<std::string_view> names;
        for (const KnownPlugin& each : known_plugins()) names.push_back(each.name);
        for (const PluginType& each : served) names.push_back(each.name);
        std::string_view near = schema::nearest(plugin.name, names);
        reader_.problem(
            mark, fmt::format("plugin '{}' not enabled; add it to the 'plugins' configuration property", plugin.name),
            near.empty() ? std::string() : fmt::format("did you mean '{}'?", near));
    } else if (plugin.enabled && known->guards) {
        reader_.problem(
            mark,
            fmt::format("plugin '{}' is not served by this version, and it guards what lies behind it", plugin.name),
            "remove it, or set `enabled: false`, if that is what you want");
    } else if (plugin.enabled) {
        reader_.warning(mark, fmt::format("plugin '{}' is not served by this version and does nothing", plugin.name));
    }
}

Loader::Parent Loader::add_plugin(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::plugin);
    Plugin plugin;
    read(file, EntityKind::plugin, node, plugin);
    const Node* config = plugin.config;
    if (config != nullptr && !config->is(Kind::map)) {
        Reader::Under under(reader_, "config");
        reader_.expect(*config, Kind::map, "a record");
        config = nullptr;
    }
    if (plugin.shared_config) {
        const Node* shared =
            file.plugin_configs == nullptr ? nullptr : file.plugin_configs->find(*plugin.shared_config);
        if (shared == nullptr) {
            Reader::Under under(reader_, "_config");
            reader_.problem(mark_of(node, "_config"),
                            fmt::format("'{}' is no entry of '_plugin_configs'", *plugin.shared_config));
        } else {
            Node* base = static_cast<Node*>(file.arena->allocate(sizeof(Node), alignof(Node)));
            *base = config == nullptr ? *shared : merged(*file.arena, *config, *shared, merge_budget_);
            config = base;
        }
    }
    if (config != nullptr) config = with_new_names(file, plugin.name, *config);
    if (!plugin.name.empty()) check_plugin(plugin, node, config, parent);
    auto index = static_cast<Index>(result_.document.plugins.size());
    std::string key;
    if (!plugin.name.empty()) {
        key = fmt::format("plugins:*:{}:{}:{}:{}", plugin.name, id_part(parent, EntityKind::route, plugin.route),
                          id_part(parent, EntityKind::service, plugin.service),
                          id_part(parent, EntityKind::consumer, plugin.consumer));
        std::string group = id_part(parent, EntityKind::consumer_group, plugin.consumer_group);
        if (!group.empty()) key += ":" + group;
    }
    gateway::PluginUse out;
    out.id = identify(type, plugin.id, key, false, node, parent, index);
    if (plugin.instance_name) declare(type, "instance_name", *plugin.instance_name, node, {index, out.id, node.mark()});
    const Reference* references[] = {&plugin.service, &plugin.route, &plugin.consumer, &plugin.consumer_group};
    Index* slots[] = {&out.service, &out.route, &out.consumer, &out.consumer_group};
    for (std::size_t i = 0; i < type.parents.size(); ++i) {
        *slots[i] = bind(type, type.parents[i], *references[i], node, parent, index,
                         plugin.instance_name.value_or(out.id.text()));
    }
    out.name = std::move(plugin.name);
    out.instance_name = plugin.instance_name.value_or("");
    out.config = config;
    out.enabled = plugin.enabled;
    out.before = ordering_of(plugin.ordering, "before");
    out.after = ordering_of(plugin.ordering, "after");
    out.protocols = protocols_of(plugin.protocols);
    out.tags = std::move(plugin.tags);
    out.mark = node.mark();
    out.path = reader_.path();
    base::Uuid id = out.id;
    result_.document.plugins.push_back(std::move(out));
    return {&type, id, index};
}

}  // namespace kong
