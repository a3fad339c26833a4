// Reads raw bytes as a server would, head and body, message after message: for the tests and fuzz targets of this
// folder. Also the properties that every accepted message must have, whatever its bytes.
#pragma once

#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ensure.h"
#include "http/connection_options.h"
#include "http/http1/body.h"
#include "http/http1/head_scanner.h"
#include "http/http1/parse.h"
#include "http/http1/write.h"

namespace http1 {

struct ReadRequest {
    std::string bytes;  // the head; the views of `head` point into it
    http::RequestHead head;
    std::string body;
    std::vector<std::pair<std::string, std::string>> trailers;
};

struct ReadRequests {
    std::vector<std::unique_ptr<ReadRequest>> messages;  // complete ones
    Fault fault = Fault::none;                           // why reading stopped
    bool is_incomplete = false;                          // bytes ended within a message
    std::size_t rest = 0;                                // bytes behind a message that closes or tunnels
};

// Gives the scanner and decoder at most `step` new bytes at a time.
inline ReadRequests read_requests(std::string_view bytes, const Limits& limits, std::size_t step = 1U << 30) {
    ReadRequests result;
    std::size_t at = 0;
    while (at < bytes.size()) {
        HeadScanner scanner(MessageKind::request);
        HeadScanner::State state = HeadScanner::State::more;
        std::size_t shown = 0;
        while (state == HeadScanner::State::more && at + shown < bytes.size()) {
            shown = std::min(shown + step, bytes.size() - at);
            state = scanner.scan(bytes.substr(at, shown), limits);
        }
        if (state != HeadScanner::State::complete) {
            result.fault = scanner.fault();
            result.is_incomplete = state == HeadScanner::State::more && scanner.has_begun(bytes.substr(at));
            return result;
        }
        auto message = std::make_unique<ReadRequest>();
        message->bytes = scanner.head(bytes.substr(at));
        at += scanner.consumed();
        result.fault = parse_request_head(message->bytes, limits, message->head);
        if (result.fault != Fault::none) return result;

        BodyDecoder body;
        body.start(message->head.framing, message->head.content_length, limits);
        while (body.state() == BodyDecoder::State::more && at < bytes.size()) {
            BodyDecoder::Step taken = body.feed(bytes.substr(at, step));
            message->body += taken.piece;
            at += taken.consumed;
        }
        if (body.state() != BodyDecoder::State::done) {
            result.fault = body.fault();
            result.is_incomplete = body.state() == BodyDecoder::State::more;
            return result;
        }
        for (const http::Header& trailer : body.trailers()) message->trailers.emplace_back(trailer.name, trailer.value);
        bool goes_on = message->head.keep_alive && message->head.form != http::TargetForm::authority;
        result.messages.push_back(std::move(message));
        if (!goes_on) break;
    }
    result.rest = bytes.size() - at;
    return result;
}

// The target that a gateway sends on: never absolute.
inline std::string forwarded_target(const http::RequestHead& head) {
    if (head.form == http::TargetForm::asterisk) return "*";
    if (head.form == http::TargetForm::authority) return std::string(head.target);
    return std::string(head.raw_path) + (head.has_query ? "?" : "") + std::string(head.query);
}

// The message as a gateway sends it on: hop-by-hop fields gone, framing its own.
inline std::string forwarded(ReadRequest& message) {
    http::RequestHead& head = message.head;
    http::strip_hop_by_hop(head.headers, head.connection);
    std::string target = forwarded_target(head);
    Framing framing{head.framing, {}};
    if (head.framing == http::BodyFraming::length) framing.length = head.content_length;
    std::string out(request_head_size(head.method_token, target, head.headers), '\0');
    std::size_t size = write_request_head(head.method_token, target, head.headers, framing, out);
    ensure(size > 0, target);
    out.resize(size);
    if (head.framing != http::BodyFraming::chunked) return out + message.body;
    if (!message.body.empty()) {
        char prefix[chunk_prefix_capacity];
        out += write_chunk_prefix(message.body.size(), prefix);
        out += message.body;
        out += chunk_end;
    }
    http::Headers trailers;
    for (const auto& [name, value] : message.trailers) trailers.add(name, value);
    std::string end(last_chunk_size(trailers), '\0');
    ensure(write_last_chunk(trailers, end) == end.size(), end.size());
    return out + end;
}

// What was accepted must come out as exactly one message of the same meaning, with one framing at most.
inline void check_round_trip(ReadRequest& message) {
    Limits limits;
    bool had_host = message.head.headers.has(http::Known::host);
    std::string sent = forwarded(message);
    if (!had_host) sent.insert(sent.find("\r\n") + 2, "Host: added\r\n");  // HTTP/1.0: the gateway adds one
    limits.header_line += 1024;
    limits.header_bytes += 1024;
    limits.header_count += 2;
    ReadRequests again = read_requests(sent, limits);
    ensure(again.fault == Fault::none && again.messages.size() == 1 && again.rest == 0 && !again.is_incomplete,
           name(again.fault), sent);
    const ReadRequest& copy = *again.messages[0];
    ensure(copy.head.method_token == message.head.method_token, sent);
    ensure(forwarded_target(copy.head) == forwarded_target(message.head), sent);
    ensure(copy.body == message.body, sent);
    ensure(copy.trailers == message.trailers, sent);
    ensure(copy.head.framing == message.head.framing, sent);
    if (had_host) ensure(copy.head.host == message.head.host && copy.head.port == message.head.port, sent);
    auto ours = [](const http::Header& header) {
        return header.known == http::Known::content_length || header.known == http::Known::transfer_encoding;
    };
    message.head.headers.remove_if(ours);
    std::size_t i = 0;
    for (const http::Header& header : copy.head.headers) {
        if (ours(header) || (!had_host && header.known == http::Known::host)) continue;
        ensure(i < message.head.headers.size(), sent);
        ensure(header.name == message.head.headers[i].name && header.value == message.head.headers[i].value, sent);
        ++i;
    }
    ensure(i == message.head.headers.size(), sent);
}

// Any bytes at all: the same messages and the same verdict however they are split, and each message makes the round
// trip.
inline void check_requests(std::string_view bytes, std::size_t step) {
    Limits limits;
    ReadRequests whole = read_requests(bytes, limits);
    ReadRequests split = read_requests(bytes, limits, step);
    ensure(whole.messages.size() == split.messages.size(), whole.messages.size(), split.messages.size());
    ensure(whole.fault == split.fault, name(whole.fault), name(split.fault));
    for (std::size_t i = 0; i < whole.messages.size(); ++i) {
        ensure(whole.messages[i]->body == split.messages[i]->body, i);
        ensure(whole.messages[i]->trailers == split.messages[i]->trailers, i);
        check_round_trip(*whole.messages[i]);
    }
}

}  // namespace http1
