// Connections that are not served are told so in a few words, as far as that costs nothing.
#pragma once

#include <string_view>

#include "base/task.h"
#include "net/socket.h"

namespace gateway {

// Says `answer` (a constant) before there is a request, then reads on for a moment: closing with unread input would
// take the answer back. Only so many are told at one time, a core; further ones are just closed.
base::Detached turn_away(net::SocketPtr socket, std::string_view answer);

}  // namespace gateway
