// Source: what is known of one source of targets, and when it is asked again. Without threads, sockets or clocks: time
// is handed in, requests are handed out, answers handed back. Driven by the thread of discovery.h, and by tests.
//
// A source that fails changes nothing: the targets it said last stay, however long it takes. It says so in the log when
// it begins to fail and when it is back. Questions after failures are ever further apart, and spread by chance, so that
// an agent that comes back is not run over.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/random.h"
#include "net/fetches.h"
#include "net/time.h"
#include "net/watched_file.h"
#include "upstream/discovery/source_spec.h"
#include "upstream/targets.h"

namespace upstream {

// What a source says. Neither targets nor a fault: it has not answered yet.
struct Found {
    std::optional<std::vector<Target>> targets;  // the last that it said; in order
    std::string fault;                           // why it cannot be asked now; empty: it can
};
using FoundPointer = std::shared_ptr<const Found>;

// For people and metrics.
struct SourceStatus {
    bool is_known = false;  // it has said something once
    std::string fault;      // of now
    std::string left_out;   // what of its last answer could not be used
    std::size_t targets = 0;
    std::uint64_t changes = 0;
    std::uint64_t failures = 0;
    std::int64_t since = 0;  // milliseconds since 1970: since when it answers, or does not
};

class Source {
  public:
    static constexpr net::Milliseconds shortest_pause{500};  // between the beginnings of two questions to an agent
    static constexpr net::Milliseconds first_retry{500};
    static constexpr net::Milliseconds longest_retry{30'000};
    static constexpr net::Milliseconds file_check{500};

    Source(SourceSpec spec, std::uint64_t seed);

    [[nodiscard]] const SourceSpec& spec() const { return spec_; }
    // When ask() or look() is due; `never` while a question is under way.
    [[nodiscard]] net::Instant due() const { return due_; }
    [[nodiscard]] bool is_file() const { return spec_.type == SourceType::file; }
    // The question that is due. answered() follows.
    [[nodiscard]] net::FetchRequest ask(net::Instant now);
    // Each is true if found() is another one now. `wall_now` is milliseconds since 1970.
    bool answered(base::Result<net::FetchAnswer> answer, net::Instant now, std::int64_t wall_now);
    bool look(net::Instant now, std::int64_t wall_now);

    [[nodiscard]] const FoundPointer& found() const { return found_; }
    [[nodiscard]] const SourceStatus& status() const { return status_; }

  private:
    bool take(std::vector<Target> targets, std::string left_out, std::int64_t wall_now);
    bool failed(std::string why, net::Instant now, std::int64_t wall_now);
    bool take_consul(const net::FetchAnswer& answer, net::Instant now, std::int64_t wall_now);
    bool take_http(const net::FetchAnswer& answer, net::Instant now, std::int64_t wall_now);
    net::Milliseconds spread(net::Milliseconds pause);

    const SourceSpec spec_;
    base::Random random_;
    net::Instant due_ = 0;
    net::Instant began_ = 0;
    net::Milliseconds retry_{0};  // the pause after the last failure; 0: it went well
    std::uint64_t index_ = 0;     // Consul's
    std::string etag_;
    net::WatchedFile file_;
    bool is_settling_ = false;  // the file has changed, perhaps is being written
    FoundPointer found_ = std::make_shared<const Found>();
    SourceStatus status_;
};

}  // namespace upstream
