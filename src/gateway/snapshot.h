// Snapshot: a configuration compiled for serving: routes, services, the router. Immutable, shared by all cores, built
// off the serving threads. Each core holds it through a CoreSnapshot, which adds what only that core may touch; an
// exchange keeps the CoreSnapshot it began with.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/uuid.h"
#include "gateway/document.h"
#include "gateway/live_upstream.h"
#include "net/proxy_header.h"
#include "net/time.h"
#include "net/tls/context.h"
#include "net/tls/server_certificates.h"
#include "plugin/chain.h"
#include "plugin/facts.h"
#include "route/router.h"
#include "route/upstream_path.h"
#include "upstream/pool.h"

namespace gateway {

struct ServedUpstream {
    std::shared_ptr<LiveUpstream> live;
    upstream::HashRule hash;
    std::string host_header;  // empty: the endpoint's own name
    std::string name;         // empty: a service's host, no upstream of the document
};

// How a service's connections are encrypted.
struct ServedTls {
    net::tls::ClientContext context;
    net::tls::Verify verify = net::tls::Verify::nothing;
    std::string trust;  // equal for those that may share connections, the name of the server aside
};

// What is spoken to the upstream.
enum class Wire : std::uint8_t {
    http1,
    http2,
    http2_or_http1,  // over TLS, by ALPN
};

struct ServedService : plugin::ServiceFacts {
    Protocol protocol = Protocol::http;
    std::string path;  // empty: "/"
    std::uint32_t retries = 5;
    net::Milliseconds connect_timeout{60'000};
    net::Milliseconds write_timeout{60'000};
    net::Milliseconds read_timeout{60'000};
    std::uint32_t upstream = 0;            // in Snapshot::upstreams
    std::shared_ptr<const ServedTls> tls;  // null: plain
    net::ProxyVersion proxy_protocol = net::ProxyVersion::none;
    Wire wire = Wire::http1;
};

struct ServedRoute : plugin::RouteFacts {
    const plugin::Chain* chain = nullptr;  // in Snapshot::chains
    Index service = none;
    Protocols protocols;
    bool strip_path = true;
    bool preserve_host = false;
    bool request_buffering = true;
    std::uint16_t https_redirect_status_code = 426;
    route::PathHandling path_handling = route::PathHandling::v0;
};

// What a snapshot is compiled for.
struct CompileOptions {
    std::uint64_t version = 1;
    plugin::Shared& shared;
    unsigned cores = 1;
    std::int64_t loaded_at = 0;  // milliseconds since 1970
    net::dns::Resolver* resolver = nullptr;
    const net::dns::Overrides* overrides = nullptr;
    const net::tls::ServerRules* tls = nullptr;       // null: nobody listens for TLS, and no certificate is shown
    std::vector<net::tls::Identity> identities = {};  // where no name of the document fits
};

class Snapshot {
  public:
    // Consumes the document. Fails with every fault the router or the plugins found.
    static base::Result<std::shared_ptr<const Snapshot>> compile(Document document, LiveUpstreams& live,
                                                                 const CompileOptions& options);

    Snapshot(const Snapshot&) = delete;
    ~Snapshot();

    [[nodiscard]] const ServedRoute* match(const route::Query& query, route::Match& match) const {
        return router_.match(query, match) ? &routes[match.route] : nullptr;
    }
    [[nodiscard]] const ServedService* service_of(const ServedRoute& route) const {
        return route.service == none ? nullptr : &services[route.service];
    }
    [[nodiscard]] std::size_t memory_bytes() const;
    [[nodiscard]] const route::Router& router() const { return router_; }

    std::uint64_t version = 0;
    std::vector<ServedRoute> routes;
    std::vector<ServedService> services;
    std::vector<ServedUpstream> upstreams;
    std::shared_ptr<const net::tls::ServerCertificates> certificates;  // null without CompileOptions::tls
    plugin::Consumers consumers;
    plugin::Chains chains;
    const plugin::Chain* unmatched = nullptr;  // of requests that no route takes: global plugins
    std::vector<std::string> owned_headers;    // no client may send them: plugins do (Type::owns_headers)

  private:
    explicit Snapshot(route::Router router) : router_(std::move(router)) {}
    route::Router router_;
};

// One core's way to one upstream: the balancer for the endpoints as they were at `version`, and the pool of each.
struct EndpointView {
    std::uint64_t version = 0;
    std::unique_ptr<upstream::Balancer> balancer;
    std::vector<upstream::Pool*> pools;     // by endpoint; null until first used
    std::vector<std::string> host_headers;  // by endpoint; empty until first used
};

class CoreSnapshot {
  public:
    CoreSnapshot(std::shared_ptr<const Snapshot> shared, std::uint64_t seed) : shared_(std::move(shared)), seed_(seed) {
        views_.resize(shared_->upstreams.size());
    }
    [[nodiscard]] const Snapshot& shared() const { return *shared_; }
    [[nodiscard]] const std::shared_ptr<const Snapshot>& owner() const { return shared_; }
    // The present view of an upstream; who picked from it keeps the pointer until the attempt is finished.
    [[nodiscard]] const std::shared_ptr<EndpointView>& view(std::uint32_t upstream);

  private:
    std::shared_ptr<const Snapshot> shared_;
    std::uint64_t seed_;
    std::vector<std::shared_ptr<EndpointView>> views_;  // made when first used: a reload costs a core next to nothing
};

}  // namespace gateway
