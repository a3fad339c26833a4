// AresChannel: one c-ares channel, its sockets and its deadlines. Everything about c-ares is behind this file.
// Used by one thread; calls back from ask() and process().
#pragma once

#include <ares.h>
#include <poll.h>

#include <functional>
#include <memory>
#include <vector>

#include "net/dns/cache.h"

namespace net::dns {

class AresChannel {
  public:
    using OnAnswer = std::function<void(const Query&, Answer)>;

    static base::Result<std::unique_ptr<AresChannel>> open(const Settings& settings, OnAnswer on_answer);
    // Queries in flight are answered with `failed`.
    ~AresChannel();
    AresChannel(const AresChannel&) = delete;
    AresChannel& operator=(const AresChannel&) = delete;

    // Search domains and ndots of resolv.conf apply, unless the name ends in a dot. Exactly one answer follows.
    void ask(const Query& query);

    // The sockets to wait for, and the longest time to wait (-1: for ever).
    [[nodiscard]] const std::vector<pollfd>& sockets() const { return sockets_; }
    [[nodiscard]] int wait_milliseconds() const;
    // Handles what poll() reported for sockets (in the order of sockets()) and what has timed out.
    void process(const std::vector<pollfd>& polled);

  private:
    struct Pending {
        AresChannel* channel;
        Query query;
    };
    explicit AresChannel(OnAnswer on_answer) : on_answer_(std::move(on_answer)) {}
    static void on_reply(void* pending, int status, int timeouts, unsigned char* bytes, int size);
    static void on_socket(void* channel, ares_socket_t socket, int readable, int writable);

    ares_channel channel_ = nullptr;
    OnAnswer on_answer_;
    std::vector<pollfd> sockets_;
};

}  // namespace net::dns
