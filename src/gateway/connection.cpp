#include "gateway/connection.h"

#include <utility>

#include "gateway/client_address.h"
#include "gateway/client_side.h"
#include "gateway/forward.h"
#include "gateway/http2_connection.h"
#include "gateway/relay.h"
#include "gateway/reply.h"
#include "gateway/tunnel.h"
#include "http/http1/parse.h"
#include "observe/log.h"

namespace gateway {

namespace {

using base::Task;
using observe::Counter;
using observe::Gauge;

// A request body that nobody wants is read to its end if it is no longer than this; else the connection is closed.
constexpr std::uint64_t most_discarded = 64 * 1024;
// While lingering: what a client may still send before it is cut off.
constexpr std::uint64_t most_lingering = 1024 * 1024;

}  // namespace

// ---- life

void Connection::begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                       Entrance entrance, const net::tls::Layer* tls) {
    auto* self = new Connection(core, std::move(socket), local, serve, entrance, tls);
    self->insert_before(core.asleep_);
    // A client that has connected should say something soon.
    self->socket_->on_input({&Connection::wake, self},
                            core.sleep_until(net::after(core.loop.now(), core.settings.limits.header_timeout)));
}

Connection::Connection(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                       Entrance entrance, const net::tls::Layer* tls)
    : core_(core),
      socket_(std::move(socket)),
      local_(local),
      serve_(serve),
      entrance_(entrance),
      tls_(tls),
      number_(core.next_connection_number()) {
    if (entrance_ != Entrance::clients) return;
    core_.metrics.add(Counter::connections_accepted);
    core_.metrics.raise(Gauge::connections_active);
}

Connection::~Connection() {
    unlink();
    if (serving_) std::exchange(serving_, {}).destroy();
    if (entrance_ != Entrance::clients || socket_ == nullptr) return;  // or what is left to leave is HTTP/2's
    core_.process.leave(socket_->client().ip);
    core_.metrics.lower(Gauge::connections_active);
}

void Connection::close() { delete this; }

void Connection::sleep() {
    unlink();
    insert_before(core_.asleep_);
    socket_->on_input({&Connection::wake, this},
                      core_.sleep_until(net::after(core_.loop.now(), core_.settings.limits.idle_timeout)));
}

void Connection::wake(void* self) {
    auto& connection = *static_cast<Connection*>(self);
    if (!connection.socket_->has_input()) return connection.close();  // the client has closed, or slept too long
    connection.unlink();
    connection.insert_before(connection.core_.awake_);
    connection.serve_requests();
    connection.serving_.resume();
}

void Connection::served() {
    serving_ = {};
    if (speaks_http2_) {
        Http2Connection::begin(core_, std::move(socket_), local_, serve_, number_, tls_);
        delete this;
        return;
    }
    if (keep_open_)
        sleep();
    else
        close();
}

// ---- requests

Connection::Serving Connection::serve_requests() {
    std::size_t in_a_row = 0;
    do {
        auto owned = std::make_unique<Transaction>(core_, *socket_, entrance_);
        Transaction& transaction = *owned;
        transaction.timings.started = core_.loop.now();
        net::Instant deadline = net::after(core_.loop.now(), core_.settings.limits.header_timeout);
        HeadReader reader(http1::MessageKind::request);
        HeadReader::State state = reader.take(socket_->take_input().slice, core_.loop.buffers(), core_.client_limits);
        net::IoStatus lost = net::IoStatus::ok;
        while (state == HeadReader::State::more && lost == net::IoStatus::ok) {
            net::Received received = co_await socket_->receive(deadline);
            lost = received.status;
            if (lost == net::IoStatus::ok)
                state = reader.take(std::move(received.slice), core_.loop.buffers(), core_.client_limits);
        }
        if (reader.fault() == http1::Fault::http2_preface && requests_ == 0 && entrance_ == Entrance::clients) {
            socket_->unread(reader.bytes());
            speaks_http2_ = true;
            co_return;
        }
        if (lost != net::IoStatus::ok && (lost != net::IoStatus::timed_out || !reader.has_begun())) {
            keep_open_ = false;  // gone in the middle of a head: nobody to answer
            co_return;
        }
        begin_transaction(transaction, reader);
        if (transaction.response.status == 0) {
            try {
                co_await serve_(transaction);
            } catch (const std::exception& error) {
                answer_exception(transaction, error);
                keep_open_ = false;
            }
        }
        bool was_sent = co_await answer(transaction);
        finish_request(transaction);
        // A client that has said `close` and sent its whole request says no more: nothing can hurt its answer.
        bool may_say_more =
            transaction.request.keep_alive || !transaction.request_body.is_done() || socket_->has_input();
        if (transaction.background != nullptr)
            core_.go_on_in_background(std::move(owned));
        else
            owned.reset();
        if (was_sent && !keep_open_ && may_say_more) co_await linger();
        // A client that sends without end has no more right to the core than the others.
        if (++in_a_row % core_.settings.limits.pipeline_depth == 0)
            co_await net::sleep_until(core_.loop, core_.loop.now() + 1);
    } while (keep_open_ && socket_->has_input());
}

void Connection::begin_transaction(Transaction& transaction, const HeadReader& reader) {
    transaction.client.tls = tls_;
    begin_request(transaction, entrance_, number_, ++requests_);
    transaction.head_bytes = reader.bytes();
    http1::Fault fault = reader.fault();
    bool is_late = fault == http1::Fault::none && !reader.is_complete();
    if (!is_late && fault == http1::Fault::none) {
        fault = http1::parse_request_head(reader.head(), core_.client_limits, transaction.request);
        transaction.request_head_bytes = reader.head().size();
        transaction.client_method = transaction.request.method;
        socket_->unread(reader.rest());
        // From here on it says how much of the body has been read, whether or not an upstream ever gets it.
        transaction.request_body.start(transaction.request.framing, transaction.request.content_length,
                                       core_.client_limits, http::BodyFraming::none, TrailerChoice::drop);
    }
    identify_client(transaction, *socket_, local_);
    if (is_late) {
        core_.metrics.add(Counter::client_timeouts);
        plugin::reply_error(transaction, 408, {}, ErrorKind::unread);
    } else if (fault != http1::Fault::none) {
        refuse_request(transaction, fault);
    } else {
        return;
    }
    keep_open_ = false;
}

// Whether the connection can carry another request once this one is answered, as far as can be known now.
bool Connection::can_be_kept(const Transaction& transaction) const {
    const Limits& limits = core_.settings.limits;
    const http::RequestHead& request = transaction.request;
    if (!keep_open_ || transaction.is_last || !request.keep_alive || core_.is_draining()) return false;
    if (limits.keepalive_requests != 0 && requests_ >= limits.keepalive_requests) return false;
    if (transaction.own_request_body) return transaction.request_body.is_done();
    if (!transaction.has_request_body()) return true;
    // An upstream that answers before it has the request and closes: nobody will read the rest.
    if (transaction.is_from_upstream) return transaction.is_request_through || transaction.response.keep_alive;
    // Our own answer to a request whose body is still to come.
    if (transaction.request_body.is_done()) return true;
    bool is_coming = !request.expect_continue || transaction.asked_to_continue;
    return is_coming && request.framing == http::BodyFraming::length &&
           transaction.request_body.remaining() <= most_discarded;
}

Task<bool> Connection::answer(Transaction& transaction) {
    net::Socket& client = *socket_;
    if (client.is_sending()) {
        // An interim answer (100, 103) ran out of time: the kernel still holds it, and nothing can follow.
        keep_open_ = false;
        core_.metrics.add(Counter::client_aborts);
        finish_attempt(transaction, upstream::Outcome::cancelled);
        co_return false;
    }
    const Limits& limits = core_.settings.limits;
    bool keep = can_be_kept(transaction);
    ClientFraming framing = framing_for(transaction);
    if (framing.framing == http::BodyFraming::until_close) keep = false;
    framing.close = !keep;
    keep_open_ = keep;
    transaction.is_tunnel = transaction.is_from_upstream && transaction.response.status == 101;
    net::Assembler out(core_.loop.buffers());
    if (auto added = add_client_head(transaction, framing, out); !added) {
        log_unwritable(transaction, added.error());
        keep_open_ = false;
        finish_attempt(transaction, upstream::Outcome::failed);
        co_return false;
    }
    transaction.sent_head_bytes = out.bytes();
    RelayEnd end;
    bool streams = is_streamed(transaction, framing);
    bool has_text = framing.framing == http::BodyFraming::length && transaction.is_body_in_hand();
    if (has_text) out.copy(transaction.response_text);
    // What has come with the head goes out with the head.
    if (streams && !add_streamed_in_hand(transaction, framing, out)) end.kind = RelayEnd::Kind::source_malformed;
    net::IoStatus sent = co_await client.send(out.finish(), net::after(core_.loop.now(), limits.send_timeout));
    if (sent != net::IoStatus::ok) {
        end = {RelayEnd::Kind::sink_lost, sent};
    } else if (transaction.is_tunnel) {
        co_await tunnel(transaction);
        keep_open_ = false;
        finish_attempt(transaction, upstream::Outcome::answered);
        co_return false;
    } else if (streams && end.kind == RelayEnd::Kind::done && !transaction.response_body.is_done()) {
        RelayLimits relay_limits{transaction.served_service().read_timeout, limits.send_timeout, 0, 0, {}};
        end = co_await relay(*transaction.link->socket, transaction.response_body, client, relay_limits);
    }
    if (transaction.source && sent == net::IoStatus::ok && framing.framing != http::BodyFraming::none)
        end = co_await send_source(transaction, framing.framing == http::BodyFraming::chunked);
    // An incomplete answer: the client must see that, and closing is all that is left.
    if (end.kind != RelayEnd::Kind::done) keep_open_ = false;
    settle_answer(transaction, end, has_text ? transaction.response_text.size() : 0);
    // A cut answer too must reach the client as far as it goes.
    if (end.kind != RelayEnd::Kind::done) co_return end.kind != RelayEnd::Kind::sink_lost;
    if (!co_await finish_request_body(transaction)) keep_open_ = false;
    co_return true;
}

// Reads what is left of a request body, so that the next request begins where it should. False if that is too much.
Task<bool> Connection::finish_request_body(Transaction& transaction) {
    if (transaction.request_body.is_done()) co_return true;
    if (!keep_open_ || (transaction.request.expect_continue && !transaction.asked_to_continue)) co_return false;
    RelayEnd end =
        co_await discard(*socket_, transaction.request_body, core_.settings.limits.body_timeout, most_discarded);
    co_return end.kind == RelayEnd::Kind::done;
}

// Closing with unread input makes TCP send a reset, which can destroy the answer on its way to the client (RFC 9112
// 9.6): so first only our half is closed, and what the client still sends is read for a while.
Task<void> Connection::linger() {
    if (socket_->input_ended() && !socket_->has_input()) co_return;
    socket_->shutdown_write();
    net::Instant deadline = net::after(core_.loop.now(), core_.settings.limits.linger_timeout);
    std::uint64_t read = 0;
    while (read < most_lingering) {
        net::Received received = co_await socket_->receive(deadline);
        if (received.status != net::IoStatus::ok) co_return;
        read += received.slice.size();
    }
}

}  // namespace gateway
