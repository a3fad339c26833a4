#include "upstream/panic.h"

#include "observe/log.h"

namespace upstream {

bool Panic::reconsider(std::span<const Endpoint> endpoints) {
    std::uint64_t all = 0;
    std::uint64_t in_service = 0;
    for (const Endpoint& endpoint : endpoints) {
        all += endpoint.weight;
        if (endpoint.state->is_in_service()) in_service += endpoint.weight;
    }
    bool is_on = static_cast<double>(in_service) * 100 < threshold_ * static_cast<double>(all);
    if (flag_->exchange(is_on, std::memory_order_acq_rel) == is_on) return false;
    observe::log(is_on ? observe::Level::error : observe::Level::notice, "health",
                 is_on ? "panic: too little is in service, so requests go to all targets, bad ones as well"
                       : "panic is over: requests go only to targets in service",
                 {{"upstream", name_}, {"weight", all}, {"in_service", in_service}});
    return is_on;
}

}  // namespace upstream
