#include "gateway/health_checker.h"

#include <algorithm>
#include <utility>

#include "gateway/body_relay.h"
#include "gateway/head_reader.h"
#include "http/http1/parse.h"

namespace gateway {

using base::Task;
using upstream::Finding;
using upstream::FoundBy;
using upstream::HealthReason;

namespace {

constexpr net::Milliseconds look_interval{500};    // between two looks at whether endpoints have come or gone
constexpr net::Instant least_look_wait = 10;       // ms, however soon an ejection ends
constexpr net::Milliseconds longest_sleep{1'000};  // a state that turns may ask for another interval
constexpr std::uint32_t crowded_wait = 200;        // ms at most between two looks at whether one more probe is allowed
constexpr std::uint64_t most_body = 64 * 1024;     // of an answer, read so that the connection can be used again
constexpr double jitter = 0.1;                     // of an interval

HealthReason reason_of(net::IoStatus status) {
    return {FoundBy::probe, status == net::IoStatus::timed_out ? Finding::timeout : Finding::tcp_failure, 0};
}

std::string request_for(const upstream::ActiveRules& rules, const upstream::Endpoint& endpoint) {
    std::string host = rules.host_header;
    if (host.empty()) {
        host = endpoint.host;
        if (endpoint.port != 80) host += ':' + std::to_string(endpoint.port);
    }
    return rules.request + "Host: " + host + "\r\n\r\n";
}

}  // namespace

HealthChecker::HealthChecker(net::Loop& loop, std::uint64_t seed) : loop_(loop), random_(seed) {
    look_timer_.set([](void* self) { static_cast<HealthChecker*>(self)->look(); }, this);
    arm_look(net::never);
}

HealthChecker::~HealthChecker() = default;

void HealthChecker::use(const std::vector<std::shared_ptr<LiveUpstream>>& upstreams) {
    std::unordered_map<std::string, std::unique_ptr<Watched>> before = std::exchange(watched_, {});
    for (const std::shared_ptr<LiveUpstream>& live : upstreams) {
        if (!live->needs_checker()) continue;
        std::unique_ptr<Watched>& place = watched_[live->spec().id];
        if (auto known = before.find(live->spec().id); known != before.end() && known->second)
            place = std::move(known->second);
        else
            place = std::make_unique<Watched>();
        if (place->live != live) place->version = 0;
        place->live = live;
        follow(*place);
    }
}

std::size_t HealthChecker::endpoints() const {
    std::size_t out = 0;
    for (const auto& [id, watched] : watched_) out += watched->probed.size();
    return out;
}

void HealthChecker::look() {
    net::Instant next = net::never;
    for (const auto& [id, watched] : watched_) {
        follow(*watched);
        if (watched->live->has_outlier_detection())
            next = std::min(next, watched->live->sweep(loop_.now(), loop_.wall_now()));
    }
    arm_look(next);
}

void HealthChecker::arm_look(net::Instant at) {
    net::Instant latest = net::after(loop_.now(), look_interval);
    look_timer_.arm(loop_.timers(), std::clamp(at, loop_.now() + least_look_wait, latest));
}

// Begins to probe endpoints that have come, and forgets those that have gone.
void HealthChecker::follow(Watched& watched) {
    std::uint64_t version = watched.live->version();
    if (watched.version == version) return;
    if (!watched.live->spec().health.active.is_on()) return watched.probed.clear();
    watched.version = version;
    std::shared_ptr<const upstream::Plan> plan = watched.live->plan();
    std::unordered_map<std::string, std::unique_ptr<Probed>> before = std::exchange(watched.probed, {});
    std::vector<Probed*> fresh;
    for (const upstream::Endpoint& endpoint : plan->endpoints()) {
        if (endpoint.weight == 0) continue;  // takes no requests anyway
        std::unique_ptr<Probed>& place = watched.probed[endpoint.address.text()];
        if (place) continue;  // two targets with one address
        if (auto known = before.find(endpoint.address.text()); known != before.end()) {
            place = std::move(known->second);
            place->endpoint = endpoint;
            continue;
        }
        place = std::make_unique<Probed>(watched, endpoint);
        fresh.push_back(place.get());
    }
    for (Probed* probed : fresh) {
        probed->probing = keep_probing(*probed);
        probed->probing.start();
    }
}

Task<void> HealthChecker::keep_probing(Probed& probed) {
    // The first probes of all are spread over their interval: they do not come in one burst, now or later.
    const upstream::ActiveRules& first = probed.of.live->spec().health.active;
    net::Milliseconds spread = first.interval_healthy.count() > 0 ? first.interval_healthy : first.interval_unhealthy;
    spread = std::min(spread, longest_sleep);
    probed.began = loop_.now() - spread.count();
    co_await net::sleep_until(
        loop_, loop_.now() + random_.below(static_cast<std::uint32_t>(std::max<long>(1, spread.count()))));
    while (true) {
        std::shared_ptr<LiveUpstream> live = probed.of.live;
        const upstream::ActiveRules& rules = live->spec().health.active;
        bool is_healthy = !probed.endpoint.state->has(upstream::Bar::unhealthy);
        net::Milliseconds interval = is_healthy ? rules.interval_healthy : rules.interval_unhealthy;
        double factor = 1 + jitter * (random_.fraction() - 0.5);
        net::Instant due = probed.began + static_cast<net::Instant>(static_cast<double>(interval.count()) * factor);
        if (interval.count() == 0) due = net::after(loop_.now(), longest_sleep);
        if (due > loop_.now()) {
            co_await net::sleep_until(loop_, std::min(due, net::after(loop_.now(), longest_sleep)));
            if (interval.count() == 0 || due > loop_.now()) continue;
        }
        if (probed.of.under_way >= rules.concurrency) {
            co_await net::sleep_until(loop_, loop_.now() + 1 + random_.below(crowded_wait));
            continue;
        }
        co_await probe(probed);
    }
}

Task<void> HealthChecker::probe(Probed& probed) {
    struct Counted {
        std::uint32_t& under_way;
        explicit Counted(std::uint32_t& of) : under_way(of) { ++under_way; }
        Counted(const Counted&) = delete;
        ~Counted() { --under_way; }
    } counted(probed.of.under_way);
    ++probes_;
    std::shared_ptr<LiveUpstream> live = probed.of.live;  // a reload may put another in its place meanwhile
    const upstream::ActiveRules& rules = live->spec().health.active;
    probed.began = loop_.now();
    HealthReason reason = co_await ask(probed, rules, net::after(loop_.now(), rules.timeout));
    if (reason.found_by == FoundBy::nobody) co_return;  // an answer that says nothing
    live->found(probed.endpoint, reason, loop_.wall_now());
}

Task<net::IoStatus> HealthChecker::connect(Probed& probed, net::Instant deadline) {
    probed.socket.reset();
    net::Connected connected = co_await loop_.connect(probed.endpoint.address, deadline);
    probed.socket = std::move(connected.socket);
    co_return connected.status;
}

Task<HealthReason> HealthChecker::ask(Probed& probed, const upstream::ActiveRules& rules, net::Instant deadline) {
    bool is_reused = probed.socket && !probed.socket->has_input() && !probed.socket->input_ended();
    std::string request = request_for(rules, probed.endpoint);
    while (true) {
        if (!is_reused) {
            net::IoStatus status = co_await connect(probed, deadline);
            if (status == net::IoStatus::no_descriptors) co_return HealthReason{};  // ours, and says nothing of it
            if (status != net::IoStatus::ok) co_return reason_of(status);
        }
        if (rules.type == upstream::ProbeType::tcp) {
            probed.socket.reset();
            co_return HealthReason{FoundBy::probe, Finding::success, 0};
        }
        net::SocketPtr socket = std::move(probed.socket);  // goes back only after an answer that ended well
        net::Draft draft(loop_.buffers().at_least(request.size()));
        draft.append(request);
        net::IoStatus status = co_await socket->send(std::move(draft).finish(), deadline);
        HeadReader reader(http1::MessageKind::response);
        http::ResponseHead head;
        bool is_final = false;
        while (status == net::IoStatus::ok && !is_final) {
            net::Received received = co_await socket->receive(deadline);
            status = received.status;
            if (status != net::IoStatus::ok) break;
            HeadReader::State state = reader.take(std::move(received.slice), loop_.buffers(), limits_);
            if (state == HeadReader::State::more) continue;
            bool is_sound =
                state == HeadReader::State::complete &&
                http1::parse_response_head(reader.head(), limits_, http::Method::get, head) == http1::Fault::none;
            if (!is_sound || head.status < 200) co_return HealthReason{FoundBy::probe, Finding::http_failure, 0};
            is_final = true;
        }
        if (status != net::IoStatus::ok) {
            // A server may close a connection that has slept long enough, just now: that is no failure.
            if (std::exchange(is_reused, false) && status != net::IoStatus::timed_out) continue;
            co_return reason_of(status);
        }
        HealthReason reason{FoundBy::nobody, Finding::success, static_cast<std::uint16_t>(head.status)};
        if (auto finding = rules.statuses.finding(head.status)) reason = {FoundBy::probe, *finding, reason.status};
        bool has_end = head.framing != http::BodyFraming::until_close;
        bool keeps_alive = head.keep_alive && has_end;
        socket->unread(reader.rest());
        BodyRelay body;
        body.start(head.framing, head.content_length, limits_, http::BodyFraming::none, TrailerChoice::drop);
        net::Assembler dropped(loop_.buffers());
        while (keeps_alive && !body.is_done() && head.framing != http::BodyFraming::none) {
            net::Received received = co_await socket->receive(deadline);
            keeps_alive = received.status == net::IoStatus::ok && body.feed(received.slice, dropped) &&
                          body.received() <= most_body && (received.slice.empty() || body.is_done());
            if (keeps_alive) socket->unread(std::move(received.slice));
            dropped.finish().clear();
        }
        if (keeps_alive && !socket->has_input()) probed.socket = std::move(socket);
        co_return reason;
    }
}

}  // namespace gateway
