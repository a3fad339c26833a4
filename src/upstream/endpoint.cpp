#include "upstream/endpoint.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace upstream {

namespace {
struct Unpacked {
    float microseconds;
    std::uint32_t stamp;
};
Unpacked unpacked(std::uint64_t packed) {
    return {std::bit_cast<float>(static_cast<std::uint32_t>(packed >> 32)), static_cast<std::uint32_t>(packed)};
}
std::uint64_t packed(Unpacked value) {
    return std::uint64_t{std::bit_cast<std::uint32_t>(value.microseconds)} << 32 | value.stamp;
}

// How much of an old value is left. A core's clock may lag behind the core that wrote the stamp: no time has passed
// then.
float share_left(std::uint32_t stamp, net::Instant now) {
    auto age = static_cast<std::int32_t>(static_cast<std::uint32_t>(now) - stamp);
    return age <= 0 ? 1.0F : std::exp(-static_cast<float>(age) / static_cast<float>(PeakLatency::decay.count()));
}
}  // namespace

void PeakLatency::record(std::chrono::nanoseconds latency, net::Instant now) {
    float sample = std::max(0.001F, static_cast<float>(latency.count()) / 1000.0F);
    std::uint64_t before = packed_.load(std::memory_order_relaxed);
    for (;;) {
        Unpacked old = unpacked(before);
        float left = before == 0 ? 0 : share_left(old.stamp, now);
        Unpacked next{sample, static_cast<std::uint32_t>(now)};
        if (sample < old.microseconds * left) next.microseconds = old.microseconds * left + sample * (1 - left);
        if (before != 0 && left == 1.0F && next.microseconds != sample)
            return;  // less than a tick: nothing to move yet
        if (packed_.compare_exchange_weak(before, packed(next), std::memory_order_relaxed)) return;
    }
}

float PeakLatency::microseconds(net::Instant now) const {
    std::uint64_t word = packed_.load(std::memory_order_relaxed);
    if (word == 0) return -1;
    Unpacked value = unpacked(word);
    return value.microseconds * share_left(value.stamp, now);
}

bool EndpointState::set(Bar bar, bool is_barred) {
    auto bit = static_cast<std::uint8_t>(bar);
    std::uint8_t before = is_barred ? bars.fetch_or(bit, std::memory_order_acq_rel)
                                    : bars.fetch_and(static_cast<std::uint8_t>(~bit), std::memory_order_acq_rel);
    if (((before & bit) != 0) == is_barred) return false;
    if (before == bit) warms_from.store(warms_from_next_pick, std::memory_order_relaxed);
    turns_.fetch_add(1, std::memory_order_acq_rel);
    return true;
}

std::shared_ptr<EndpointState> EndpointStates::acquire(std::string_view upstream_id,
                                                       const net::SocketAddress& address) {
    std::string key(upstream_id);
    key.append("|").append(address.text());
    std::lock_guard lock(mutex_);
    std::weak_ptr<EndpointState>& kept = states_[std::move(key)];
    std::shared_ptr<EndpointState> state = kept.lock();
    if (!state) {
        state = std::make_shared<EndpointState>();
        kept = state;
        if (states_.size() >= sweep_at_) sweep();
    }
    return state;
}

std::size_t EndpointStates::size() const {
    std::lock_guard lock(mutex_);
    return states_.size();
}

// Forgets states that nobody holds; at twice the number that was left the last time, so that it costs little each.
void EndpointStates::sweep() {
    std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
    sweep_at_ = std::max<std::size_t>(1024, states_.size() * 2);
}

}  // namespace upstream
