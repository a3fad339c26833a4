#include "admin/metrics_page.h"

#include <algorithm>
#include <utility>

#include "base/version.h"
#include "observe/label.h"
#include "plugin/tally.h"

namespace admin {

namespace {

using gateway::Process;
using gateway::Snapshot;
using observe::GaugeFamily;

constexpr std::size_t piece_size = 96 * 1024;  // below what malloc maps anew each time

using Labels = std::initializer_list<std::pair<std::string_view, std::string_view>>;

void add(GaugeFamily& family, Labels labels, std::uint64_t value) {
    std::string text;
    for (const auto& [name, label] : labels) observe::put_label(text, name, label);
    family.members.emplace_back(std::move(text), value);
}

void add_node(std::vector<GaugeFamily>& out, const Process& process) {
    using observe::Counter;
    using observe::Gauge;
    const observe::Metrics& numbers = *process.admin.numbers;
    std::string node = process.admin.node_id.text();
    auto present = [&](Gauge gauge) {
        return static_cast<std::uint64_t>(std::max<std::int64_t>(0, numbers.total(gauge)));
    };
    std::uint64_t handled = numbers.total(Counter::connections_accepted);
    std::uint64_t accepted = handled + numbers.total(Counter::connections_refused_limit);
    std::uint64_t requests = numbers.total(Counter::requests);
    std::uint64_t active = present(Gauge::connections_active);
    std::uint64_t waiting = std::min(active, present(Gauge::connections_idle));
    std::uint64_t writing = std::min(active - waiting, present(Gauge::requests_active));

    GaugeFamily& connections = out.emplace_back();
    connections.name = "kong_nginx_connections_total";
    connections.help = "Number of connections by subsystem";
    const std::pair<std::string_view, std::uint64_t> states[]{
        {"accepted", accepted}, {"active", active},   {"handled", handled}, {"reading", active - waiting - writing},
        {"total", requests},    {"waiting", waiting}, {"writing", writing}};
    for (const auto& [state, value] : states)
        add(connections, {{"node_id", node}, {"subsystem", "http"}, {"state", state}}, value);
    out.push_back({"kong_nginx_requests_total", "Number of requests total", "gauge", {}});
    add(out.back(), {{"node_id", node}, {"subsystem", "http"}}, requests);
    out.push_back({"kong_node_info", "Kong Node metadata information", "gauge", {}});
    add(out.back(), {{"node_id", node}, {"version", base::version}}, 1);
    out.push_back({"kong_datastore_reachable", "Datastore reachable from Kong, 0 is unreachable", "gauge", {{"", 1}}});
    out.push_back({"kong_nginx_metric_errors_total",
                   "Number of nginx-lua-prometheus errors",
                   "counter",
                   {{"", process.shared.series.overflows()}}});
}

void add_target(GaugeFamily& family, std::string_view upstream, std::string_view target, std::string_view address,
                std::string_view present) {
    for (std::string_view state : {"dns_error", "healthchecks_off", "healthy", "unhealthy"})
        add(family,
            {{"upstream", upstream}, {"target", target}, {"address", address}, {"state", state}, {"subsystem", "http"}},
            state == present ? 1 : 0);
}

void add_upstreams(std::vector<GaugeFamily>& out, const Snapshot& snapshot) {
    GaugeFamily& family = out.emplace_back();
    family.name = "kong_upstream_target_health";
    family.help =
        "Health status of targets of upstream. States = healthchecks_off|healthy|unhealthy|dns_error, value is 1 when "
        "state is populated.";
    for (const gateway::ServedUpstream& upstream : snapshot.upstreams) {
        if (upstream.name.empty()) continue;
        std::shared_ptr<const upstream::Plan> plan = upstream.live->plan();
        const std::vector<upstream::Target>& targets = plan->set().targets;
        std::vector<bool> has_address(targets.size());
        auto name_of = [&](std::size_t index) {
            return targets[index].host + ':' + std::to_string(targets[index].port);
        };
        for (const upstream::Endpoint& endpoint : plan->endpoints()) {
            if (endpoint.target >= targets.size()) continue;
            has_address[endpoint.target] = true;
            bool is_in_service = endpoint.state->is_in_service();
            add_target(family, upstream.name, name_of(endpoint.target), endpoint.address.text(),
                       !is_in_service                     ? "unhealthy"
                       : upstream.live->judges_requests() ? "healthy"
                                                          : "healthchecks_off");
        }
        for (std::size_t i = 0; i < targets.size(); ++i)
            if (!has_address[i]) add_target(family, upstream.name, name_of(i), {}, "dns_error");
    }
    std::sort(family.members.begin(), family.members.end());
    // Two targets with one address.
    family.members.erase(std::unique(family.members.begin(), family.members.end(),
                                     [](const auto& a, const auto& b) { return a.first == b.first; }),
                         family.members.end());
}

// Of upstreams with limits.
void add_limited(std::vector<GaugeFamily>& out, const Snapshot& snapshot) {
    using upstream::Limit;
    GaugeFamily held{"cardea_upstream_in_use", "What counts against the limits of an upstream, now.", "gauge", {}};
    GaugeFamily refused{"cardea_upstream_refused_total",
                        "Requests, and for max_retries retries, that a limit of an upstream refused.",
                        "counter",
                        {}};
    for (const gateway::ServedUpstream& upstream : snapshot.upstreams) {
        if (!upstream.live->has_limits()) continue;
        upstream::Load& load = upstream.live->load();
        const std::pair<Limit, std::uint64_t> counts[]{{Limit::requests, load.requests.load()},
                                                       {Limit::connections, load.connections.load()},
                                                       {Limit::pending, load.pending.load()},
                                                       {Limit::retries, load.retries.load()}};
        for (const auto& [limit, count] : counts) {
            Labels labels{{"upstream", upstream.name}, {"limit", name(limit)}};
            add(held, labels, count);
            add(refused, labels, load.refused[static_cast<std::size_t>(limit)].load());
        }
    }
    for (GaugeFamily* family : {&held, &refused})
        if (!family->members.empty()) out.push_back(std::move(*family));
}

// Of upstreams that eject targets or can come into a panic.
void add_judged(std::vector<GaugeFamily>& out, const Snapshot& snapshot) {
    GaugeFamily ejected{"cardea_upstream_ejected_targets", "Targets that are ejected now.", "gauge", {}};
    GaugeFamily ejections{"cardea_upstream_ejections_total", "Ejections of targets.", "counter", {}};
    GaugeFamily refused{"cardea_upstream_ejections_refused_total",
                        "Ejections that did not happen: too many were ejected, or nothing else was in service.",
                        "counter",
                        {}};
    GaugeFamily panic{"cardea_upstream_panic", "1 while requests go to all targets.", "gauge", {}};
    for (const gateway::ServedUpstream& upstream : snapshot.upstreams) {
        gateway::LiveUpstream& live = *upstream.live;
        if (live.spec().panic_threshold > 0)
            add(panic, {{"upstream", upstream.name}}, live.is_open() && live.is_in_panic() ? 1 : 0);
        if (!live.has_outlier_detection()) continue;
        std::shared_ptr<const upstream::Plan> plan = live.plan();
        auto count = std::ranges::count_if(plan->endpoints(), [](const upstream::Endpoint& endpoint) {
            return endpoint.state->has(upstream::Bar::ejected);
        });
        add(ejected, {{"upstream", upstream.name}}, static_cast<std::uint64_t>(count));
        add(ejections, {{"upstream", upstream.name}}, live.load().ejections.load());
        add(refused, {{"upstream", upstream.name}}, live.load().ejections_refused.load());
    }
    for (GaugeFamily* family : {&ejected, &ejections, &refused, &panic})
        if (!family->members.empty()) out.push_back(std::move(*family));
}

// Of upstreams whose targets are found.
void add_found(std::vector<GaugeFamily>& out, const Snapshot& snapshot) {
    GaugeFamily up{"cardea_discovery_up", "1 while the source of an upstream's targets answers.", "gauge", {}};
    GaugeFamily targets{"cardea_discovery_targets", "Targets that the source said last.", "gauge", {}};
    GaugeFamily changes{"cardea_discovery_changes_total", "Changes of the targets that it says.", "counter", {}};
    GaugeFamily failures{"cardea_discovery_failures_total", "Questions that it did not answer rightly.", "counter", {}};
    for (const gateway::ServedUpstream& upstream : snapshot.upstreams) {
        std::optional<upstream::SourceStatus> status = upstream.live->source_status();
        if (!status) continue;
        Labels labels{{"upstream", upstream.name}, {"type", name(upstream.live->spec().source->type)}};
        add(up, labels, status->is_known && status->fault.empty() ? 1 : 0);
        add(targets, labels, status->targets);
        add(changes, labels, status->changes);
        add(failures, labels, status->failures);
    }
    for (GaugeFamily* family : {&up, &targets, &changes, &failures})
        if (!family->members.empty()) out.push_back(std::move(*family));
}

}  // namespace

std::vector<GaugeFamily> kong_gauges(Process& process, const Snapshot& snapshot) {
    std::vector<GaugeFamily> out;
    add_node(out, process);
    std::shared_ptr<plugin::Tally> tally = plugin::Tally::find(process.shared, snapshot.consumers);
    if (tally && tally->shows_upstreams) add_upstreams(out, snapshot);
    add_judged(out, snapshot);
    add_limited(out, snapshot);
    add_found(out, snapshot);
    return out;
}

// On the maker's thread.
struct MetricsPage::Work {
    Process& process;
    std::shared_ptr<const Snapshot> snapshot;
    std::optional<observe::SeriesPage> page = {};

    Piece next() {
        if (!page) page.emplace(process.shared.series, kong_gauges(process, *snapshot));
        Piece piece;
        piece.text.reserve(piece_size + 4096);
        if (page->next(piece.text, piece_size)) return piece;
        piece.text += process.admin.metrics();
        piece.is_last = true;
        return piece;
    }
};

MetricsPage::MetricsPage(gateway::Transaction& transaction)
    : loop_(transaction.core.loop),
      maker_(*transaction.core.process.page_maker),
      work_(std::make_shared<Work>(transaction.core.process, transaction.snapshot->owner())) {
    ask();
}

MetricsPage::~MetricsPage() = default;

void MetricsPage::ask() {
    coming_.emplace(loop_);
    maker_.run([work = work_, tell = coming_->giver()] { tell(work->next()); });
}

base::Task<base::Result<bool>> MetricsPage::next(std::string& piece) {
    std::optional<Piece> made = co_await coming_->wait(net::after(loop_.now(), longest_wait));
    if (!made) co_return base::Error::us(base::Code::timed_out, "the page of metrics took too long to make");
    piece.append(made->text);
    if (!made->is_last) ask();
    co_return !made->is_last;
}

}  // namespace admin
