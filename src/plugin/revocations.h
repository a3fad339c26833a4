// Revocations: asks authorities whether certificates were taken back, on threads of its own, and remembers what they
// said: an answer until it ends or for as long as the asker believes it, a list likewise, a server that does not answer
// for a moment. Where nobody says anything new, a list and a word that something was taken back count until their own
// end. Who asks about the same certificate at the same time waits for one question. One for the process.
//
// Bounded: threads and questions, each of them also for one authority, what is remembered, bytes and time of every
// answer. Who finds no place, or waits for longer than the question may take, gets `unknown`.
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
#include "net/timer.h"
#include "net/tls/revocation.h"
#include "plugin/states.h"

namespace plugin {

class Revocations : public Measured {
  public:
    static constexpr std::size_t threads = 4;
    static constexpr std::size_t most_threads_at_one = 2;  // at the same servers: who hangs takes not all of them
    static constexpr std::size_t most_waiting = 1'024;     // questions; each may have many who ask it
    static constexpr std::size_t most_waiting_for_one = most_waiting / 2;
    static constexpr std::size_t most_remembered = 8'192;  // answers
    static constexpr std::size_t most_lists = 64;
    static constexpr std::size_t most_list_bytes = 32 * 1024 * 1024;
    static constexpr std::chrono::seconds silence{10};     // a source that has not answered is left alone for so long
    static constexpr std::chrono::seconds fair_chance{1};  // ... if it had so much time
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

    using Clock = std::chrono::steady_clock;
    using Now = std::function<Clock::time_point()>;

    explicit Revocations(Fetch fetch = {}, Now now = {});
    ~Revocations() override;  // ends the threads, and what they ask
    Revocations(const Revocations&) = delete;

    struct Said : net::tls::Ruling {
        std::chrono::milliseconds lasts{0};  // how long it is believed from now
    };
    // What is known by now; nothing: it must be asked.
    [[nodiscard]] std::optional<Said> known(const std::string& key);

    class Answer;
    // co_await gives what is Said. `key` of the question: key_of().
    [[nodiscard]] Answer ask(net::Loop& loop, const x509_st* certificate, const x509_st* issuer,
                             std::shared_ptr<const Ways> ways);
    [[nodiscard]] static std::string key_of(const x509_st* certificate, const x509_st* issuer, const Ways& ways);

    void measure(std::vector<observe::Sample>& samples) const override;

  private:
    struct Question;
    struct Waiter {
        net::Loop& loop;
        std::coroutine_handle<> coroutine;  // null: gone, or answered
        Said verdict;
        std::weak_ptr<Question> question;  // that it waits for
    };
    struct Question {
        std::string key;
        net::tls::CertificatePointer certificate;
        net::tls::CertificatePointer issuer;
        std::shared_ptr<const Ways> ways;
        std::string servers;  // who will be asked
        Clock::time_point deadline;
        std::vector<std::shared_ptr<Waiter>> waiters;
    };
    struct Known {
        net::tls::Ruling verdict;
        Clock::time_point until;  // believed; then it is asked again
    };
    using List = std::shared_ptr<const net::tls::RevocationList>;
    struct KnownList {
        List proven;  // signed by an authority that was asked about
        List latest;  // from a place that the operator names; of whom, that authority's questions will show
        Clock::time_point fetched;
        [[nodiscard]] std::size_t bytes() const;
    };
    struct Load {
        std::size_t waiting = 0;
        std::size_t running = 0;
    };
    enum class Named : std::uint8_t { by_operator, by_certificate };

    void work();
    [[nodiscard]] std::shared_ptr<Question> next_question();
    [[nodiscard]] net::tls::Ruling find_out(const Question& question);
    [[nodiscard]] net::tls::Ruling by_ocsp(const Question& question, const std::string& url,
                                           std::chrono::milliseconds time);
    [[nodiscard]] net::tls::Ruling by_list(const Question& question, const std::string& source, Named named,
                                           std::chrono::milliseconds time);
    [[nodiscard]] base::Result<List> read_list(const Question& question, const std::string& source, Named named,
                                               std::chrono::milliseconds time);
    void keep_list(const std::string& place, KnownList list);
    [[nodiscard]] base::Result<std::string> get(const std::string& url, net::FetchLimits limits,
                                                std::chrono::milliseconds time);
    bool join(Question question, const std::shared_ptr<Waiter>& waiter);
    [[nodiscard]] bool leave(Waiter& waiter);
    [[nodiscard]] Said unanswered(const std::string& key, std::string why);
    void answered(Question& question, const net::tls::Ruling& verdict);
    void make_room();
    [[nodiscard]] std::chrono::milliseconds left_until(Clock::time_point end) const;

    const Fetch fetch_;
    const Now now_;
    std::atomic<bool> is_over_{false};
    mutable std::mutex lock_;  // of what follows
    std::condition_variable come_;
    std::deque<std::shared_ptr<Question>> waiting_;
    std::unordered_map<std::string, std::shared_ptr<Question>> asked_;  // by key: waiting or under way
    std::unordered_map<std::string, Known> known_;
    std::unordered_map<std::string, KnownList> lists_;           // by place: proxy and source
    std::unordered_map<std::string, Clock::time_point> silent_;  // places, until when
    std::unordered_map<std::string, Load> loads_;                // by Question::servers
    std::uint64_t questions_ = 0;
    std::uint64_t failures_ = 0;
    std::vector<std::thread> threads_;  // made with the first question
};

class Revocations::Answer {
  public:
    Answer(Revocations& of, net::Loop& loop, Question question);
    Answer(const Answer&) = delete;
    ~Answer();
    [[nodiscard]] bool await_ready() const { return false; }
    bool await_suspend(std::coroutine_handle<> coroutine);
    Said await_resume() const { return waiter_->verdict; }

  private:
    void too_late();

    Revocations& of_;
    Question question_;
    std::shared_ptr<Waiter> waiter_;
    std::string key_;
    net::Timer timer_;
};

}  // namespace plugin
