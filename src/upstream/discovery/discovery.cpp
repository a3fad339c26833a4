#include "upstream/discovery/discovery.h"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <chrono>
#include <map>
#include <mutex>
#include <random>
#include <system_error>
#include <thread>
#include <vector>

#include "observe/log.h"

namespace upstream {

namespace {

net::Instant monotonic_now() {
    return std::chrono::duration_cast<net::Milliseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}
std::int64_t wall_now() {
    return std::chrono::duration_cast<net::Milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

struct Subscription {
    explicit Subscription(Discovery::OnFound on_found) : call(std::move(on_found)) {}
    const Discovery::OnFound call;
    std::mutex calling;       // held while `call` runs
    bool is_dropped = false;  // under `calling`
    FoundPointer told;        // of the thread
};
using SubscriptionPointer = std::shared_ptr<Subscription>;

// A source and who follows it. The source is the thread's; the rest is under the lock.
struct Followed {
    Followed(SourceSpec spec, std::uint64_t seed, std::uint64_t number) : source(std::move(spec), seed), id(number) {}
    Source source;
    const std::uint64_t id;
    std::vector<SubscriptionPointer> subscriptions;
    FoundPointer found;  // of the source, for others
    SourceStatus status;
};

// The mutex is held for moments only: not while fetching, reading or calling back.
class ThreadedDiscovery final : public Discovery {
  public:
    ~ThreadedDiscovery() override {
        {
            std::lock_guard guard(lock_);
            is_stopping_ = true;
        }
        if (!thread_.joinable()) return;
        fetches_->wake();
        thread_.join();
    }

    std::unique_ptr<Watch> watch(const SourceSpec& spec, OnFound on_found) override {
        auto subscription = std::make_shared<Subscription>(std::move(on_found));
        std::string key = spec.key();
        std::lock_guard guard(lock_);
        std::shared_ptr<Followed>& followed = followed_[key];
        if (!followed) followed = std::make_shared<Followed>(spec, random_(), ++last_id_);
        followed->subscriptions.push_back(subscription);
        start();
        if (fetches_) fetches_->wake();
        return std::make_unique<Following>(*this, std::move(key), std::move(subscription));
    }

    FoundPointer known(const SourceSpec& spec) override {
        std::lock_guard guard(lock_);
        auto at = followed_.find(spec.key());
        return at == followed_.end() ? nullptr : at->second->found;
    }

  private:
    class Following final : public Watch {
      public:
        Following(ThreadedDiscovery& owner, std::string key, SubscriptionPointer subscription)
            : owner_(owner), key_(std::move(key)), subscription_(std::move(subscription)) {}
        ~Following() override {
            {
                std::lock_guard calling(subscription_->calling);
                subscription_->is_dropped = true;
            }
            owner_.drop(key_, subscription_);
        }
        [[nodiscard]] SourceStatus status() const override {
            std::lock_guard guard(owner_.lock_);
            return owner_.followed_.at(key_)->status;
        }

      private:
        ThreadedDiscovery& owner_;
        const std::string key_;
        const SubscriptionPointer subscription_;
    };

    void drop(const std::string& key, const SubscriptionPointer& subscription) {
        std::lock_guard guard(lock_);
        auto at = followed_.find(key);
        std::erase(at->second->subscriptions, subscription);
        if (!at->second->subscriptions.empty()) return;
        to_cancel_.push_back(at->second->id);
        followed_.erase(at);
        if (fetches_) fetches_->wake();
    }

    // Under the lock.
    void start() {
        if (thread_.joinable()) return;
        auto opened = net::Fetches::open();
        if (!opened) return observe::log(observe::Level::error, "discovery", opened.error().detail);
        fetches_ = std::move(*opened);
        sigset_t all;
        sigset_t before;
        sigfillset(&all);  // signals belong to the main thread
        pthread_sigmask(SIG_SETMASK, &all, &before);
        try {
            thread_ = std::thread([this] { run(); });
        } catch (const std::system_error& error) {
            observe::log(observe::Level::error, "discovery", "no thread for the sources", {{"reason", error.what()}});
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
    }

    void run() {
        std::vector<std::shared_ptr<Followed>> all;
        for (;;) {
            {
                std::lock_guard guard(lock_);
                if (is_stopping_) return;
                for (std::uint64_t id : std::exchange(to_cancel_, {})) fetches_->cancel(id);
                all.clear();
                for (const auto& [key, followed] : followed_) all.push_back(followed);
            }
            net::Instant until = do_what_is_due(all, monotonic_now());
            deliver(all);
            auto most = net::Milliseconds(std::clamp<net::Instant>(until - monotonic_now(), 0, 60'000));
            for (net::Fetches::Done& done : fetches_->wait(most)) {
                auto at = std::find_if(all.begin(), all.end(), [&](const auto& each) { return each->id == done.id; });
                if (at == all.end()) continue;  // nobody follows it any more
                (*at)->source.answered(std::move(done.answer), monotonic_now(), wall_now());
                publish(**at);
            }
        }
    }

    // Answers when the next is due.
    net::Instant do_what_is_due(const std::vector<std::shared_ptr<Followed>>& all, net::Instant now) {
        net::Instant next = net::never;
        for (const std::shared_ptr<Followed>& followed : all) {
            Source& source = followed->source;
            if (source.due() <= now && source.is_file()) {
                source.look(now, wall_now());
                publish(*followed);
            } else if (source.due() <= now) {
                fetches_->start(followed->id, source.ask(now));
            }
            next = std::min(next, source.due());
        }
        return next;
    }

    void publish(Followed& followed) {
        std::lock_guard guard(lock_);
        followed.found = followed.source.found();
        followed.status = followed.source.status();
    }

    // To each who has not been told yet.
    void deliver(const std::vector<std::shared_ptr<Followed>>& all) {
        std::vector<std::pair<SubscriptionPointer, FoundPointer>> news;
        {
            std::lock_guard guard(lock_);
            for (const std::shared_ptr<Followed>& followed : all) {
                if (!followed->found) continue;
                for (const SubscriptionPointer& each : followed->subscriptions)
                    if (each->told != followed->found) {
                        each->told = followed->found;
                        news.emplace_back(each, followed->found);
                    }
            }
        }
        for (auto& [subscription, found] : news) {
            std::lock_guard calling(subscription->calling);
            if (!subscription->is_dropped) subscription->call(std::move(found));
        }
    }

    std::mutex lock_;
    std::map<std::string, std::shared_ptr<Followed>> followed_;  // by the spec's key
    std::vector<std::uint64_t> to_cancel_;
    std::uint64_t last_id_ = 0;
    std::random_device random_;
    bool is_stopping_ = false;
    std::unique_ptr<net::Fetches> fetches_;  // of the thread, once it runs; but wake()
    std::thread thread_;
};

}  // namespace

std::unique_ptr<Discovery> make_discovery() { return std::make_unique<ThreadedDiscovery>(); }

}  // namespace upstream
