// upstream and target: a named group of endpoints and how requests are spread over it (contract 1.5).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dialect/kong/common.h"

namespace kong {

using Statuses = schema::Set<std::int32_t>;
using Seconds = std::chrono::duration<double>;

struct ActiveHealthy {
    Seconds interval{0};
    Statuses http_statuses{200, 302};
    std::int32_t successes = 0;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("interval", &ActiveHealthy::interval, "Time between probes of a healthy target; 0 = none.")
                .between(0, 65535),
            field("http_statuses", &ActiveHealthy::http_statuses, "Statuses that count as success.").between(100, 999),
            field("successes", &ActiveHealthy::successes, "Successes in a row that make it healthy; 0 = never.")
                .between(0, 255));
    }
};
struct ActiveUnhealthy {
    Seconds interval{0};
    Statuses http_statuses{429, 404, 500, 501, 502, 503, 504, 505};
    std::int32_t tcp_failures = 0;
    std::int32_t timeouts = 0;
    std::int32_t http_failures = 0;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("interval", &ActiveUnhealthy::interval, "Time between probes of an unhealthy target; 0 = none.")
                .between(0, 65535),
            field("http_statuses", &ActiveUnhealthy::http_statuses, "Statuses that count as failure.")
                .between(100, 999),
            field("tcp_failures", &ActiveUnhealthy::tcp_failures,
                  "Failed connections that make it unhealthy; 0 = never.")
                .between(0, 255),
            field("timeouts", &ActiveUnhealthy::timeouts, "Timeouts that make it unhealthy; 0 = never.")
                .between(0, 255),
            field("http_failures", &ActiveUnhealthy::http_failures, "Bad statuses that make it unhealthy; 0 = never.")
                .between(0, 255));
    }
};
struct ActiveHealthcheck {
    std::string type = "http";
    Seconds timeout{1};
    std::int32_t concurrency = 10;
    std::string http_path = "/";
    std::optional<std::string> https_sni;
    bool https_verify_certificate = true;
    std::map<std::string, std::vector<std::string>> headers;
    ActiveHealthy healthy;
    ActiveUnhealthy unhealthy;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("type", &ActiveHealthcheck::type, "What a probe is.").one_of("tcp", "http", "https", "grpc", "grpcs"),
            field("timeout", &ActiveHealthcheck::timeout, "Longest wait for an answer.").between(0, 65535),
            field("concurrency", &ActiveHealthcheck::concurrency, "Probes at a time.").between(1, 2147483648),
            field("http_path", &ActiveHealthcheck::http_path, "Path of the probe.").matches(path_format),
            field("https_sni", &ActiveHealthcheck::https_sni, "Server name of the probe.").matches(server_name_format),
            field("https_verify_certificate", &ActiveHealthcheck::https_verify_certificate,
                  "Whether a probe verifies the certificate."),
            field("headers", &ActiveHealthcheck::headers, "Headers of the probe.").keys(header_name_format),
            field("healthy", &ActiveHealthcheck::healthy, "When a target becomes healthy."),
            field("unhealthy", &ActiveHealthcheck::unhealthy, "When a target becomes unhealthy."));
    }
};
struct PassiveHealthy {
    Statuses http_statuses{200, 201, 202, 203, 204, 205, 206, 207, 208, 226,
                           300, 301, 302, 303, 304, 305, 306, 307, 308};
    std::int32_t successes = 0;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("http_statuses", &PassiveHealthy::http_statuses, "Statuses that count as success.").between(100, 999),
            field("successes", &PassiveHealthy::successes, "Successes in a row that make it healthy; 0 = never.")
                .between(0, 255));
    }
};
struct PassiveUnhealthy {
    Statuses http_statuses{429, 500, 503};
    std::int32_t tcp_failures = 0;
    std::int32_t timeouts = 0;
    std::int32_t http_failures = 0;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("http_statuses", &PassiveUnhealthy::http_statuses, "Statuses that count as failure.")
                .between(100, 999),
            field("tcp_failures", &PassiveUnhealthy::tcp_failures,
                  "Failed connections that make it unhealthy; 0 = never.")
                .between(0, 255),
            field("timeouts", &PassiveUnhealthy::timeouts, "Timeouts that make it unhealthy; 0 = never.")
                .between(0, 255),
            field("http_failures", &PassiveUnhealthy::http_failures, "Bad statuses that make it unhealthy; 0 = never.")
                .between(0, 255));
    }
};
struct PassiveHealthcheck {
    std::string type = "http";
    PassiveHealthy healthy;
    PassiveUnhealthy unhealthy;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("type", &PassiveHealthcheck::type, "What traffic is judged.")
                                  .one_of("tcp", "http", "https", "grpc", "grpcs"),
                              field("healthy", &PassiveHealthcheck::healthy, "When a target becomes healthy."),
                              field("unhealthy", &PassiveHealthcheck::unhealthy, "When a target becomes unhealthy."));
    }
};
struct Healthchecks {
    ActiveHealthcheck active;
    PassiveHealthcheck passive;
    double threshold = 0;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(field("active", &Healthchecks::active, "Probes."),
                              field("passive", &Healthchecks::passive, "Judging by the traffic."),
                              field("threshold", &Healthchecks::threshold,
                                    "Percent of weight that must be available, or the whole upstream counts as down.")
                                  .between(0, 100));
    }
};

// ---- our own

struct OutlierDetection {
    std::int32_t consecutive_5xx = 5;
    std::int32_t consecutive_gateway_errors = 0;
    Seconds interval{10};
    Seconds base_ejection_time{30};
    Seconds max_ejection_time{300};
    double max_ejection_percent = 50;
    double success_rate_stdev_factor = 0;
    double latency_factor = 0;
    std::int32_t minimum_targets = 5;
    std::int32_t request_volume = 100;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("consecutive_5xx", &OutlierDetection::consecutive_5xx,
                  "Answers of 500 and above and failed attempts in a row that eject a target; 0 = never.")
                .between(0, 1000000),
            field("consecutive_gateway_errors", &OutlierDetection::consecutive_gateway_errors,
                  "Answers of 502, 503 and 504 and failed attempts in a row that eject a target; 0 = never.")
                .between(0, 1000000),
            field("interval", &OutlierDetection::interval, "Time between two comparisons of the targets.")
                .between(0.1, 65535),
            field("base_ejection_time", &OutlierDetection::base_ejection_time,
                  "How long the first ejection lasts; the second in a row lasts twice as long, and so on.")
                .between(0.1, 65535),
            field("max_ejection_time", &OutlierDetection::max_ejection_time, "Longest ejection.").between(0.1, 65535),
            field("max_ejection_percent", &OutlierDetection::max_ejection_percent,
                  "Percent of the targets that may be ejected at a time, rounded down; the last in service never is.")
                .between(0, 100),
            field(
                "success_rate_stdev_factor", &OutlierDetection::success_rate_stdev_factor,
                "Ejects targets whose success rate is this many standard deviations below the mean of all; 0 = never.")
                .between(0, 100),
            field("latency_factor", &OutlierDetection::latency_factor,
                  "Ejects targets whose mean time to answer is above this many times the median of all; 0 = never.")
                .between(0, 1000),
            field("minimum_targets", &OutlierDetection::minimum_targets,
                  "Targets with enough requests that a comparison needs.")
                .between(2, 65535),
            field("request_volume", &OutlierDetection::request_volume,
                  "Requests of a target in an interval that make it comparable.")
                .between(1, 1000000));
    }
    void check(schema::Checks& checks) const;
};

struct RetryBudget {
    double percent = 20;
    std::int32_t min_retries = 3;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("percent", &RetryBudget::percent, "Of the requests under way, so many may be retries.")
                .between(0, 100),
            field("min_retries", &RetryBudget::min_retries,
                  "Retries at a time that are allowed however few requests "
                  "there are.")
                .between(0, 1000000));
    }
};
struct UpstreamLimits {
    std::int32_t max_connections = 0;
    std::int32_t max_pending = 0;
    std::int32_t max_requests = 0;
    std::int32_t max_retries = 0;
    std::optional<RetryBudget> retry_budget;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("max_connections", &UpstreamLimits::max_connections,
                  "Connections in use at a time, over all workers; 0 = no limit. Idle ones do not count.")
                .between(0, 10000000),
            field("max_pending", &UpstreamLimits::max_pending,
                  "Requests that may wait for a connection, for `connect_timeout` at most; others get 503. 0 = none.")
                .between(0, 10000000),
            field("max_requests", &UpstreamLimits::max_requests, "Requests under way at a time; 0 = no limit.")
                .between(0, 10000000),
            field("max_retries", &UpstreamLimits::max_retries,
                  "Retries under way at a time; 0 = no limit. Beyond, the first failure is the answer.")
                .between(0, 10000000),
            field("retry_budget", &UpstreamLimits::retry_budget, "A share of the requests, in place of max_retries."));
    }
    void check(schema::Checks& checks) const;
};

struct SlowStart {
    Seconds window{0};
    double aggression = 1;
    double min_weight_percent = 10;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("window", &SlowStart::window, "How long a target that is new or back takes to its whole share.")
                .required()
                .between(0, 65535),
            field("aggression", &SlowStart::aggression, "1 = the share grows evenly; above, faster at first.")
                .between(0.01, 100),
            field("min_weight_percent", &SlowStart::min_weight_percent, "Percent of its weight that it begins with.")
                .between(1, 100));
    }
};

struct Discovery {
    std::string type;
    std::string address = "http://127.0.0.1:8500";
    std::string service;
    std::vector<std::string> tags;
    std::string datacenter;
    std::string name_space;
    std::string partition;
    bool passing_only = true;
    Seconds wait{60};
    std::string path;
    std::string url;
    Seconds interval{30};
    std::string token;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("type", &Discovery::type, "What is asked: Consul's HTTP API, a file, or an HTTP endpoint.")
                .required()
                .one_of("consul", "file", "http"),
            field("address", &Discovery::address, "consul: the agent.").matches(http_url_format),
            field("service", &Discovery::service, "consul: the service whose instances are the targets."),
            field("tags", &Discovery::tags, "consul: instances that have all of these."),
            field("datacenter", &Discovery::datacenter, "consul: absent = the agent's own."),
            field("namespace", &Discovery::name_space, "consul: of its Enterprise edition."),
            field("partition", &Discovery::partition, "consul: of its Enterprise edition."),
            field("passing_only", &Discovery::passing_only,
                  "consul: false = instances whose checks warn as well, with their weight for that."),
            field("wait", &Discovery::wait,
                  "consul: how long the agent may hold a question back until something changes.")
                .between(0.1, 600),
            field("path", &Discovery::path, "file: a YAML or JSON list of targets, read again when it changes."),
            field("url", &Discovery::url, "http: where a JSON list of targets is.").matches(http_url_format),
            field("interval", &Discovery::interval, "http: time between two questions.").between(0.1, 86400),
            field("token", &Discovery::token, "consul: X-Consul-Token; http: a bearer token.")
                .secret()
                .referenceable()
                .matches(header_value_format));
    }
    void check(schema::Checks& checks) const;
};

struct Upstream {
    static constexpr std::string_view title = "upstream";
    static constexpr std::string_view description =
        "A named group of targets. A service whose `host` is its name spreads its requests over it.";

    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string name;
    std::string algorithm = "round-robin";
    std::string hash_on = "none";
    std::string hash_fallback = "none";
    std::optional<std::string> hash_on_header;
    std::optional<std::string> hash_fallback_header;
    std::optional<std::string> hash_on_cookie;
    std::string hash_on_cookie_path = "/";
    std::optional<std::string> hash_on_query_arg;
    std::optional<std::string> hash_fallback_query_arg;
    std::optional<std::string> hash_on_uri_capture;
    std::optional<std::string> hash_fallback_uri_capture;
    std::optional<std::string> sticky_sessions_cookie;
    std::string sticky_sessions_cookie_path = "/";
    std::int32_t slots = 10000;
    std::optional<std::string> host_header;
    Reference client_certificate;
    bool use_srv_name = false;
    Healthchecks healthchecks;
    std::optional<OutlierDetection> outlier_detection;
    std::int32_t max_fails = 0;
    Seconds fail_timeout{10};
    std::optional<SlowStart> slow_start;
    UpstreamLimits limits;
    double panic_threshold = 0;
    std::optional<Discovery> discovery;
    schema::Set<std::string> tags;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Upstream>(), created_field<Upstream>(), updated_field<Upstream>(),
            field("name", &Upstream::name, "Unique name, a host name.").required().matches(upstream_name_format),
            field("algorithm", &Upstream::algorithm, "How a target is chosen; `random-two-choices` is our addition.")
                .one_of("consistent-hashing", "least-connections", "round-robin", "latency", "sticky-sessions",
                        "random-two-choices"),
            field("hash_on", &Upstream::hash_on, "What is hashed.")
                .one_of("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"),
            field("hash_fallback", &Upstream::hash_fallback, "What is hashed if the first is absent.")
                .one_of("none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"),
            field("hash_on_header", &Upstream::hash_on_header, "Name of the header.").matches(header_name_format),
            field("hash_fallback_header", &Upstream::hash_fallback_header, "Name of the header.")
                .matches(header_name_format),
            field("hash_on_cookie", &Upstream::hash_on_cookie, "Name of the cookie; issued if absent.")
                .matches(cookie_name_format),
            field("hash_on_cookie_path", &Upstream::hash_on_cookie_path, "Path of the issued cookie.")
                .matches(path_format),
            field("hash_on_query_arg", &Upstream::hash_on_query_arg, "Name of the query argument."),
            field("hash_fallback_query_arg", &Upstream::hash_fallback_query_arg, "Name of the query argument."),
            field("hash_on_uri_capture", &Upstream::hash_on_uri_capture, "Name of the route regex's group."),
            field("hash_fallback_uri_capture", &Upstream::hash_fallback_uri_capture,
                  "Name of the route regex's group."),
            field("sticky_sessions_cookie", &Upstream::sticky_sessions_cookie, "Name of the session cookie.")
                .matches(cookie_name_format),
            field("sticky_sessions_cookie_path", &Upstream::sticky_sessions_cookie_path, "Path of the session cookie.")
                .matches(path_format),
            field("slots", &Upstream::slots, "Size of the hash ring.").between(10, 65536),
            field("host_header", &Upstream::host_header, "Host that the targets see.").matches(host_port_format),
            field("client_certificate", &Upstream::client_certificate, "Certificate shown to the targets."),
            field("use_srv_name", &Upstream::use_srv_name, "Whether Host is the name in the SRV record."),
            field("healthchecks", &Upstream::healthchecks, "How targets are judged."),
            field("outlier_detection", &Upstream::outlier_detection,
                  "Ejects targets that do worse than the others, for a while. Our addition."),
            field(
                "max_fails", &Upstream::max_fails,
                "Failed attempts within `fail_timeout` that take a target out for as long; 0 = never. Our addition, as "
                "in nginx.")
                .between(0, 1000000),
            field("fail_timeout", &Upstream::fail_timeout, "See `max_fails`.").between(0.1, 65535),
            field("slow_start", &Upstream::slow_start,
                  "How targets that are new or back come to their share of the requests. Our addition."),
            field("limits", &Upstream::limits,
                  "What the upstream may have to do at a time; beyond, 503. Our addition."),
            field("panic_threshold", &Upstream::panic_threshold,
                  "When less than this percent of the weight is in service, requests go to all targets, bad ones as "
                  "well; 0 = never. Our addition.")
                .between(0, 100),
            field("discovery", &Upstream::discovery,
                  "Where further targets are found, besides those listed. Our addition."),
            tags_field<Upstream>());
    }
    void check(schema::Checks& checks) const;
};

struct Target {
    static constexpr std::string_view title = "target";
    static constexpr std::string_view description = "One endpoint of an upstream.";

    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string target;
    std::int32_t weight = 100;
    Reference upstream;
    schema::Set<std::string> tags;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Target>(), created_field<Target>(), updated_field<Target>(),
            field("target", &Target::target, "Host name or address with an optional port (8000).").required(),
            field("weight", &Target::weight, "Its share of the requests; 0 = none.").between(0, 65535),
            field("upstream", &Target::upstream, "The upstream it belongs to."), tags_field<Target>());
    }
    void check(schema::Checks& checks) const;
};

}  // namespace kong
