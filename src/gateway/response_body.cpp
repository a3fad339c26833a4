#include "gateway/response_body.h"

#include "gateway/forward.h"
#include "net/loop.h"

namespace gateway {

using base::Code;
using base::Error;
using base::Result;
using base::Retry;
using base::Task;

Task<Result<void>> read_response_body(Transaction& transaction) {
    const http::ResponseHead& response = transaction.response;
    std::size_t most = transaction.buffered_most;
    if (response.framing == http::BodyFraming::none || response.status == 101) co_return base::success();
    if (response.framing == http::BodyFraming::length && response.content_length > most) co_return base::success();
    Core& core = transaction.core;
    net::Socket& upstream = *transaction.link->socket;
    BodyRelay& body = transaction.response_body;
    plugin::BodyCapture captured;
    captured.most = most;
    // Those of a stream come beside the body, and still go behind what becomes of it.
    body.start(transaction.answering_framing(), response.content_length, core.upstream_limits, http::BodyFraming::none,
               transaction.response_trailers ? TrailerChoice::pass : TrailerChoice::drop);
    body.capture_into(&captured);
    net::Assembler dropped(core.loop.buffers());
    std::vector<net::Slice> taken;
    while (!body.is_done()) {
        net::Instant deadline = net::after(core.loop.now(), transaction.served_service().read_timeout);
        net::Received received;
        do received = co_await upstream.receive(deadline);
        while (received.status == net::IoStatus::timed_out && core.loop.now() < deadline);  // interrupted, not late
        if (received.status == net::IoStatus::ended && body.end_of_input(dropped)) break;
        if (received.status != net::IoStatus::ok) {
            body.capture_into(nullptr);
            Code code = received.status == net::IoStatus::timed_out ? Code::timed_out : Code::reset;
            co_return Error::upstream(code, Retry::never, "response body: " + std::string(name(received.status)));
        }
        net::Slice input = std::move(received.slice);
        net::Slice whole = input;
        bool is_sound = true;
        while (is_sound && !input.empty() && !body.is_done()) {
            is_sound = body.feed(input, dropped);
            dropped.finish().clear();
        }
        if (!is_sound) {
            body.capture_into(nullptr);
            co_return http1::upstream_error(body.fault());
        }
        taken.push_back(whole.part(0, whole.size() - input.size()));
        upstream.unread(std::move(input));
        if (!captured.is_cut) continue;
        // Larger than anybody wants to hold: it is streamed, from its first byte.
        body.capture_into(nullptr);
        for (; !taken.empty(); taken.pop_back()) upstream.unread(std::move(taken.back()));
        co_return base::success();
    }
    body.capture_into(nullptr);
    if (plugin::BodyCapture* wanted = transaction.capture; wanted != nullptr) {
        wanted->is_cut = captured.bytes.size() > wanted->most;
        if (!wanted->is_cut) wanted->bytes = captured.bytes;
        wanted->is_complete = !wanted->is_cut;
    }
    transaction.response_body_bytes = body.received();
    transaction.buffered_response = std::move(captured.bytes);
    transaction.response_text = *transaction.buffered_response;
    finish_attempt(transaction, upstream::Outcome::answered);
    co_return base::success();
}

}  // namespace gateway
