// Schedule: what will happen in a simulated network and when. Steps due at the same instant come in an order drawn from
// the seed; whatever must keep its order is scheduled one after the other by SimulatedLoop.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/random.h"
#include "net/time.h"

namespace net {
class Socket;
}

namespace net::simulated {

enum class Step : std::uint8_t {
    dial,       // a connection attempt reaches its address
    refuse,     // ...and its client hears that it failed
    establish,  // ...or that it is there
    accept,     // the listener takes it
    move,       // bytes or an end of the direction that begins at `side` arrive
    read,       // the socket of `side` gets what has arrived
    send,       // completion: `socket` learns how much of its send was taken
    close,      // completion: `socket` is let go
};
[[nodiscard]] const char* name(Step step);

struct Event {
    Instant at = 0;
    std::uint64_t order = 0;  // among those of one instant
    std::uint64_t sequence = 0;
    Step step{};
    std::uint8_t side = 0;
    std::uint32_t connection = 0;
    Socket* socket = nullptr;  // of completions, which its memory waits for
};

class Schedule {
  public:
    void add(Event event, base::Random& random);
    // `never` if there is none.
    [[nodiscard]] Instant next() const { return heap_.empty() ? never : heap_.front().at; }
    [[nodiscard]] const Event& first() const { return heap_.front(); }
    Event take();
    [[nodiscard]] std::uint64_t added() const { return sequence_; }
    [[nodiscard]] const std::vector<Event>& all() const { return heap_; }

  private:
    std::vector<Event> heap_;
    std::uint64_t sequence_ = 0;
};

}  // namespace net::simulated
