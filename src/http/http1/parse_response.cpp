// Response heads: status line, framing by method and status, connection options (RFC 9112 4 to 6).
#include <cstring>
#include <optional>

#include "http/characters.h"
#include "http/http1/fields.h"
#include "http/http1/parse.h"
#include "http/scan.h"
#include "http/status.h"

namespace http1 {

namespace {

using http::BodyFraming;
using http::Known;
using http::ResponseHead;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

// HTTP-version SP 3DIGIT SP [ reason ] (RFC 9112 4). The blank behind the code is forgiven where no reason follows,
// since many servers leave it out and nothing can be misread by it. HTTP/0.9 does not exist here.
Fault read_status_line(const char*& at, const char* end, ResponseHead& out) {
    constexpr std::ptrdiff_t shortest = 14;  // "HTTP/1.1 200\r\n"
    if (end - at < shortest || std::memcmp(at, "HTTP/", 5) != 0) return Fault::garbage;
    if (!is_digit(at[5]) || at[6] != '.' || !is_digit(at[7])) return Fault::bad_status_line;
    if (at[5] != '1') return Fault::unsupported_version;
    out.minor_version = at[7] == '0' ? 0 : 1;
    if (at[8] != ' ' || at[9] < '1' || !is_digit(at[9]) || !is_digit(at[10]) || !is_digit(at[11])) {
        return Fault::bad_status_line;
    }
    out.status = (at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0');
    at += 12;
    if (*at == ' ') {
        ++at;
        std::size_t size = http::field_value_length(at, end);
        out.reason = {at, size};
        at += size;
    }
    if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return Fault::bad_status_line;
    at += 2;
    return Fault::none;
}

// RFC 9112 6.3. CL and TE are checked even where the rules of the method or status then put them aside.
Fault read_framing(std::uint64_t repeated, http::Method method, ResponseHead& out) {
    const http::Header* length = out.headers.find(Known::content_length);
    bool is_coded = out.headers.has(Known::transfer_encoding);
    if (is_coded) {
        if (length != nullptr) return Fault::length_and_transfer_encoding;
        if (out.minor_version == 0) return Fault::transfer_encoding_in_http10;
        Fault fault = check_transfer_encoding(out.headers);
        if (fault != Fault::none) return fault;
    }
    if (length != nullptr) {
        if ((repeated & http::bit(Known::content_length)) != 0) return Fault::duplicate_content_length;
        out.declared_length = parse_content_length(length->value);
        if (!out.declared_length) return Fault::bad_content_length;
    }
    bool opens_tunnel = method == http::Method::connect && out.status >= 200 && out.status < 300;
    if (method == http::Method::head || http::is_bodiless(out.status) || opens_tunnel) {
        // RFC 9112 6.1, RFC 9110 8.6: a 204 may not have these, so one that has may also send the body: the connection
        // is not trusted with another exchange.
        bool claims_body = is_coded || out.declared_length.value_or(0) > 0;
        if (out.status == 204 && claims_body) out.keep_alive = false;
        return Fault::none;
    }
    if (is_coded) {
        out.framing = BodyFraming::chunked;
    } else if (out.declared_length) {
        out.framing = BodyFraming::length;
        out.content_length = *out.declared_length;
    } else {
        out.framing = BodyFraming::until_close;
        out.keep_alive = false;
    }
    return Fault::none;
}

Fault read_connection(ResponseHead& out) {
    bool few_enough = true;
    out.headers.all(Known::connection, [&](std::string_view value) { few_enough &= out.connection.add(value); });
    if (!few_enough) return Fault::bad_connection;
    bool persists = !out.connection.close && (out.minor_version > 0 || out.connection.keep_alive);
    out.keep_alive = out.keep_alive && persists;
    if (out.status == 101 && out.connection.upgrade) {
        out.upgrade_protocol = out.headers.first(Known::upgrade);
        out.upgrade = !out.upgrade_protocol.empty();
    }
    return Fault::none;
}

}  // namespace

Fault parse_response_head(std::string_view head, const Limits& limits, http::Method method, ResponseHead& out) {
    out.reset();
    if (head.size() > limits.response_head + 4) return Fault::response_head_too_large;
    const char* at = head.data();
    const char* end = at + head.size();
    Fault fault = read_status_line(at, end, out);
    if (fault != Fault::none) return fault;
    std::uint64_t repeated = 0;
    fault = parse_fields({at, static_cast<std::size_t>(end - at)},
                         {limits.response_head, limits.header_count, Fault::too_many_headers}, out.headers, repeated);
    if (fault != Fault::none) return fault;
    fault = read_framing(repeated, method, out);
    return fault == Fault::none ? read_connection(out) : fault;
}

}  // namespace http1
