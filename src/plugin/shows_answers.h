// ShowsAnswers: a Purgeable whose stored answers an operator may look at, one by one (the admin pages, as in Kong).
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "base/task.h"

namespace plugin {

class Worker;

class ShowsAnswers {
  public:
    virtual ~ShowsAnswers() = default;
    // As JSON; nothing: there is none under that X-Cache-Key. On the thread of `worker`.
    virtual base::Task<base::Result<std::optional<std::string>>> show(Worker& worker, std::string key) = 0;
};

}  // namespace plugin
