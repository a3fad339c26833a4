// KeySource: the keys that an issuer publishes at a URL (a JWK Set, RFC 7517 5), fetched on a thread of its own and
// renewed before they are old. Cores read the last ones; only a token whose key nobody knows yet waits for a fetch.
//
// Such fetches are `shortest_pause` apart however many ask: a storm of made-up key ids reaches the issuer as one
// request every two seconds. Who comes in between waits for the next fetch, so that nobody's made-up ids make the
// gateway refuse a key that was just published: it is served after `shortest_pause` and a fetch at the latest. Only an
// id that the last fetch was made for, in vain, is refused at once until then. Those who wait are bounded; who finds no
// place is refused, but the fetch comes all the same.
//
// A fetch that fails changes nothing until the keys are `longest_use` old; from then on there are none.
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
#include <string_view>
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
    std::chrono::milliseconds shortest_pause{2'000};
    std::size_t most_waiters = 4096;
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
    // co_await ends when the fetch has ended that is under way or comes next; at once if it was just made for `key_id`,
    // or if too many wait.
    [[nodiscard]] Renewal renewed(net::Loop& loop, std::string_view key_id);

    void measure(std::vector<observe::Sample>& samples) const override;

  private:
    using Clock = std::chrono::steady_clock;
    struct Waiter {
        net::Loop& loop;
        std::size_t key_id = 0;             // its hash
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
    bool join(std::shared_ptr<Waiter> waiter);

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
    std::optional<Clock::time_point> began_at_;  // the last fetch that tokens asked for
    Clock::time_point wanted_at_;                // when the next one may begin
    std::vector<std::size_t> missed_;            // the key ids that the last fetch was made for
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
    Renewal(KeySource& source, net::Loop& loop, std::string_view key_id)
        : source_(source),
          waiter_(std::make_shared<Waiter>(Waiter{loop, std::hash<std::string_view>()(key_id), nullptr})) {}
    Renewal(const Renewal&) = delete;
    ~Renewal();
    [[nodiscard]] bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine) {
        waiter_->coroutine = coroutine;
        return source_.join(waiter_);
    }
    void await_resume() const {}

  private:
    KeySource& source_;
    std::shared_ptr<Waiter> waiter_;
};

inline KeySource::Renewal KeySource::renewed(net::Loop& loop, std::string_view key_id) { return {*this, loop, key_id}; }

}  // namespace plugin
