// CacheFetches: what is being fetched from upstreams right now, so that others who want the same wait for it. Of one
// core: over n cores, at most n fetches of one key are under way.
#pragma once

#include <array>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "base/text_hash.h"
#include "net/loop.h"

namespace plugin {

class CacheFetches {
  public:
    explicit CacheFetches(net::Loop& loop) : loop_(loop) {}
    CacheFetches(const CacheFetches&) = delete;

    // The right and duty to fetch one key. When it goes, those who wait are woken. Who holds it while its own client
    // takes the answer slowly loses it to the first one that has waited long enough (take_over).
    class Lead {
      public:
        Lead() = default;
        Lead(CacheFetches* fetches, std::string key, std::uint64_t number)
            : fetches_(fetches), key_(std::move(key)), number_(number) {}
        Lead(Lead&& other) noexcept
            : fetches_(std::exchange(other.fetches_, nullptr)), key_(std::move(other.key_)), number_(other.number_) {}
        Lead& operator=(Lead&& other) noexcept {
            std::swap(fetches_, other.fetches_);
            std::swap(key_, other.key_);
            std::swap(number_, other.number_);
            return *this;
        }
        ~Lead() { end(); }
        explicit operator bool() const { return fetches_ != nullptr; }
        void end() {
            if (fetches_ != nullptr) std::exchange(fetches_, nullptr)->ended(key_, number_);
        }

      private:
        CacheFetches* fetches_ = nullptr;
        std::string key_;
        std::uint64_t number_ = 0;
    };

    // Empty: another one has it.
    [[nodiscard]] Lead lead(std::string_view key) {
        auto [place, is_new] = under_way_.try_emplace(std::string(key));
        return is_new ? led_anew(*place) : Lead();
    }
    // Whoever has it: others wait for this one from now on.
    [[nodiscard]] Lead take_over(std::string_view key) {
        return led_anew(*under_way_.try_emplace(std::string(key)).first);
    }

    // Room for a body on its way to the store: all of a core's together are bounded. Given back when it goes.
    class Room {
      public:
        Room() = default;
        Room(CacheFetches* fetches, std::size_t bytes) : fetches_(fetches), bytes_(bytes) {}
        Room(Room&& other) noexcept : fetches_(std::exchange(other.fetches_, nullptr)), bytes_(other.bytes_) {}
        Room& operator=(Room&& other) noexcept {
            std::swap(fetches_, other.fetches_);
            std::swap(bytes_, other.bytes_);
            return *this;
        }
        ~Room() {
            if (fetches_ != nullptr) fetches_->in_rooms_ -= bytes_;
        }
        explicit operator bool() const { return fetches_ != nullptr; }

      private:
        CacheFetches* fetches_ = nullptr;
        std::size_t bytes_ = 0;
    };
    // Empty: there is none left.
    [[nodiscard]] Room room(std::size_t bytes) {
        if (bytes > most_in_rooms - in_rooms_) return {};
        in_rooms_ += bytes;
        return {this, bytes};
    }

    // What was fetched under that key could not be stored: until further notice nobody need wait for it.
    void pass(std::string_view key) {
        Pass& place = place_of(key);
        place = {base::TextHash{}(key), loop_.now() + pass_for};
    }
    void forget_pass(std::string_view key) { place_of(key) = {}; }
    [[nodiscard]] bool passes(std::string_view key) {
        const Pass& place = place_of(key);
        return place.hash == base::TextHash{}(key) && place.until > loop_.now();
    }

    // Waits until the fetch of `key` under way ends, or until the deadline. Destroying it ends the wait.
    class Wait {
      public:
        Wait(CacheFetches& fetches, std::string_view key, net::Instant deadline)
            : loop_(fetches.loop_), deadline_(deadline) {
            auto place = fetches.under_way_.find(key);
            if (place == fetches.under_way_.end()) return;
            Wait*& first = place->second.first;
            next_ = first;
            link_ = &first;
            if (next_ != nullptr) next_->link_ = &next_;
            first = this;
        }
        Wait(const Wait&) = delete;
        ~Wait() { unlink(); }
        [[nodiscard]] bool await_ready() const { return link_ == nullptr || deadline_ <= loop_.now(); }
        void await_suspend(std::coroutine_handle<> waiting) {
            timer_.set([](void* address) { std::coroutine_handle<>::from_address(address).resume(); },
                       waiting.address());
            timer_.arm(loop_.timers(), deadline_);
        }
        void await_resume() { unlink(); }

      private:
        friend class CacheFetches;
        void unlink() {
            if (link_ == nullptr) return;
            *link_ = next_;
            if (next_ != nullptr) next_->link_ = link_;
            link_ = nullptr;
            next_ = nullptr;
        }
        net::Loop& loop_;
        net::Instant deadline_;
        net::Timer timer_;
        Wait* next_ = nullptr;
        Wait** link_ = nullptr;
    };

    [[nodiscard]] std::size_t size() const { return under_way_.size(); }

  private:
    static constexpr net::Instant pass_for = 30'000;  // ms
    static constexpr std::size_t most_in_rooms = std::size_t{128} << 20;
    struct Pass {
        std::size_t hash = 0;
        net::Instant until = 0;
    };
    [[nodiscard]] Pass& place_of(std::string_view key) { return passes_[base::TextHash{}(key) % passes_.size()]; }
    struct Fetch {
        Wait* first = nullptr;     // of those who wait for it
        std::uint64_t leader = 0;  // the number of the Lead that holds it
    };
    [[nodiscard]] Lead led_anew(std::pair<const std::string, Fetch>& place) {
        place.second.leader = ++last_leader_;
        return {this, place.first, last_leader_};
    }
    // Through their timers, so that nobody runs inside of whoever ends a fetch. What one that lost the lead has brought
    // is as good.
    void ended(const std::string& key, std::uint64_t leader) {
        auto place = under_way_.find(key);
        if (place == under_way_.end()) return;
        while (place->second.first != nullptr) {
            Wait& waiting = *place->second.first;
            waiting.unlink();
            if (waiting.timer_.is_armed()) waiting.timer_.arm(loop_.timers(), loop_.now());
        }
        if (place->second.leader == leader) under_way_.erase(place);
    }

    net::Loop& loop_;
    std::size_t in_rooms_ = 0;
    std::array<Pass, 1024> passes_{};
    std::uint64_t last_leader_ = 0;
    // Node-based: a place stays where it is.
    std::unordered_map<std::string, Fetch, base::TextHash, std::equal_to<>> under_way_;
};

}  // namespace plugin
