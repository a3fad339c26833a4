// Kong's entities become parts of the Document, and what this program does not serve is said.
#include <fmt/format.h>

#include <algorithm>

#include "base/pacing.h"
#include "dialect/kong/consumer.h"
#include "dialect/kong/loader.h"
#include "dialect/kong/pem.h"
#include "dialect/kong/plugin.h"
#include "dialect/kong/priority.h"
#include "dialect/kong/rewrite.h"
#include "dialect/kong/route.h"
#include "dialect/kong/security.h"
#include "dialect/kong/service.h"

namespace kong {

using gateway::Index;
using schema::Kind;
using schema::Node;
using schema::Reader;

namespace {

std::optional<gateway::Protocol> protocol_of(std::string_view text) {
    constexpr std::array<std::string_view, 8> names{"http", "https",           "grpc", "grpcs", "tcp",
                                                    "tls",  "tls_passthrough", "udp"};
    auto at = std::find(names.begin(), names.end(), text);
    if (at == names.end()) return std::nullopt;
    return static_cast<gateway::Protocol>(at - names.begin());
}

template <typename Part>
void copy_counters(gateway::ActiveCheck& out, const Part& part) {
    out.tcp_failures = static_cast<std::uint32_t>(part.tcp_failures);
    out.timeouts = static_cast<std::uint32_t>(part.timeouts);
    out.http_failures = static_cast<std::uint32_t>(part.http_failures);
}

std::vector<std::uint16_t> statuses(const Statuses& given) { return {given.begin(), given.end()}; }

gateway::CheckType check_type(std::string_view text) {
    constexpr std::array<std::string_view, 5> names{"tcp", "http", "https", "grpc", "grpcs"};
    auto at = std::find(names.begin(), names.end(), text);
    return static_cast<gateway::CheckType>(at == names.end() ? 1 : at - names.begin());
}

gateway::HealthChecks health_checks_of(const Healthchecks& checks) {
    gateway::HealthChecks out;
    const ActiveHealthcheck& active = checks.active;
    out.active.type = check_type(active.type);
    out.active.timeout = active.timeout;
    out.active.concurrency = static_cast<std::uint32_t>(active.concurrency);
    out.active.http_path = active.http_path;
    out.active.https_sni = active.https_sni.value_or("");
    out.active.https_verify_certificate = active.https_verify_certificate;
    out.active.headers.assign(active.headers.begin(), active.headers.end());
    out.active.healthy_interval = active.healthy.interval;
    out.active.healthy_statuses = statuses(active.healthy.http_statuses);
    out.active.successes = static_cast<std::uint32_t>(active.healthy.successes);
    out.active.unhealthy_interval = active.unhealthy.interval;
    out.active.unhealthy_statuses = statuses(active.unhealthy.http_statuses);
    copy_counters(out.active, active.unhealthy);
    const PassiveHealthcheck& passive = checks.passive;
    out.passive.type = check_type(passive.type);
    out.passive.healthy_statuses = statuses(passive.healthy.http_statuses);
    out.passive.successes = static_cast<std::uint32_t>(passive.healthy.successes);
    out.passive.unhealthy_statuses = statuses(passive.unhealthy.http_statuses);
    out.passive.tcp_failures = static_cast<std::uint32_t>(passive.unhealthy.tcp_failures);
    out.passive.timeouts = static_cast<std::uint32_t>(passive.unhealthy.timeouts);
    out.passive.http_failures = static_cast<std::uint32_t>(passive.unhealthy.http_failures);
    out.threshold = checks.threshold;
    return out;
}

gateway::Discovery discovery_of(const Discovery& from) {
    gateway::Discovery out;
    using Type = gateway::Discovery::Type;
    out.type = from.type == "consul" ? Type::consul : from.type == "http" ? Type::http : Type::file;
    out.place = out.type == Type::consul ? from.address : out.type == Type::http ? from.url : from.path;
    out.token = from.token;
    out.interval = from.interval;
    out.service = from.service;
    out.tags = from.tags;
    out.datacenter = from.datacenter;
    out.name_space = from.name_space;
    out.partition = from.partition;
    out.passing_only = from.passing_only;
    out.wait = from.wait;
    return out;
}

gateway::OutlierDetection outlier_detection_of(const OutlierDetection& detection) {
    return {static_cast<std::uint32_t>(detection.consecutive_5xx),
            static_cast<std::uint32_t>(detection.consecutive_gateway_errors),
            detection.interval,
            detection.base_ejection_time,
            detection.max_ejection_time,
            detection.max_ejection_percent,
            detection.success_rate_stdev_factor,
            detection.latency_factor,
            static_cast<std::uint32_t>(detection.minimum_targets),
            static_cast<std::uint32_t>(detection.request_volume)};
}

gateway::UpstreamLimits limits_of(const UpstreamLimits& limits) {
    gateway::UpstreamLimits out{
        static_cast<std::uint32_t>(limits.max_connections), static_cast<std::uint32_t>(limits.max_pending),
        static_cast<std::uint32_t>(limits.max_requests), static_cast<std::uint32_t>(limits.max_retries)};
    if (!limits.retry_budget) return out;
    out.has_retry_budget = true;
    out.retry_percent = limits.retry_budget->percent;
    out.min_retries = static_cast<std::uint32_t>(limits.retry_budget->min_retries);
    return out;
}

gateway::HashInput hash_input(std::string_view on, const std::optional<std::string>& header,
                              const std::optional<std::string>& cookie, const std::optional<std::string>& query_arg,
                              const std::optional<std::string>& capture) {
    constexpr std::array<std::string_view, 8> names{"none",   "consumer", "ip",        "header",
                                                    "cookie", "path",     "query_arg", "uri_capture"};
    auto at = std::find(names.begin(), names.end(), on);
    gateway::HashInput input{.on = static_cast<gateway::HashOn>(at == names.end() ? 0 : at - names.begin())};
    if (on == "header") input.name = header.value_or("");
    if (on == "cookie") input.name = cookie.value_or("");
    if (on == "query_arg") input.name = query_arg.value_or("");
    if (on == "uri_capture") input.name = capture.value_or("");
    return input;
}

}  // namespace

gateway::Protocols protocols_of(const schema::Set<std::string>& texts) {
    gateway::Protocols out;
    for (const std::string& text : texts) {
        if (auto protocol = protocol_of(text)) out.set(static_cast<std::size_t>(*protocol));
    }
    return out;
}

schema::Mark mark_of(const Node& node, std::string_view field) {
    const Node* value = node.find(field);
    return value == nullptr ? node.mark() : value->mark();
}

bool Loader::plugin_is_served(std::string_view name) const {
    return std::any_of(options_.served.plugins.begin(), options_.served.plugins.end(),
                       [name](const PluginType& plugin) { return plugin.name == name; });
}

void Loader::check_service_served(const Service& service, const Node& node) {
    if (!service.enabled) return;
    const Served& served = options_.served;
    auto refuse = [&](std::string_view field, std::string message) {
        Reader::Under under(reader_, field);
        reader_.problem(mark_of(node, field), std::move(message),
                        "set `enabled: false` if the service may be left out");
    };
    bool encrypted = service.protocol == "https" || service.protocol == "grpcs" || service.protocol == "tls";
    bool is_carried =
        served.upstream_tls && (service.protocol == "https" || (service.protocol == "grpcs" && served.grpc) ||
                                (service.protocol == "tls" && served.streams));
    if (encrypted && !is_carried) {
        refuse("protocol",
               fmt::format("protocol '{}' is not served by this version: the connection would not be encrypted",
                           service.protocol));
    }
    if (service.tls_verify == true && !served.upstream_tls)
        refuse("tls_verify", "verification of certificates is not served by this version");
    if (!service.ca_certificates.empty() && !served.upstream_tls)
        refuse("ca_certificates", "CA certificates are not served by this version");
    if (service.client_certificate.is_set() && !served.upstream_tls)
        refuse("client_certificate", "client certificates are not served by this version");
    if (service.tls_sans != nullptr) refuse("tls_sans", "verification of certificates is not served by this version");
    bool is_grpc = service.protocol == "grpc" || service.protocol == "grpcs";
    bool is_stream = service.protocol == "tcp" || service.protocol == "udp" || service.protocol == "tls" ||
                     service.protocol == "tls_passthrough";
    if ((is_grpc && !served.grpc) || (is_stream && !served.streams)) {
        Reader::Under under(reader_, "protocol");
        reader_.warning(
            mark_of(node, "protocol"),
            fmt::format("protocol '{}' is not served by this version; requests for it fail", service.protocol));
    }
}

// Our addition, which Kong and its tools keep as they find it (docs/http2.md).
constexpr std::string_view http2_tag = "cardea-http2";

Loader::Parent Loader::add_service(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::service);
    Service service;
    if (read(file, EntityKind::service, node, service)) check_service_served(service, node);
    auto index = static_cast<Index>(result_.document.services.size());
    base::Uuid id =
        identify(type, service.id, service.name.value_or(""), service.name.has_value(), node, parent, index);
    if (service.name) declare(type, "name", *service.name, node, {index, id, node.mark()});
    (void)bind(type, type.parents[0], service.client_certificate, node, parent, index,
               service.name.value_or(id.text()));
    gateway::Service out;
    out.id = id;
    out.name = service.name.value_or("");
    out.protocol = protocol_of(service.protocol).value_or(gateway::Protocol::http);
    out.host = std::move(service.host);
    out.port = static_cast<std::uint16_t>(service.port);
    out.path = service.path.value_or("");
    out.retries = static_cast<std::uint32_t>(service.retries);
    out.connect_timeout = service.connect_timeout;
    out.write_timeout = service.write_timeout;
    out.read_timeout = service.read_timeout;
    out.enabled = service.enabled;
    out.tls_verify = service.tls_verify;
    out.tls_verify_depth = service.tls_verify_depth;
    out.ca_certificates = std::move(service.ca_certificates);
    if (parent.type != nullptr) out.client_certificate = parent.id;
    if (service.proxy_protocol)
        out.proxy_protocol = *service.proxy_protocol == "v1" ? net::ProxyVersion::v1 : net::ProxyVersion::v2;
    out.prefers_http2 = out.protocol == gateway::Protocol::https &&
                        std::find(service.tags.begin(), service.tags.end(), http2_tag) != service.tags.end();
    out.tags = std::move(service.tags);
    out.mark = node.mark();
    base::make_room_paced(result_.document.services);
    result_.document.services.push_back(std::move(out));
    return {&type, id, index};
}

Loader::Parent Loader::add_route(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::route);
    Route route;
    bool good = read(file, EntityKind::route, node, route);
    auto index = static_cast<Index>(result_.document.routes.size());
    base::Uuid id = identify(type, route.id, route.name.value_or(""), route.name.has_value(), node, parent, index);
    if (route.name) declare(type, "name", *route.name, node, {index, id, node.mark()});
    gateway::Route out;
    out.id = id;
    out.service = bind(type, type.parents[0], route.service, node, parent, index, route.name.value_or(id.text()));
    out.name = route.name.value_or("");
    out.protocols = protocols_of(route.protocols);
    bool is_grpc = gateway::contains(out.protocols, gateway::Protocol::grpc) ||
                   gateway::contains(out.protocols, gateway::Protocol::grpcs);
    bool is_http = gateway::contains(out.protocols, gateway::Protocol::http) ||
                   gateway::contains(out.protocols, gateway::Protocol::https);
    out.strip_path = route.strip_path && !is_grpc;
    out.preserve_host = route.preserve_host;
    out.request_buffering = route.request_buffering;
    out.response_buffering = route.response_buffering;
    out.path_handling = route.path_handling == "v1" ? gateway::PathHandling::v1 : gateway::PathHandling::v0;
    out.https_redirect_status_code = static_cast<std::uint16_t>(route.https_redirect_status_code);
    out.mark = node.mark();
    if (good && route.expression) {
        Reader::Under under(reader_, "expression");
        reader_.problem(mark_of(node, "expression"), "the router flavour `expressions` is not served by this version",
                        "write the condition with methods, hosts, paths and headers");
    } else if (good && (is_http || is_grpc)) {
        RouteMatchers matchers{.id = id,
                               .protocols = std::move(route.protocols),
                               .methods = std::move(route.methods),
                               .hosts = std::move(route.hosts),
                               .paths = std::move(route.paths),
                               .headers = {route.headers.begin(), route.headers.end()},
                               .snis = std::move(route.snis),
                               .sources = {},
                               .destinations = {},
                               .regex_priority = static_cast<std::uint32_t>(route.regex_priority)};
        if (base::Result<void> made = append_rules(matchers, index, out.rules); !made)
            reader_.problem(node.mark(), made.error().detail);
    }
    bool unserved = (is_grpc && !options_.served.grpc) || (good && !is_grpc && !is_http && !options_.served.streams);
    if (unserved) {
        Reader::Under under(reader_, "protocols");
        reader_.warning(mark_of(node, "protocols"),
                        "these protocols are not served by this version; the route takes no traffic");
        out.rules.clear();
    }
    out.tags = std::move(route.tags);
    base::make_room_paced(result_.document.routes);
    result_.document.routes.push_back(std::move(out));
    return {&type, id, index};
}

void Loader::check_upstream_served(const Upstream& upstream, const Node& node) {
    const Served& served = options_.served;
    const Node* checks = node.find("healthchecks");
    bool active = upstream.healthchecks.active.healthy.interval.count() > 0 ||
                  upstream.healthchecks.active.unhealthy.interval.count() > 0;
    const PassiveUnhealthy& passive = upstream.healthchecks.passive.unhealthy;
    if (checks != nullptr && !served.health_checks &&
        (active || passive.tcp_failures + passive.timeouts + passive.http_failures > 0)) {
        Reader::Under under(reader_, "healthchecks");
        reader_.warning(checks->mark(), "health checks are not served by this version; all targets count as healthy");
    }
    if (upstream.algorithm == "sticky-sessions") {
        Reader::Under under(reader_, "algorithm");
        reader_.warning(mark_of(node, "algorithm"),
                        "sticky-sessions is not served by this version; round-robin takes its place");
    }
    if (upstream.client_certificate.is_set() && !served.upstream_tls) {
        Reader::Under under(reader_, "client_certificate");
        reader_.problem(mark_of(node, "client_certificate"), "client certificates are not served by this version");
    }
}

Loader::Parent Loader::add_upstream(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::upstream);
    Upstream upstream;
    if (read(file, EntityKind::upstream, node, upstream)) check_upstream_served(upstream, node);
    auto index = static_cast<Index>(result_.document.upstreams.size());
    base::Uuid id = identify(type, upstream.id, upstream.name, !upstream.name.empty(), node, parent, index);
    if (!upstream.name.empty()) declare(type, "name", upstream.name, node, {index, id, node.mark()});
    (void)bind(type, type.parents[0], upstream.client_certificate, node, parent, index, upstream.name);
    gateway::Upstream out;
    out.id = id;
    // Kong's coupling: a hash asks for consistent hashing, its explicit absence takes it away. Other algorithms hash
    // nothing.
    bool hashes = upstream.hash_on != "none";
    const Node* hash_on = node.find("hash_on");
    if (upstream.algorithm == "least-connections") {
        out.algorithm = gateway::Algorithm::least_connections;
    } else if (upstream.algorithm == "latency") {
        out.algorithm = gateway::Algorithm::latency;
    } else if (upstream.algorithm == "random-two-choices") {
        out.algorithm = gateway::Algorithm::random_two_choices;
    } else if (hashes || (upstream.algorithm == "consistent-hashing" && (hash_on == nullptr || hash_on->is_null()))) {
        out.algorithm = gateway::Algorithm::consistent_hashing;
    }
    if (out.algorithm == gateway::Algorithm::consistent_hashing) {
        out.hash = hash_input(upstream.hash_on, upstream.hash_on_header, upstream.hash_on_cookie,
                              upstream.hash_on_query_arg, upstream.hash_on_uri_capture);
        out.fallback = hash_input(upstream.hash_fallback, upstream.hash_fallback_header, upstream.hash_on_cookie,
                                  upstream.hash_fallback_query_arg, upstream.hash_fallback_uri_capture);
    }
    out.hash_on_cookie_path = std::move(upstream.hash_on_cookie_path);
    out.name = std::move(upstream.name);
    out.slots = static_cast<std::uint32_t>(upstream.slots);
    out.host_header = upstream.host_header.value_or("");
    out.use_srv_name = upstream.use_srv_name;
    out.healthchecks = health_checks_of(upstream.healthchecks);
    if (upstream.outlier_detection) out.outlier_detection = outlier_detection_of(*upstream.outlier_detection);
    out.max_fails = static_cast<std::uint32_t>(upstream.max_fails);
    out.fail_timeout = upstream.fail_timeout;
    if (const auto& slow = upstream.slow_start)
        out.slow_start = gateway::SlowStart{slow->window, slow->aggression, slow->min_weight_percent};
    out.panic_threshold = upstream.panic_threshold;
    if (upstream.discovery) out.discovery = discovery_of(*upstream.discovery);
    out.limits = limits_of(upstream.limits);
    if (parent.type != nullptr) out.client_certificate = parent.id;
    out.tags = std::move(upstream.tags);
    out.mark = node.mark();
    result_.document.upstreams.push_back(std::move(out));
    return {&type, id, index};
}

Loader::Parent Loader::add_target(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::target);
    Target target;
    read(file, EntityKind::target, node, target);
    auto index = static_cast<Index>(targets_.size());
    HostPort parts;
    bool split = split_host_port(target.target, parts);
    std::string upstream = id_part(parent, EntityKind::upstream, target.upstream);
    std::string key =
        split && !upstream.empty() ? fmt::format("targets:*:{}:{}", upstream, target.target) : std::string();
    LooseTarget out;
    out.target.id = identify(type, target.id, key, false, node, parent, index);
    out.upstream = bind(type, type.parents[0], target.upstream, node, parent, index, target.target);
    out.target.host = std::move(parts.host);
    if (parts.has_port) out.target.port = static_cast<std::uint16_t>(parts.port);
    out.target.weight = static_cast<std::uint32_t>(target.weight);
    out.target.tags = std::move(target.tags);
    out.target.mark = node.mark();
    base::Uuid id = out.target.id;
    targets_.push_back(std::move(out));
    return {&type, id, index};
}

Loader::Parent Loader::add_consumer(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::consumer);
    Consumer consumer;
    read(file, EntityKind::consumer, node, consumer);
    auto index = static_cast<Index>(result_.document.consumers.size());
    gateway::Consumer out;
    out.id =
        identify(type, consumer.id, consumer.username.value_or(""), consumer.username.has_value(), node, parent, index);
    Entry entry{index, out.id, node.mark()};
    if (consumer.username) declare(type, "username", *consumer.username, node, entry);
    if (consumer.custom_id) declare(type, "custom_id", *consumer.custom_id, node, entry);
    out.username = consumer.username.value_or("");
    out.custom_id = consumer.custom_id.value_or("");
    out.tags = std::move(consumer.tags);
    out.mark = node.mark();
    base::Uuid id = out.id;
    result_.document.consumers.push_back(std::move(out));
    return {&type, id, index};
}

Loader::Parent Loader::add_consumer_group(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::consumer_group);
    ConsumerGroup group;
    read(file, EntityKind::consumer_group, node, group);
    auto index = static_cast<Index>(result_.document.consumer_groups.size());
    gateway::ConsumerGroup out;
    out.id = identify(type, group.id, group.name, !group.name.empty(), node, parent, index);
    if (!group.name.empty()) declare(type, "name", group.name, node, {index, out.id, node.mark()});
    out.name = std::move(group.name);
    out.tags = std::move(group.tags);
    base::Uuid id = out.id;
    result_.document.consumer_groups.push_back(std::move(out));
    return {&type, id, index};
}

void Loader::add_members(const Node& list, EntityKind of, const Parent& self) {
    if (!reader_.expect(list, Kind::list, "an array")) return;
    for (std::size_t i = 0; i < list.items().size(); ++i) {
        Reader::Under element(reader_, i);
        Reference reference;
        if (!schema::Codec<Reference>::read(list.items()[i], reference, {}, reader_)) continue;
        std::string_view field = of == EntityKind::consumer ? "consumer" : "consumer_group";
        pending_.push_back({self.type, self.index, field, of, std::move(reference.text), reference.mark, reader_.path(),
                            self.id.text()});
    }
}

// Loose children go to their parents, disabled services take their routes along.
void Loader::finish() {
    gateway::Document& document = result_.document;
    for (LooseTarget& loose : targets_) {
        if (loose.upstream != gateway::none)
            document.upstreams[loose.upstream].targets.push_back(std::move(loose.target));
    }
    for (LooseCredential& loose : credentials_) {
        if (loose.consumer == gateway::none) continue;
        gateway::Consumer& consumer = document.consumers[loose.consumer];
        for (auto& [name, value] : loose.credential.fields) {
            if (loose.hash_password && name == "password") value = sha1_hex(value + consumer.id.text());
        }
        consumer.credentials.push_back(std::move(loose.credential));
    }
    for (gateway::Consumer& consumer : document.consumers) {
        std::sort(consumer.groups.begin(), consumer.groups.end());
        consumer.groups.erase(std::unique(consumer.groups.begin(), consumer.groups.end()), consumer.groups.end());
    }
    for (gateway::Route& route : document.routes) {
        if (route.service != gateway::none && !document.services[route.service].enabled) route.rules.clear();
    }
}

}  // namespace kong
