#include "gateway/snapshot.h"

#include <algorithm>
#include <unordered_map>
#include <utility>

#include "base/pacing.h"
#include "base/version.h"
#include "http/characters.h"

namespace gateway {

namespace {

upstream::Algorithm algorithm_of(Algorithm algorithm) {
    switch (algorithm) {
        case Algorithm::round_robin:
            return upstream::Algorithm::round_robin;
        case Algorithm::least_connections:
            return upstream::Algorithm::least_connections;
        case Algorithm::consistent_hashing:
            return upstream::Algorithm::consistent_hashing;
        case Algorithm::latency:
            return upstream::Algorithm::latency;
        case Algorithm::random_two_choices:
            return upstream::Algorithm::random_two_choices;
    }
    return upstream::Algorithm::round_robin;
}

upstream::HashSource source_of(HashOn on) {
    switch (on) {
        case HashOn::none:
            return upstream::HashSource::none;
        case HashOn::consumer:
            return upstream::HashSource::consumer;
        case HashOn::ip:
            return upstream::HashSource::ip;
        case HashOn::header:
            return upstream::HashSource::header;
        case HashOn::cookie:
            return upstream::HashSource::cookie;
        case HashOn::path:
            return upstream::HashSource::path;
        case HashOn::query_arg:
            return upstream::HashSource::query_arg;
        case HashOn::uri_capture:
            return upstream::HashSource::uri_capture;
    }
    return upstream::HashSource::none;
}

net::Milliseconds milliseconds(std::chrono::duration<double> span) {
    return std::chrono::ceil<net::Milliseconds>(span);
}

upstream::StatusRules statuses_of(const std::vector<std::uint16_t>& healthy,
                                  const std::vector<std::uint16_t>& unhealthy) {
    upstream::StatusRules out;
    for (std::uint16_t status : healthy) out.healthy.set(status);
    for (std::uint16_t status : unhealthy) out.unhealthy.set(status);
    return out;
}

upstream::FindingLimits limits_of(const auto& check) {
    auto byte = [](std::uint32_t count) { return static_cast<std::uint8_t>(std::min<std::uint32_t>(count, 255)); };
    return {byte(check.successes), byte(check.http_failures), byte(check.tcp_failures), byte(check.timeouts)};
}

bool is_encrypted(CheckType type) { return type == CheckType::https || type == CheckType::grpcs; }

upstream::ProbeType probe_type_of(CheckType type) {
    if (type == CheckType::tcp) return upstream::ProbeType::tcp;
    return type == CheckType::grpc || type == CheckType::grpcs ? upstream::ProbeType::grpc : upstream::ProbeType::http;
}

upstream::HealthRules health_of(const Upstream& upstream, std::shared_ptr<const upstream::ProbeTls> tls) {
    const ActiveCheck& check = upstream.healthchecks.active;
    upstream::HealthRules out;
    upstream::ActiveRules& active = out.active;
    active.type = probe_type_of(check.type);
    active.tls = std::move(tls);
    active.host_header = upstream.host_header;
    bool is_call = active.type == upstream::ProbeType::grpc;
    active.request = is_call ? "POST /grpc.health.v1.Health/Check HTTP/1.1\r\nTE: trailers\r\n"
                               "Content-Type: application/grpc\r\n"
                             : "GET " + check.http_path + " HTTP/1.1\r\n";
    active.request += "User-Agent: cardea/" + std::string(base::version) + " (health check)\r\n";
    for (const auto& [name, values] : check.headers)
        for (const std::string& value : values) {
            if (http::equals_ignore_case(name, "host"))
                active.host_header = value;
            else
                active.request += name + ": " + value + "\r\n";
        }
    active.timeout = milliseconds(check.timeout);
    active.interval_healthy = milliseconds(check.healthy_interval);
    active.interval_unhealthy = milliseconds(check.unhealthy_interval);
    active.concurrency = check.concurrency;
    active.limits = limits_of(check);
    active.statuses = statuses_of(check.healthy_statuses, check.unhealthy_statuses);
    const PassiveCheck& passive = upstream.healthchecks.passive;
    out.passive = limits_of(passive);
    out.passive_statuses = statuses_of(passive.healthy_statuses, passive.unhealthy_statuses);
    out.threshold = upstream.healthchecks.threshold;
    return out;
}

upstream::OutlierRules outliers_of(const Upstream& upstream) {
    upstream::OutlierRules out;
    out.failed_attempts = upstream.max_fails;
    out.failed_attempts_within = milliseconds(upstream.fail_timeout);
    out.most_ejected = 100;  // nginx: only the last one stays
    if (!upstream.outlier_detection) return out;
    const OutlierDetection& detection = *upstream.outlier_detection;
    out.errors_in_a_row = detection.consecutive_5xx;
    out.gateway_errors_in_a_row = detection.consecutive_gateway_errors;
    out.interval = milliseconds(detection.interval);
    out.base_ejection = milliseconds(detection.base_ejection_time);
    out.longest_ejection = milliseconds(detection.max_ejection_time);
    out.most_ejected = detection.max_ejection_percent;
    out.success_rate_deviation = detection.success_rate_stdev_factor;
    out.latency_factor = detection.latency_factor;
    out.least_endpoints = detection.minimum_targets;
    out.least_requests = detection.request_volume;
    return out;
}

upstream::SlowStart slow_start_of(const Upstream& upstream) {
    if (!upstream.slow_start) return {};
    return {milliseconds(upstream.slow_start->window), upstream.slow_start->aggression,
            upstream.slow_start->min_weight_percent / 100};
}

upstream::LimitRules limits_of(const Upstream& upstream) {
    const UpstreamLimits& limits = upstream.limits;
    return {limits.max_connections,  limits.max_pending,   limits.max_requests, limits.max_retries,
            limits.has_retry_budget, limits.retry_percent, limits.min_retries};
}

std::optional<upstream::SourceSpec> source_of(const std::optional<Discovery>& discovery) {
    if (!discovery) return std::nullopt;
    upstream::SourceSpec out;
    out.type = discovery->type == Discovery::Type::consul ? upstream::SourceType::consul
               : discovery->type == Discovery::Type::http ? upstream::SourceType::http
                                                          : upstream::SourceType::file;
    out.place = discovery->place;
    out.token = discovery->token;
    out.interval = milliseconds(discovery->interval);
    out.service = discovery->service;
    out.tags = discovery->tags;
    out.datacenter = discovery->datacenter;
    out.name_space = discovery->name_space;
    out.partition = discovery->partition;
    out.passing_only = discovery->passing_only;
    out.wait = milliseconds(discovery->wait);
    return out;
}

ServedUpstream served(const Upstream& upstream, LiveUpstreams& live,
                      std::shared_ptr<const upstream::ProbeTls> probe_tls) {
    UpstreamSpec spec{upstream.id.text(),
                      {},
                      algorithm_of(upstream.algorithm),
                      upstream.slots,
                      upstream.name,
                      health_of(upstream, std::move(probe_tls)),
                      outliers_of(upstream),
                      slow_start_of(upstream),
                      upstream.panic_threshold,
                      limits_of(upstream),
                      upstream.use_srv_name ? upstream::CalledBy::srv_record : upstream::CalledBy::target,
                      source_of(upstream.discovery)};
    for (const Target& target : upstream.targets) spec.targets.push_back({target.host, target.port, target.weight});
    upstream::HashRule hash{source_of(upstream.hash.on), upstream.hash.name, source_of(upstream.fallback.on),
                            upstream.fallback.name, upstream.hash_on_cookie_path};
    return {live.acquire(std::move(spec)), std::move(hash), upstream.host_header, upstream.name};
}

plugin::Consumers consumers_of(Document& document) {
    plugin::Consumers out;
    std::vector<std::string> groups;
    for (const ConsumerGroup& group : document.consumer_groups) groups.push_back(group.name);
    out.set_groups(std::move(groups));
    std::vector<plugin::Consumers::NewCredential> credentials;
    for (Consumer& consumer : document.consumers) {
        credentials.clear();
        for (const Credential& credential : consumer.credentials)
            credentials.push_back({credential.id, credential.kind, credential.fields});
        out.add(consumer.id, consumer.username, consumer.custom_id, consumer.groups, credentials);
        consumer = {};  // a million of them need not be there twice
        base::pace();
    }
    out.seal();
    return out;
}

base::Result<std::shared_ptr<const net::tls::ServerCertificates>> certificates_of(const Document& document,
                                                                                  const CompileOptions& options,
                                                                                  net::tls::ClientRules clients) {
    std::vector<net::tls::ServerCertificates::Entry> entries;
    for (const Certificate& certificate : document.certificates) {
        net::tls::ServerCertificates::Entry entry{{{certificate.cert, certificate.key}}, {}};
        if (!certificate.cert_alt.empty()) entry.identities.push_back({certificate.cert_alt, certificate.key_alt});
        for (const ServerName& name : document.server_names)
            if (name.certificate == certificate.id) entry.names.push_back(name.name);
        entries.push_back(std::move(entry));
    }
    std::shared_ptr<net::tls::Staples> staples;
    if (options.tls->has_staples)
        staples = options.shared.state<net::tls::Staples>("", [] { return std::make_shared<net::tls::Staples>(); });
    return net::tls::ServerCertificates::make(*options.tls, entries, options.identities, std::move(clients),
                                              std::move(staples));
}

// Services with the same settings have one context. What tells them apart is the settings' text, not ids: a certificate
// that was replaced must not go on in old connections.
class ClientTls {
  public:
    explicit ClientTls(const Document& document) : document_(document) {}

    base::Result<std::shared_ptr<const ServedTls>> of(const Service& service) {
        net::tls::Trust trust;
        if (service.tls_verify.value_or(false)) trust.verify = net::tls::Verify::chain_and_name;
        trust.depth = service.tls_verify_depth.value_or(-1);
        std::optional<base::Uuid> shown = service.client_certificate;
        for (const Upstream& upstream : document_.upstreams)
            if (!shown && upstream.name == service.host) shown = upstream.client_certificate;
        auto made = add_authorities(trust, service);
        if (made) made = add_identity(trust, shown);
        const std::string& name = service.name.empty() ? service.id.text() : service.name;
        if (!made) return wrong("service", name, made.error());
        auto context = of(trust);
        if (!context) return wrong("service", name, context.error());
        return context;
    }

    // Of the probes of an upstream. An authority that one of its services trusts is trusted here as well.
    base::Result<std::shared_ptr<const upstream::ProbeTls>> of_probes(const Upstream& upstream) {
        const ActiveCheck& check = upstream.healthchecks.active;
        net::tls::Trust trust;
        if (check.https_verify_certificate) trust.verify = net::tls::Verify::chain_and_name;
        base::Result<void> made = base::success();
        for (const Service& service : document_.services)
            if (made && service.host == upstream.name) made = add_authorities(trust, service);
        if (made) made = add_identity(trust, upstream.client_certificate);
        if (!made) return wrong("upstream", upstream.name, made.error());
        auto context = of(trust);
        if (!context) return wrong("upstream", upstream.name, context.error());
        return std::make_shared<const upstream::ProbeTls>(
            upstream::ProbeTls{(*context)->context, (*context)->verify, check.https_sni, (*context)->trust});
    }

  private:
    static base::Error wrong(std::string_view kind, const std::string& name, const base::Error& why) {
        return base::Error::us(base::Code::invalid, std::string(kind) + " " + name + ": " + why.detail);
    }

    base::Result<void> add_authorities(net::tls::Trust& trust, const Service& service) {
        for (const base::Uuid& id : service.ca_certificates) {
            auto found = std::find_if(document_.ca_certificates.begin(), document_.ca_certificates.end(),
                                      [&](const CaCertificate& each) { return each.id == id; });
            if (found == document_.ca_certificates.end())
                return base::Error::us(base::Code::invalid, "no ca_certificate " + id.text());
            bool is_known =
                std::find(trust.authorities.begin(), trust.authorities.end(), found->cert) != trust.authorities.end();
            if (!is_known) trust.authorities.push_back(found->cert);
        }
        return base::success();
    }

    base::Result<void> add_identity(net::tls::Trust& trust, const std::optional<base::Uuid>& shown) {
        if (!shown) return base::success();
        auto found = std::find_if(document_.certificates.begin(), document_.certificates.end(),
                                  [&](const Certificate& each) { return each.id == *shown; });
        if (found == document_.certificates.end())
            return base::Error::us(base::Code::invalid, "no certificate " + shown->text());
        trust.identity = {found->cert, found->key};
        return base::success();
    }

    base::Result<std::shared_ptr<const ServedTls>> of(const net::tls::Trust& trust) {
        std::string key = trust.verify == net::tls::Verify::nothing ? "0" : "1";
        key += '|' + std::to_string(trust.depth);
        for (const std::string& authority : trust.authorities) key += '|' + authority;
        key += '|' + trust.identity.certificate + '|' + trust.identity.key;
        std::shared_ptr<const ServedTls>& known = known_[key];
        if (!known) {
            TRY(context, net::tls::ClientContext::make(trust));
            known = std::make_shared<const ServedTls>(ServedTls{context, trust.verify, net::tls::fingerprint(key)});
        }
        return known;
    }

    const Document& document_;
    std::unordered_map<std::string, std::shared_ptr<const ServedTls>> known_;
};

Wire wire_of(const Service& service) {
    if (service.protocol == Protocol::grpc || service.protocol == Protocol::grpcs) return Wire::http2;
    // A connection that begins with one client's address is not shared.
    if (service.proxy_protocol != net::ProxyVersion::none) return Wire::http1;
    return service.protocol == Protocol::https && service.prefers_http2 ? Wire::http2_or_http1 : Wire::http1;
}

base::Uuid id_at(const auto& entities, Index index) { return index == none ? base::Uuid{} : entities[index].id; }

// Plugins with the settings that the document gives them. All that are wrong are named in one error.
base::Result<void> add_plugins(Document& document, const CompileOptions& options, Snapshot& snapshot) {
    schema::Problems problems;
    std::string faults;
    std::vector<base::Uuid> consumer_ids;
    std::vector<plugin::CertificateAuthority> authorities;
    for (const CaCertificate& authority : document.ca_certificates)
        authorities.push_back({authority.id, authority.cert});
    for (const Consumer& consumer : document.consumers) consumer_ids.push_back(consumer.id);
    snapshot.consumers = consumers_of(document);
    const schema::Node nothing = schema::Node::map({}, {});
    for (const PluginUse& use : document.plugins) {
        const plugin::Type* type = plugin::find_type(use.name);
        if (type == nullptr || !use.enabled) continue;  // the dialect has said what it means that nobody serves it
        schema::Reader reader(problems, document.resolve);
        plugin::Instance instance;
        instance.type = type;
        instance.plugin = type->make(use.config == nullptr ? nothing : *use.config, reader);
        instance.id = use.id;
        instance.route = use.route;
        instance.service = use.service;
        instance.consumer = use.consumer;
        instance.group = use.consumer_group;
        instance.on_http = contains(use.protocols, Protocol::http) || contains(use.protocols, Protocol::grpc);
        instance.on_https = contains(use.protocols, Protocol::https) || contains(use.protocols, Protocol::grpcs);
        instance.before = use.before;
        instance.after = use.after;
        std::string where = use.name + " (" + (use.instance_name.empty() ? use.id.text() : use.instance_name) + "): ";
        if (instance.plugin == nullptr) {
            faults += (faults.empty() ? "" : "\n") + where + "its settings cannot be read";
            continue;
        }
        plugin::Setup setup{snapshot.consumers,
                            options.shared,
                            options.cores,
                            use.id,
                            {id_at(document.routes, use.route), id_at(document.services, use.service),
                             use.consumer == none ? base::Uuid{} : consumer_ids[use.consumer],
                             id_at(document.consumer_groups, use.consumer_group)},
                            options.loaded_at,
                            options.resolver,
                            options.overrides,
                            authorities};
        if (type->prepare != nullptr)
            if (auto prepared = type->prepare(instance.plugin.get(), setup); !prepared)
                faults += (faults.empty() ? "" : "\n") + where + prepared.error().detail;
        if (type->owns_headers != nullptr)
            for (std::string_view header : type->owns_headers(instance.plugin.get()))
                if (std::find(snapshot.owned_headers.begin(), snapshot.owned_headers.end(), header) ==
                    snapshot.owned_headers.end())
                    snapshot.owned_headers.emplace_back(header);
        snapshot.chains.add(std::move(instance));
    }
    if (!faults.empty()) return base::Error::us(base::Code::invalid, faults);
    snapshot.chains.seal();
    snapshot.unmatched = snapshot.chains.chain(none, none);
    return {};
}

// Which clients are asked for a certificate: those whose handshake may lead to a route with a plugin that wants one.
class AskedClients {
  public:
    // While the routes still have their rules.
    explicit AskedClients(const Document& document) {
        for (Index i = 0; i < document.routes.size(); ++i)
            for (const route::Rule& rule : document.routes[i].rules)
                if (!rule.server_names.empty()) names_[i] = rule.server_names;
    }
    void add(Index index, const plugin::Chain& chain) {
        for (std::uint32_t use : uses_of(chain)) {
            auto named = names_.find(index);
            if (named == names_.end())
                rules_.cover_all(use);
            else
                for (const route::HostPattern& name : named->second) rules_.cover(use, kind_of(name.kind), name.text);
        }
    }
    net::tls::ClientRules take() { return std::move(rules_); }

  private:
    static net::tls::ClientRules::Kind kind_of(route::HostPattern::Kind kind) {
        switch (kind) {
            case route::HostPattern::Kind::exact:
                return net::tls::ClientRules::Kind::exact;
            case route::HostPattern::Kind::suffix:
                return net::tls::ClientRules::Kind::suffix;
            case route::HostPattern::Kind::prefix:
                return net::tls::ClientRules::Kind::prefix;
        }
        return net::tls::ClientRules::Kind::exact;
    }
    // Routes share chains, chains share plugins.
    const std::vector<std::uint32_t>& uses_of(const plugin::Chain& chain) {
        auto [place, is_new] = of_chain_.try_emplace(&chain);
        for (const plugin::Chain::Step& step : chain.steps()) {
            if (!is_new || step.type->asks_for_certificates == nullptr) continue;
            if (step.instance == nullptr || !step.instance->on_https) continue;
            const void* plugin = step.instance->plugin.get();
            auto [use, is_first] = of_plugin_.try_emplace(plugin);
            if (is_first) use->second = rules_.add(step.type->asks_for_certificates(plugin));
            place->second.push_back(use->second);
        }
        return place->second;
    }

    net::tls::ClientRules rules_;
    std::unordered_map<Index, std::vector<route::HostPattern>> names_;
    std::unordered_map<const plugin::Chain*, std::vector<std::uint32_t>> of_chain_;
    std::unordered_map<const void*, std::uint32_t> of_plugin_;
};

}  // namespace

base::Result<std::shared_ptr<const Snapshot>> Snapshot::compile(Document document, LiveUpstreams& live,
                                                                const CompileOptions& options) {
    std::vector<route::Rule> rules;
    AskedClients asked(document);
    for (std::uint32_t i = 0; i < document.routes.size(); ++i) {
        Route& route = document.routes[i];
        base::pace();
        // Kong: the routes of a disabled service leave the router, so they are "no route matched".
        bool is_off = route.service != none && !document.services[route.service].enabled;
        for (route::Rule& rule : route.rules) {
            rule.route = i;
            if (is_off) continue;
            base::make_room_paced(rules);
            rules.push_back(std::move(rule));
        }
        route.rules = {};
    }
    TRY(router, route::Router::build(std::move(rules)));
    auto snapshot = std::shared_ptr<Snapshot>(new Snapshot(std::move(router)));
    snapshot->version = options.version;
    std::unordered_map<std::string_view, std::uint32_t> upstreams;
    ClientTls client_tls(document);
    std::string faults;
    for (const Upstream& upstream : document.upstreams) {
        std::shared_ptr<const upstream::ProbeTls> probe_tls;
        const ActiveCheck& check = upstream.healthchecks.active;
        bool is_probed = check.healthy_interval.count() > 0 || check.unhealthy_interval.count() > 0;
        if (is_probed && is_encrypted(check.type)) {
            auto made = client_tls.of_probes(upstream);
            if (made)
                probe_tls = std::move(*made);
            else
                faults += (faults.empty() ? "" : "\n") + made.error().detail;
        }
        upstreams.emplace(upstream.name, static_cast<std::uint32_t>(snapshot->upstreams.size()));
        snapshot->upstreams.push_back(served(upstream, live, std::move(probe_tls)));
        base::pace(10);
    }
    // A host that names no upstream is one of its own: one target, round robin over its addresses.
    std::unordered_map<std::string, std::uint32_t> hosts;
    for (Service& service : document.services) {
        std::uint32_t number = 0;
        base::pace(10);
        if (auto named = upstreams.find(service.host); named != upstreams.end()) {
            number = named->second;
        } else {
            std::string key = service.host + ':' + std::to_string(service.port);
            auto [place, is_new] = hosts.emplace(key, static_cast<std::uint32_t>(snapshot->upstreams.size()));
            number = place->second;
            if (is_new) {
                UpstreamSpec spec;
                spec.id = key;
                spec.targets = {{service.host, service.port, 100}};
                snapshot->upstreams.push_back({live.acquire(std::move(spec)), {}, {}, {}});
            }
        }
        std::shared_ptr<const ServedTls> tls;
        if (service.enabled && (service.protocol == Protocol::https || service.protocol == Protocol::grpcs)) {
            auto made = client_tls.of(service);
            if (made)
                tls = std::move(*made);
            else
                faults += (faults.empty() ? "" : "\n") + made.error().detail;
        }
        snapshot->services.push_back({{service.id, service.name, service.host},
                                      service.protocol,
                                      std::move(service.path),
                                      service.retries,
                                      service.connect_timeout,
                                      service.write_timeout,
                                      service.read_timeout,
                                      number,
                                      std::move(tls),
                                      service.proxy_protocol,
                                      wire_of(service)});
    }
    if (!faults.empty()) return base::Error::us(base::Code::invalid, faults);
    TRY_VOID(add_plugins(document, options, *snapshot));
    snapshot->routes.reserve(document.routes.size());
    Index index = 0;
    for (Route& route : document.routes) {
        auto handling = route.path_handling == PathHandling::v0 ? route::PathHandling::v0 : route::PathHandling::v1;
        const plugin::Chain* chain = snapshot->chains.chain(index, route.service);
        base::pace(4);
        bool is_on = route.service == none || document.services[route.service].enabled;
        bool may_be_tls = contains(route.protocols, Protocol::https) || contains(route.protocols, Protocol::grpcs);
        if (is_on && may_be_tls) asked.add(index, *chain);
        ++index;
        snapshot->routes.push_back({{route.id, std::move(route.name)},
                                    chain,
                                    route.service,
                                    route.protocols,
                                    route.strip_path,
                                    route.preserve_host,
                                    route.request_buffering,
                                    route.https_redirect_status_code,
                                    handling});
    }
    if (options.tls != nullptr) {
        TRY(certificates, certificates_of(document, options, asked.take()));
        snapshot->certificates = std::move(certificates);
    }
    base::clear_paced(document.routes);
    base::clear_paced(document.services);
    base::clear_paced(document.upstreams);
    return std::shared_ptr<const Snapshot>(std::move(snapshot));
}

Snapshot::~Snapshot() {
    base::clear_paced(routes);
    base::clear_paced(services);
    base::clear_paced(upstreams);
}

std::size_t Snapshot::memory_bytes() const {
    std::size_t total = sizeof *this + router_.memory_bytes();
    for (const ServedRoute& route : routes) total += sizeof route + route.name.capacity();
    for (const ServedService& service : services)
        total += sizeof service + service.name.capacity() + service.host.capacity() + service.path.capacity();
    total += upstreams.capacity() * sizeof(ServedUpstream) + consumers.memory_bytes() + chains.memory_bytes();
    return total;
}

const std::shared_ptr<EndpointView>& CoreSnapshot::view(std::uint32_t upstream) {
    std::shared_ptr<EndpointView>& view = views_[upstream];
    const LiveUpstream& live = *shared_->upstreams[upstream].live;
    std::uint64_t version = live.version();
    if (!view || view->version != version) {
        auto fresh = std::make_shared<EndpointView>();
        fresh->version = version;
        fresh->balancer = upstream::Balancer::make(live.plan(), seed_ + upstream);
        fresh->pools.resize(fresh->balancer->plan().endpoints().size());
        fresh->host_headers.resize(fresh->pools.size());
        view = std::move(fresh);
    }
    return view;
}

}  // namespace gateway
