// The typed heads of requests and responses, the same for every protocol version: what a codec reads from the wire,
// what the gateway works on. All views point into the receive buffer or the arena of the request.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "http/connection_options.h"
#include "http/headers.h"
#include "http/method.h"

namespace http {

// RFC 9112 3.2.
enum class TargetForm : std::uint8_t {
    origin,     // /path?query
    absolute,   // http://host/path?query
    authority,  // host:port, only with CONNECT
    asterisk,   // *, only with OPTIONS (also an absolute OPTIONS target without path and query, RFC 9112 3.2.4)
};

// How the end of the body is known (RFC 9112 6.3).
enum class BodyFraming : std::uint8_t { none, length, chunked, until_close };

struct RequestHead {
    Method method = Method::get;
    std::string_view method_token;
    std::string_view target;  // as received
    TargetForm form = TargetForm::origin;
    std::string_view
        raw_path;  // as received, "/" where an absolute target has none; empty for authority and asterisk form
    std::string_view query;  // as received, without '?'
    bool has_query = false;  // a '?' was there: an empty query is kept as such

    // Of the target if it is absolute (RFC 9112 3.2.2), else of Host; empty if HTTP/1.0 gave none.
    // headers[Host] has the same text in every case.
    std::string_view authority;  // host[:port]
    std::string_view host;       // case as received
    std::uint16_t port = 0;      // 0: none given

    std::uint8_t minor_version = 1;  // 0 or 1; a higher one is treated as 1 (RFC 9110 2.5)
    std::uint8_t major_version = 1;  // 2: such a head reads as HTTP/1.1's of the same meaning
    Headers headers;
    ConnectionOptions connection;
    BodyFraming framing = BodyFraming::none;  // none, length or chunked
    std::uint64_t content_length = 0;         // with framing length
    bool keep_alive = true;                   // the client allows another request on this connection (RFC 9112 9.3)
    bool expect_continue = false;             // Expect: 100-continue, HTTP/1.1 only
    bool expect_unknown = false;              // some other expectation (RFC 9110 10.1.1: may be answered with 417)
    bool accepts_trailers = false;            // TE: trailers
    bool upgrade = false;                     // Connection: upgrade with an Upgrade field, HTTP/1.1 only
    std::string_view upgrade_protocol;        // value of that field

    // A call of gRPC: HTTP/2, and its content type with or without what follows `+` or `;`.
    [[nodiscard]] bool is_grpc() const { return major_version == 2 && has_grpc_type(); }
    [[nodiscard]] bool has_grpc_type() const {
        return headers.first(Known::content_type).starts_with("application/grpc");
    }
    // A browser asks whether it may send another request (Fetch standard, CORS-preflight request).
    [[nodiscard]] bool is_preflight() const {
        return method == Method::options && headers.has(Known::origin) &&
               headers.has(Known::access_control_request_method);
    }
    // Ready for the next message; keeps nothing but the inline storage of the headers.
    void reset();
};

struct ResponseHead {
    int status = 0;
    std::string_view reason;
    std::uint8_t minor_version = 1;
    Headers headers;
    ConnectionOptions connection;
    BodyFraming framing = BodyFraming::none;
    std::uint64_t content_length = 0;  // with framing length
    // Content-Length as given. It is also set where there is no body to frame: in answers to HEAD, and in 304.
    std::optional<std::uint64_t> declared_length;
    bool keep_alive = true;  // the connection may carry another exchange once the body has ended
    bool upgrade = false;    // 101 with Connection: upgrade and an Upgrade field
    std::string_view upgrade_protocol;

    void reset();
};

}  // namespace http
