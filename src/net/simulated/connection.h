// Connection: the kernel's half of one simulated TCP connection, at both of its ends. Side 0 dialled, side 1 accepted.
// It lives until both programs have let go of it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "net/address.h"
#include "net/simulated/pipe.h"
#include "net/socket.h"
#include "net/timer.h"

namespace net::simulated {

struct Endpoint {
    Socket* socket = nullptr;  // none before accept and after close
    Pipe out;                  // towards the other endpoint
    bool is_closed = false;    // by its program
    bool is_broken = false;    // a reset left it or has arrived
    bool waits_for_room = false;
    bool is_read_due = false;
};

struct Connection {
    static constexpr std::size_t no_reset = std::numeric_limits<std::size_t>::max();

    std::uint32_t id = 0;
    SocketAddress target;  // as dialled; faults go by it
    SocketAddress client;
    std::array<Endpoint, 2> ends;
    std::uint32_t listener = 0;  // that took it; 0 while nobody has
    bool is_lost = false;        // what dialled it never arrived: heal() sends it again
    bool is_answered = false;    // the dialling is over, well or badly
    Timer give_up;               // of the dialling
    std::size_t steps_to_reset = no_reset;
};

}  // namespace net::simulated
