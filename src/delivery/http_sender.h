// HttpSender: each batch as one request over HTTP/1.1, on a connection that stays open. An answer below 300 means that
// the batch is there; any other, and any break, that it is not.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "delivery/dialer.h"
#include "delivery/sender.h"
#include "http/http1/limits.h"

namespace delivery {

struct HttpSettings {
    // What of an answer is read, so that the connection can be used again; beyond it the connection is closed.
    static constexpr std::size_t most_answer = 256 * 1024;

    Place place;
    std::string authority;  // Host
    std::string path = "/";
    std::string method = "POST";
    std::string content_type = "application/json";
    std::vector<std::pair<std::string, std::string>> headers;
    net::Milliseconds timeout{10'000};     // to connect, to send and to be answered, each
    net::Milliseconds keep_alive{60'000};  // how long an idle connection stays open
    // Around a batch of more than one entry.
    std::string before = "[";
    std::string between = ",";
    std::string after = "]";
};

class HttpSender final : public Sender {
  public:
    HttpSender(net::Loop& loop, const Surroundings& surroundings, HttpSettings settings)
        : settings_(std::move(settings)), dialer_(loop, surroundings, settings_.place) {}
    base::Task<base::Result<void>> send(Batch batch) override;
    [[nodiscard]] net::Instant idle_until() const override {
        return socket_ ? net::after(used_at_, settings_.keep_alive) : net::never;
    }
    void tidy() override { socket_.reset(); }

    // Whether every name and value may stand in a request: to be asked when the settings are read.
    static base::Result<void> check(const HttpSettings& settings);

  private:
    base::Task<base::Result<void>> exchange(std::string request);
    base::Task<base::Result<int>> read_answer();

    const HttpSettings settings_;
    const http1::Limits limits_;
    Dialer dialer_;
    net::SocketPtr socket_;
    bool may_stay_open_ = false;
    net::Instant used_at_ = 0;
};

}  // namespace delivery
