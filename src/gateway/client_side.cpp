#include "gateway/client_side.h"

#include <string>
#include <utility>

#include "gateway/access.h"
#include "gateway/forward.h"
#include "gateway/reply.h"
#include "http/http1/write.h"
#include "http/status.h"
#include "observe/log.h"

namespace gateway {

namespace {

using base::Task;
using observe::Counter;

Counter counter_of(http1::Fault fault) {
    using http1::Fault;
    if (http1::is_limit(fault)) return Counter::parse_errors_too_large;
    switch (fault) {
        case Fault::empty_request_line:
        case Fault::bad_request_line:
        case Fault::bad_method:
        case Fault::missing_version:
        case Fault::bad_version:
        case Fault::unsupported_version:
            return Counter::parse_errors_request_line;
        case Fault::bad_target:
        case Fault::fragment_in_target:
        case Fault::userinfo_in_target:
        case Fault::target_form_mismatch:
            return Counter::parse_errors_target;
        case Fault::missing_host:
        case Fault::duplicate_host:
        case Fault::bad_host:
            return Counter::parse_errors_host;
        case Fault::bad_header_name:
        case Fault::space_before_colon:
        case Fault::missing_colon:
        case Fault::folded_header:
        case Fault::bad_header_value:
        case Fault::bad_connection:
            return Counter::parse_errors_header;
        case Fault::bad_content_length:
        case Fault::duplicate_content_length:
        case Fault::length_and_transfer_encoding:
        case Fault::bad_transfer_encoding:
        case Fault::unsupported_transfer_encoding:
        case Fault::transfer_encoding_in_http10:
            return Counter::parse_errors_framing;
        case Fault::bad_chunk_size:
        case Fault::bad_chunk_extension:
        case Fault::bad_chunk_end:
            return Counter::parse_errors_chunk;
        default:
            return Counter::parse_errors_other;
    }
}

// HTTP/1.0 knows no chunks, and HTTP/2 has an end of its own.
http::BodyFraming of_unknown_length(const Transaction& transaction) {
    bool has_chunks = transaction.request.minor_version > 0 && transaction.stream == nullptr;
    return has_chunks ? http::BodyFraming::chunked : http::BodyFraming::until_close;
}

}  // namespace

void begin_request(Transaction& transaction, Entrance entrance, std::uint64_t number, std::uint32_t count) {
    Core& core = transaction.core;
    if (entrance == Entrance::clients) core.metrics.add(Counter::requests);
    transaction.client.connection = number;
    transaction.client.connection_requests = count;
    core.request_ids.write(transaction.request_id.data());
    transaction.snapshot = core.snapshot();
}

void refuse_request(Transaction& transaction, http1::Fault fault) {
    transaction.core.metrics.add(counter_of(fault));
    observe::log(observe::Level::info, "client", http1::message(fault),
                 {{"fault", http1::name(fault)}, {"client", transaction.client.remote.text()}});
    reply_fault(transaction, fault);
}

void answer_exception(Transaction& transaction, const std::exception& error) {
    observe::log(observe::Level::crit, "gateway", error.what(), {{"request_id", transaction.id()}});
    finish_attempt(transaction, upstream::Outcome::failed);
    plugin::reply_error(transaction, 500, {}, ErrorKind::gateway);
}

void log_unwritable(const Transaction& transaction, const base::Error& error) {
    observe::log(observe::Level::crit, "gateway", error.detail, {{"request_id", transaction.id()}});
}

ClientFraming framing_for(const Transaction& transaction) {
    const http::ResponseHead& response = transaction.response;
    bool is_head = transaction.client_method == http::Method::head;
    ClientFraming out;
    if (transaction.source) {
        out.framing = is_head ? http::BodyFraming::none : of_unknown_length(transaction);
        return out;
    }
    if (transaction.is_body_in_hand()) {
        // A plugin may know what HEAD leaves out.
        out.length = is_head && transaction.response.declared_length ? *transaction.response.declared_length
                                                                     : transaction.response_text.size();
        out.framing =
            is_head || http::is_bodiless(response.status) ? http::BodyFraming::none : http::BodyFraming::length;
        if (http::is_bodiless(response.status)) out.length.reset();
        return out;
    }
    // A plugin asked the upstream with another method than the client us.
    if (transaction.request.method != transaction.client_method) {
        if (is_head) {
            if (response.framing == http::BodyFraming::length) out.length = response.content_length;
            return out;
        }
        if (transaction.request.method == http::Method::head && !http::is_bodiless(response.status)) {
            out.framing = http::BodyFraming::length;
            out.length = 0;
            return out;
        }
    }
    switch (response.framing) {
        case http::BodyFraming::none:
            // Of what HEAD and 304 leave out; 204 has nothing to be as long as (RFC 9110 8.6).
            if (!http::is_bodiless(response.status) || response.status == 304) out.length = response.declared_length;
            break;
        case http::BodyFraming::length:
            if (transaction.answer_filter) {
                out.framing = of_unknown_length(transaction);
                break;
            }
            out.framing = http::BodyFraming::length;
            out.length = response.content_length;
            break;
        case http::BodyFraming::chunked:
        case http::BodyFraming::until_close:
            out.framing = of_unknown_length(transaction);
            break;
    }
    return out;
}

bool is_streamed(const Transaction& transaction, const ClientFraming& framing) {
    if (transaction.is_body_in_hand() || transaction.is_tunnel) return false;
    // Not wanted by the client (HEAD), though the upstream sends it: a plugin has changed the method.
    return framing.framing != http::BodyFraming::none || transaction.response.framing == framing.framing;
}

bool add_streamed_in_hand(Transaction& transaction, const ClientFraming& framing, net::Assembler& out) {
    net::Socket& upstream = *transaction.link->socket;
    bool has_trailers = transaction.request.accepts_trailers || transaction.is_grpc;
    TrailerChoice trailers = has_trailers ? TrailerChoice::pass : TrailerChoice::drop;
    http::BodyFraming arriving = transaction.answering_framing();
    transaction.response_body.start(arriving, transaction.response.content_length, transaction.core.upstream_limits,
                                    framing.framing, trailers);
    transaction.response_body.capture_into(transaction.capture);
    transaction.response_body.filter_through(transaction.answer_filter.get());
    while (!transaction.response_body.is_done() && upstream.has_input() && !out.is_full()) {
        net::Slice input = upstream.take_input().slice;
        bool is_sound = transaction.response_body.feed(input, out);
        upstream.unread(std::move(input));
        if (!is_sound) return false;
    }
    bool has_ended = !upstream.has_input() && upstream.input_end() == net::IoStatus::ended;
    if (arriving == http::BodyFraming::until_close && has_ended && !out.is_full())
        return transaction.response_body.end_of_input(out);
    return true;
}

Task<RelayEnd> send_source(Transaction& transaction, bool is_chunked) {
    std::string piece;
    for (bool has_more = true; has_more;) {
        piece.clear();
        base::Result<bool> made = co_await transaction.source->next(piece);
        if (!made) co_return RelayEnd{RelayEnd::Kind::source_lost, net::IoStatus::failed};
        has_more = *made;
        transaction.response_body_bytes += piece.size();
        char digits[http1::chunk_prefix_capacity];
        net::Draft draft(transaction.core.loop.buffers().at_least(piece.size() + 64));
        if (is_chunked && !piece.empty()) draft.append(http1::write_chunk_prefix(piece.size(), digits));
        draft.append(piece);
        if (is_chunked && !piece.empty()) draft.append(http1::chunk_end);
        if (is_chunked && !has_more) draft.append(http1::last_chunk);
        if (draft.size() == 0) continue;
        net::Instant deadline = net::after(transaction.core.loop.now(), transaction.core.settings.limits.send_timeout);
        net::IoStatus sent = co_await transaction.client_socket.send(std::move(draft).finish(), deadline);
        if (sent != net::IoStatus::ok) co_return RelayEnd{RelayEnd::Kind::sink_lost, sent};
    }
    co_return RelayEnd{};
}

void settle_answer(Transaction& transaction, const RelayEnd& end, std::uint64_t text_bytes) {
    bool is_whole = end.kind == RelayEnd::Kind::done;
    bool is_client = end.kind == RelayEnd::Kind::sink_lost;
    if (end.kind == RelayEnd::Kind::source_too_slow && transaction.link && transaction.link->stream != nullptr)
        transaction.link->stream->cast_doubt();
    if (!is_whole) {
        transaction.core.metrics.add(is_client ? Counter::client_aborts : Counter::upstream_malformed);
        observe::log(is_client ? observe::Level::info : observe::Level::error, is_client ? "client" : "upstream",
                     is_client ? "gone before the end of the answer" : "answer incomplete",
                     {{"status", name(end.status)}, {"request_id", transaction.id()}});
    }
    if (!transaction.is_body_in_hand()) {
        transaction.response_body_bytes = transaction.response_body.received();
        if (transaction.capture != nullptr) transaction.capture->is_complete = is_whole && !transaction.capture->is_cut;
        using upstream::Outcome;
        finish_attempt(transaction, is_whole ? Outcome::answered : is_client ? Outcome::cancelled : Outcome::failed);
    } else if (!transaction.source) {
        transaction.response_body_bytes = text_bytes;
    }
}

void finish_request(Transaction& transaction) {
    transaction.timings.finished = transaction.core.loop.now();
    if (!transaction.is_tunnel) transaction.request_body_bytes = transaction.request_body.received();
    if (transaction.chain != nullptr) transaction.chain->on_log(transaction);
    record(transaction);
}

}  // namespace gateway
