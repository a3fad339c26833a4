// MetricsPage: /metrics, while it is being sent: Kong's families, then the program's own numbers. A page of ten
// thousand routes takes tens of megabytes, so it is made piece by piece, and not on the core that sends it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "delivery/signal.h"
#include "gateway/transaction.h"
#include "observe/series.h"

namespace admin {

// Numbers of the node and of its upstreams, with Kong's names. Any thread.
[[nodiscard]] std::vector<observe::GaugeFamily> kong_gauges(gateway::Process& process,
                                                            const gateway::Snapshot& snapshot);

class MetricsPage final : public gateway::BodySource {
  public:
    static constexpr net::Milliseconds longest_wait{30'000};  // for one piece

    explicit MetricsPage(gateway::Transaction& transaction);
    ~MetricsPage() override;
    base::Task<base::Result<bool>> next(std::string& piece) override;

  private:
    struct Piece {
        std::string text;
        bool is_last = false;
    };
    struct Work;
    void ask();

    net::Loop& loop_;
    base::WorkThread& maker_;
    std::shared_ptr<Work> work_;                      // used by the maker only
    std::optional<delivery::Arrival<Piece>> coming_;  // the piece after the one being sent
};

}  // namespace admin
