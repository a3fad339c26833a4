// Verdict: what a plugin's on_request says about the request. A plugin that answers itself fills the response first
// (plugin/reply.h), and gives back what those functions give it.
#pragma once

#include <cstdint>

namespace plugin {

enum class Verdict : std::uint8_t {
    go_on,     // nothing against it: the next plugin, and in the end the upstream
    answered,  // the response is there; later plugins see only the response and the log
    wait,      // this plugin cannot say without waiting: its wait_request() is asked
};

}  // namespace plugin
