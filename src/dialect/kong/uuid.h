// Name-based UUIDs (version 5, RFC 9562 5.5): Kong derives the ids of entities without one, and of the further path
// groups of a route, so that they survive a reload. Used while a document is read, never per request.
#pragma once

#include <string_view>

#include "base/uuid.h"

namespace kong {

[[nodiscard]] base::Uuid uuid_v5(const base::Uuid& name_space, std::string_view name);

}  // namespace kong
