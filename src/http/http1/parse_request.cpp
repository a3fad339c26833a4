// Request heads: request line, target, Host, framing and connection options (RFC 9112 3 to 6, RFC 9110 7.2).
#include <algorithm>
#include <cstring>
#include <optional>

#include "http/authority.h"
#include "http/characters.h"
#include "http/http1/fields.h"
#include "http/http1/parse.h"
#include "http/scan.h"

namespace http1 {

namespace {

using http::Known;
using http::Method;
using http::RequestHead;
using http::TargetForm;

// RFC 9112 2.3. A higher minor version is read as 1.1 (RFC 9110 2.5), another major one is for 505.
Fault read_version(std::string_view text, RequestHead& out) {
    if (text.find(' ') != std::string_view::npos) return Fault::bad_request_line;
    auto is_digit = [text](std::size_t at) { return text[at] >= '0' && text[at] <= '9'; };
    if (text.size() != 8 || !text.starts_with("HTTP/") || !is_digit(5) || text[6] != '.' || !is_digit(7)) {
        return Fault::bad_version;
    }
    if (text[5] != '1') return Fault::unsupported_version;
    out.minor_version = text[7] == '0' ? 0 : 1;
    return Fault::none;
}

// Why the target ends at `stop` and not at a blank.
Fault target_fault(const char* stop, const char* end) {
    if (stop == end) return Fault::bad_request_line;
    if (*stop == '#') return Fault::fragment_in_target;
    if (*stop == '\r') return end - stop > 1 && stop[1] == '\n' ? Fault::missing_version : Fault::bare_cr;
    if (*stop == '\n') return Fault::bare_lf;
    return Fault::bad_target;
}

// The request line without its CRLF: RFC 9112 3. `at` moves behind the line.
Fault read_request_line(const char*& at, const char* end, const Limits& limits, RequestHead& out) {
    const char* line = at;
    std::size_t size = http::token_length(at, end);
    if (size == 0) return at != end && *at == '\r' ? Fault::empty_request_line : Fault::bad_method;
    out.method_token = {at, size};
    out.method = http::method_of(out.method_token);
    at += size;
    if (at == end || *at != ' ') return at != end && *at == '\r' ? Fault::bad_request_line : Fault::bad_method;
    ++at;

    size = http::target_length(at, end);
    const char* stop = at + size;
    if (stop == end || *stop != ' ') return target_fault(stop, end);
    if (size == 0) return Fault::bad_request_line;
    out.target = {at, size};
    at = stop + 1;

    if (end - at >= 10 && std::memcmp(at, "HTTP/1.1\r\n", 10) == 0) {
        at += 10;
    } else {
        const void* found = std::memchr(at, '\r', static_cast<std::size_t>(end - at));
        if (found == nullptr) return Fault::bad_request_line;
        const char* carriage_return = static_cast<const char*>(found);
        if (carriage_return + 1 == end || carriage_return[1] != '\n') return Fault::bare_cr;
        Fault fault = read_version({at, static_cast<std::size_t>(carriage_return - at)}, out);
        if (fault != Fault::none) return fault;
        at = carriage_return + 2;
    }
    return static_cast<std::size_t>(at - 2 - line) > limits.request_line ? Fault::request_line_too_long : Fault::none;
}

void split_query(std::string_view path_and_query, RequestHead& out) {
    std::size_t mark = path_and_query.find('?');
    out.raw_path = path_and_query.substr(0, mark);
    out.has_query = mark != std::string_view::npos;
    if (out.has_query) out.query = path_and_query.substr(mark + 1);
}

Fault take_authority(std::string_view text, Fault otherwise, RequestHead& out) {
    std::optional<http::Authority> authority = http::parse_authority(text);
    if (!authority) return otherwise;
    out.authority = authority->text;
    out.host = authority->host;
    out.port = authority->port;
    return Fault::none;
}

// http://authority/path?query (RFC 9112 3.2.2).
Fault read_absolute_target(RequestHead& out) {
    std::size_t colon = out.target.find("://");
    if (colon == std::string_view::npos) return Fault::target_form_mismatch;
    std::string_view scheme = out.target.substr(0, colon);
    if (!http::equals_ignore_case(scheme, "http") && !http::equals_ignore_case(scheme, "https")) {
        return Fault::bad_target;
    }
    std::string_view rest = out.target.substr(colon + 3);
    std::size_t authority_end = std::min(rest.find_first_of("/?"), rest.size());
    std::string_view authority = rest.substr(0, authority_end);
    // RFC 9110 4.2.4: most likely there to hide the real host from a reader.
    if (authority.find('@') != std::string_view::npos) return Fault::userinfo_in_target;
    Fault fault = take_authority(authority, Fault::bad_target, out);
    if (fault != Fault::none) return fault;
    out.form = TargetForm::absolute;
    split_query(rest.substr(authority_end), out);
    if (!out.raw_path.empty()) return Fault::none;
    if (out.method == Method::options && !out.has_query) {
        out.form = TargetForm::asterisk;  // RFC 9112 3.2.4
    } else {
        out.raw_path = "/";  // RFC 9110 4.2.3
    }
    return Fault::none;
}

Fault read_target(RequestHead& out) {
    if (out.method == Method::connect) {  // RFC 9112 3.2.3: authority form only, and with a port
        out.form = TargetForm::authority;
        Fault fault = take_authority(out.target, Fault::target_form_mismatch, out);
        return fault == Fault::none && out.port == 0 ? Fault::target_form_mismatch : fault;
    }
    if (out.target[0] == '/') {
        split_query(out.target, out);
        return Fault::none;
    }
    if (out.target == "*") {
        out.form = TargetForm::asterisk;
        return out.method == Method::options ? Fault::none : Fault::target_form_mismatch;
    }
    return read_absolute_target(out);
}

// RFC 9112 3.2: exactly one Host in HTTP/1.1; what the target says wins over it, once it is well-formed itself.
Fault read_host(std::uint64_t repeated, RequestHead& out) {
    if ((repeated & http::bit(Known::host)) != 0) return Fault::duplicate_host;
    const http::Header* host = out.headers.find(Known::host);
    if (host == nullptr && out.minor_version > 0) return Fault::missing_host;
    std::string_view received = host == nullptr ? std::string_view() : host->value;
    if (host != nullptr) {
        std::optional<http::Authority> authority = http::parse_authority(received);
        if (!authority) return Fault::bad_host;
        if (out.authority.empty()) {
            out.authority = authority->text;
            out.host = authority->host;
            out.port = authority->port;
        }
    }
    if (out.authority != received) out.headers.set(Known::host, out.authority);
    return Fault::none;
}

// RFC 9112 6.3, without the mercy that it allows: both fields, or one of them odd, is an attempt at smuggling.
Fault read_framing(std::uint64_t repeated, RequestHead& out) {
    const http::Header* length = out.headers.find(Known::content_length);
    if (out.headers.has(Known::transfer_encoding)) {
        if (length != nullptr) return Fault::length_and_transfer_encoding;
        if (out.minor_version == 0) return Fault::transfer_encoding_in_http10;
        out.framing = http::BodyFraming::chunked;
        return check_transfer_encoding(out.headers);
    }
    if (length == nullptr) return Fault::none;
    if ((repeated & http::bit(Known::content_length)) != 0) return Fault::duplicate_content_length;
    std::optional<std::uint64_t> value = parse_content_length(length->value);
    if (!value) return Fault::bad_content_length;
    out.framing = http::BodyFraming::length;
    out.content_length = *value;
    return Fault::none;
}

Fault read_connection(RequestHead& out) {
    bool few_enough = true;
    out.headers.all(Known::connection, [&](std::string_view value) { few_enough &= out.connection.add(value); });
    if (!few_enough) return Fault::bad_connection;
    bool is_http11 = out.minor_version > 0;
    out.keep_alive = !out.connection.close && (is_http11 || out.connection.keep_alive);
    if (is_http11 && out.connection.upgrade) {  // RFC 9110 7.8: not in HTTP/1.0
        out.upgrade_protocol = out.headers.first(Known::upgrade);
        out.upgrade = !out.upgrade_protocol.empty();
    }
    return Fault::none;
}

void read_expectations(RequestHead& out) {
    out.headers.all(Known::expect, [&out](std::string_view value) {
        bool is_continue = http::equals_ignore_case(value, "100-continue");
        out.expect_unknown |= !is_continue;
        out.expect_continue |= is_continue && out.minor_version > 0;  // RFC 9110 10.1.1: ignored from HTTP/1.0
    });
    out.headers.all(Known::te, [&out](std::string_view list) {
        for (std::string_view coding; http::next_element(list, coding);) {
            std::string_view name = http::trim(coding.substr(0, coding.find(';')));
            out.accepts_trailers |= http::equals_ignore_case(name, "trailers");
        }
    });
}

}  // namespace

Fault parse_request_head(std::string_view head, const Limits& limits, RequestHead& out) {
    out.reset();
    const char* at = head.data();
    const char* end = at + head.size();
    Fault fault = read_request_line(at, end, limits, out);
    if (fault != Fault::none) return fault;
    fault = read_target(out);
    if (fault != Fault::none) return fault;

    std::string_view lines(at, static_cast<std::size_t>(end - at));
    if (lines.size() > limits.header_bytes + 2) return Fault::headers_too_large;
    std::uint64_t repeated = 0;
    fault =
        parse_fields(lines, {limits.header_line, limits.header_count, Fault::too_many_headers}, out.headers, repeated);
    if (fault != Fault::none) return fault;

    fault = read_host(repeated, out);
    if (fault != Fault::none) return fault;
    constexpr std::uint64_t framing_fields = http::bit(Known::content_length) | http::bit(Known::transfer_encoding);
    if (out.headers.has_any(framing_fields)) {
        fault = read_framing(repeated, out);
        if (fault != Fault::none) return fault;
    }
    fault = read_connection(out);
    if (fault != Fault::none) return fault;
    if (out.headers.has_any(http::bit(Known::expect) | http::bit(Known::te))) read_expectations(out);
    return Fault::none;
}

}  // namespace http1
