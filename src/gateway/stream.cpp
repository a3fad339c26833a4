#include "gateway/stream.h"

#include <algorithm>
#include <utility>

#include "gateway/client_address.h"
#include "gateway/client_side.h"
#include "gateway/forward.h"
#include "gateway/http2_connection.h"
#include "gateway/relay.h"
#include "gateway/reply.h"
#include "gateway/serve.h"
#include "gateway/tunnel.h"

namespace gateway {

using base::Task;
using http2::ErrorCode;

Stream::~Stream() {
    if (serving_) std::exchange(serving_, {}).destroy();
    drop_transaction();
}

http2::Session* Stream::session() { return &connection_.session(); }
void Stream::flush_soon() { connection_.flush_soon(); }
void Stream::has_taken() { connection_.has_taken(*this); }

// ---- the request

void Stream::begin(http2::ReceivedHead head) {
    Core& core = connection_.core();
    client_.reset(new net::Socket(core.loop, *this, -1, connection_.socket().remote()));
    carry(*client_);
    transaction_ = std::make_unique<Transaction>(core, *client_, Entrance::clients);
    Transaction& transaction = *transaction_;
    transaction.stream = this;
    transaction.client.tls = connection_.tls();
    transaction.timings.started = core.loop.now();
    begin_request(transaction, Entrance::clients, connection_.number(), connection_.count_request());
    transaction.head_bytes = head.text;
    transaction.request_head_bytes = head.text.size();
    is_whole_ = head.is_whole;
    http1::Fault fault = http2::read_request_head(head, core.client_limits, transaction.request);
    transaction.client_method = transaction.request.method;
    if (fault == http1::Fault::none) {
        transaction.request_body.trailers_from(&trailers_);
        transaction.request_body.start(transaction.arriving_framing(), transaction.request.content_length,
                                       core.client_limits, http::BodyFraming::none, TrailerChoice::drop);
    }
    identify_client(transaction, connection_.socket(), connection_.local());
    if (fault != http1::Fault::none)
        refuse_request(transaction, fault);
    else if (head.protocol == http2::ConnectProtocol::unknown)
        plugin::reply_error(transaction, 501, {}, ErrorKind::server);  // RFC 9220 3
    serve_request();
    serving_.resume();
}

Stream::Serving Stream::serve_request() {
    Transaction& transaction = *transaction_;
    if (transaction.response.status == 0) {
        try {
            co_await connection_.serve()(transaction);
        } catch (const std::exception& error) {
            answer_exception(transaction, error);
        }
    }
    co_await answer();
    finish_request(transaction);
}

void Stream::served() {
    serving_ = {};
    if (transaction_->background != nullptr) connection_.core().go_on_in_background(std::move(transaction_));
    drop_transaction();
    connection_.flush_soon();
}

void Stream::drop_transaction() {
    transaction_.reset();
    client_.reset();
    let_go();
}

void Stream::lost() {
    if (!serving_) return;
    std::exchange(serving_, {}).destroy();
    Transaction& transaction = *transaction_;
    if (transaction.response.status == 0)
        plugin::reply_error(transaction, 400, {}, ErrorKind::unread);  // as where HTTP/1 finds its client gone
    if (transaction.is_tunnel)
        finish_attempt(transaction, upstream::Outcome::answered);
    else
        settle_answer(transaction, {RelayEnd::Kind::sink_lost, net::IoStatus::reset}, 0);
    finish_attempt(transaction, upstream::Outcome::cancelled);  // of an answer of ours
    finish_request(transaction);
    drop_transaction();
}

void Stream::take_trailers(const http2::ReceivedHead& head) {
    if (!client_) return;
    trailer_bytes_ = head.text;
    if (http2::read_trailers(head, connection_.core().client_limits, trailers_) == http1::Fault::none) return;
    // As in HTTP/1, a broken trailer section breaks the request.
    trailers_.reset();
    connection_.session().reset(*this, ErrorCode::protocol_error);
    connection_.session().charge_reset();
    client_->receive_ended(net::IoStatus::failed);  // not its end: the upstream must not take it for whole
}

void Stream::input_ended() {
    if (client_) client_->receive_ended(net::IoStatus::ended);
}

// ---- the answer

namespace {

// Those of HTTP/2 follow even a body that was read whole and changed.
std::string trailers_of(const Transaction& transaction, bool streams) {
    bool has_trailers = streams || (transaction.buffered_response && transaction.response_trailers);
    return has_trailers ? transaction.response_body.trailer_lines() : std::string();
}

// gRPC reads it (its document on HTTP/2: CANCEL and the like have a status of their own).
ErrorCode code_of(const Transaction& transaction, const RelayEnd& end) {
    if (end.kind == RelayEnd::Kind::source_too_slow) return ErrorCode::cancel;
    if (end.kind != RelayEnd::Kind::source_lost || !transaction.link || transaction.link->stream == nullptr)
        return ErrorCode::internal_error;
    ErrorCode code = transaction.link->stream->reset_code();
    bool is_passed = code == ErrorCode::cancel || code == ErrorCode::enhance_your_calm;
    return is_passed ? code : ErrorCode::internal_error;
}

}  // namespace

bool Stream::send_interim(std::string_view text) {
    if (!connection_.session().send_interim(*this, text)) return false;
    connection_.flush_soon();
    return true;
}

Task<void> Stream::answer() {
    Transaction& transaction = *transaction_;
    Core& core = connection_.core();
    http2::ServerSession& session = connection_.session();
    net::Socket& client = *client_;
    transaction.is_tunnel = transaction.is_from_upstream && transaction.response.status == 101;
    // RFC 8441 5: the handshake that we made ends here.
    if (transaction.is_tunnel) transaction.response.headers.remove("Sec-WebSocket-Accept");
    ClientFraming framing = transaction.is_tunnel ? ClientFraming{} : framing_for(transaction);
    bool streams = is_streamed(transaction, framing);
    // An empty one ends with its head: to gRPC, that is where the status of a refused call is said.
    bool is_empty = framing.framing == http::BodyFraming::length && transaction.is_body_in_hand() &&
                    transaction.response_text.empty() && !transaction.response_trailers;
    bool has_body = (framing.framing != http::BodyFraming::none && !is_empty) || transaction.is_tunnel;
    net::Assembler out(core.loop.buffers());
    RelayEnd end;
    if (auto added = add_client_head(transaction, framing, out); !added) {
        log_unwritable(transaction, added.error());
        session.reset(*this, ErrorCode::internal_error);
        finish_attempt(transaction, upstream::Outcome::failed);
        co_return;
    }
    transaction.sent_head_bytes = out.bytes();
    net::Slice head = std::move(out.finish().front());
    out.finish().clear();
    bool was_sent = session.send_head(*this, head.text(), transaction.is_tunnel ? 200 : 0, has_body);
    head.reset();
    connection_.flush_soon();
    if (!was_sent) end = {RelayEnd::Kind::sink_lost, net::IoStatus::reset};
    net::Milliseconds send_timeout = core.settings.limits.send_timeout;
    bool has_text = framing.framing == http::BodyFraming::length && transaction.is_body_in_hand();
    if (transaction.is_tunnel && was_sent) {
        co_await tunnel(transaction);
        end_output();
        finish_attempt(transaction, upstream::Outcome::answered);
        co_return;
    }
    if (has_text) out.copy(transaction.response_text);
    if (was_sent && streams && !add_streamed_in_hand(transaction, framing, out))
        end.kind = RelayEnd::Kind::source_malformed;
    if (was_sent && has_body && !transaction.source) {
        bool is_all = has_text || (streams && transaction.response_body.is_done());
        if (!out.empty()) client.start_send(out.finish(), net::after(core.loop.now(), send_timeout));
        // Together with the last piece: it then says that it is the last one.
        if (is_all) end_output(trailers_of(transaction, streams));
        net::IoStatus sent = co_await client.sent();
        if (sent != net::IoStatus::ok) {
            end = {RelayEnd::Kind::sink_lost, sent};
        } else if (streams && end.kind == RelayEnd::Kind::done && !transaction.response_body.is_done()) {
            RelayLimits limits{transaction.served_service().read_timeout, send_timeout, 0, 0, {}, transaction.deadline};
            end = co_await relay(*transaction.link->socket, transaction.response_body, client, limits);
        }
    }
    if (was_sent && transaction.source && has_body) end = co_await send_source(transaction, false);
    if (end.kind != RelayEnd::Kind::done)
        session.reset(*this, code_of(transaction, end));  // the client must see that it is incomplete
    else if (has_body)
        end_output(trailers_of(transaction, streams));
    settle_answer(transaction, end, has_text ? transaction.response_text.size() : 0);
}

void Stream::close(net::Socket& socket) { release(socket); }

}  // namespace gateway
