#include "http/http1/head_scanner.h"

#include <algorithm>

#include "http/characters.h"
#include "http/scan.h"

namespace http1 {

namespace {
constexpr char tls_handshake = 0x16;                             // RFC 8446 5.1 ContentType
constexpr std::string_view http2_first_line = "PRI * HTTP/2.0";  // RFC 9113 3.4
constexpr std::string_view response_beginning = "HTTP/";
}  // namespace

HeadScanner::State HeadScanner::scan(std::string_view received, const Limits& limits) {
    if (fault_ != Fault::none) return State::fault;
    if (!begun_) {
        if (kind_ == MessageKind::request) {
            State state = skip_empty_lines(received, limits);
            if (state != State::complete) return state;
        }
        Fault fault = check_beginning(received);
        if (fault != Fault::none) return refuse(fault);
        begun_ = kind_ == MessageKind::request || received.size() >= response_beginning.size();
    }
    const char* end = received.data() + received.size();
    const char* at = received.data() + position_;
    while ((at = http::find_line_feed_or_nul(at, end)) != end) {
        if (*at == '\0') return refuse(Fault::control_character);
        Line line = end_line(received, static_cast<std::size_t>(at - received.data()), limits);
        if (line == Line::last) return State::complete;
        if (line == Line::wrong) return State::fault;
        ++at;
    }
    position_ = received.size();
    // A carriage return at the end is not yet text of the line.
    bool may_end_line = position_ > line_start_ && received.back() == '\r';
    Fault fault = check_length(may_end_line ? position_ - 1 : position_, limits);
    return fault == Fault::none ? State::more : refuse(fault);
}

HeadScanner::State HeadScanner::refuse(Fault fault) {
    fault_ = fault;
    return State::fault;
}

// `complete` when something else begins.
HeadScanner::State HeadScanner::skip_empty_lines(std::string_view received, const Limits& limits) {
    while (position_ < received.size()) {
        if (received[position_] == '\n') return refuse(Fault::bare_lf);
        if (received[position_] != '\r') return State::complete;
        if (position_ + 1 == received.size()) return State::more;
        if (received[position_ + 1] != '\n') return refuse(Fault::bare_cr);
        if (++empty_lines_ > limits.leading_empty_lines) return refuse(Fault::empty_request_line);
        position_ += 2;
        start_ = line_start_ = position_;
    }
    return State::more;
}

Fault HeadScanner::check_beginning(std::string_view received) const {
    std::string_view beginning = received.substr(start_);
    if (beginning.empty()) return Fault::none;
    if (beginning[0] == tls_handshake) return Fault::tls_hello;
    if (kind_ == MessageKind::request) {
        return http::is(beginning[0], http::character::token) ? Fault::none : Fault::garbage;
    }
    std::size_t known = std::min(beginning.size(), response_beginning.size());
    return beginning.substr(0, known) == response_beginning.substr(0, known) ? Fault::none : Fault::garbage;
}

HeadScanner::Line HeadScanner::end_line(std::string_view received, std::size_t line_feed, const Limits& limits) {
    auto wrong = [this](Fault fault) {
        fault_ = fault;
        return Line::wrong;
    };
    if (line_feed == line_start_ || received[line_feed - 1] != '\r') return wrong(Fault::bare_lf);
    std::size_t size = line_feed - 1 - line_start_;
    if (size == 0) {
        position_ = line_feed + 1;
        return Line::last;
    }
    bool is_first = line_start_ == start_;
    if (is_first && kind_ == MessageKind::request && received.substr(start_, size) == http2_first_line) {
        return wrong(Fault::http2_preface);
    }
    Fault fault = check_length(line_feed - 1, limits);
    if (fault != Fault::none) return wrong(fault);
    line_start_ = line_feed + 1;
    if (is_first) fields_start_ = line_start_;
    return Line::next;
}

// The current line and the head so far, both up to `end`, against their limits.
Fault HeadScanner::check_length(std::size_t end, const Limits& limits) const {
    if (kind_ == MessageKind::response) {
        return end - start_ > limits.response_head ? Fault::response_head_too_large : Fault::none;
    }
    std::size_t line = end - line_start_;
    if (line_start_ == start_) return line > limits.request_line ? Fault::request_line_too_long : Fault::none;
    if (line > limits.header_line) return Fault::header_line_too_long;
    return end - fields_start_ > limits.header_bytes ? Fault::headers_too_large : Fault::none;
}

}  // namespace http1
