#include "net/posix.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace net::posix {

namespace {
std::int64_t milliseconds(clockid_t clock) {
    timespec now;
    clock_gettime(clock, &now);
    return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}
constexpr int deferred_seconds = 30;  // then a connection without bytes is accepted all the same
void set(int descriptor, int level, int option, int value) {
    setsockopt(descriptor, level, option, &value, sizeof value);
}
void enable(int descriptor, int level, int option) { set(descriptor, level, option, 1); }
base::Error listen_error(const SocketAddress& address, const char* step) {
    int error = errno;
    std::string text = "cannot listen on " + address.text() + ": " + step + ": " + std::strerror(error);
    if (error == EADDRINUSE) text += " (another program has this port; stop it or choose another one)";
    if (error == EACCES) text += " (ports below 1024 need CAP_NET_BIND_SERVICE)";
    return base::Error::us(base::Code::invalid, std::move(text));
}
}  // namespace

Instant monotonic_now() { return milliseconds(CLOCK_MONOTONIC); }
std::int64_t wall_now() { return milliseconds(CLOCK_REALTIME); }

base::Result<int> listen(const SocketAddress& address, const ListenOptions& options) {
    if (options.inherited_descriptor >= 0) {
        enable(options.inherited_descriptor, IPPROTO_TCP, TCP_NODELAY);
        // Whoever made it may have left it blocking; the loops try to accept until there is nothing.
        ::fcntl(options.inherited_descriptor, F_SETFL, ::fcntl(options.inherited_descriptor, F_GETFL, 0) | O_NONBLOCK);
        return int{options.inherited_descriptor};
    }
    sockaddr_storage native;
    socklen_t size = address.to(native);
    int descriptor = ::socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (descriptor < 0) return listen_error(address, "socket");
    enable(descriptor, SOL_SOCKET, SO_REUSEADDR);
    if (options.reuse_port) enable(descriptor, SOL_SOCKET, SO_REUSEPORT);
    if (native.ss_family == AF_INET6) set(descriptor, IPPROTO_IPV6, IPV6_V6ONLY, options.ipv6_only ? 1 : 0);
    if (options.deferred) set(descriptor, IPPROTO_TCP, TCP_DEFER_ACCEPT, deferred_seconds);
    if (options.keep_alive) enable(descriptor, SOL_SOCKET, SO_KEEPALIVE);
    enable(descriptor, IPPROTO_TCP, TCP_NODELAY);
    const char* failed = nullptr;
    if (::bind(descriptor, reinterpret_cast<sockaddr*>(&native), size) != 0)
        failed = "bind";
    else if (::listen(descriptor, options.backlog) != 0)
        failed = "listen";
    if (failed != nullptr) {
        base::Error error = listen_error(address, failed);
        ::close(descriptor);
        return error;
    }
    return int{descriptor};
}

SocketAddress local_address(int descriptor) {
    sockaddr_storage native{};
    socklen_t size = sizeof native;
    if (::getsockname(descriptor, reinterpret_cast<sockaddr*>(&native), &size) != 0) return {};
    return SocketAddress::from(native);
}

SocketAddress remote_address(int descriptor) {
    sockaddr_storage native{};
    socklen_t size = sizeof native;
    if (::getpeername(descriptor, reinterpret_cast<sockaddr*>(&native), &size) != 0) return {};
    return SocketAddress::from(native);
}

int make_socket(const SocketAddress& address) {
    int family = address.ip.is_v4() ? AF_INET : AF_INET6;
    int descriptor = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, IPPROTO_TCP);
    if (descriptor >= 0) enable(descriptor, IPPROTO_TCP, TCP_NODELAY);
    return descriptor;
}

void close(int descriptor) { ::close(descriptor); }

int make_event_descriptor() { return ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

ReserveDescriptor::ReserveDescriptor() : descriptor_(::open("/dev/null", O_RDONLY | O_CLOEXEC)) {}
ReserveDescriptor::~ReserveDescriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
}
void ReserveDescriptor::refuse_one(int listening_descriptor) {
    if (descriptor_ < 0) return;
    ::close(descriptor_);
    int refused = ::accept4(listening_descriptor, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (refused >= 0) ::close(refused);
    descriptor_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
}

}  // namespace net::posix
