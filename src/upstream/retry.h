// Attempts: how often one request may be tried and whether another try is right (kong.md 3.5). Used by gateway/serve.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace upstream {

// What has happened to the request in the failed attempt.
struct Progress {
    bool request_sent = false;      // at least one byte of it may have reached the upstream
    bool response_started = false;  // a whole head of it, interim or not, was received
    bool body_replayable = true;    // no byte of the request body was consumed that we do not still hold
};

class Attempts {
  public:
    // Kong's `retries`: attempts beyond the first.
    explicit Attempts(std::uint32_t retries) : most_(std::uint64_t{retries} + 1) {}

    // Begins the next attempt; false when the budget is spent.
    bool next() { return made_ < most_ && ++made_ != 0; }
    [[nodiscard]] std::uint64_t made() const { return made_; }

    // Whether an attempt that ended in `error` may be repeated at all; next() says whether the budget allows it.
    [[nodiscard]] static bool worth_retrying(const base::Error& error, bool idempotent, const Progress& progress);

  private:
    std::uint64_t most_;
    std::uint64_t made_ = 0;
};

// RFC 9110 9.2.2 and the IANA registry: a method that may be sent twice. An unknown method may not.
[[nodiscard]] bool is_idempotent(std::string_view method);

}  // namespace upstream
