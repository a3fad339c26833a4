// Purgeable: a state of a plugin that holds answers which an operator may want to be rid of. The admin pages ask all of
// them (Shared::purgeables).
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "base/task.h"

namespace plugin {

class Worker;

enum class PurgeBy : std::uint8_t {
    all,
    key,     // X-Cache-Key
    prefix,  // of "host/path?arguments"
    tag,
};

class Purgeable {
  public:
    virtual ~Purgeable() = default;
    // Removes, and says how many there were, or at least 1 where that is not known. On the thread of `worker`.
    virtual base::Task<base::Result<std::uint64_t>> purge(Worker& worker, PurgeBy by, std::string text) = 0;
};

}  // namespace plugin
