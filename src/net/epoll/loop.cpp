#include "net/epoll/loop.h"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/posix.h"

namespace net::epoll {

namespace {

constexpr int events_at_once = 256;
constexpr Instant accept_pause = 100;  // ms without accepting after running out of descriptors
constexpr int accepts_per_turn = 64;   // so that a storm of connections does not starve those that are open
constexpr int receives_per_turn = 4;   // blocks one socket may fill before others have their turn

// Socket::flags
constexpr std::uint8_t is_readable = 1;  // the kernel may have input; cleared when a read comes back short
constexpr std::uint8_t is_connecting = 2;
constexpr std::uint8_t in_ready_list = 4;
constexpr std::uint8_t wants_write = 8;   // a send waits for room
constexpr std::uint8_t end_is_near = 16;  // the kernel told of the end behind the bytes: read until it comes

class EpollLoop;

class EpollListener final : public Listener {
  public:
    EpollListener(EpollLoop& loop, int descriptor, AcceptSink& sink);
    ~EpollListener() override { close(); }
    void stop() override;
    void close();
    [[nodiscard]] bool is_stopped() const override { return descriptor_ < 0; }
    void accept_some();
    void watch(bool is_wanted);

    EpollLoop& loop;
    AcceptSink* sink;
    Timer pause;
};

class EpollLoop final : public Loop {
  public:
    EpollLoop() : Loop(posix::monotonic_now()) {}
    ~EpollLoop() override;
    base::Result<void> open();

    [[nodiscard]] Kind kind() const override { return Kind::epoll; }
    void turn(bool wait) override;
    [[nodiscard]] std::int64_t wall_now() const override {
        if (wall_now_ == 0) wall_now_ = posix::wall_now();
        return wall_now_;
    }
    base::Result<std::unique_ptr<Listener>> listen(const SocketAddress& address, const ListenOptions& options,
                                                   AcceptSink& sink) override;

  protected:
    void start_receive(Socket& socket) override { make_ready(socket); }
    void stop_receive(Socket&) override {}
    void start_send(Socket& socket) override;
    void shutdown_write(Socket& socket) override { ::shutdown(socket.descriptor, SHUT_WR); }
    void close(Socket& socket) override;
    Socket* start_connect(const SocketAddress& address, IoStatus& status) override;
    void wake() override;

  private:
    friend class EpollListener;
    // epoll_event.data: a socket, a listener (low bit set), or null for the wake-up descriptor.
    static constexpr std::uint64_t listener_bit = 1;

    Socket* add(int descriptor, const SocketAddress& remote);
    void make_ready(Socket& socket);
    void handle(Socket& socket, unsigned events);
    void receive_some(Socket& socket);
    void send_some(Socket& socket);
    void finish_connect(Socket& socket);
    void run_ready();

    int descriptor_ = -1;
    int event_descriptor_ = -1;
    std::vector<Socket*> ready_;   // have input the loop has not read, or a send that has not been tried
    std::vector<Socket*> closed_;  // memory to release once this turn's events are through
    mutable std::int64_t wall_now_ = 0;
    posix::ReserveDescriptor reserve_;
};

// In a program of several threads the C library makes each of these a point of cancellation, with two atomic operations
// around the call. Nobody cancels our threads.
ssize_t receive_now(int descriptor, char* to, std::size_t most) {
    return ::syscall(SYS_recvfrom, descriptor, to, most, 0, nullptr, nullptr);
}
ssize_t send_now(int descriptor, const char* from, std::size_t size) {
    return ::syscall(SYS_sendto, descriptor, from, size, MSG_NOSIGNAL, nullptr, 0);
}

base::Result<void> EpollLoop::open() {
    descriptor_ = ::epoll_create1(EPOLL_CLOEXEC);
    event_descriptor_ = posix::make_event_descriptor();
    if (descriptor_ < 0 || event_descriptor_ < 0)
        return base::Error::us(base::Code::exhausted, std::string("epoll: ") + std::strerror(errno));
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.u64 = 0;
    if (::epoll_ctl(descriptor_, EPOLL_CTL_ADD, event_descriptor_, &event) != 0)
        return base::Error::us(base::Code::exhausted, std::string("epoll: ") + std::strerror(errno));
    return {};
}

EpollLoop::~EpollLoop() {
    for (Socket* socket : closed_) release(*socket);
    if (descriptor_ >= 0) posix::close(descriptor_);
    if (event_descriptor_ >= 0) posix::close(event_descriptor_);
}

void EpollLoop::turn(bool wait) {
    run_posted();
    run_turn_ends();
    Instant next = timers_.next();
    int timeout = -1;
    if (!wait || !ready_.empty() || has_posted() || has_turn_ends() || stopped_)
        timeout = 0;
    else if (next != never)
        timeout = static_cast<int>(std::clamp<Instant>(next - posix::monotonic_now(), 0, 3'600'000));
    std::array<epoll_event, events_at_once> events;
    int count = ::epoll_wait(descriptor_, events.data(), events_at_once, timeout);
    now_ = posix::monotonic_now();
    wall_now_ = 0;
    for (int i = 0; i < count; ++i) {
        std::uint64_t data = events[i].data.u64;
        if (data == 0) {
            std::uint64_t value;
            [[maybe_unused]] ssize_t size = ::read(event_descriptor_, &value, sizeof value);
        } else if (data & listener_bit) {
            reinterpret_cast<EpollListener*>(data & ~listener_bit)->accept_some();
        } else {
            handle(*reinterpret_cast<Socket*>(data), events[i].events);
        }
    }
    run_ready();
    timers_.advance(now_);
    for (Socket* socket : closed_) release(*socket);
    closed_.clear();
}

void EpollLoop::run_ready() {
    std::vector<Socket*> ready;
    ready.swap(ready_);
    for (Socket* socket : ready) {
        socket->flags &= static_cast<std::uint8_t>(~in_ready_list);
        if (socket->is_closing) continue;
        if (socket->flags & is_readable && socket->wants_input) receive_some(*socket);
    }
    if (ready_.empty()) {  // keep the memory
        ready.clear();
        ready_.swap(ready);
    }
}

void EpollLoop::make_ready(Socket& socket) {
    if (!(socket.flags & is_readable) || socket.flags & in_ready_list) return;
    socket.flags |= in_ready_list;
    ready_.push_back(&socket);
}

void EpollLoop::handle(Socket& socket, unsigned events) {
    if (socket.is_closing) return;
    if (socket.flags & is_connecting) {
        if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) finish_connect(socket);
        return;
    }
    if (events & (EPOLLOUT | EPOLLERR | EPOLLHUP) && socket.flags & wants_write) send_some(socket);
    if (socket.is_closing) return;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) {
        socket.flags |= is_readable;
        if (events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) socket.flags |= end_is_near;
        if (socket.wants_input) receive_some(socket);
    }
}

// ---- receiving

void EpollLoop::receive_some(Socket& socket) {
    for (int i = 0; i < receives_per_turn; ++i) {
        Block* block = buffers_.large();
        if (block == nullptr) break;
        Slice slice(block, block->data(), 0);
        ssize_t size = receive_now(socket.descriptor, block->data(), block->capacity);
        if (size < 0) {
            if (errno == EAGAIN || errno == EINTR) {
                if (errno == EAGAIN) socket.flags &= static_cast<std::uint8_t>(~is_readable);
                return;
            }
            return socket.receive_ended(status_of_errno(errno));
        }
        if (size == 0) return socket.receive_ended(IoStatus::ended);
        // A short read has emptied the queue; what comes later, the end included, is a new edge.
        bool drained = static_cast<std::uint32_t>(size) < block->capacity && !(socket.flags & end_is_near);
        if (drained) socket.flags &= static_cast<std::uint8_t>(~is_readable);
        ++block->references;
        socket.received(Slice(block, block->data(), static_cast<std::size_t>(size)));
        if (drained || socket.is_closing || !socket.wants_input) return;
    }
    make_ready(socket);
}

// ---- sending

void EpollLoop::start_send(Socket& socket) {
    // Tried at once, but told later: whoever starts a send is not called back from within.
    socket.flags |= wants_write;
    send_some(socket);
}

void EpollLoop::send_some(Socket& socket) {
    Socket::Output& out = socket.output();
    ssize_t size = out.is_single() ? send_now(socket.descriptor, out.pieces.front().data(), out.pieces.front().size())
                                   : ::sendmsg(socket.descriptor, out.vector_message(), MSG_NOSIGNAL);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    socket.flags &= static_cast<std::uint8_t>(~wants_write);
    if (size < 0) return socket.send_failed(status_of_errno(errno));
    socket.sent_bytes(static_cast<std::size_t>(size));
}

// ---- opening and closing

Socket* EpollLoop::add(int descriptor, const SocketAddress& remote) {
    auto* socket = new Socket(*this, *this, descriptor, remote);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    event.data.ptr = socket;
    if (::epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &event) != 0) {
        int error = errno;
        delete socket;
        errno = error;
        return nullptr;
    }
    return socket;
}

void EpollLoop::close(Socket& socket) {
    if (socket.flags & in_ready_list) std::erase(ready_, &socket);
    // While a successor is being forked, the child holds the file too: closing our number would not end the events.
    ::epoll_ctl(descriptor_, EPOLL_CTL_DEL, socket.descriptor, nullptr);
    posix::close(socket.descriptor);
    closed_.push_back(&socket);
}

Socket* EpollLoop::start_connect(const SocketAddress& address, IoStatus& status) {
    int descriptor = posix::make_socket(address);
    if (descriptor < 0) {
        status = status_of_errno(errno);
        return nullptr;
    }
    sockaddr_storage native;
    socklen_t size = address.to(native);
    if (::connect(descriptor, reinterpret_cast<sockaddr*>(&native), size) != 0 && errno != EINPROGRESS) {
        status = status_of_errno(errno);
        posix::close(descriptor);
        return nullptr;
    }
    Socket* socket = add(descriptor, address);
    if (socket == nullptr) {
        status = status_of_errno(errno);
        posix::close(descriptor);
        return nullptr;
    }
    socket->flags |= is_connecting;
    return socket;
}

void EpollLoop::finish_connect(Socket& socket) {
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(socket.descriptor, SOL_SOCKET, SO_ERROR, &error, &size);
    socket.flags &= static_cast<std::uint8_t>(~is_connecting);
    socket.connected(status_of_errno(error));
}

// ---- accepting

EpollListener::EpollListener(EpollLoop& on, int descriptor, AcceptSink& to) : loop(on), sink(&to) {
    descriptor_ = descriptor;
    address_ = posix::local_address(descriptor);
    pause.set([](void* self) { static_cast<EpollListener*>(self)->watch(true); }, this);
}

void EpollListener::watch(bool is_wanted) {
    epoll_event event{};
    event.events = is_wanted ? EPOLLIN : 0;
    event.data.u64 = reinterpret_cast<std::uint64_t>(this) | EpollLoop::listener_bit;
    ::epoll_ctl(loop.descriptor_, EPOLL_CTL_MOD, descriptor_, &event);
}

void EpollListener::stop() {
    accept_some();
    close();
}

void EpollListener::close() {
    pause.cancel();
    if (descriptor_ < 0) return;
    // Whoever else has this socket (a successor) still accepts: our epoll must forget it before we close our number.
    ::epoll_ctl(loop.descriptor_, EPOLL_CTL_DEL, descriptor_, nullptr);
    posix::close(std::exchange(descriptor_, -1));
}

base::Result<std::unique_ptr<Listener>> EpollLoop::listen(const SocketAddress& address, const ListenOptions& options,
                                                          AcceptSink& sink) {
    TRY(descriptor, posix::listen(address, options));
    auto listener = std::make_unique<EpollListener>(*this, descriptor, sink);
    epoll_event event{};
    event.events = EPOLLIN;  // level-triggered: what one turn leaves, the next one takes
    event.data.u64 = reinterpret_cast<std::uint64_t>(listener.get()) | listener_bit;
    if (::epoll_ctl(descriptor_, EPOLL_CTL_ADD, descriptor, &event) != 0)
        return base::Error::us(base::Code::exhausted, std::string("epoll: ") + std::strerror(errno));
    return std::unique_ptr<Listener>(std::move(listener));
}

void EpollListener::accept_some() {
    if (descriptor_ < 0) return;
    for (int i = 0; i < accepts_per_turn; ++i) {
        sockaddr_storage native{};
        socklen_t size = sizeof native;
        int accepted =
            ::accept4(descriptor_, reinterpret_cast<sockaddr*>(&native), &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0) {
            if (errno == EAGAIN) return;
            IoStatus status = status_of_errno(errno);
            if (status != IoStatus::no_descriptors) continue;
            loop.reserve_.refuse_one(descriptor_);
            sink->accept_failed(status);
            watch(false);
            pause.arm(loop.timers(), loop.now() + accept_pause);
            return;
        }
        Socket* socket = loop.add(accepted, SocketAddress::from(native));
        if (socket == nullptr) {
            posix::close(accepted);
            continue;
        }
        sink->accepted(SocketPtr(socket), address_);
    }
}

void EpollLoop::wake() {
    std::uint64_t one = 1;
    // A full counter means that a wake-up is already pending.
    [[maybe_unused]] ssize_t written = ::write(event_descriptor_, &one, sizeof one);
}

}  // namespace

base::Result<std::unique_ptr<Loop>> make() {
    auto loop = std::make_unique<EpollLoop>();
    TRY_VOID(loop->open());
    return std::unique_ptr<Loop>(std::move(loop));
}

}  // namespace net::epoll
