#include "plugin/latencies.h"

namespace plugin {

Latencies latencies_of(const Exchange& exchange) {
    const Timings& timings = exchange.timings;
    auto span = [](net::Instant from, net::Instant to) -> std::int64_t {
        return from == net::never || to == net::never || to < from ? 0 : to - from;
    };
    Latencies out;
    out.request = span(timings.started, timings.finished);
    if (timings.upstream_began == net::never) {
        out.kong = out.request;
        return out;
    }
    out.kong = span(timings.started, timings.upstream_began);
    net::Instant head = timings.response_head != net::never ? timings.response_head : timings.finished;
    out.proxy = span(timings.upstream_began, head);
    out.receive = span(head, timings.finished);
    return out;
}

}  // namespace plugin
