// The system calls that io_uring and epoll loops share: sockets, listeners, clocks, wake-up descriptor.
#pragma once

#include <cstdint>
#include <memory>

#include "base/result.h"
#include "net/address.h"
#include "net/loop.h"

namespace net::posix {

[[nodiscard]] Instant monotonic_now();
[[nodiscard]] std::int64_t wall_now();

// Bound, listening, close-on-exec; with TCP_NODELAY, which accepted sockets inherit.
base::Result<int> listen(const SocketAddress& address, const ListenOptions& options);
[[nodiscard]] SocketAddress local_address(int descriptor);
[[nodiscard]] SocketAddress remote_address(int descriptor);

// A TCP socket for connect(), with TCP_NODELAY; -1 with errno.
int make_socket(const SocketAddress& address);
void close(int descriptor);
int make_event_descriptor();

// A descriptor kept free for the moment when there is none: then one waiting connection is accepted and closed at once,
// so that its client sees a refusal instead of a silent wait.
class ReserveDescriptor {
  public:
    ReserveDescriptor();
    ~ReserveDescriptor();
    ReserveDescriptor(const ReserveDescriptor&) = delete;
    void refuse_one(int listening_descriptor);

  private:
    int descriptor_;
};

}  // namespace net::posix
