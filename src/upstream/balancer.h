// Balancing: which endpoint takes the next request. A Plan is what may be computed beforehand from a set of endpoints,
// immutable and shared by the cores; a Balancer is one core's view of it, with the cursors that only this core moves.
// Picks are plain calls that allocate nothing, and are a function of the plan, the seed and the inputs.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "base/random.h"
#include "upstream/panic.h"
#include "upstream/slow_start.h"
#include "upstream/targets.h"

namespace upstream {

enum class Algorithm : std::uint8_t { round_robin, least_connections, latency, consistent_hashing, random_two_choices };

// How an attempt at an endpoint ended, as far as balancing cares.
enum class Outcome : std::uint8_t { answered, failed, cancelled };

struct PickInput {
    std::optional<std::uint64_t> hash;          // of the hash_on value; consistent hashing without one uses hash_of("")
    std::span<const std::uint32_t> tried = {};  // endpoints that failed in this request: avoided while others exist
    net::Instant now = 0;                       // for `latency` and slow start
};

struct PlanOptions {
    static constexpr std::uint32_t default_slots = 10'000;
    std::uint32_t slots = default_slots;  // the resolution of consistent hashing (Kong: 10 to 65536)
    SlowStart slow_start = {};            // of all algorithms but consistent hashing
    PanicFlag panic = nullptr;            // while set, bars keep nothing from an endpoint
};

// Built off the request path whenever the endpoints change.
class Plan {
  public:
    static std::shared_ptr<const Plan> build(EndpointSetPointer endpoints, Algorithm algorithm,
                                             PlanOptions options = {});
    Plan(EndpointSetPointer endpoints, Algorithm algorithm);
    virtual ~Plan() = default;

    [[nodiscard]] Algorithm algorithm() const { return algorithm_; }
    [[nodiscard]] const EndpointSet& set() const { return *endpoints_; }
    [[nodiscard]] std::span<const Endpoint> endpoints() const { return endpoints_->endpoints; }
    [[nodiscard]] std::size_t size() const { return flat_.size(); }
    [[nodiscard]] std::uint32_t weight(std::uint32_t index) const { return flat_[index].weight; }
    [[nodiscard]] EndpointState& state(std::uint32_t index) const { return *flat_[index].state; }
    // Takes no requests.
    [[nodiscard]] bool is_barred(std::uint32_t index) const {
        return !flat_[index].state->is_in_service() && !(panic_ && panic_->load(std::memory_order_relaxed));
    }
    [[nodiscard]] bool has_slow_start() const { return slow_start_.is_on(); }
    // Of its weight, that slow start gives it now: above 0 and at most 1.
    [[nodiscard]] double share(std::uint32_t index, net::Instant now) const {
        return has_slow_start() ? slow_start_.share(*flat_[index].state, now) : 1;
    }

  private:
    struct Flat {  // what a pick reads, dense
        EndpointState* state;
        std::uint32_t weight;
    };
    EndpointSetPointer endpoints_;
    Algorithm algorithm_;
    SlowStart slow_start_;
    PanicFlag panic_;
    std::vector<Flat> flat_;
};

// One per core and upstream; used by that core only. An exchange keeps the balancer that it picked from until
// finished().
class Balancer {
  public:
    // `seed` should differ between cores, so that they do not all begin with the same endpoint.
    static std::unique_ptr<Balancer> make(std::shared_ptr<const Plan> plan, std::uint64_t seed);
    virtual ~Balancer() = default;

    // An index into endpoints(), or nothing if no endpoint with a weight is available.
    [[nodiscard]] virtual std::optional<std::uint32_t> pick(const PickInput& input) = 0;
    // started(i) comes right after the pick, before connecting; each is followed by exactly one finished(i), on the
    // same core. `latency` is the time to the response head.
    virtual void started(std::uint32_t index);
    virtual void finished(std::uint32_t index, std::chrono::nanoseconds latency, Outcome outcome, net::Instant now);

    [[nodiscard]] const Plan& plan() const { return *plan_; }
    [[nodiscard]] const Endpoint& endpoint(std::uint32_t index) const { return plan_->endpoints()[index]; }

  protected:
    Balancer(std::shared_ptr<const Plan> plan, std::uint64_t seed) : plan_(std::move(plan)), random_(seed) {}
    // Has a weight, is in service, and was not tried.
    [[nodiscard]] bool may_take(std::uint32_t index, std::span<const std::uint32_t> tried) const;
    // By chance, in proportion to what slow start gives it.
    [[nodiscard]] bool joins_in(std::uint32_t index, net::Instant now) {
        if (!plan_->has_slow_start()) return true;
        double share = plan_->share(index, now);
        return share >= 1 || random_.fraction() < share;
    }
    // The first that may take the request from `start` on, all round; if all were tried, the first of these.
    [[nodiscard]] std::optional<std::uint32_t> first_from(std::uint32_t start,
                                                          std::span<const std::uint32_t> tried) const;
    [[nodiscard]] std::uint32_t random_index() {
        return plan_->size() == 0 ? 0 : random_.below(static_cast<std::uint32_t>(plan_->size()));
    }

    std::shared_ptr<const Plan> plan_;
    base::Random random_;
};

}  // namespace upstream
