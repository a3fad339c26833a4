// PasswordChecks: one core's checks of passwords against costly hashes (bcrypt and the like take up to a quarter of a
// second), made on a thread of its own so that the loop goes on serving. Right passwords are remembered, as MACs under
// a key that nobody knows, so that a client pays once; wrong ones are not. Bounded: `most_waiting` checks, in their
// order.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_set>

#include "crypto/hmac.h"
#include "crypto/password.h"
#include "net/loop.h"

namespace plugin {

class PasswordChecks {
  public:
    static constexpr std::size_t most_waiting = 16;
    static constexpr std::size_t most_of_one = 4;
    static constexpr std::size_t most_remembered = 4096;

    explicit PasswordChecks(net::Loop& loop);
    ~PasswordChecks();  // before the loop's end
    PasswordChecks(const PasswordChecks&) = delete;

    // Whether this password was found right for this hash before. A hash that a reload has changed is another one.
    [[nodiscard]] bool remembers(std::string_view hash, std::string_view password) const;
    // No more may wait, at all or of this hash: one name that is tried over and over leaves room for the others.
    [[nodiscard]] bool is_full(std::string_view hash_text) const;

    struct Job {
        crypto::PasswordHash hash;
        std::string hash_text;
        std::string password;
        bool is_right = false;  // the loop's, once resumed
        std::coroutine_handle<> waiting = nullptr;
        Job(const crypto::PasswordHash& of, std::string_view text, std::string_view given)
            : hash(of), hash_text(text), password(given) {}
        ~Job();
    };
    class Check {
      public:
        Check(PasswordChecks& checks, std::shared_ptr<Job> job) : checks_(checks), job_(std::move(job)) {}
        Check(const Check&) = delete;
        ~Check();
        [[nodiscard]] bool await_ready() const { return false; }
        void await_suspend(std::coroutine_handle<> coroutine);
        [[nodiscard]] bool await_resume();

      private:
        PasswordChecks& checks_;
        std::shared_ptr<Job> job_;
    };
    // co_await gives whether it is right. Not if is_full(). `hash_text` names `hash`: what it was parsed from.
    [[nodiscard]] Check check(const crypto::PasswordHash& hash, std::string_view hash_text, std::string_view password) {
        return {*this, std::make_shared<Job>(hash, hash_text, password)};
    }

  private:
    [[nodiscard]] std::string memory_key(std::string_view hash, std::string_view password) const;
    void work();

    net::Loop& loop_;
    crypto::HmacKey key_;
    std::unordered_set<std::string> remembered_;
    mutable std::mutex lock_;  // of what follows
    std::condition_variable changed_;
    std::deque<std::shared_ptr<Job>> jobs_;
    bool is_over_ = false;
    std::thread thread_;  // started by the first check
};

}  // namespace plugin
