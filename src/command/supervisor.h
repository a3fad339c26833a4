// What the program owes to whoever supervises it: readiness and state for systemd, listening sockets from systemd or
// from the process that it replaces, and handing its own on to a new version of the program.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <sys/types.h>

#include "gateway/server.h"

namespace command {

// sd_notify(3): nothing happens where nobody asked (NOTIFY_SOCKET).
void notify_supervisor(std::string_view state);

// Sockets passed in: LISTEN_FDS (sd_listen_fds(3)) and CARDEA_LISTENERS of a process that upgrades. The variables are
// removed from the environment.
[[nodiscard]] std::vector<gateway::InheritedListener> inherited_listeners();
// The pipe to the process that started us as its successor, or -1; removed from the environment like the above.
[[nodiscard]] int predecessor_descriptor();
// Tells it that we serve now; it then drains.
void tell_predecessor(int descriptor);

// A new process of the program file as it is on disk now, with our arguments and listeners. It has taken over once
// `ready_descriptor` delivers a byte; if that ends without one, it has failed and we go on.
struct Successor {
    pid_t process = -1;
    int ready_descriptor = -1;
};
base::Result<Successor> start_successor(const std::string& program, char** arguments,
                                        const std::vector<gateway::InheritedListener>& listeners);

}  // namespace command
