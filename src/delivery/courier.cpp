#include "delivery/courier.h"

#include <algorithm>
#include <csignal>
#include <cstring>

namespace delivery {

namespace {
std::atomic<std::uint64_t> last_number{0};
}

Outbox::~Outbox() { courier_.retire(lane_); }

bool Outbox::put(std::string_view entry) {
    observe::Ring& ring = courier_.ring().entries;
    char* at = ring.reserve(sizeof lane_ + entry.size());
    if (at == nullptr) {
        counts_->dropped.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    std::memcpy(at, &lane_, sizeof lane_);
    if (!entry.empty()) std::memcpy(at + sizeof lane_, entry.data(), entry.size());
    ring.commit(sizeof lane_ + entry.size());
    courier_.committed();
    return true;
}

base::Result<std::unique_ptr<Courier>> Courier::start(Options options) {
    std::string why_not;
    TRY(loop, net::make_loop(net::Loop::Kind::epoll, why_not));
    auto courier = std::unique_ptr<Courier>(new Courier(std::move(loop), options));
    // Signals are for the thread that waits for them.
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    courier->thread_ = std::thread([self = courier.get()] {
        self->loop_.run();
        // Tasks and sockets die on the thread that made them.
        self->lanes_.clear();
        for (int turn = 0; self->loop_.open_sockets() > 0 && turn < 100; ++turn) self->loop_.turn(false);
    });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    return courier;
}

Courier::Courier(std::unique_ptr<net::Loop> loop, Options options)
    : number_(last_number.fetch_add(1) + 1),
      options_(options),
      own_loop_(std::move(loop)),
      loop_(*own_loop_),
      is_alive_(std::make_shared<bool>(true)) {}

Courier::Courier(net::Loop& loop, Options options)
    : number_(last_number.fetch_add(1) + 1), options_(options), loop_(loop), is_alive_(std::make_shared<bool>(true)) {}

Courier::~Courier() {
    if (thread_.joinable()) {
        loop_.post([this] { say_farewell(); });
        thread_.join();
    }
    *is_alive_ = false;
}

std::shared_ptr<Outbox> Courier::open(const std::string& key, const std::string& name, const QueueSettings& settings,
                                      MakeSender make_sender) {
    std::lock_guard guard(lock_);
    if (auto known = outboxes_[key].lock()) return known;
    std::uint32_t number = ++last_lane_;
    auto counts = std::make_shared<Counts>();
    auto outbox = std::make_shared<Outbox>(*this, number, counts);
    outboxes_[key] = outbox;
    places_.push_back({name, counts});
    if (places_.size() >= sweep_at_) {
        std::erase_if(outboxes_, [](const auto& entry) { return entry.second.expired(); });
        std::erase_if(places_, [](const Named& place) { return place.counts.expired(); });
        sweep_at_ = std::max<std::size_t>(64, places_.size() * 2);
    }
    fresh_.emplace(number, Fresh{name, settings, std::move(make_sender), std::move(counts)});
    return outbox;
}

void Courier::each(const std::function<void(const std::string& name, const Counts& counts)>& visit) const {
    std::vector<std::pair<std::string, std::shared_ptr<const Counts>>> all;
    {
        std::lock_guard guard(lock_);
        for (const Named& place : places_)
            if (auto counts = place.counts.lock()) all.emplace_back(place.name, std::move(counts));
    }
    for (const auto& [name, counts] : all) visit(name, *counts);
}

void Courier::find_ring() {
    static thread_local std::vector<Known> all;  // of all Couriers this thread has met
    for (const Known& known : all)
        if (known.number == number_) {
            known_ = known;
            return;
        }
    auto ring = std::make_unique<Ring>(options_.ring_bytes);
    known_ = {number_, ring.get()};
    all.push_back(known_);
    std::lock_guard guard(lock_);
    rings_.push_back(std::move(ring));
}

void Courier::wake() {
    loop_.post([this, alive = is_alive_] {
        if (!*alive) return;
        timer_.set([](void* self) { static_cast<Courier*>(self)->carry(); }, this);
        timer_.arm(loop_.timers(), net::after(loop_.now(), options_.gather));
    });
}

void Courier::retire(std::uint32_t lane) {
    loop_.post([this, alive = is_alive_, lane] {
        if (!*alive) return;
        take_rings();
        if (auto at = lanes_.find(lane); at != lanes_.end()) return at->second->close();
        std::lock_guard guard(lock_);
        fresh_.erase(lane);  // it was never used
    });
}

// ---- the loop's thread

void Courier::carry() {
    bool found = take_rings();
    if (!found) {
        // The flag first, then another look: one of the two sides sees the other.
        is_asleep_.store(true, std::memory_order_seq_cst);
        found = take_rings();
        if (!found) return;
        is_asleep_.store(false);
    }
    timer_.arm(loop_.timers(), net::after(loop_.now(), options_.gather));
}

bool Courier::take_rings() {
    std::vector<Ring*> rings;
    {
        std::lock_guard guard(lock_);
        for (const auto& ring : rings_) rings.push_back(ring.get());
    }
    std::size_t found = 0;
    for (Ring* ring : rings)
        found += ring->entries.drain([this](std::string_view record) {
            std::uint32_t lane = 0;
            std::memcpy(&lane, record.data(), sizeof lane);
            lane_of(lane).push(record.substr(sizeof lane));
        });
    return found > 0;
}

// Made with the first entry. An entry was put before its Outbox was gone, so that its lane is one of the two.
Lane& Courier::lane_of(std::uint32_t number) {
    std::unique_ptr<Lane>& lane = lanes_[number];
    if (lane) return *lane;
    Fresh fresh;
    {
        std::lock_guard guard(lock_);
        auto at = fresh_.find(number);
        ensure(at != fresh_.end(), number);
        fresh = std::move(at->second);
        fresh_.erase(at);
    }
    auto ended = [this, alive = is_alive_, number] {
        loop_.post([this, alive, number] {
            if (*alive) remove(number);
        });
    };
    lane = std::make_unique<Lane>(loop_, fresh.name, fresh.settings, fresh.make_sender, std::move(fresh.counts), ended);
    return *lane;
}

void Courier::remove(std::uint32_t lane) {
    lanes_.erase(lane);
    if (is_ending_ && lanes_.empty()) loop_.stop();
}

void Courier::say_farewell() {
    is_ending_ = true;
    take_rings();
    if (lanes_.empty()) return loop_.stop();
    for (auto& [number, lane] : lanes_) lane->close();
    farewell_timer_.set(
        [](void* argument) {
            auto& self = *static_cast<Courier*>(argument);
            for (auto& [number, lane] : self.lanes_) lane->hurry();
            self.farewell_timer_.set([](void* again) { static_cast<Courier*>(again)->loop_.stop(); }, &self);
            self.farewell_timer_.arm(self.loop_.timers(), net::after(self.loop_.now(), self.options_.farewell));
        },
        this);
    farewell_timer_.arm(loop_.timers(), net::after(loop_.now(), options_.farewell_retries));
}

}  // namespace delivery
