// What all entities of Kong have: identity, times, tags.
#pragma once

#include <optional>
#include <string>

#include "dialect/kong/formats.h"
#include "dialect/kong/reference.h"
#include "schema/field.h"

namespace kong {

template <typename Entity>
constexpr auto id_field() {
    return schema::field("id", &Entity::id, "Identity; derived from the unique name if absent.");
}
template <typename Entity>
constexpr auto created_field() {
    return schema::field("created_at", &Entity::created_at, "Time of creation in epoch seconds; kept for tools.");
}
template <typename Entity>
constexpr auto updated_field() {
    return schema::field("updated_at", &Entity::updated_at,
                         "Time of the last change in epoch seconds; kept for tools.");
}
template <typename Entity>
constexpr auto tags_field() {
    return schema::field("tags", &Entity::tags, "Words to find it by.").matches(tag_format);
}

}  // namespace kong
