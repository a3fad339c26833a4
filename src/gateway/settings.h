// Settings: what one process runs with, typed and checked; plain data. command/settings fills it from kong.conf's
// names, the environment and the command line; the gateway, the admin listener and the loops read it. Fixed after
// start-up. A number of 0 means "no limit" where the comment says so, and nowhere else.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "base/version.h"
#include "http/http1/limits.h"
#include "net/address.h"
#include "net/dns/overrides.h"
#include "net/dns/settings.h"
#include "net/tls/server_certificates.h"
#include "observe/level.h"
#include "plugin/reply.h"
#include "upstream/pool.h"

namespace gateway {

// One address of proxy_listen, admin_listen or status_listen.
struct ListenAddress {
    net::SocketAddress address;
    int backlog = 511;        // backlog=N; nginx's default where the flag is absent
    bool reuse_port = false;  // reuseport: a listening socket per core
    bool deferred = false;    // TCP_DEFER_ACCEPT
    bool ipv6_only = true;    // IPV6_V6ONLY of an IPv6 address; nginx's default
    bool keep_alive = false;  // so_keepalive=on
    bool ssl = false;         // TLS
    bool http2 = false;       // of a TLS listener: HTTP/2 is offered too
    bool proxied = false;     // proxy_protocol: every connection begins with a header of that protocol

    bool operator==(const ListenAddress&) const = default;
};

enum class LoopKind : std::uint8_t { automatic, uring, epoll };

// Bounds of one client's connection and of the process. What each one answers when it is passed is in
// docs/reference/settings.md.
struct Limits {
    http1::Limits message;                             // request line, header fields, response head, chunks, trailers
    std::uint16_t header_too_large_status = 431;       // 431 (RFC 6585 5) or 400 (Kong, nginx)
    std::uint64_t body_bytes = 0;                      // client_max_body_size, 0 = no limit: 413
    std::chrono::milliseconds header_timeout{30'000};  // first byte of a request to the end of its header fields: 408
    std::chrono::milliseconds body_timeout{60'000};    // between two reads of a request body: 408
    std::uint64_t body_min_rate = 100;  // bytes/s of a request body after body_min_rate_after, 0 = no limit: 408
    std::chrono::milliseconds body_min_rate_after{30'000};
    std::chrono::milliseconds idle_timeout{75'000};   // keep-alive connection without a request: closed
    std::chrono::milliseconds send_timeout{60'000};   // between two writes to a client that accepts nothing: closed
    std::chrono::milliseconds linger_timeout{5'000};  // reading on after an early answer, so that the client sees it
    std::uint64_t keepalive_requests = 10'000;  // requests of one client connection, 0 = no limit: Connection: close
    std::size_t pipeline_depth = 32;            // pipelined requests answered in a row; then others have their turn
    std::uint64_t max_connections = 0;  // client connections of the process; 0 = what the descriptor limit allows: 503
    std::size_t handshakes = 1'000;     // TLS handshakes under way at once, a core: others are closed
    std::uint64_t max_connections_per_client = 0;  // of one client address, 0 = no limit: 503
};

// The response headers that Kong's `headers` and `headers_upstream` switch on and off.
struct HeaderTokens {
    bool server = true;
    bool via = true;
    bool proxy_latency = true;
    bool response_latency = true;
    bool upstream_latency = true;
    bool admin_latency = true;
    bool upstream_status = false;
    bool request_id = true;

    bool operator==(const HeaderTokens&) const = default;
};

struct Logs {
    observe::Level level = observe::Level::notice;
    std::string error = "/dev/stderr";       // /dev/stderr, /dev/stdout, a path, or off
    std::string access = "/dev/stdout";      // the same
    std::string access_format = "combined";  // combined, json, or a text with $variables
    std::string admin_access = "off";
    // Of one core and one log, on the way to it. What does not fit is dropped and counted.
    std::size_t buffer_bytes = 256 * 1024;
};

struct Settings {
    std::vector<ListenAddress> proxy_listen{{{net::IpAddress::v4(0), 8000}, 16384, true}};  // empty: off
    std::vector<ListenAddress> admin_listen{{{net::IpAddress::loopback_v4(), 8001}}};  // status and metrics; empty: off
    std::vector<ListenAddress> status_listen;  // the same pages again; empty: off
    unsigned workers = 0;                      // threads, one a core; 0 = as many as cores
    LoopKind loop = LoopKind::automatic;
    std::vector<std::string> documents;      // declarative_config: files and folders, merged
    std::string document_text;               // declarative_config_string
    std::string prefix = "/var/lib/cardea";  // relative paths of the settings start here
    std::string pid_file;                    // for `cardea reload`; empty: none
    bool watch = false;                      // reload when a document changes
    std::chrono::milliseconds drain_timeout{30'000};
    std::uint64_t descriptor_limit = 0;  // RLIMIT_NOFILE to ask for; 0 = raise the soft limit to the hard one

    Limits limits;
    std::vector<net::Cidr> trusted_ips;
    std::string real_ip_header = "X-Real-IP";
    bool real_ip_recursive = false;
    bool refuses_ambiguous_paths = false;  // http::is_ambiguous: 400
    // real_ip_header = proxy_protocol: clients are whom the header of a connection names (PROXY protocol).
    [[nodiscard]] bool has_proxied_clients() const { return real_ip_header == proxy_protocol; }
    static constexpr const char* proxy_protocol = "proxy_protocol";
    HeaderTokens headers;
    bool request_id_upstream = true;                 // headers_upstream
    bool allow_debug_header = false;                 // Kong-Debug: 1 shows route and service
    std::string product_token{base::product_token};  // Via and Server; Kong's under server_tokens_as_kong
    plugin::AnswerStyle answers;                     // error_default_type and the error templates
    std::vector<std::pair<std::uint16_t, std::uint16_t>> port_maps;  // public port, our port

    net::tls::ServerRules tls;                  // ssl_cipher_suite, ssl_ciphers, ssl_protocols
    std::vector<std::string> ssl_certificates;  // ssl_cert, ssl_cert_key: files, shown where no name fits; empty: one
    std::vector<std::string> ssl_keys;          // is generated
    upstream::PoolLimits upstream_keepalive;
    net::dns::Settings dns;
    net::dns::Overrides resolve;                  // --resolve
    std::vector<std::string> plugins{"bundled"};  // names that a document may use
    std::string vault_env_prefix;                 // {vault://env/...}
    Logs logs;
};

}  // namespace gateway
