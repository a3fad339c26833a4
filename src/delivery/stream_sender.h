// StreamSender: batches down a TCP connection that stays open: each entry and what ends it. TCP tells nothing of what
// the other side has read, so a batch counts as sent when the kernel has it; one that broke in the middle is sent
// again whole.
#pragma once

#include <string>

#include "delivery/dialer.h"
#include "delivery/sender.h"

namespace delivery {

struct StreamSettings {
    Place place;
    net::Milliseconds timeout{10'000};     // to connect, and again to send
    net::Milliseconds keep_alive{60'000};  // how long an idle connection stays open
    std::string ending = "\n";             // behind each entry
};

class StreamSender final : public Sender {
  public:
    StreamSender(net::Loop& loop, const Surroundings& surroundings, StreamSettings settings)
        : settings_(std::move(settings)), dialer_(loop, surroundings, settings_.place) {}
    base::Task<base::Result<void>> send(Batch batch) override;
    [[nodiscard]] net::Instant idle_until() const override {
        return socket_ ? net::after(used_at_, settings_.keep_alive) : net::never;
    }
    void tidy() override { socket_.reset(); }

  private:
    const StreamSettings settings_;
    Dialer dialer_;
    net::SocketPtr socket_;
    net::Instant used_at_ = 0;
};

}  // namespace delivery
