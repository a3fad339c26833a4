// LogRecord: what the log plugins tell of one request, in Kong's form (kong.md 4.21). Views filled by the plugin
// framework at the end of an exchange; put_json() writes them straight into a buffer. Whatever a client or an upstream
// sent, the JSON is valid: bytes that are no UTF-8 become U+FFFD. Authorization and Proxy-Authorization are never
// shown.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace observe {

struct LogRecord {
    // A header field or an argument of the query. Several of one name become an array.
    struct Named {
        std::string_view name;
        std::string_view value;
        bool is_bare = false;  // an argument without '=': true
    };
    struct Tls {
        std::string_view version;
        std::string_view cipher;
        std::string_view client_verify;
    };
    struct Try {
        std::string_view ip;
        std::uint16_t port = 0;
        std::int64_t started_at = 0;     // ms since 1970
        std::int64_t balancer_time = 0;  // ms
        std::string_view state;          // "failed"; empty: it answered
        int code = 0;                    // 0: none
    };
    struct Entity {
        std::string_view id;  // empty: there is none
        std::string_view name;
        std::string_view host;       // of a service
        std::string_view custom_id;  // of a consumer
    };

    std::string_view id;
    std::string_view scheme;
    std::string_view host;  // without port
    std::uint16_t port = 0;
    std::string_view target;  // as received
    std::string_view method;
    std::span<const Named> arguments;  // decoded
    std::span<const Named> request_headers;
    std::uint64_t request_size = 0;
    std::optional<Tls> tls;

    std::string_view upstream_uri;
    int upstream_status = 0;  // 0: none
    int status = 0;
    std::span<const Named> response_headers;
    std::uint64_t response_size = 0;

    // ms
    std::int64_t kong_time = 0;
    std::int64_t proxy_time = -1;
    std::int64_t request_time = 0;
    std::int64_t receive_time = 0;

    std::span<const Try> tries;
    std::string_view credential;  // what identifies it; empty: nobody was authenticated
    Entity route;
    Entity service;
    Entity consumer;
    bool is_authenticated = false;
    std::string_view client_ip;
    std::int64_t started_at = 0;  // ms since 1970
    bool is_from_upstream = false;
    std::string_view correlation_id;
};

// Appends one JSON object, without a line feed.
void put_json(std::string& out, const LogRecord& record);

}  // namespace observe
