// RouteFacts, ServiceFacts: what plugins may know of the route and the service of a request. Owned by the snapshot.
#pragma once

#include <cstdint>
#include <string>

#include "base/uuid.h"

namespace plugin {

struct RouteFacts {
    base::Uuid id;
    std::string name;  // may be empty
};

struct ServiceFacts {
    base::Uuid id;
    std::string name;  // may be empty
    std::string host;
};

}  // namespace plugin
