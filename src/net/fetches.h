// Fetches: documents got over HTTP or HTTPS, many at a time on one thread, each with its own deadline: long polls too.
// As fetch(), without blocking. One thread uses it; others may wake it.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "net/fetch.h"

namespace net {

struct FetchRequest {
    std::string url;
    FetchLimits limits;
    std::vector<std::string> wanted;  // header fields of the answer that it should have
};

struct FetchAnswer {
    long status = 0;
    std::string body;
    std::map<std::string, std::string, std::less<>> headers;  // of those wanted, that came
    [[nodiscard]] std::string_view header(std::string_view name) const {
        auto at = headers.find(name);
        return at == headers.end() ? std::string_view() : std::string_view(at->second);
    }
};

class Fetches {
  public:
    struct Done {
        std::uint64_t id;
        base::Result<FetchAnswer> answer;  // of whatever status
    };

    static base::Result<std::unique_ptr<Fetches>> open();
    virtual ~Fetches() = default;
    // Exactly one Done follows, unless it is cancelled. `id` is not under way.
    virtual void start(std::uint64_t id, FetchRequest request) = 0;
    virtual void cancel(std::uint64_t id) = 0;
    // Works until something is done, `most` is over, or wake() was called.
    virtual std::vector<Done> wait(std::chrono::milliseconds most) = 0;
    virtual void wake() = 0;  // any thread
};

}  // namespace net
