// Sender: brings batches of entries to one place: an HTTP server, a TCP or UDP port, a file. Owned by a Lane and used
// on its loop's thread, one batch at a time. Every send ends within the sender's own time limits.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "base/result.h"
#include "base/task.h"
#include "net/loop.h"

namespace delivery {

using Batch = std::span<const std::string>;

class Sender {
  public:
    virtual ~Sender() = default;
    // Good: the place has the whole batch, as far as its protocol can tell. An error with Retry::never says that trying
    // again is of no use; with any other the same batch may be sent again.
    virtual base::Task<base::Result<void>> send(Batch batch) = 0;
    // The batch of the last send, which failed, is given up: the next one is another.
    virtual void abandon() {}
    // When tidy() wants to be called if nothing is sent until then: connections that were kept open long enough.
    [[nodiscard]] virtual net::Instant idle_until() const { return net::never; }
    virtual void tidy() {}
};

}  // namespace delivery
