// InFlight: how many requests of each identifier are under way in this process, exact over all cores (a lock per
// shard). Bounded by the requests themselves. Any thread.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/text_hash.h"

namespace plugin {

class InFlight {
  public:
    // One request; it counts until this is gone.
    class Place {
      public:
        Place() = default;
        Place(std::shared_ptr<InFlight> in, std::string identifier)
            : in_(std::move(in)), identifier_(std::move(identifier)) {}
        Place(Place&&) = default;
        Place& operator=(Place&&) = delete;
        ~Place() {
            if (in_) in_->leave(identifier_);
        }

      private:
        std::shared_ptr<InFlight> in_;
        std::string identifier_;
    };
    // False: `most` are under way already.
    bool enter(std::string_view identifier, std::uint64_t most) {
        Shard& shard = shard_of(identifier);
        std::lock_guard guard(shard.lock);
        auto found = shard.counts.find(identifier);
        if (found == shard.counts.end()) {
            if (most == 0) return false;
            shard.counts.emplace(std::string(identifier), 1);
            return true;
        }
        if (found->second >= most) return false;
        ++found->second;
        return true;
    }

  private:
    struct alignas(64) Shard {
        std::mutex lock;
        std::unordered_map<std::string, std::uint64_t, base::TextHash, std::equal_to<>> counts;
    };
    Shard& shard_of(std::string_view identifier) { return shards_[base::TextHash()(identifier) % shards_.size()]; }
    void leave(std::string_view identifier) {
        Shard& shard = shard_of(identifier);
        std::lock_guard guard(shard.lock);
        auto found = shard.counts.find(identifier);
        if (found != shard.counts.end() && --found->second == 0) shard.counts.erase(found);
    }
    std::array<Shard, 32> shards_;
};

}  // namespace plugin
