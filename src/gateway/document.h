// Document: a configuration as the gateway understands it, whatever dialect it was written in.
// A dialect fills it, the gateway compiles it into a Snapshot and drops it. Everything in it has been checked.
#pragma once

#include <bitset>
#include <chrono>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/uuid.h"
#include "net/address.h"
#include "net/proxy_header.h"
#include "route/rule.h"
#include "schema/error.h"
#include "schema/node.h"
#include "schema/reader.h"

namespace gateway {

// A position in one of the Document's lists; none = not bound.
using Index = std::uint32_t;
inline constexpr Index none = std::numeric_limits<Index>::max();

enum class Protocol : std::uint8_t { http, https, grpc, grpcs, tcp, tls, tls_passthrough, udp };
// Indexed by Protocol.
using Protocols = std::bitset<8>;
[[nodiscard]] std::string_view name(Protocol protocol);
[[nodiscard]] inline bool contains(Protocols set, Protocol protocol) { return set[static_cast<std::size_t>(protocol)]; }

using Tags = std::vector<std::string>;
using Milliseconds = std::chrono::milliseconds;

struct Service {
    base::Uuid id;
    std::string name;  // may be empty
    Protocol protocol = Protocol::http;
    std::string host;  // a name, an address, or the name of an Upstream
    std::uint16_t port = 80;
    std::string path;  // empty = "/"
    std::uint32_t retries = 5;
    Milliseconds connect_timeout{60000};
    Milliseconds write_timeout{60000};
    Milliseconds read_timeout{60000};
    bool enabled = true;  // false: its routes match nothing
    std::optional<bool> tls_verify;
    std::optional<int> tls_verify_depth;
    std::vector<base::Uuid> ca_certificates;
    std::optional<base::Uuid> client_certificate;
    net::ProxyVersion proxy_protocol = net::ProxyVersion::none;  // said at the beginning of each connection
    bool prefers_http2 = false;                                  // https: HTTP/2 where the upstream speaks it
    Tags tags;
    schema::Mark mark;
};

enum class PathHandling : std::uint8_t { v0, v1 };

struct Route {
    base::Uuid id;
    std::string name;      // may be empty
    Index service = none;  // in Document::services
    Protocols protocols;
    // What the dialect made of hosts, paths, methods, headers and snis: matching and priority in one.
    std::vector<route::Rule> rules;
    bool strip_path = true;
    bool preserve_host = false;
    bool request_buffering = true;
    bool response_buffering = true;
    PathHandling path_handling = PathHandling::v0;
    std::uint16_t https_redirect_status_code = 426;
    Tags tags;
    schema::Mark mark;
};

enum class Algorithm : std::uint8_t { round_robin, least_connections, consistent_hashing, latency, random_two_choices };
enum class HashOn : std::uint8_t { none, consumer, ip, header, cookie, path, query_arg, uri_capture };
enum class CheckType : std::uint8_t { tcp, http, https, grpc, grpcs };

// What a hash is taken from; `name` is that of the header, cookie, query argument or capture.
struct HashInput {
    HashOn on = HashOn::none;
    std::string name;
};

struct ActiveCheck {
    CheckType type = CheckType::http;
    std::chrono::duration<double> timeout{1};
    std::uint32_t concurrency = 10;
    std::string http_path = "/";
    std::string https_sni;
    bool https_verify_certificate = true;
    std::vector<std::pair<std::string, std::vector<std::string>>> headers;
    std::chrono::duration<double> healthy_interval{0};  // 0 = off
    std::vector<std::uint16_t> healthy_statuses;
    std::uint32_t successes = 0;
    std::chrono::duration<double> unhealthy_interval{0};
    std::vector<std::uint16_t> unhealthy_statuses;
    std::uint32_t tcp_failures = 0;
    std::uint32_t timeouts = 0;
    std::uint32_t http_failures = 0;
};
struct PassiveCheck {
    CheckType type = CheckType::http;
    std::vector<std::uint16_t> healthy_statuses;
    std::uint32_t successes = 0;
    std::vector<std::uint16_t> unhealthy_statuses;
    std::uint32_t tcp_failures = 0;
    std::uint32_t timeouts = 0;
    std::uint32_t http_failures = 0;
};
struct HealthChecks {
    ActiveCheck active;
    PassiveCheck passive;
    double threshold = 0;  // percent of weight below which the whole upstream counts as down
};

// Of an upstream; numbers of 0 are off.
struct OutlierDetection {
    using Seconds = std::chrono::duration<double>;
    std::uint32_t consecutive_5xx = 5;
    std::uint32_t consecutive_gateway_errors = 0;
    Seconds interval{10};
    Seconds base_ejection_time{30};
    Seconds max_ejection_time{300};
    double max_ejection_percent = 50;
    double success_rate_stdev_factor = 0;
    double latency_factor = 0;
    std::uint32_t minimum_targets = 5;
    std::uint32_t request_volume = 100;
};
struct UpstreamLimits {
    std::uint32_t max_connections = 0;
    std::uint32_t max_pending = 0;
    std::uint32_t max_requests = 0;
    std::uint32_t max_retries = 0;
    bool has_retry_budget = false;
    double retry_percent = 20;
    std::uint32_t min_retries = 3;
};
struct SlowStart {
    std::chrono::duration<double> window{0};
    double aggression = 1;
    double min_weight_percent = 10;
};

// Where further targets of an upstream are found.
struct Discovery {
    enum class Type : std::uint8_t { consul, file, http };
    Type type = Type::file;
    std::string place;  // the agent's URL, a path, a URL
    std::string token;  // secret
    std::chrono::duration<double> interval{30};
    std::string service;
    Tags tags;
    std::string datacenter;
    std::string name_space;
    std::string partition;
    bool passing_only = true;
    std::chrono::duration<double> wait{60};
};

struct Target {
    base::Uuid id;
    std::string host;  // a name or an address
    std::uint16_t port = 8000;
    std::uint32_t weight = 100;  // 0 = no traffic
    Tags tags;
    schema::Mark mark;
};

struct Upstream {
    base::Uuid id;
    std::string name;
    Algorithm algorithm = Algorithm::round_robin;
    HashInput hash;
    HashInput fallback;
    std::string hash_on_cookie_path = "/";
    std::uint32_t slots = 10000;
    std::string host_header;  // empty = the target's own name
    bool use_srv_name = false;
    HealthChecks healthchecks;
    std::optional<OutlierDetection> outlier_detection;
    std::uint32_t max_fails = 0;
    std::chrono::duration<double> fail_timeout{10};
    std::optional<SlowStart> slow_start;
    UpstreamLimits limits;
    double panic_threshold = 0;  // percent of weight below which all targets are chosen among
    std::optional<Discovery> discovery;
    std::optional<base::Uuid> client_certificate;
    std::vector<Target> targets;
    Tags tags;
    schema::Mark mark;
};

// One configured plugin. Scope: the bound things, all `none` = global.
struct PluginUse {
    base::Uuid id;
    std::string name;
    std::string instance_name;
    Index service = none;
    Index route = none;
    Index consumer = none;
    Index consumer_group = none;
    const schema::Node* config = nullptr;  // in Document::trees; nullptr = nothing given
    std::vector<std::string> before;       // names of plugins whose request phase comes after this one's
    std::vector<std::string> after;
    bool enabled = true;
    Protocols protocols;
    Tags tags;
    schema::Mark mark;
    schema::Path path;  // where it stands in the document, for problems found later
};

// A credential or group membership, as its dialect wrote it, checked; the plugin of `kind` reads the fields it knows.
struct Credential {
    base::Uuid id;
    std::string kind;  // keyauth_credentials, jwt_secrets, acls, ...
    std::vector<std::pair<std::string, std::string>> fields;
    Tags tags;
    schema::Mark mark;
};

struct Consumer {
    base::Uuid id;
    std::string username;
    std::string custom_id;
    std::vector<Index> groups;  // in Document::consumer_groups
    std::vector<Credential> credentials;
    Tags tags;
    schema::Mark mark;
};

struct ConsumerGroup {
    base::Uuid id;
    std::string name;
    Tags tags;
};

// A chain and its key, PEM; perhaps the same with another kind of key.
struct Certificate {
    base::Uuid id;
    std::string cert;
    std::string key;
    std::string cert_alt;  // may be empty
    std::string key_alt;
};

// Which certificate is shown to clients that ask for this name: exact, `*.rest`, `first.*` or `*`.
struct ServerName {
    std::string name;
    base::Uuid certificate;
};

struct CaCertificate {
    base::Uuid id;
    std::string cert;  // PEM
};

struct Document {
    std::vector<std::string> files;  // marks name them by index
    std::vector<Service> services;
    std::vector<Route> routes;
    std::vector<Upstream> upstreams;
    std::vector<Consumer> consumers;
    std::vector<ConsumerGroup> consumer_groups;
    std::vector<PluginUse> plugins;
    std::vector<Certificate> certificates;
    std::vector<ServerName> server_names;
    std::vector<CaCertificate> ca_certificates;
    std::vector<schema::Tree> trees;  // own the plugin configurations
    schema::Resolve resolve;          // what references to secrets in plugin configurations stand for
};

}  // namespace gateway
