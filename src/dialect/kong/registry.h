// Which entities and plugins exist in Kong's world, how they hang together, and which of them guard something.
// Read by the loader (nesting, references, "nothing is ignored in silence"), by `cardea schema` and the reference
// pages.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "schema/record.h"

namespace kong {

enum class EntityKind : std::uint8_t {
    vault,
    certificate,
    sni,
    ca_certificate,
    upstream,
    target,
    consumer_group,
    consumer,
    acl,
    keyauth,
    basicauth,
    hmacauth,
    jwt,
    oauth2,
    mtls,
    service,
    route,
    plugin,
    key_set,
    key,
    unread,
};

struct ForeignKey {
    std::string_view field;
    EntityKind parent;
    bool required = false;
};

struct EntityType {
    EntityKind kind;
    std::string_view plural;
    std::string_view singular;
    std::string_view key;                         // unique field that references may use; empty = the id only
    const schema::Record& (*record)() = nullptr;  // nullptr: known by name only
    std::string_view description;
    std::vector<ForeignKey> parents;
    std::string_view served_by;  // the plugin whose data it is
    bool guards = false;         // leaving it out would open something
    std::string_view reason;     // why, or what is lost
};

// In the order in which the loader reads them.
[[nodiscard]] std::span<const EntityType> entity_types();
[[nodiscard]] const EntityType& entity_type(EntityKind kind);
[[nodiscard]] const EntityType* find_entity(std::string_view plural_or_singular);
// Keys of an entity that are not its fields: nested children, `_comment`, `_ignore`.
[[nodiscard]] const std::vector<std::string_view>& other_keys(EntityKind kind);

struct KnownPlugin {
    std::string_view name;
    bool guards;  // refuses, limits or verifies: never left out
};
// Every plugin of Kong, its Enterprise edition and ours.
[[nodiscard]] std::span<const KnownPlugin> known_plugins();
[[nodiscard]] const KnownPlugin* find_plugin(std::string_view name);

}  // namespace kong
