#include "gateway/request_body.h"

#include "gateway/stream.h"
#include "net/loop.h"

namespace gateway {

using base::Code;
using base::Error;
using base::Result;
using base::Task;

void put_body_back(Transaction& transaction) {
    while (!transaction.replay.empty()) {
        transaction.client_socket.unread(std::move(transaction.replay.back()));
        transaction.replay.pop_back();
    }
}

Error body_error(const RelayEnd& end, http1::Fault fault) {
    switch (end.kind) {
        case RelayEnd::Kind::source_malformed:
            return http1::client_error(fault);
        case RelayEnd::Kind::too_large:
            return body_too_large();
        case RelayEnd::Kind::source_too_slow:
            return Error::client(Code::timed_out, "request body too slow", 408);
        default:
            return Error::client(Code::reset, "client went away during the request body", 400);
    }
}

Error body_too_large() { return Error::client(Code::too_large, "request body too large", 413); }

std::uint64_t most_body_bytes(const Transaction& transaction) {
    std::uint64_t most = transaction.core.settings.limits.body_bytes;
    std::uint64_t own = transaction.most_request_body;
    return most == 0 || (own != 0 && own < most) ? own : most;
}

Task<Result<void>> ask_for_body(Transaction& transaction) {
    if (!transaction.request.expect_continue || transaction.asked_to_continue) co_return base::success();
    transaction.asked_to_continue = true;
    net::IoStatus asked = co_await send_interim(transaction, net::Slice::constant("HTTP/1.1 100 Continue\r\n\r\n"));
    if (asked != net::IoStatus::ok) co_return Error::client(Code::reset, "client went away", 400);
    co_return base::success();
}

Task<net::IoStatus> send_interim(Transaction& transaction, net::Slice head) {
    if (transaction.stream != nullptr)
        co_return transaction.stream->send_interim(head.text()) ? net::IoStatus::ok : net::IoStatus::reset;
    net::Instant deadline = net::after(transaction.core.loop.now(), transaction.core.settings.limits.send_timeout);
    co_return co_await transaction.client_socket.send(std::move(head), deadline);
}

Task<Result<std::string_view>> Transaction::read_request_body(std::size_t most) {
    if (read_body) co_return std::string_view(*read_body);
    if (!has_request_body()) co_return std::string_view();
    std::uint64_t allowed = most_body_bytes(*this);
    if (request.framing == http::BodyFraming::length) {
        if (allowed != 0 && request.content_length > allowed) co_return body_too_large();
        if (request.content_length > most) co_return body_too_large();
    }
    auto asked = co_await ask_for_body(*this);
    if (!asked) co_return std::move(asked).error();
    const Limits& limits = core.settings.limits;
    auto restart = [&](plugin::BodyCapture* into) {
        request_body.start(arriving_framing(), request.content_length, core.client_limits, http::BodyFraming::none,
                           TrailerChoice::drop);
        request_body.capture_into(into);
    };
    plugin::BodyCapture captured;
    captured.most = most;
    restart(&captured);
    net::Assembler dropped(core.loop.buffers());
    net::Instant waited = 0;
    while (!request_body.is_done()) {
        net::Instant began = core.loop.now();
        net::Received received = co_await client_socket.receive(net::after(began, limits.body_timeout));
        waited += core.loop.now() - began;
        RelayEnd end;
        // The end of a stream is the end of its body.
        if (received.status == net::IoStatus::ended && request_body.end_of_input(dropped)) break;
        if (received.status == net::IoStatus::timed_out)
            end.kind = RelayEnd::Kind::source_too_slow;
        else if (received.status != net::IoStatus::ok)
            end.kind = RelayEnd::Kind::source_lost;
        net::Slice input = std::move(received.slice);
        net::Slice whole = input;
        while (end.kind == RelayEnd::Kind::done && !input.empty() && !request_body.is_done()) {
            if (!request_body.feed(input, dropped)) end.kind = RelayEnd::Kind::source_malformed;
            dropped.finish().clear();
        }
        if (whole.size() > input.size()) replay.push_back(whole.part(0, whole.size() - input.size()));
        client_socket.unread(std::move(input));
        if (end.kind == RelayEnd::Kind::done && allowed != 0 && request_body.received() > allowed)
            end.kind = RelayEnd::Kind::too_large;
        if (limits.body_min_rate != 0 && waited > limits.body_min_rate_after.count() &&
            request_body.received() < limits.body_min_rate * static_cast<std::uint64_t>(waited) / 1000)
            end.kind = RelayEnd::Kind::source_too_slow;
        if (end.kind != RelayEnd::Kind::done) {
            request_body.capture_into(nullptr);
            is_last = true;
            co_return body_error(end, request_body.fault());
        }
        if (captured.is_cut) {
            put_body_back(*this);
            restart(nullptr);
            co_return body_too_large();
        }
    }
    request_body.capture_into(nullptr);
    read_body = std::move(captured.bytes);
    co_return std::string_view(*read_body);
}

void Transaction::replace_request_body(std::string_view body) {
    own_request_body = body;
    request.framing = http::BodyFraming::length;
    request.content_length = body.size();
    // What the client still sends of its own body can no longer be told from a next request.
    if (!request_body.is_done()) is_last = true;
}

}  // namespace gateway
