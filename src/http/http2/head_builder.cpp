#include "http/http2/head_builder.h"

#include <array>
#include <random>

#include "http/characters.h"
#include "http/http1/fields.h"
#include "http/http1/parse.h"
#include "http/http1/trailers.h"
#include "http/scan.h"

namespace http2 {

namespace {

using http::Known;
using http1::Fault;

// RFC 9113 8.2.2.
constexpr std::uint64_t of_connection = http::bit(Known::connection) | http::bit(Known::keep_alive) |
                                        http::bit(Known::proxy_connection) | http::bit(Known::transfer_encoding) |
                                        http::bit(Known::upgrade) | http::bit(Known::http2_settings);

bool is_lower_case_token(std::string_view name) {
    if (!http::is_token(name)) return false;
    for (char c : name)
        if (c >= 'A' && c <= 'Z') return false;
    return true;
}

bool is_value(std::string_view value) {
    if (value.empty()) return true;
    auto is_blank = [](char c) { return c == ' ' || c == '\t'; };
    return !is_blank(value.front()) && !is_blank(value.back()) && http::all_are(value, http::character::field_value);
}

// Sec-WebSocket-Key of a handshake that the gateway makes: RFC 6455 4.1, sixteen bytes in base64. It guards nothing,
// it only keeps answers of old caches apart.
std::array<char, 24> websocket_key() {
    static constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    static thread_local std::mt19937_64 random{std::random_device{}()};
    std::array<char, 24> key;
    std::uint64_t bits = random();
    for (std::size_t i = 0; i < 21; ++i) {
        if (i == 10) bits = random();
        key[i] = digits[bits & 63];
        bits >>= 6;
    }
    key[21] = digits[(bits & 3) << 4];  // 16 bytes are 21 digits and two bits
    key[22] = key[23] = '=';
    return key;
}

}  // namespace

void HeadBuilder::add(std::string_view name, std::string_view value) {
    if (fault_ != Fault::none) return;
    bool is_pseudo = !name.empty() && name.front() == ':';
    if (kind_ == Kind::request && is_pseudo) return add_pseudo(name, value);
    if (kind_ == Kind::response && is_pseudo) return add_status(name, value);
    if (!is_lower_case_token(name)) return refuse(Fault::bad_header_name);
    if (!is_value(value)) return refuse(Fault::bad_header_value);
    charge(name.size() + value.size() + 4);
    if (fault_ != Fault::none) return;
    Known known = http::recognise(name);
    if ((http::bit(known) & of_connection) != 0) return refuse(Fault::bad_connection);
    if (kind_ == Kind::response && !has_line_) return refuse(Fault::bad_status_line);
    if (known == Known::te && kind_ != Kind::response && !http::equals_ignore_case(value, "trailers"))
        return refuse(Fault::bad_connection);
    if (kind_ == Kind::request) {
        if (!has_line_) write_request_line();
        if (known == Known::cookie) return add_cookie(value);
        // RFC 6455's key belongs to HTTP/1.1 handshakes: ours has its own.
        if (known == Known::sec_websocket_key && protocol_ == ConnectProtocol::websocket) return;
        if (known == Known::host) {
            if (has_host_) return refuse(Fault::duplicate_host);
            has_host_ = true;
            // RFC 9113 8.3.1: what differs is an attempt at being two requests.
            if (!authority_.empty() && !http::equals_ignore_case(authority_, value)) return refuse(Fault::bad_host);
            if (!authority_.empty()) return;
        }
    }
    write_field(name, value);
}

void HeadBuilder::charge(std::size_t size) {
    std::size_t most_line = kind_ == Kind::response ? limits_.response_head : limits_.header_line;
    std::size_t most_count = kind_ == Kind::trailers ? limits_.trailer_count : limits_.header_count;
    std::size_t most_bytes = kind_ == Kind::request    ? limits_.header_bytes
                             : kind_ == Kind::response ? limits_.response_head
                                                       : limits_.trailer_bytes;
    if (size > most_line) return refuse(Fault::header_line_too_long);
    bytes_ += size;
    ++count_;
    if (bytes_ > most_bytes)
        refuse(kind_ == Kind::request    ? Fault::headers_too_large
               : kind_ == Kind::response ? Fault::response_head_too_large
                                         : Fault::trailers_too_large);
    else if (count_ > most_count)
        refuse(kind_ == Kind::trailers ? Fault::too_many_trailers : Fault::too_many_headers);
}

// RFC 9113 8.3.2.
void HeadBuilder::add_status(std::string_view name, std::string_view value) {
    auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    bool is_status = name == ":status" && !has_line_ && value.size() == 3 && value[0] != '0' && is_digit(value[0]) &&
                     is_digit(value[1]) && is_digit(value[2]);
    if (!is_status) return refuse(Fault::bad_status_line);
    status_ = (value[0] - '0') * 100 + (value[1] - '0') * 10 + (value[2] - '0');
    if (status_ == 101) return refuse(Fault::bad_status_line);  // RFC 9113 8.6
    has_line_ = true;
    write("HTTP/1.1 ");
    write(value);
    write(" \r\n");
}

void HeadBuilder::add_pseudo(std::string_view name, std::string_view value) {
    bytes_ += name.size() + value.size();
    if (value.size() > limits_.request_line) return refuse(Fault::request_line_too_long);
    if (bytes_ > limits_.header_bytes + limits_.request_line) return refuse(Fault::headers_too_large);
    if (has_line_) return refuse(Fault::bad_request_line);  // RFC 9113 8.3: before all other fields
    if (name == ":method") {
        if (!method_.empty()) return refuse(Fault::bad_request_line);
        if (!http::is_token(value)) return refuse(Fault::bad_method);
        method_ = value;
    } else if (name == ":path") {
        if (!path_.empty()) return refuse(Fault::bad_request_line);
        bool is_form = value == "*" || value.starts_with('/');
        if (!is_form || !http::all_are(value, http::character::target))
            return refuse(value.find('#') == value.npos ? Fault::bad_target : Fault::fragment_in_target);
        path_ = value;
    } else if (name == ":authority") {
        if (!authority_.empty()) return refuse(Fault::duplicate_host);
        if (!is_value(value) || value.find(' ') != value.npos) return refuse(Fault::bad_host);
        authority_ = value;
    } else if (name == ":protocol") {
        protocol_ = value == "websocket" ? ConnectProtocol::websocket : ConnectProtocol::unknown;
    } else if (name != ":scheme") {
        refuse(Fault::bad_request_line);
    }
}

// RFC 9113 8.2.3: the crumbs of one cookie field.
void HeadBuilder::add_cookie(std::string_view crumb) {
    if (!cookie_.empty()) cookie_ += "; ";
    cookie_ += crumb;
}

void HeadBuilder::write_request_line() {
    has_line_ = true;
    bool is_connect = method_ == "CONNECT" && protocol_ == ConnectProtocol::none;
    if (method_.empty() || (is_connect ? authority_.empty() : path_.empty())) return refuse(Fault::bad_request_line);
    if (method_ == "CONNECT" && !is_connect) method_ = "GET";  // RFC 8441 5
    std::string_view target = is_connect ? std::string_view(authority_) : std::string_view(path_);
    if (method_.size() + target.size() + 2 > limits_.request_line) return refuse(Fault::request_line_too_long);
    write(method_);
    write(" ");
    write(target);
    write(" HTTP/1.1\r\n");
    if (!authority_.empty()) write_field("host", authority_);
}

void HeadBuilder::write(std::string_view text) {
    if (!draft_ || draft_->room() < text.size()) {
        std::size_t held = draft_ ? draft_->size() : 0;
        net::Draft larger(buffers_.at_least(held == 0 ? text.size() : held * 2 + text.size()));
        if (held > 0) larger.append(draft_->text());
        draft_.emplace(std::move(larger));
    }
    draft_->append(text);
}

void HeadBuilder::write_field(std::string_view name, std::string_view value) {
    write(name);
    write(": ");
    write(value);
    write("\r\n");
}

ReceivedHead HeadBuilder::finish() {
    if (kind_ == Kind::request && !has_line_ && fault_ == Fault::none) write_request_line();
    if (kind_ == Kind::response && !has_line_) refuse(Fault::bad_status_line);
    if (!cookie_.empty() && fault_ == Fault::none) {
        if (cookie_.size() + 8 > limits_.header_line) refuse(Fault::header_line_too_long);
        write_field("cookie", cookie_);
    }
    if (protocol_ == ConnectProtocol::websocket && fault_ == Fault::none) {
        std::array<char, 24> key = websocket_key();
        write("connection: upgrade\r\nupgrade: websocket\r\n");
        write_field("sec-websocket-key", {key.data(), key.size()});
    }
    write("\r\n");
    return {std::move(*draft_).finish(), fault_, protocol_, false, status_};
}

Fault read_request_head(const ReceivedHead& received, const http1::Limits& limits, http::RequestHead& out) {
    if (received.fault != Fault::none) {
        out.reset();
        out.major_version = 2;
        return received.fault;
    }
    http1::Limits wider = limits;  // the builder has counted; what it writes itself is not the client's
    wider.header_bytes += limits.request_line + 256;
    wider.header_count += 5;
    wider.request_line += 32;
    Fault fault = http1::parse_request_head(received.text.text(), wider, out);
    out.major_version = 2;
    if (fault != Fault::none) return fault;
    if (received.protocol != ConnectProtocol::none) {
        // RFC 8441 5: what follows is the tunnel's.
        return out.framing == http::BodyFraming::none ? Fault::none : Fault::bad_content_length;
    }
    if (!received.is_whole && out.framing == http::BodyFraming::none && out.method != http::Method::connect)
        out.framing = http::BodyFraming::chunked;
    return Fault::none;
}

Fault read_trailers(const ReceivedHead& received, const http1::Limits& limits, http::Headers& out) {
    if (received.fault != Fault::none) return received.fault;
    http::Headers all;
    std::uint64_t repeated = 0;
    Fault fault = http1::parse_fields(
        received.text.text(), {limits.header_line, limits.trailer_count, Fault::too_many_trailers}, all, repeated);
    if (fault != Fault::none) return fault;
    for (const http::Header& field : all)
        if (http1::is_allowed_in_trailers(field)) out.add(field);
    return Fault::none;
}

}  // namespace http2
