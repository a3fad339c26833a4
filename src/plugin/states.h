// What plugins keep beyond one configuration. Shared: of the process, found again by a key when the next snapshot is
// compiled (counters, caches, breakers). Worker: what a plugin may use of the core it runs on, and its per-core states
// (connections to Redis, caches of tokens).
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <typeindex>
#include <utility>

#include "net/dns/overrides.h"
#include "net/dns/resolver.h"
#include "net/loop.h"
#include "observe/metrics.h"

namespace plugin {

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
        if (states_.size() >= sweep_at_) {
            std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
            sweep_at_ = std::max<std::size_t>(1024, states_.size() * 2);
        }
        return fresh;
    }
    // Every living state of one type, with its key: for metrics and the status page.
    template <typename T>
    void each(const std::function<void(const std::string& key, T& state)>& visit) {
        std::map<std::string, std::shared_ptr<T>> living;
        {
            std::lock_guard guard(lock_);
            for (auto& [key, slot] : states_)
                if (key.first == std::type_index(typeid(T)))
                    if (auto held = slot.lock()) living.emplace(key.second, std::static_pointer_cast<T>(held));
        }
        for (auto& [key, state] : living) visit(key, *state);
    }

  private:
    std::mutex lock_;
    std::map<std::pair<std::type_index, std::string>, std::weak_ptr<void>> states_;
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
        if (!slot.state) slot = {make().release(), [](void* state) { delete static_cast<T*>(state); }};
        return *static_cast<T*>(slot.state);
    }
    void clear() { states_.clear(); }

  private:
    struct Slot {
        Slot() = default;
        Slot(void* held, void (*destroy)(void*)) : state(held), drop(destroy) {}
        Slot(Slot&& other) noexcept : state(std::exchange(other.state, nullptr)), drop(other.drop) {}
        Slot& operator=(Slot&& other) noexcept {
            std::swap(state, other.state);
            std::swap(drop, other.drop);
            return *this;
        }
        ~Slot() {
            if (state != nullptr) drop(state);
        }
        void* state = nullptr;
        void (*drop)(void*) = nullptr;
    };
    std::map<std::pair<std::type_index, std::string>, Slot> states_;
};

}  // namespace plugin
