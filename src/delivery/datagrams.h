// DatagramSender: each entry as a datagram, or several in one where they fit; to a UDP port or to a Unix datagram
// socket such as /dev/log. Nobody answers: what the network loses is lost. Datagrams is the system below it; tests put
// their own in its place.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "delivery/dialer.h"
#include "delivery/sender.h"

namespace delivery {

// A socket of the system that does not block. Errors: Retry::always if it is a matter of time (a full buffer, nobody
// there yet), Retry::never if this datagram cannot be sent at all.
class Datagrams {
  public:
    virtual ~Datagrams() = default;
    virtual base::Result<void> open(const net::SocketAddress& to) = 0;
    virtual base::Result<void> open(const std::string& path) = 0;
    virtual base::Result<void> send(std::string_view datagram) = 0;
};
[[nodiscard]] std::unique_ptr<Datagrams> system_datagrams();

struct DatagramSettings {
    static constexpr std::size_t most_bytes = 65'507;  // of a UDP datagram

    Place place;
    std::string path;                   // of a Unix socket; else `place`
    net::Milliseconds timeout{10'000};  // of the name's resolution
    net::Milliseconds reopen{60'000};   // so that it follows DNS
    std::size_t packet_size = 0;        // entries are joined by line feeds up to it; 0: each is one
};

class DatagramSender final : public Sender {
  public:
    DatagramSender(net::Loop& loop, const Surroundings& surroundings, DatagramSettings settings,
                   std::unique_ptr<Datagrams> datagrams)
        : settings_(std::move(settings)),
          dialer_(loop, surroundings, settings_.place),
          datagrams_(std::move(datagrams)) {}
    base::Task<base::Result<void>> send(Batch batch) override;
    void abandon() override { progress_ = 0; }

  private:
    base::Task<base::Result<void>> open();
    base::Result<void> send_datagram(std::string_view datagram);

    const DatagramSettings settings_;
    Dialer dialer_;
    std::unique_ptr<Datagrams> datagrams_;
    bool is_open_ = false;
    net::Instant opened_at_ = 0;
    std::size_t progress_ = 0;  // datagrams of the batch under way that are out: a retry goes on behind them
};

}  // namespace delivery
