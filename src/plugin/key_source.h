// KeySource: the keys that an issuer publishes at a URL (a JWK Set, RFC 7517 5), fetched on a thread of its own and
// renewed before they are old. Cores read the last ones; only a token whose key nobody knows yet waits for a fetch, and
// such fetches are `shortest_pause` apart however many ask (a storm of made-up key ids reaches the issuer as one
// request). A fetch that fails changes nothing until the keys are `longest_use` old; from then on there are none.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "crypto/jwks.h"
#include "net/fetch.h"
#include "net/loop.h"
#include "plugin/states.h"

namespace plugin {

// Numbers for what verified a token, over all kinds of keys: never the same again.
[[nodiscard]] std::uint64_t next_generation();

struct KeyPauses {
    std::chrono::seconds usual{600};  // between fetches, where the issuer says nothing
    std::chrono::seconds least{60};   // ... whatever it says
    std::chrono::seconds most{3600};  // ... and how long a key that was taken back may last
    std::chrono::seconds longest_use{86'400};
    std::chrono::milliseconds shortest_pause{10'000};
    std::chrono::milliseconds after_failure{1000};  // doubled with each, up to `least`
};

class KeySource : public Measured {
  public:
    using Fetch = std::function<base::Result<net::Fetched>(const std::string& url, const std::atomic<bool>& stop)>;
    using Pauses = KeyPauses;

    struct Keys {
        std::uint64_t generation = 0;
        crypto::KeySet set;
    };

    explicit KeySource(std::string url, Fetch fetch = {}, Pauses pauses = {});
    ~KeySource() override;  // ends the thread, and a fetch under way
    KeySource(const KeySource&) = delete;

    // Null: none yet, or too old.
    [[nodiscard]] std::shared_ptr<const Keys> keys() const;
    // Of those; 0: none. For a look at every request.
    [[nodiscard]] std::uint64_t generation() const { return generation_.load(std::memory_order_acquire); }

    class Renewal;
    // co_await ends when the fetch that is under way, or that this begins, has ended; at once if none may begin yet.
    [[nodiscard]] Renewal renewed(net::Loop& loop);

    void measure(std::vector<observe::Sample>& samples) const override;

  private:
    using Clock = std::chrono::steady_clock;
    struct Waiter {
        net::Loop& loop;
        std::coroutine_handle<> coroutine;  // null: gone
    };

    void work();
    // What was fetched, read without the lock, and put in place with it. `keys` null: the same document as before.
    struct Read {
        std::shared_ptr<const Keys> keys;
        std::string document;
        std::chrono::seconds pause{0};
    };
    [[nodiscard]] base::Result<Read> read(base::Result<net::Fetched> fetched) const;
    void take(Read read);
    void failed();
    void wake();
    bool begin_or_join(std::shared_ptr<Waiter> waiter);

    const std::string url_;
    const std::string shown_;  // of it in logs and metrics: without the query
    const Fetch fetch_;
    const Pauses pauses_;
    std::atomic<std::uint64_t> generation_{0};
    std::atomic<bool> is_over_{false};

    mutable std::mutex lock_;  // of what follows
    std::condition_variable changed_;
    std::shared_ptr<const Keys> keys_;
    std::string document_;  // of which keys_ were made
    Clock::time_point fetched_at_;
    std::optional<Clock::time_point> asked_at_;  // by a token, last
    Clock::time_point due_;
    std::chrono::milliseconds pause_{0};  // after the last failure; 0: it went well
    bool is_fetching_ = true;             // from the start on
    bool is_wanted_ = false;
    std::uint64_t fetches_ = 0;
    std::uint64_t failures_ = 0;
    std::vector<std::shared_ptr<Waiter>> waiters_;
    std::thread thread_;
};

class KeySource::Renewal {
  public:
    Renewal(KeySource& source, net::Loop& loop)
        : source_(source), waiter_(std::make_shared<Waiter>(Waiter{loop, nullptr})) {}
    Renewal(const Renewal&) = delete;
    ~Renewal();
    [[nodiscard]] bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine) {
        waiter_->coroutine = coroutine;
        return source_.begin_or_join(waiter_);
    }
    void await_resume() const {}

  private:
    KeySource& source_;
    std::shared_ptr<Waiter> waiter_;
};

inline KeySource::Renewal KeySource::renewed(net::Loop& loop) { return {*this, loop}; }

}  // namespace plugin
