// What plugins keep beyond one configuration. Shared: of the process, found again by a key when the next snapshot is
// compiled (counters, caches, breakers). Worker: what a plugin may use of the core it runs on, and its per-core states
// (connections to Redis, caches of tokens).
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <type_traits>
#include <typeindex>
#include <utility>
#include <vector>

#include "net/dns/overrides.h"
#include "net/dns/resolver.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "observe/series.h"
#include "plugin/purge.h"

namespace plugin {

// A state that has numbers to show: on /metrics (as cardea_NAME) and on the status page. Called on an admin thread.
class Measured {
  public:
    virtual ~Measured() = default;
    virtual void measure(std::vector<observe::Sample>& samples) const = 0;
};

// Any thread. A state lives while some plugin holds it; snapshots overlap, so that a reload hands it on.
class Shared {
  public:
    // The state of that type and key, made by make() (a shared_ptr<T>) if nobody holds one.
    template <typename T, typename Make>
    std::shared_ptr<T> state(const std::string& key, Make make) {
        std::lock_guard guard(lock_);
        std::weak_ptr<void>& slot = states_[{std::type_index(typeid(T)), key}];
        if (auto known = slot.lock()) return std::static_pointer_cast<T>(known);
        std::shared_ptr<T> fresh = make();
        slot = fresh;
        if constexpr (std::is_base_of_v<Measured, T>) {
            std::erase_if(measured_, [](const std::weak_ptr<Measured>& entry) { return entry.expired(); });
            measured_.push_back(fresh);
        }
        if constexpr (std::is_base_of_v<Purgeable, T>) {
            std::erase_if(purgeable_, [](const std::weak_ptr<Purgeable>& entry) { return entry.expired(); });
            purgeable_.push_back(fresh);
        }
        if (states_.size() >= sweep_at_) {
            std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
            sweep_at_ = std::max<std::size_t>(1024, states_.size() * 2);
        }
        return fresh;
    }
    // Every living state that is Purgeable.
    [[nodiscard]] std::vector<std::shared_ptr<Purgeable>> purgeables() {
        std::lock_guard guard(lock_);
        std::vector<std::shared_ptr<Purgeable>> living;
        for (const std::weak_ptr<Purgeable>& entry : purgeable_)
            if (auto held = entry.lock()) living.push_back(std::move(held));
        return living;
    }
    // The same without making one: nullptr if nobody holds it.
    template <typename T>
    std::shared_ptr<T> find(const std::string& key) {
        std::lock_guard guard(lock_);
        auto at = states_.find({std::type_index(typeid(T)), key});
        return at == states_.end() ? nullptr : std::static_pointer_cast<T>(at->second.lock());
    }
    // How long what is left to send may take at the end of the process. Set before there are any states.
    std::chrono::milliseconds farewell{5'000};
    observe::Series series;  // numbers by route and consumer: they outlive every configuration
    // What every living state that is Measured has to show.
    [[nodiscard]] std::vector<observe::Sample> measure() {
        std::vector<std::shared_ptr<Measured>> living;
        {
            std::lock_guard guard(lock_);
            for (const std::weak_ptr<Measured>& entry : measured_)
                if (auto held = entry.lock()) living.push_back(std::move(held));
        }
        std::vector<observe::Sample> samples;
        for (const auto& state : living) state->measure(samples);
        std::stable_sort(samples.begin(), samples.end(),
                         [](const observe::Sample& a, const observe::Sample& b) { return a.name < b.name; });
        return samples;
    }

  private:
    std::mutex lock_;
    std::map<std::pair<std::type_index, std::string>, std::weak_ptr<void>> states_;
    std::vector<std::weak_ptr<Measured>> measured_;
    std::vector<std::weak_ptr<Purgeable>> purgeable_;
    std::size_t sweep_at_ = 1024;
};

// One core, on its own thread.
class Worker {
  public:
    Worker(net::Loop& on, unsigned number, observe::CoreMetrics& counters)
        : loop(on), index(number), metrics(counters) {}
    Worker(const Worker&) = delete;

    net::Loop& loop;
    const unsigned index;  // below Setup::cores
    observe::CoreMetrics& metrics;
    net::dns::Resolver* resolver = nullptr;
    const net::dns::Overrides* overrides = nullptr;

    // The core's state of that type and key, made by make() (a unique_ptr<T>) when first asked for. Lives until the
    // core ends, which it does before the loop.
    template <typename T, typename Make>
    T& state(const std::string& key, Make make) {
        Slot& slot = states_[{std::type_index(typeid(T)), key}];
        if (!slot.state) {
            slot = {make().release(), [](void* state) { delete static_cast<T*>(state); }};
            if constexpr (requires(T& held) { held.tidy(); })
                slot.tidy = [](void* state) { static_cast<T*>(state)->tidy(); };
        }
        return *static_cast<T*>(slot.state);
    }
    // Between two requests, when a configuration has gone: states that have a tidy() let go of what was its alone.
    void tidy() {
        for (auto& [key, slot] : states_)
            if (slot.tidy != nullptr) slot.tidy(slot.state);
    }
    // The same of a type of which a core has one; costs two loads, for what every request asks.
    template <typename T, typename Make>
    T& only(Make make) {
        static const std::size_t place = types_with_one_++;
        if (place >= ones_.size()) ones_.resize(place + 1);
        Slot& slot = ones_[place];
        if (!slot.state) slot = {make().release(), [](void* state) { delete static_cast<T*>(state); }};
        return *static_cast<T*>(slot.state);
    }
    void clear() {
        ones_.clear();
        states_.clear();
    }

  private:
    struct Slot {
        Slot() = default;
        Slot(void* held, void (*destroy)(void*)) : state(held), drop(destroy) {}
        Slot(Slot&& other) noexcept : state(std::exchange(other.state, nullptr)), drop(other.drop), tidy(other.tidy) {}
        Slot& operator=(Slot&& other) noexcept {
            std::swap(state, other.state);
            std::swap(drop, other.drop);
            std::swap(tidy, other.tidy);
            return *this;
        }
        ~Slot() {
            if (state != nullptr) drop(state);
        }
        void* state = nullptr;
        void (*drop)(void*) = nullptr;
        void (*tidy)(void*) = nullptr;
    };
    inline static std::atomic<std::size_t> types_with_one_{0};
    std::map<std::pair<std::type_index, std::string>, Slot> states_;
    std::vector<Slot> ones_;
};

}  // namespace plugin
