#include "admin/upstreams_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "plugin/reply.h"
#include "schema/error.h"

namespace admin {

namespace {

using gateway::ServedUpstream;
using gateway::Transaction;

constexpr std::string_view json = "application/json; charset=utf-8";
constexpr std::string_view prefix = "/upstreams/";

std::string_view name(upstream::Algorithm algorithm) {
    switch (algorithm) {
        case upstream::Algorithm::round_robin:
            return "round-robin";
        case upstream::Algorithm::least_connections:
            return "least-connections";
        case upstream::Algorithm::latency:
            return "latency";
        case upstream::Algorithm::consistent_hashing:
            return "consistent-hashing";
        case upstream::Algorithm::random_two_choices:
            return "random-two-choices";
    }
    return "unknown";
}

std::string text_of(const upstream::Target& target) { return target.host + ':' + std::to_string(target.port); }

// In Kong's words.
std::string_view health_of(const gateway::LiveUpstream& live, const upstream::Endpoint& endpoint) {
    if (endpoint.state->has(upstream::Bar::unhealthy)) return "UNHEALTHY";
    if (endpoint.state->has(upstream::Bar::ejected)) return "EJECTED";  // our own
    return live.judges_requests() ? "HEALTHY" : "HEALTHCHECKS_OFF";
}

// Why an endpoint is in its state, and since when.
std::pair<std::string, std::int64_t> reason_of(const upstream::EndpointState& state) {
    bool is_ejected = state.has(upstream::Bar::ejected) && !state.has(upstream::Bar::unhealthy);
    if (!is_ejected) return {upstream::text(state.reason.load()), state.turned_at.load()};
    return {upstream::text(state.outlier.ejection.load()), state.outlier.ejected_at.load()};
}

std::string target_json(const gateway::LiveUpstream& live, const upstream::Plan& plan,
                        const upstream::Endpoint& endpoint) {
    const upstream::EndpointState& state = *endpoint.state;
    auto [reason, since] = reason_of(state);
    return fmt::format(
        R"({{"target":{},"address":{},"weight":{},"health":"{}","active":{},"since_ms":{},"reason":{}}})",
        schema::json_quoted(text_of(plan.set().targets[endpoint.target])), schema::json_quoted(endpoint.address.text()),
        endpoint.weight, health_of(live, endpoint), state.active.load(), since, schema::json_quoted(reason));
}

std::string source_json(const gateway::LiveUpstream& live) {
    std::optional<upstream::SourceStatus> status = live.source_status();
    if (!status) return {};
    std::string_view state = !status->fault.empty() ? "failing" : status->is_known ? "answering" : "pending";
    const std::string& reason = status->fault.empty() ? status->left_out : status->fault;
    return fmt::format(R"("discovery":{{"source":{},"state":"{}","targets":{},"since_ms":{},"reason":{}}},)",
                       schema::json_quoted(live.spec().source->text()), state, status->targets, status->since,
                       schema::json_quoted(reason));
}

std::string upstream_json(const ServedUpstream& upstream) {
    gateway::LiveUpstream& live = *upstream.live;
    bool is_open = live.is_open();
    std::shared_ptr<const upstream::Plan> plan = live.plan();
    std::string targets;
    const std::vector<upstream::Target>& all = plan->set().targets;
    std::vector<bool> has_address(all.size());
    auto add = [&](const std::string& text) { targets += (targets.empty() ? "" : ",") + text; };
    for (const upstream::Endpoint& endpoint : plan->endpoints()) {
        has_address[endpoint.target] = true;
        add(target_json(live, *plan, endpoint));
    }
    for (std::size_t i = 0; i < has_address.size(); ++i) {
        if (!has_address[i])
            add(fmt::format(R"({{"target":{},"weight":{},"health":"DNS_ERROR"}})", schema::json_quoted(text_of(all[i])),
                            all[i].weight));
    }
    return fmt::format(R"({{"name":{},"algorithm":"{}","open":{},"panic":{},{}"targets":[{}]}})",
                       schema::json_quoted(upstream.name), name(live.spec().algorithm), is_open, live.is_in_panic(),
                       source_json(live), targets);
}

void page(Transaction& transaction, int status, std::string_view text) {
    plugin::reply_text(transaction, status, text.empty() ? std::string_view() : json, transaction.arena.copy(text));
    transaction.response.headers.add("Cache-Control", "no-store");
}

void not_found(Transaction& transaction) {
    plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
}

// PUT /upstreams/NAME/targets/TARGET[/ADDRESS]/healthy or unhealthy.
void set_health(Transaction& transaction, const ServedUpstream& upstream, std::string_view rest) {
    bool is_healthy = rest.ends_with("/healthy");
    if (!is_healthy && !rest.ends_with("/unhealthy")) return not_found(transaction);
    rest.remove_suffix(is_healthy ? std::string_view("/healthy").size() : std::string_view("/unhealthy").size());
    if (!upstream.live->has_health_checks())
        return (void)plugin::reply_error(transaction, 400,
                                         "this upstream has no health checks: give it some, then this works too",
                                         plugin::ErrorKind::gateway);
    std::string_view wanted = rest.substr(0, rest.find('/'));
    std::string_view address = wanted.size() < rest.size() ? rest.substr(wanted.size() + 1) : std::string_view();
    std::shared_ptr<const upstream::Plan> plan = upstream.live->plan();
    bool is_found = false;
    for (const upstream::Endpoint& endpoint : plan->endpoints()) {
        if (text_of(plan->set().targets[endpoint.target]) != wanted) continue;
        if (!address.empty() && endpoint.address.text() != address) continue;
        is_found = true;
        upstream.live->set_health(endpoint, is_healthy, transaction.core.loop.wall_now());
    }
    if (!is_found) return not_found(transaction);
    page(transaction, 204, {});
}

}  // namespace

std::string upstreams_json(const gateway::Snapshot& snapshot, std::string_view only) {
    std::string out;
    for (const ServedUpstream& upstream : snapshot.upstreams)
        if (!upstream.name.empty() && (only.empty() || upstream.name == only))
            out += (out.empty() ? "" : ",") + upstream_json(upstream);
    return "{\"upstreams\":[" + out + "]}\n";
}

bool is_upstream_path(std::string_view path) { return path == "/upstreams" || path.starts_with(prefix); }

void serve_upstream(Transaction& transaction) {
    const gateway::Snapshot& snapshot = transaction.snapshot->shared();
    http::Method method = transaction.request.method;
    bool is_read = method == http::Method::get || method == http::Method::head;
    std::string_view path = transaction.request.raw_path;
    if (path == "/upstreams" && is_read) return page(transaction, 200, upstreams_json(snapshot));
    std::string_view rest = path.size() > prefix.size() ? path.substr(prefix.size()) : std::string_view();
    std::string_view wanted = rest.substr(0, rest.find('/'));
    rest.remove_prefix(wanted.size());
    auto upstream = std::find_if(snapshot.upstreams.begin(), snapshot.upstreams.end(),
                                 [&](const ServedUpstream& each) { return !wanted.empty() && each.name == wanted; });
    if (upstream == snapshot.upstreams.end()) return not_found(transaction);
    if (is_read && (rest == "/health" || rest.empty()))
        return page(transaction, 200, upstreams_json(snapshot, upstream->name));
    constexpr std::string_view targets = "/targets/";
    if (method == http::Method::put && rest.starts_with(targets))
        return set_health(transaction, *upstream, rest.substr(targets.size()));
    plugin::reply_error(transaction, 405, {}, plugin::ErrorKind::gateway);
    transaction.response.headers.add(http::Known::allow, is_read ? "PUT" : "GET, HEAD");
}

}  // namespace admin
