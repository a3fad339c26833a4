// Outstanding: the commands of one connection in the order of their replies, a ring that grows up to a bound. Each has
// a number that stays its own, so that whoever waits for it can leave without anybody searching.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "net/buffer.h"
#include "net/time.h"

namespace redis {

class Pending;

struct OutstandingCommand {
    Pending* pending = nullptr;  // null: nobody waits any more; the reply still comes if it was sent
    net::Instant issued = 0;
    net::Slice bytes;          // until they are given to the socket
    std::uint8_t leading = 0;  // replies that come before its own (that of ASKING)
    bool is_void = false;      // nobody waited when it was to be sent: it was not
};

class Outstanding {
  public:
    [[nodiscard]] bool empty() const { return first_ == end_; }
    [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(end_ - first_); }
    [[nodiscard]] std::uint64_t first() const { return first_; }
    [[nodiscard]] std::uint64_t end() const { return end_; }
    [[nodiscard]] bool contains(std::uint64_t number) const { return number >= first_ && number < end_; }

    OutstandingCommand& operator[](std::uint64_t number) {
        ensure(contains(number), number, first_, end_);
        return ring_[number & (ring_.size() - 1)];
    }
    // Returns its number.
    std::uint64_t push(OutstandingCommand command) {
        if (size() == ring_.size()) grow();
        ring_[end_ & (ring_.size() - 1)] = std::move(command);
        return end_++;
    }
    OutstandingCommand pop() {
        OutstandingCommand out = std::exchange((*this)[first_], {});
        ++first_;
        return out;
    }

  private:
    void grow() {
        std::vector<OutstandingCommand> larger(ring_.empty() ? 16 : ring_.size() * 2);
        for (std::uint64_t number = first_; number != end_; ++number)
            larger[number & (larger.size() - 1)] = std::move((*this)[number]);
        ring_ = std::move(larger);
    }
    std::vector<OutstandingCommand> ring_;  // a power of two
    std::uint64_t first_ = 0;
    std::uint64_t end_ = 0;
};

}  // namespace redis
