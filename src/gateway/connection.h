// Connection: one client's HTTP/1 connection. Asleep it is this object and a socket, no buffer and no coroutine; bytes
// wake it, it serves what is there, one request after the other, and sleeps again.
#pragma once

#include <coroutine>

#include "base/slab.h"
#include "gateway/core.h"
#include "gateway/head_reader.h"
#include "gateway/serve.h"
#include "gateway/serving.h"
#include "gateway/transaction.h"

namespace gateway {

class Connection final : public ServedConnection, public base::SlabAllocated<Connection> {
  public:
    // `tls`: the layer that carries the socket, if one does. Owns itself: goes away when either side has closed.
    // Counted by core.process until then.
    static void begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                      Entrance entrance, const net::tls::Layer* tls = nullptr);
    // At once, whatever it is doing; it is gone afterwards.
    void close() override;

  private:
    using Serving = gateway::Serving<Connection>;
    friend Serving;

    Connection(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
               Entrance entrance, const net::tls::Layer* tls);
    ~Connection() override;

    void sleep();
    static void wake(void* self);
    Serving serve_requests();
    void served();

    // Steps of one request. The head is complete, or the connection is to be closed after whatever is answered.
    void begin_transaction(Transaction& transaction, const HeadReader& reader);
    [[nodiscard]] bool can_be_kept(const Transaction& transaction) const;
    // Whether the client's kernel has all that there is of it.
    base::Task<bool> answer(Transaction& transaction);
    base::Task<bool> finish_request_body(Transaction& transaction);
    base::Task<void> linger();

    Core& core_;
    net::SocketPtr socket_;
    net::SocketAddress local_;
    ServeFunction serve_;
    Entrance entrance_;
    const net::tls::Layer* tls_;  // below the socket; null: plain
    std::coroutine_handle<> serving_;
    std::uint64_t number_;
    std::uint32_t requests_ = 0;
    bool keep_open_ = true;
    bool speaks_http2_ = false;  // its first bytes were that protocol's preface
};

}  // namespace gateway
