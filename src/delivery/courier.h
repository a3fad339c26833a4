// Courier: carries entries (log records, statsd lines) off the serving cores to the places that want them. A core puts
// an entry into its own bounded ring and goes on; one thread with a loop of its own takes the rings empty, a hundred
// times a second at most, and sends. A place that is slow or dead fills its own queue (lane.h) and delays nothing else.
// One per process while some plugin wants it; an Outbox is a plugin's way to one place.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "delivery/lane.h"
#include "net/loop.h"
#include "observe/ring.h"

namespace delivery {

class Courier;

// A place to send to. Any thread.
class Outbox {
  public:
    Outbox(Courier& courier, std::uint32_t lane, std::shared_ptr<Counts> counts)
        : courier_(courier), lane_(lane), counts_(std::move(counts)) {}
    Outbox(const Outbox&) = delete;
    ~Outbox();  // what was put is still sent

    // Copies it. False: there was no room, and the entry is counted as dropped. Never waits.
    bool put(std::string_view entry);
    [[nodiscard]] const Counts& counts() const { return *counts_; }

  private:
    Courier& courier_;
    const std::uint32_t lane_;
    std::shared_ptr<Counts> counts_;
};

class Courier {
  public:
    struct Options {
        std::size_t ring_bytes = 1024 * 1024;     // of each serving core; an entry may take half of it
        net::Milliseconds gather{10};             // between two looks into the rings of busy cores
        net::Milliseconds farewell{5'000};        // for what is left at the end
        net::Milliseconds farewell_retries{500};  // of that, how long failures are tried again
    };
    // A thread of its own. Fails only if there can be no loop or thread.
    static base::Result<std::unique_ptr<Courier>> start(Options options);
    // On a loop of the caller, which outlives it and runs on the same thread: for tests.
    explicit Courier(net::Loop& loop, Options options);
    Courier(const Courier&) = delete;
    // Every Outbox is gone by then. Sends what there is, for at most `farewell`.
    ~Courier();

    // The way to a place. `key` says all of it, settings included: the same key gives the same Outbox while somebody
    // holds it, so that a reload goes on with the queue there is. `name` is for the log and the metrics.
    std::shared_ptr<Outbox> open(const std::string& key, const std::string& name, const QueueSettings& settings,
                                 MakeSender make_sender);

    // Every place, with its counts. Any thread.
    void each(const std::function<void(const std::string& name, const Counts& counts)>& visit) const;

  private:
    friend class Outbox;
    struct Ring {
        explicit Ring(std::size_t bytes) : entries(bytes) {}
        observe::Ring entries;
    };
    struct Known {
        std::uint64_t number;
        Ring* ring;
    };
    Courier(std::unique_ptr<net::Loop> loop, Options options);

    Ring& ring() {
        if (known_.number != number_) [[unlikely]]
            find_ring();
        return *known_.ring;
    }
    void find_ring();
    void committed() {
        if (is_asleep_.load(std::memory_order_seq_cst) && is_asleep_.exchange(false)) wake();
    }
    void wake();
    void retire(std::uint32_t lane);

    // ---- the loop's thread
    void carry();
    bool take_rings();
    Lane& lane_of(std::uint32_t number);
    void remove(std::uint32_t lane);
    void say_farewell();

    static inline thread_local Known known_{0, nullptr};  // the ring used last on this thread
    const std::uint64_t number_;
    const Options options_;
    std::unique_ptr<net::Loop> own_loop_;
    net::Loop& loop_;
    std::thread thread_;
    std::shared_ptr<bool> is_alive_;  // for what was posted to a loop that outlives this
    std::atomic<bool> is_asleep_{true};

    mutable std::mutex lock_;  // rings_, outboxes_, places_, fresh_: not taken for an entry
    std::vector<std::unique_ptr<Ring>> rings_;
    std::map<std::string, std::weak_ptr<Outbox>> outboxes_;
    struct Named {
        std::string name;
        std::weak_ptr<const Counts> counts;
    };
    std::vector<Named> places_;
    struct Fresh {
        std::string name;
        QueueSettings settings;
        MakeSender make_sender;
        std::shared_ptr<Counts> counts;
    };
    std::unordered_map<std::uint32_t, Fresh> fresh_;  // lanes that nothing was put into yet
    std::uint32_t last_lane_ = 0;
    std::size_t sweep_at_ = 64;

    std::unordered_map<std::uint32_t, std::unique_ptr<Lane>> lanes_;
    net::Timer timer_;
    net::Timer farewell_timer_;
    bool is_ending_ = false;
};

}  // namespace delivery
