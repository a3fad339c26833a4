// Revocations: asks authorities whether certificates were taken back, on threads of its own, and remembers what they
// said: an answer until it ends or for as long as the asker believes it, a list likewise, a server that does not answer
// for a moment. Who asks about the same certificate at the same time waits for one question. One for the process.
//
// Bounded: threads, questions that wait, what is remembered, bytes and time of every answer. Who finds no place gets
// `unknown`.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "net/fetch.h"
#include "net/loop.h"
#include "net/tls/revocation.h"
#include "plugin/states.h"

namespace plugin {

class Revocations : public Measured {
  public:
    static constexpr std::size_t threads = 4;
    static constexpr std::size_t most_waiting = 1'024;     // questions; each may have many who ask it
    static constexpr std::size_t most_remembered = 8'192;  // answers
    static constexpr std::size_t most_lists = 64;
    static constexpr std::chrono::seconds silence{10};  // a source that has not answered is left alone for so long
    static constexpr std::chrono::seconds least_belief{1};

    // How to ask.
    struct Ways {
        std::vector<std::string> lists;  // CRLs beside those that certificates name: URLs and paths of files
        std::chrono::milliseconds timeout{30'000};
        std::chrono::milliseconds belief{60'000};
        std::string proxy;  // "http://host:port"
        [[nodiscard]] std::string key() const;
    };
    using Fetch = std::function<base::Result<net::Fetched>(const std::string& url, const std::atomic<bool>& stop,
                                                           const net::FetchLimits& limits)>;

    explicit Revocations(Fetch fetch = {});
    ~Revocations() override;  // ends the threads, and what they ask
    Revocations(const Revocations&) = delete;

    // What is known by now; nothing: it must be asked.
    [[nodiscard]] std::optional<net::tls::Ruling> known(const std::string& key);

    class Answer;
    // co_await gives the net::tls::Ruling. `key` of the question: key_of().
    [[nodiscard]] Answer ask(net::Loop& loop, const x509_st* certificate, const x509_st* issuer,
                             std::shared_ptr<const Ways> ways);
    [[nodiscard]] static std::string key_of(const x509_st* certificate, const x509_st* issuer, const Ways& ways);

    void measure(std::vector<observe::Sample>& samples) const override;

  private:
    using Clock = std::chrono::steady_clock;
    struct Waiter {
        net::Loop& loop;
        std::coroutine_handle<> coroutine;  // null: gone
        net::tls::Ruling verdict;
    };
    struct Question {
        std::string key;
        net::tls::CertificatePointer certificate;
        net::tls::CertificatePointer issuer;
        std::shared_ptr<const Ways> ways;
        std::vector<std::shared_ptr<Waiter>> waiters;
    };
    struct Known {
        net::tls::Ruling verdict;
        Clock::time_point until;
    };
    struct KnownList {
        std::shared_ptr<const net::tls::RevocationList> list;
        Clock::time_point until;
    };

    void work();
    [[nodiscard]] net::tls::Ruling find_out(const Question& question);
    [[nodiscard]] net::tls::Ruling by_ocsp(const Question& question, const std::string& url,
                                           Clock::time_point deadline);
    [[nodiscard]] base::Result<std::shared_ptr<const net::tls::RevocationList>> list_at(const std::string& source,
                                                                                        const Ways& ways,
                                                                                        Clock::time_point deadline);
    [[nodiscard]] base::Result<std::string> get(const std::string& url, net::FetchLimits limits,
                                                Clock::time_point deadline);
    bool join(Question question, std::shared_ptr<Waiter> waiter);
    void answered(Question& question, const net::tls::Ruling& verdict);

    const Fetch fetch_;
    std::atomic<bool> is_over_{false};
    mutable std::mutex lock_;  // of what follows
    std::condition_variable come_;
    std::deque<std::shared_ptr<Question>> waiting_;
    std::unordered_map<std::string, std::shared_ptr<Question>> asked_;  // by key: waiting or under way
    std::unordered_map<std::string, Known> known_;
    std::unordered_map<std::string, KnownList> lists_;
    std::unordered_map<std::string, Clock::time_point> silent_;  // sources, until when
    std::uint64_t questions_ = 0;
    std::uint64_t failures_ = 0;
    std::vector<std::thread> threads_;  // made with the first question
};

class Revocations::Answer {
  public:
    Answer(Revocations& of, net::Loop& loop, Question question)
        : of_(of), question_(std::move(question)), waiter_(std::make_shared<Waiter>(Waiter{loop, nullptr, {}})) {}
    Answer(const Answer&) = delete;
    ~Answer();
    [[nodiscard]] bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine) {
        waiter_->coroutine = coroutine;
        return of_.join(std::move(question_), waiter_);
    }
    net::tls::Ruling await_resume() const { return waiter_->verdict; }

  private:
    Revocations& of_;
    Question question_;
    std::shared_ptr<Waiter> waiter_;
};

}  // namespace plugin
