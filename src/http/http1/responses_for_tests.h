// What holds for a response of any bytes: for the tests and the fuzz target.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/ensure.h"
#include "http/http1/body.h"
#include "http/http1/head_scanner.h"
#include "http/http1/parse.h"
#include "http/http1/write.h"
#include "http/status.h"

namespace http1 {

struct ReadResponse {
    Fault fault = Fault::none;
    bool is_complete = false;  // head and body
    std::string bytes;         // the head; the views of `head` point into it
    http::ResponseHead head;
    std::string body;
};

// Reads one response, at most `step` new bytes at a time; the end of `bytes` is the end of the connection.
inline void read_response(std::string_view bytes, http::Method method, std::size_t step, ReadResponse& out) {
    Limits limits;
    HeadScanner scanner(MessageKind::response);
    HeadScanner::State state = HeadScanner::State::more;
    std::size_t shown = 0;
    while (state == HeadScanner::State::more && shown < bytes.size()) {
        shown = std::min(shown + step, bytes.size());
        state = scanner.scan(bytes.substr(0, shown), limits);
    }
    out.fault = scanner.fault();
    if (state != HeadScanner::State::complete) return;
    out.bytes = scanner.head(bytes);
    out.fault = parse_response_head(out.bytes, limits, method, out.head);
    if (out.fault != Fault::none) return;
    BodyDecoder body;
    body.start(out.head.framing, out.head.content_length, limits);
    std::size_t at = scanner.consumed();
    while (body.state() == BodyDecoder::State::more && at < bytes.size()) {
        BodyDecoder::Step taken = body.feed(bytes.substr(at, step));
        out.body += taken.piece;
        at += taken.consumed;
    }
    out.is_complete = body.end_of_input() == BodyDecoder::State::done;
    out.fault = body.fault();
}

// Written anew and read again, a response has the same status, fields and framing.
inline void check_response(std::string_view bytes, http::Method method, std::size_t step) {
    ReadResponse whole;
    ReadResponse split;
    read_response(bytes, method, bytes.size() + 1, whole);
    read_response(bytes, method, step, split);
    ensure(whole.fault == split.fault, name(whole.fault), name(split.fault));
    ensure(whole.body == split.body && whole.is_complete == split.is_complete, step);
    const http::ResponseHead& head = whole.head;
    if (whole.fault != Fault::none || whole.bytes.empty()) return;
    ensure(head.keep_alive ? head.framing != http::BodyFraming::until_close : true, bytes);

    std::string sent(response_head_size(head.status, head.reason, head.headers), '\0');
    Framing framing{head.framing, head.declared_length};
    std::size_t size = write_response_head(head.status, head.reason, head.headers, framing, sent);
    ensure(size > 0 && size <= sent.size(), bytes);
    sent.resize(size);
    http::ResponseHead again;
    Limits wider;
    wider.response_head *= 2;  // "a:b" is sent as "a: b"
    Fault fault = parse_response_head(sent, wider, method, again);
    ensure(fault == Fault::none, name(fault), sent);
    ensure(again.status == head.status && again.reason == head.reason, sent);
    ensure(again.framing == head.framing && again.content_length == head.content_length, sent);
    for (const http::Header& header : head.headers) {
        bool is_framing = header.known == http::Known::content_length || header.known == http::Known::transfer_encoding;
        if (!is_framing) ensure(again.headers.count(header.name) == head.headers.count(header.name), sent);
    }
}

}  // namespace http1
