// The resolver of the program: one thread that asks what Cache wants asked and tells what it found.
// One mutex guards cache and subscriptions; it is never held while calling back, polling or touching c-ares.
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <deque>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <unordered_map>

#include "net/dns/ares_channel.h"
#include "net/dns/cache.h"
#include "net/dns/names.h"
#include "net/dns/resolver.h"
#include "net/watched_file.h"

namespace net::dns {

namespace {

Instant monotonic_now() {
    return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Subscription {
    Subscription(std::string name_, Resolver::OnRecords call_) : name(std::move(name_)), call(std::move(call_)) {}
    const std::string name;
    const Resolver::OnRecords call;
    std::recursive_mutex calling;  // held while `call` runs; recursive, since a callback may drop its own watch
    bool is_dropped = false;       // under `calling`
};
using SubscriptionPointer = std::shared_ptr<Subscription>;

// Shared with the watches, which may outlive the resolver.
struct Shared {
    explicit Shared(const Settings& settings, std::uint64_t seed)
        : cache(settings, seed), wake(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {}
    ~Shared() {
        if (wake >= 0) close(wake);
    }
    void wake_up() const {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t written = write(wake, &one, sizeof one);  // fails only if it is awake already
    }
    void publish(const Finding& finding) {
        if (auto at = waiting.find(finding.name); at != waiting.end()) {
            for (auto& call : at->second) deliveries.push_back({nullptr, std::move(call), finding.records});
            waiting.erase(at);
        }
        if (!finding.is_news) return;
        auto [first, last] = subscriptions.equal_range(finding.name);
        for (; first != last; ++first) deliveries.push_back({first->second, nullptr, finding.records});
    }

    struct Delivery {
        SubscriptionPointer subscription;  // or
        Resolver::OnRecords once;
        RecordsPointer records;
    };
    std::mutex mutex;  // guards all below but `wake`
    Cache cache;
    std::unordered_multimap<std::string, SubscriptionPointer> subscriptions;
    std::unordered_map<std::string, std::vector<Resolver::OnRecords>> waiting;
    std::deque<Delivery> deliveries;
    bool is_stopping = false;
    const int wake;
};

class AresWatch final : public Resolver::Watch {
  public:
    AresWatch(std::shared_ptr<Shared> shared, SubscriptionPointer subscription)
        : shared_(std::move(shared)), subscription_(std::move(subscription)) {}
    ~AresWatch() override {
        {
            std::lock_guard calling(subscription_->calling);
            subscription_->is_dropped = true;
        }
        std::lock_guard lock(shared_->mutex);
        auto [first, last] = shared_->subscriptions.equal_range(subscription_->name);
        for (; first != last; ++first) {
            if (first->second != subscription_) continue;
            shared_->subscriptions.erase(first);
            break;
        }
        shared_->cache.unwatch(subscription_->name, monotonic_now());
    }

  private:
    std::shared_ptr<Shared> shared_;
    SubscriptionPointer subscription_;
};

class AresResolver final : public Resolver {
  public:
    explicit AresResolver(Settings settings)
        : settings_(std::move(settings)),
          shared_(std::make_shared<Shared>(settings_, std::random_device{}())),
          hosts_(settings_.hosts_file),
          resolv_conf_(settings_.resolv_conf) {}

    base::Result<void> start() {
        if (shared_->wake < 0)
            return base::Error::us(base::Code::exhausted, std::string("eventfd: ") + strerror(errno));
        TRY_VOID(open_channel());
        static_cast<void>(resolv_conf_.has_changed());
        check_files(monotonic_now());  // so that the first look-ups already see the hosts file
        sigset_t all, before;
        sigfillset(&all);  // signals belong to the main thread
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            thread_ = std::thread([this] { run(); });
        } catch (const std::system_error& error) {
            pthread_sigmask(SIG_SETMASK, &before, nullptr);
            return base::Error::us(base::Code::exhausted, std::string("resolver thread: ") + error.what());
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        return base::success();
    }

    ~AresResolver() override {
        if (!thread_.joinable()) return;
        {
            std::lock_guard lock(shared_->mutex);
            shared_->is_stopping = true;
        }
        shared_->wake_up();
        thread_.join();
    }

    std::unique_ptr<Watch> watch(std::string_view name, OnRecords on_change) override {
        auto subscription = std::make_shared<Subscription>(normal_name(name), std::move(on_change));
        {
            std::lock_guard lock(shared_->mutex);
            if (RecordsPointer known = shared_->cache.watch(name, monotonic_now()))
                shared_->deliveries.push_back({subscription, nullptr, std::move(known)});
            shared_->subscriptions.emplace(subscription->name, subscription);
        }
        shared_->wake_up();
        return std::make_unique<AresWatch>(shared_, std::move(subscription));
    }

    void resolve(std::string_view name, OnRecords on_records) override {
        {
            std::lock_guard lock(shared_->mutex);
            if (RecordsPointer known = shared_->cache.request(name, monotonic_now()))
                shared_->deliveries.push_back({nullptr, std::move(on_records), std::move(known)});
            else
                shared_->waiting[normal_name(name)].push_back(std::move(on_records));
        }
        shared_->wake_up();
    }

    RecordsPointer known(std::string_view name) override {
        std::lock_guard lock(shared_->mutex);
        return shared_->cache.known(name, monotonic_now());
    }

  private:
    base::Result<void> open_channel() {
        TRY(opened, AresChannel::open(settings_, [this](const Query& query, Answer answer) {
                std::lock_guard lock(shared_->mutex);
                for (const Finding& finding : shared_->cache.answered(query, std::move(answer), monotonic_now()))
                    shared_->publish(finding);
            }));
        channel_ = std::move(opened);
        return base::success();
    }

    void run() {
        while (!is_stopping()) {
            Instant now = monotonic_now();
            if (now >= next_check_) check_files(now);
            replace_channel();
            if (!channel_is_old_) ask_what_is_due(now);
            deliver();
            wait();
        }
        channel_.reset();  // fails what is in flight
        {
            std::lock_guard lock(shared_->mutex);
            auto ended = std::make_shared<const Records>(Records{Records::State::failed, {}, "the resolver has ended"});
            for (auto& [name, calls] : shared_->waiting)
                for (auto& call : calls) shared_->deliveries.push_back({nullptr, std::move(call), ended});
            shared_->waiting.clear();
        }
        deliver();
    }

    bool is_stopping() {
        std::lock_guard lock(shared_->mutex);
        return shared_->is_stopping;
    }

    void check_files(Instant now) {
        next_check_ = after(now, settings_.file_check);
        if (hosts_.has_changed()) {
            Hosts hosts = Hosts::parse(hosts_.text(Hosts::most_bytes));
            std::lock_guard lock(shared_->mutex);
            for (const Finding& finding : shared_->cache.set_hosts(std::move(hosts), now)) shared_->publish(finding);
        }
        if (resolv_conf_.has_changed()) channel_is_old_ = true;
    }

    // The old channel runs dry before a new one takes its place; if none can be had, the old one goes on.
    void replace_channel() {
        if (!channel_is_old_ || in_flight() > 0) return;
        static_cast<void>(open_channel());
        channel_is_old_ = false;
    }

    std::size_t in_flight() {
        std::lock_guard lock(shared_->mutex);
        return shared_->cache.in_flight();
    }

    void ask_what_is_due(Instant now) {
        for (;;) {
            std::optional<Query> query;
            {
                std::lock_guard lock(shared_->mutex);
                query = shared_->cache.next_query(now);
            }
            if (!query) return;
            channel_->ask(*query);
        }
    }

    void deliver() {
        for (;;) {
            Shared::Delivery next;
            {
                std::lock_guard lock(shared_->mutex);
                if (shared_->deliveries.empty()) return;
                next = std::move(shared_->deliveries.front());
                shared_->deliveries.pop_front();
            }
            if (next.subscription == nullptr) {
                next.once(std::move(next.records));
                continue;
            }
            std::lock_guard calling(next.subscription->calling);
            if (!next.subscription->is_dropped) next.subscription->call(std::move(next.records));
        }
    }

    void wait() {
        Instant now = monotonic_now();
        Instant until = next_check_;
        {
            std::lock_guard lock(shared_->mutex);
            if (!shared_->deliveries.empty() || shared_->is_stopping) return;
            if (!channel_is_old_) until = std::min(until, shared_->cache.next_due());
        }
        int milliseconds = static_cast<int>(std::clamp<Instant>(until - now, 0, 60'000));
        int ares = channel_->wait_milliseconds();
        if (ares >= 0) milliseconds = std::min(milliseconds, ares);

        std::vector<pollfd> polled = channel_->sockets();
        polled.push_back({shared_->wake, POLLIN, 0});
        poll(polled.data(), polled.size(), milliseconds);
        if (polled.back().revents != 0) {
            std::uint64_t count = 0;
            [[maybe_unused]] ssize_t got = read(shared_->wake, &count, sizeof count);
        }
        polled.pop_back();
        channel_->process(polled);
    }

    const Settings settings_;
    std::shared_ptr<Shared> shared_;
    WatchedFile hosts_;
    WatchedFile resolv_conf_;
    std::unique_ptr<AresChannel> channel_;  // of the thread, once it runs
    Instant next_check_ = 0;
    bool channel_is_old_ = false;
    std::thread thread_;
};

}  // namespace

base::Result<std::unique_ptr<Resolver>> start_resolver(Settings settings) {
    auto resolver = std::make_unique<AresResolver>(std::move(settings));
    TRY_VOID(resolver->start());
    return std::unique_ptr<Resolver>(std::move(resolver));
}

}  // namespace net::dns
