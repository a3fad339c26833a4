#include "plugin/key_source.h"

#include <algorithm>

#include "cache/cache_control.h"
#include "http/headers.h"
#include "observe/log.h"

namespace plugin {

std::uint64_t next_generation() {
    static std::atomic<std::uint64_t> last{0};
    return ++last;
}

KeySource::KeySource(std::string url, Fetch fetch, Pauses pauses)
    : url_(std::move(url)),
      shown_(url_.substr(0, url_.find_first_of("?#"))),
      fetch_(fetch ? std::move(fetch)
                   : [](const std::string& from, const std::atomic<bool>& stop) { return net::fetch(from, stop); }),
      pauses_(pauses),
      thread_([this] { work(); }) {}

KeySource::~KeySource() {
    is_over_ = true;
    {
        std::lock_guard guard(lock_);
        changed_.notify_all();
    }
    thread_.join();
}

std::shared_ptr<const KeySource::Keys> KeySource::keys() const {
    std::lock_guard guard(lock_);
    return keys_;
}

bool KeySource::join(std::shared_ptr<Waiter> waiter) {
    std::lock_guard guard(lock_);
    if (!is_fetching_) {
        Clock::time_point now = Clock::now();
        wanted_at_ = began_at_ ? std::max(now, *began_at_ + pauses_.shortest_pause) : now;
        bool is_missed = std::find(missed_.begin(), missed_.end(), waiter->key_id) != missed_.end();
        if (wanted_at_ > now && is_missed) return false;
        is_wanted_ = true;
        changed_.notify_all();
    }
    if (waiters_.size() >= pauses_.most_waiters) return false;
    waiters_.push_back(std::move(waiter));
    return true;
}

// The loop is alive here, and the waiter is off the list before it is not.
KeySource::Renewal::~Renewal() {
    std::lock_guard guard(source_.lock_);
    waiter_->coroutine = nullptr;
    std::erase(source_.waiters_, waiter_);
}

void KeySource::wake() {
    missed_.clear();
    for (std::shared_ptr<Waiter>& waiter : waiters_) {
        missed_.push_back(waiter->key_id);
        net::Loop& loop = waiter->loop;
        loop.post([waiter = std::move(waiter)] {
            if (waiter->coroutine) waiter->coroutine.resume();
        });
    }
    waiters_.clear();
}

void KeySource::work() {
    std::unique_lock guard(lock_);
    while (!is_over_) {
        is_fetching_ = true;
        if (std::exchange(is_wanted_, false)) began_at_ = Clock::now();
        ++fetches_;
        guard.unlock();
        base::Result<Read> got = read(fetch_(url_, is_over_));
        if (!got && !is_over_)
            observe::log(observe::Level::error, "jwt", "an issuer's keys cannot be fetched: the last ones stay",
                         {{"url", shown_}, {"reason", got.error().detail}});
        guard.lock();
        if (is_over_) break;
        if (got)
            take(std::move(*got));
        else
            failed();
        is_fetching_ = false;
        wake();
        for (;;) {
            Clock::time_point until = keys_ ? std::min(due_, fetched_at_ + pauses_.longest_use) : due_;
            if (is_wanted_) until = std::min(until, wanted_at_);
            if (is_over_ || Clock::now() >= due_ || (is_wanted_ && Clock::now() >= wanted_at_)) break;
            if (keys_ && Clock::now() >= fetched_at_ + pauses_.longest_use) {
                keys_ = nullptr;
                document_.clear();
                generation_ = 0;
                continue;
            }
            changed_.wait_until(guard, until);
        }
    }
    wake();
}

// Only this thread changes what it looks at.
base::Result<KeySource::Read> KeySource::read(base::Result<net::Fetched> fetched) const {
    if (!fetched) return std::move(fetched).error();
    Read out;
    http::Headers fields;
    if (!fetched->cache_control.empty()) fields.add("Cache-Control", fetched->cache_control);
    cache::ResponseControl control = cache::parse_response_control(fields);
    std::int64_t longest = pauses_.most.count();
    out.pause = control.no_cache || control.no_store ? pauses_.least
                : control.max_age                    ? std::chrono::seconds(std::min(*control.max_age, longest))
                                                     : pauses_.usual;
    if (fetched->body == document_) return out;
    TRY(set, crypto::KeySet::parse(fetched->body));
    // An empty set takes all keys back; one of which we understand none is more likely a fault.
    if (set.size() == 0 && !set.left_out().empty())
        return base::Error::us(base::Code::invalid, "no key in it can be used: " + set.left_out().front());
    for (const std::string& line : set.left_out())
        observe::log(observe::Level::warn, "jwt", "a published key is left out", {{"url", shown_}, {"reason", line}});
    out.keys = std::make_shared<const Keys>(Keys{next_generation(), std::move(set)});
    out.document = std::move(fetched->body);
    return out;
}

void KeySource::take(Read read) {
    if (read.keys) {
        keys_ = std::move(read.keys);
        document_ = std::move(read.document);
        generation_.store(keys_->generation, std::memory_order_release);
    }
    fetched_at_ = Clock::now();
    due_ = fetched_at_ + std::clamp(read.pause, pauses_.least, pauses_.most);
    pause_ = std::chrono::milliseconds(0);
}

void KeySource::failed() {
    ++failures_;
    pause_ =
        pause_.count() == 0 ? pauses_.after_failure : std::min<std::chrono::milliseconds>(2 * pause_, pauses_.least);
    due_ = Clock::now() + pause_;
}

void KeySource::measure(std::vector<observe::Sample>& samples) const {
    std::lock_guard guard(lock_);
    samples.push_back({"jwks_keys",
                       "Keys that an issuer publishes and that can be used.",
                       "gauge",
                       {{"url", shown_}},
                       static_cast<double>(keys_ ? keys_->set.size() : 0)});
    samples.push_back({"jwks_fetches_total",
                       "Fetches of an issuer's keys.",
                       "counter",
                       {{"url", shown_}},
                       static_cast<double>(fetches_)});
    samples.push_back({"jwks_failures_total",
                       "Fetches of an issuer's keys that failed.",
                       "counter",
                       {{"url", shown_}},
                       static_cast<double>(failures_)});
}

}  // namespace plugin
