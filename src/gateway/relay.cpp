#include "gateway/relay.h"

#include <algorithm>
#include <tuple>

#include "net/loop.h"

namespace gateway {

using base::Task;
using Kind = RelayEnd::Kind;

namespace {

// Bodies from this size on are read piece by piece as they are passed on, see Socket::expect_bulk.
constexpr std::uint64_t bulk_from = 128 * 1024;

class BulkInput {
  public:
    explicit BulkInput(net::Socket& socket) : socket_(socket) {}
    BulkInput(const BulkInput&) = delete;
    ~BulkInput() { socket_.expect_bulk(false); }
    void begin() { socket_.expect_bulk(true); }

  private:
    net::Socket& socket_;
};

}  // namespace

Task<RelayEnd> relay(net::Socket& from, BodyRelay& body, net::Socket& to, RelayLimits limits) {
    net::Loop& loop = from.loop();
    net::Instant waited = 0;  // for the source; while the sink holds us up, the source cannot show its rate
    std::uint64_t received_before = body.received();
    net::Assembler out(loop.buffers());
    BulkInput bulk(from);
    while (!body.is_done()) {
        if (body.remaining() >= bulk_from || body.received() - received_before >= bulk_from) bulk.begin();
        net::Instant asked = loop.now();
        net::Instant deadline = std::min(net::after(asked, limits.read_timeout), limits.until);
        net::Received received;
        do received = co_await from.receive(deadline);
        while (received.status == net::IoStatus::timed_out && loop.now() < deadline);  // interrupted, not late
        waited += loop.now() - asked;
        if (received.status == net::IoStatus::ok) {
            // All that is there goes out in one send.
            net::Slice input = std::move(received.slice);
            while (true) {
                if (!body.feed(input, out)) co_return {Kind::source_malformed};
                if (!input.empty() || body.is_done() || out.is_full() || !from.has_input()) break;
                input = from.take_input().slice;
            }
            from.unread(std::move(input));
            if (limits.most_bytes != 0 && body.received() > limits.most_bytes) co_return {Kind::too_large};
        } else if (received.status == net::IoStatus::timed_out) {
            co_return {Kind::source_too_slow, received.status};
        } else if (received.status != net::IoStatus::ended || !body.end_of_input(out)) {
            co_return {Kind::source_lost, received.status};
        }
        if (limits.least_rate != 0 && waited > limits.rate_from.count()) {
            auto seconds = static_cast<std::uint64_t>(waited) / 1000;
            if ((body.received() - received_before) < limits.least_rate * seconds)
                co_return {Kind::source_too_slow, net::IoStatus::timed_out};
        }
        if (out.empty()) continue;
        net::IoStatus sent = co_await to.send(out.finish(), net::after(loop.now(), limits.write_timeout));
        if (sent != net::IoStatus::ok) co_return {Kind::sink_lost, sent};
    }
    co_return {Kind::done};
}

Task<RelayEnd> discard(net::Socket& from, BodyRelay& body, net::Milliseconds read_timeout, std::uint64_t most) {
    net::Loop& loop = from.loop();
    net::Assembler dropped(loop.buffers());
    std::uint64_t taken = 0;
    while (!body.is_done()) {
        net::Received received = co_await from.receive(net::after(loop.now(), read_timeout));
        if (received.status == net::IoStatus::timed_out) co_return {Kind::source_too_slow, received.status};
        if (received.status != net::IoStatus::ok) co_return {Kind::source_lost, received.status};
        net::Slice input = std::move(received.slice);
        std::size_t before = input.size();
        while (!input.empty() && !body.is_done()) {
            if (!body.feed(input, dropped)) co_return {Kind::source_malformed};
            dropped.finish().clear();
        }
        taken += before - input.size();
        from.unread(std::move(input));
        if (taken > most) co_return {Kind::too_large};
    }
    co_return {Kind::done};
}

}  // namespace gateway
