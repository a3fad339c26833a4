#include "delivery/lane.h"

#include <algorithm>

namespace delivery {

namespace {
void count(std::atomic<std::uint64_t>& counter, std::uint64_t amount = 1) {
    counter.fetch_add(amount, std::memory_order_relaxed);
}
}  // namespace

Lane::Lane(net::Loop& loop, std::string name, const QueueSettings& settings, const MakeSender& make_sender,
           std::shared_ptr<Counts> counts, std::function<void()> on_end)
    : loop_(loop), name_(std::move(name)), settings_(settings), counts_(std::move(counts)), on_end_(std::move(on_end)) {
    for (unsigned i = 0; i < std::max(1u, settings.parallel); ++i) {
        auto& worker = *workers_.emplace_back(std::make_unique<Worker>());
        worker.sender = make_sender(loop);
        worker.task = work(worker);
        ++running_;
    }
    for (auto& worker : workers_) worker->task.start();
}

Lane::~Lane() {
    for (auto& worker : workers_) worker->task = {};
}

void Lane::push(std::string_view entry) {
    if (entry.size() > settings_.most_bytes) {
        count(counts_->dropped);
        return report_drops();
    }
    bool is_over = false;
    while (!entries_.empty() &&
           (entries_.size() >= settings_.most_entries || bytes_ + entry.size() > settings_.most_bytes)) {
        bytes_ -= entries_.front().size();
        entries_.pop_front();
        count(counts_->dropped);
        is_over = true;
    }
    if (is_over) report_drops();
    if (entries_.empty()) oldest_ = loop_.now();
    bytes_ += entry.size();
    entries_.emplace_back(entry);
    if (entries_.size() == 1 || entries_.size() >= settings_.batch_size) wake(true);
}

void Lane::close() {
    is_closed_ = true;
    wake(true);
}

void Lane::hurry() {
    is_hurried_ = true;
    wake(false);
}

void Lane::report_drops() {
    if (auto held_back = drops_.pass(std::chrono::milliseconds(loop_.now())))
        observe::log(observe::Level::error, "delivery", "queue full, the oldest entries are dropped",
                     {{"to", name_}, {"dropped", counts_->dropped.load(std::memory_order_relaxed)}});
}

void Lane::wake(bool only_idle) {
    for (auto& worker : workers_)
        if (worker->is_idle || !only_idle) worker->signal.give();
}

std::vector<std::string> Lane::take_batch() {
    std::vector<std::string> batch;
    std::size_t size = std::min(entries_.size(), settings_.batch_size);
    batch.reserve(size);
    for (std::size_t i = 0; i < size; ++i) {
        bytes_ -= entries_.front().size();
        batch.push_back(std::move(entries_.front()));
        entries_.pop_front();
    }
    oldest_ = loop_.now();
    return batch;
}

base::Task<void> Lane::work(Worker& worker) {
    while (true) {
        while (entries_.empty() && !is_closed_) {
            worker.is_idle = true;
            net::Instant until = worker.sender->idle_until();
            co_await worker.signal.wait(loop_, until);
            worker.is_idle = false;
            if (entries_.empty() && until <= loop_.now()) worker.sender->tidy();
        }
        if (entries_.empty()) break;
        co_await coalesce(worker);
        std::vector<std::string> batch = take_batch();
        if (!batch.empty()) co_await deliver(worker, std::move(batch));
    }
    if (--running_ == 0) on_end_();
}

// Waits for a batch to fill, for as long as the first entry may wait.
base::Task<void> Lane::coalesce(Worker& worker) {
    while (!entries_.empty() && entries_.size() < settings_.batch_size && !is_closed_) {
        net::Instant until = net::after(oldest_, settings_.coalescing_delay);
        if (until <= loop_.now()) co_return;
        worker.is_idle = true;
        co_await worker.signal.wait(loop_, until);
        worker.is_idle = false;
    }
}

base::Task<void> Lane::deliver(Worker& worker, std::vector<std::string> batch) {
    net::Instant give_up = net::after(loop_.now(), settings_.retry_time);
    net::Milliseconds delay = settings_.first_retry_delay;
    while (true) {
        base::Result<void> sent = co_await worker.sender->send(batch);
        if (sent) {
            count(counts_->sent, batch.size());
            co_return;
        }
        bool is_hopeless = sent.error().retry == base::Retry::never || is_hurried_;
        if (is_hopeless || net::after(loop_.now(), delay) > give_up) {
            count(counts_->lost, batch.size());
            worker.sender->abandon();
            if (auto held_back = losses_.pass(std::chrono::milliseconds(loop_.now())))
                observe::log(observe::Level::error, "delivery", "entries could not be sent and are lost",
                             {{"to", name_},
                              {"entries", batch.size()},
                              {"lost", counts_->lost.load(std::memory_order_relaxed)},
                              {"reason", sent.error().detail}});
            co_return;
        }
        count(counts_->retries);
        observe::log(observe::Level::info, "delivery", "sending failed and is tried again",
                     {{"to", name_}, {"in_ms", delay.count()}, {"reason", sent.error().detail}});
        net::Instant until = net::after(loop_.now(), delay);
        while (loop_.now() < until && !is_hurried_) co_await worker.signal.wait(loop_, until);
        delay = std::min(delay * 2, settings_.longest_retry_delay);
    }
}

}  // namespace delivery
