#include "net/uring/loop.h"

#include <liburing.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "net/posix.h"

namespace net::uring {

namespace {

// What a completion belongs to: the low bits of user_data; the rest is the pointer (all are 64-byte aligned or 16).
enum Tag : std::uint64_t {
    receive = 0,
    send = 1,
    connecting = 2,
    closing = 3,
    accept = 4,
    wake_up = 5,
    ignored = 6,
    bulk = 7
};
constexpr std::uint64_t tag_mask = 7;

constexpr unsigned submission_entries = 4096;
constexpr unsigned completion_entries = 16384;
constexpr unsigned ring_buffers = 4096;            // the provided-buffer ring's size; a power of two
constexpr unsigned first_offered = 64;             // buffers offered at the start; doubled whenever they run out
constexpr std::uint32_t most_unasked = 64 * 1024;  // bytes of one multishot receive, then it is armed anew
constexpr std::size_t direct_from = 16 * 1024;     // bytes of a send that is tried without the ring
constexpr int most_direct_reads = 256;             // of bulk, in one turn: some milliseconds
constexpr Instant accept_pause = 100;              // ms without accepting after running out of descriptors

// Socket::flags
constexpr std::uint8_t receive_armed = 1;
constexpr std::uint8_t receive_cancelling = 2;
constexpr std::uint8_t starved = 4;
constexpr std::uint8_t sends_rest = 16;  // what a direct send has left over goes through the ring
constexpr std::uint8_t receive_has_cap = 32;
constexpr std::uint8_t receive_is_bulk = 8;  // the one in flight; its block is Socket::index

class UringLoop;
struct AcceptOperation;

class UringListener final : public Listener {
  public:
    UringListener(UringLoop& loop, int descriptor, AcceptSink& sink);
    ~UringListener() override;
    void stop() override;
    [[nodiscard]] bool is_stopped() const override { return stopping && operation == nullptr; }
    void accept_again();
    void accept_rest();
    void close();

    UringLoop& loop;
    AcceptSink* sink;
    AcceptOperation* operation = nullptr;
    bool stopping = false;
    Timer pause;
};

// What the kernel still holds of a listener; outlives it until the last completion.
struct AcceptOperation {
    UringListener* listener;
};

class UringLoop final : public Loop {
  public:
    UringLoop() : Loop(posix::monotonic_now()) {}
    ~UringLoop() override;
    base::Result<void> open();

    [[nodiscard]] Kind kind() const override { return Kind::io_uring; }
    void turn(bool wait) override;
    [[nodiscard]] std::int64_t wall_now() const override {
        if (wall_now_ == 0) wall_now_ = posix::wall_now();
        return wall_now_;
    }
    base::Result<std::unique_ptr<Listener>> listen(const SocketAddress& address, const ListenOptions& options,
                                                   AcceptSink& sink) override;

    AcceptOperation* arm_accept(UringListener& listener);
    void cancel_accept(AcceptOperation* operation);
    void refuse_one(int listening) { reserve_.refuse_one(listening); }

  protected:
    void start_receive(Socket& socket) override;
    void stop_receive(Socket& socket) override;
    void read_at_once(Socket& socket) override;
    void start_send(Socket& socket) override;
    void shutdown_write(Socket& socket) override;
    void close(Socket& socket) override;
    Socket* start_connect(const SocketAddress& address, IoStatus& status) override;
    void wake() override;

  private:
    friend class UringListener;
    // liburing's prep functions clear user_data: set it after them.
    io_uring_sqe* free_entry();
    static std::uint64_t tagged(const void* pointer, Tag tag) { return reinterpret_cast<std::uint64_t>(pointer) | tag; }
    void complete(const io_uring_cqe& completion);
    void complete_receive(Socket& socket, int result, unsigned completion_flags);
    void complete_accept(AcceptOperation* operation, int result, bool more);
    void arm_wake_up();
    void arm_receive(Socket& socket);
    void arm_ring_receive(Socket& socket);
    void arm_bulk_receive(Socket& socket);
    void complete_bulk_receive(Socket& socket, int result);
    void cancel(Socket& socket, Tag tag);
    bool send_at_once(Socket& socket);
    void offer_buffers();
    void landed(Socket& socket) {
        if (--socket.in_flight == 0 && socket.is_closing) release(socket);
    }

    io_uring ring_{};
    bool is_open_ = false;
    bool is_enabled_ = false;
    io_uring_buf_ring* buffer_ring_ = nullptr;
    unsigned offered_ = 0;  // buffers the kernel has
    unsigned want_offered_ = first_offered;
    int direct_reads_ = most_direct_reads;  // left of this turn
    bool receive_is_capped_ = true;         // until the kernel says that it cannot
    std::vector<Socket*> starved_;          // receiving stopped for want of a buffer
    int event_descriptor_ = -1;
    std::uint64_t event_value_ = 0;
    mutable std::int64_t wall_now_ = 0;
    posix::ReserveDescriptor reserve_;
    std::vector<AcceptOperation*> accepts_;
    // Addresses of connects that the kernel has not taken yet; submitted before one is used again.
    std::array<sockaddr_storage, 64> connect_addresses_;
    std::size_t connect_cursor_ = 0;
};

base::Result<void> UringLoop::open() {
    io_uring_params parameters{};
    parameters.flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                       IORING_SETUP_SUBMIT_ALL | IORING_SETUP_R_DISABLED;
    parameters.cq_entries = completion_entries;
    if (int error = io_uring_queue_init_params(submission_entries, &ring_, &parameters); error != 0)
        return base::Error::us(base::Code::unsupported, std::string("io_uring: ") + std::strerror(-error));
    is_open_ = true;
    if (!(parameters.features & IORING_FEAT_EXT_ARG))
        return base::Error::us(base::Code::unsupported, "io_uring: kernel too old");
    std::size_t ring_bytes = ring_buffers * sizeof(io_uring_buf);
    buffer_ring_ = static_cast<io_uring_buf_ring*>(std::aligned_alloc(4096, ring_bytes));
    if (buffer_ring_ == nullptr)
        return base::Error::us(base::Code::exhausted, "io_uring: no memory for the buffer ring");
    std::memset(static_cast<void*>(buffer_ring_), 0, ring_bytes);
    io_uring_buf_ring_init(buffer_ring_);
    io_uring_buf_reg registration{};
    registration.ring_addr = reinterpret_cast<std::uint64_t>(buffer_ring_);
    registration.ring_entries = ring_buffers;
    if (int error = io_uring_register_buf_ring(&ring_, &registration, 0); error != 0)
        return base::Error::us(base::Code::unsupported, std::string("io_uring buffer ring: ") + std::strerror(-error));
    event_descriptor_ = posix::make_event_descriptor();
    if (event_descriptor_ < 0)
        return base::Error::us(base::Code::exhausted, "eventfd: " + std::string(std::strerror(errno)));
    offer_buffers();
    return {};
}

UringLoop::~UringLoop() {
    // Operations in flight point at sockets: leaving the ring ends them before the memory goes.
    if (is_open_) io_uring_queue_exit(&ring_);
    for (AcceptOperation* operation : accepts_) delete operation;
    std::free(buffer_ring_);
    if (event_descriptor_ >= 0) posix::close(event_descriptor_);
}

io_uring_sqe* UringLoop::free_entry() {
    io_uring_sqe* out = io_uring_get_sqe(&ring_);
    while (out == nullptr) {
        io_uring_submit(&ring_);
        out = io_uring_get_sqe(&ring_);
    }
    return out;
}

void UringLoop::arm_wake_up() {
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_read(sqe, event_descriptor_, &event_value_, sizeof event_value_, 0);
    sqe->user_data = wake_up;
}

void UringLoop::turn(bool wait) {
    if (!is_enabled_) {
        // The ring belongs to the thread that runs it, which need not be the one that made it.
        // (liburing 2.3 declares io_uring_enable_rings() but does not export it.)
        ::syscall(__NR_io_uring_register, ring_.ring_fd, IORING_REGISTER_ENABLE_RINGS, nullptr, 0);
        io_uring_register_ring_fd(&ring_);
        arm_wake_up();
        is_enabled_ = true;
    }
    run_posted();
    run_turn_ends();
    if (offered_ < want_offered_) offer_buffers();
    Instant next = timers_.next();
    if (!wait || has_posted() || has_turn_ends() || stopped_) {
        io_uring_submit_and_get_events(&ring_);
    } else if (next == never) {
        io_uring_submit_and_wait(&ring_, 1);
    } else {
        Instant span = std::max<Instant>(0, next - posix::monotonic_now());
        __kernel_timespec timeout{span / 1000, span % 1000 * 1'000'000};
        io_uring_cqe* unused = nullptr;
        io_uring_submit_and_wait_timeout(&ring_, &unused, 1, &timeout, nullptr);
    }
    now_ = posix::monotonic_now();
    wall_now_ = 0;
    direct_reads_ = most_direct_reads;
    unsigned head;
    unsigned seen = 0;
    io_uring_cqe* completion;
    io_uring_for_each_cqe(&ring_, head, completion) {
        ++seen;
        complete(*completion);
    }
    io_uring_cq_advance(&ring_, seen);
    timers_.advance(now_);
}

void UringLoop::complete(const io_uring_cqe& completion) {
    auto tag = static_cast<Tag>(completion.user_data & tag_mask);
    auto* socket = reinterpret_cast<Socket*>(completion.user_data & ~tag_mask);
    int result = completion.res;
    switch (tag) {
        case receive:
            return complete_receive(*socket, result, completion.flags);
        case send:
            if (result >= 0)
                socket->sent_bytes(static_cast<std::size_t>(result));
            else
                socket->send_failed(status_of_errno(-result));
            return landed(*socket);
        case connecting:
            socket->connected(status_of_errno(-result));
            return landed(*socket);
        case closing:
            return landed(*socket);
        case accept:
            return complete_accept(reinterpret_cast<AcceptOperation*>(completion.user_data & ~tag_mask), result,
                                   completion.flags & IORING_CQE_F_MORE);
        case wake_up:
            arm_wake_up();
            return run_posted();
        case bulk:
            return complete_bulk_receive(*socket, result);
        case ignored:
            return;
    }
}

// ---- receiving

void UringLoop::offer_buffers() {
    int added = 0;
    int mask = io_uring_buf_ring_mask(ring_buffers);
    while (offered_ < want_offered_) {
        Block* block = buffers_.large();
        if (block == nullptr) break;
        io_uring_buf_ring_add(buffer_ring_, block->data(), block->capacity, block->id, mask, added++);
        ++offered_;
    }
    io_uring_buf_ring_advance(buffer_ring_, added);
    if (added == 0) return;
    std::vector<Socket*> waiting;
    waiting.swap(starved_);
    for (Socket* socket : waiting) {
        socket->flags &= static_cast<std::uint8_t>(~starved);
        if (socket->wants_input && !socket->is_closing) arm_receive(*socket);
    }
}

// Of many megabytes: one receive at a time, into the block that was used last. The ring of buffers goes round through
// all of them, which for this would be a tour of main memory.
void UringLoop::arm_bulk_receive(Socket& socket) {
    Block* block = buffers_.large();
    if (block == nullptr) return arm_ring_receive(socket);
    socket.index = block->id;
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_recv(sqe, socket.descriptor, block->data(), block->capacity, 0);
    sqe->user_data = tagged(&socket, bulk);
    ++socket.in_flight;
    socket.flags |= receive_armed | receive_is_bulk;
}

// Bulk goes past the ring where it can: what is read now and sent now is still in the cache, while between two turns
// the other connections' bytes would push it out. Bounded, so that the others have their turn.
void UringLoop::read_at_once(Socket& socket) {
    if (socket.flags & (receive_armed | starved) || direct_reads_ == 0) return;
    Block* block = buffers_.large();
    if (block == nullptr) return;
    --direct_reads_;
    ssize_t size = ::recv(socket.descriptor, block->data(), block->capacity, MSG_DONTWAIT);
    Slice slice(block, block->data(), size > 0 ? static_cast<std::size_t>(size) : 0);
    // An end or an error is told by the operation that follows.
    if (size > 0) socket.received(std::move(slice));
}

bool UringLoop::send_at_once(Socket& socket) {
    Pieces& pieces = socket.output().pieces;
    std::size_t total = 0;
    for (const Slice& piece : pieces) total += piece.size();
    if (total < direct_from || socket.flags & sends_rest) return false;
    ssize_t size = ::sendmsg(socket.descriptor, socket.output().vector_message(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (size <= 0) return false;
    socket.flags |= sends_rest;  // sent_bytes() comes back for it
    socket.sent_bytes(static_cast<std::size_t>(size));
    socket.flags &= static_cast<std::uint8_t>(~sends_rest);
    return true;
}

void UringLoop::complete_bulk_receive(Socket& socket, int result) {
    socket.flags &= static_cast<std::uint8_t>(~(receive_armed | receive_is_bulk | receive_cancelling));
    Block* block = buffers_.by_id(static_cast<std::uint16_t>(socket.index));
    Slice slice(block, block->data(), result > 0 ? static_cast<std::size_t>(result) : 0);
    if (result > 0) {
        socket.wants_input = false;  // until somebody asks again
        socket.received(std::move(slice));
    } else if (result == -ECANCELED) {
        if (!socket.is_closing && socket.wants_input) arm_receive(socket);
    } else if (result == 0) {
        socket.receive_ended(IoStatus::ended);
    } else {
        socket.receive_ended(status_of_errno(-result));
    }
    landed(socket);
}

void UringLoop::arm_receive(Socket& socket) {
    if (socket.expects_bulk()) return arm_bulk_receive(socket);
    arm_ring_receive(socket);
}

void UringLoop::arm_ring_receive(Socket& socket) {
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_recv_multishot(sqe, socket.descriptor, nullptr, 0, 0);
    // From Linux 6.17 on a receive can be told to end after so many bytes. Else one wake-up may deliver a megabyte,
    // which has left the cache before anybody looks at it. (liburing 2.3 has no name for the field.)
    if (receive_is_capped_) {
        sqe->splice_fd_in = static_cast<std::int32_t>(most_unasked);
        socket.flags |= receive_has_cap;
    }
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 0;
    sqe->user_data = tagged(&socket, receive);
    ++socket.in_flight;
    socket.flags |= receive_armed;
}

void UringLoop::start_receive(Socket& socket) {
    if (socket.flags & (receive_armed | starved)) return;
    arm_receive(socket);
}

void UringLoop::stop_receive(Socket& socket) {
    if (!(socket.flags & receive_armed) || socket.flags & receive_cancelling) return;
    cancel(socket, socket.flags & receive_is_bulk ? bulk : receive);
    socket.flags |= receive_cancelling;
}

// By its user_data: by descriptor the kernel would search all operations in flight.
void UringLoop::cancel(Socket& socket, Tag tag) {
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_cancel64(sqe, tagged(&socket, tag), 0);
    sqe->user_data = ignored;
}

void UringLoop::complete_receive(Socket& socket, int result, unsigned completion_flags) {
    bool more = completion_flags & IORING_CQE_F_MORE;
    bool had_cap = socket.flags & receive_has_cap;
    if (!more) socket.flags &= static_cast<std::uint8_t>(~(receive_armed | receive_cancelling | receive_has_cap));
    Slice slice;
    if (completion_flags & IORING_CQE_F_BUFFER) {
        --offered_;
        Block* block = buffers_.by_id(static_cast<std::uint16_t>(completion_flags >> IORING_CQE_BUFFER_SHIFT));
        slice = Slice(block, block->data(), result > 0 ? static_cast<std::size_t>(result) : 0);
    }
    if (result > 0) {
        socket.received(std::move(slice));
        // Everything after this line may run with the socket closing.
        if (!more && socket.wants_input && !socket.is_closing && !(socket.flags & receive_armed)) arm_receive(socket);
    } else if (result == -EINVAL && had_cap) {
        receive_is_capped_ = false;  // an older kernel; others may have been armed with the cap before it said so
        if (!socket.is_closing && socket.wants_input) arm_receive(socket);
    } else if (result == -ENOBUFS) {
        // One greedy sender is just held up for a turn; many at once need more buffers.
        if (starved_.size() * 8 > want_offered_) want_offered_ = std::min(want_offered_ * 2, ring_buffers);
        if (!socket.is_closing && socket.wants_input) {
            socket.flags |= starved;
            starved_.push_back(&socket);
        }
    } else if (result == -ECANCELED) {
        if (!socket.is_closing && socket.wants_input) arm_receive(socket);
    } else if (result == 0) {
        socket.receive_ended(IoStatus::ended);
    } else {
        socket.receive_ended(status_of_errno(-result));
    }
    if (!more) landed(socket);
}

// ---- sending

void UringLoop::start_send(Socket& socket) {
    if (send_at_once(socket)) return;
    Socket::Output& out = socket.output();
    io_uring_sqe* sqe = free_entry();
    constexpr int flags = MSG_NOSIGNAL | MSG_WAITALL;
    if (out.is_single())
        io_uring_prep_send(sqe, socket.descriptor, out.pieces.front().data(), out.pieces.front().size(), flags);
    else
        io_uring_prep_sendmsg(sqe, socket.descriptor, out.vector_message(), flags);
    sqe->user_data = tagged(&socket, send);
    ++socket.in_flight;
}

void UringLoop::shutdown_write(Socket& socket) {
    // Not through the ring: the kernel gives a shutdown to a worker thread, which looks the descriptor up when it gets
    // there. By then the socket may be closed and its number be another connection's.
    ::shutdown(socket.descriptor, SHUT_WR);
}

void UringLoop::close(Socket& socket) {
    if (socket.flags & starved) std::erase(starved_, &socket);
    // The kernel's operations keep the file open: end them, so that the other side sees the close.
    stop_receive(socket);
    bool is_receiving = socket.flags & receive_armed;
    if (socket.in_flight > (is_receiving ? 1 : 0)) cancel(socket, socket.is_sending() ? send : connecting);
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_close(sqe, socket.descriptor);
    sqe->user_data = tagged(&socket, closing);
    ++socket.in_flight;
}

// ---- connecting

Socket* UringLoop::start_connect(const SocketAddress& address, IoStatus& status) {
    int descriptor = posix::make_socket(address);
    if (descriptor < 0) {
        status = status_of_errno(errno);
        return nullptr;
    }
    auto* socket = new Socket(*this, *this, descriptor, address);
    io_uring_sqe* sqe = free_entry();
    sockaddr_storage& native = connect_addresses_[connect_cursor_++ % connect_addresses_.size()];
    socklen_t size = address.to(native);
    io_uring_prep_connect(sqe, descriptor, reinterpret_cast<sockaddr*>(&native), size);
    sqe->user_data = tagged(socket, connecting);
    ++socket->in_flight;
    if (connect_cursor_ % connect_addresses_.size() == 0) io_uring_submit(&ring_);
    return socket;
}

// ---- accepting

UringListener::UringListener(UringLoop& on, int descriptor, AcceptSink& to) : loop(on), sink(&to) {
    descriptor_ = descriptor;
    address_ = posix::local_address(descriptor);
    pause.set([](void* self) { static_cast<UringListener*>(self)->accept_again(); }, this);
}

UringListener::~UringListener() {
    if (operation != nullptr) {
        operation->listener = nullptr;
        loop.cancel_accept(operation);
    }
    close();
}

void UringListener::stop() {
    if (std::exchange(stopping, true)) return;
    pause.cancel();
    if (operation != nullptr)
        loop.cancel_accept(operation);
    else
        close();
}

// An accept that waits takes the wake-up of a connection to itself even if it is cancelled before it runs. Where
// another process has this socket too (a successor), nobody would then be told of that connection: so it is taken here.
void UringListener::accept_rest() {
    while (true) {
        int accepted = ::accept4(descriptor_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (accepted < 0 && (errno == EINTR || errno == ECONNABORTED)) continue;
        if (accepted < 0) return;
        sink->accepted(SocketPtr(new Socket(loop, loop, accepted, posix::remote_address(accepted))), address_);
    }
}

void UringListener::close() {
    if (descriptor_ >= 0) posix::close(std::exchange(descriptor_, -1));
}

void UringListener::accept_again() {
    if (operation == nullptr && !stopping) operation = loop.arm_accept(*this);
}

base::Result<std::unique_ptr<Listener>> UringLoop::listen(const SocketAddress& address, const ListenOptions& options,
                                                          AcceptSink& sink) {
    TRY(descriptor, posix::listen(address, options));
    auto listener = std::make_unique<UringListener>(*this, descriptor, sink);
    listener->accept_again();
    return std::unique_ptr<Listener>(std::move(listener));
}

AcceptOperation* UringLoop::arm_accept(UringListener& listener) {
    auto* operation = new AcceptOperation{&listener};
    accepts_.push_back(operation);
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_multishot_accept(sqe, listener.descriptor(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
    sqe->user_data = tagged(operation, accept);
    return operation;
}

void UringLoop::cancel_accept(AcceptOperation* operation) {
    io_uring_sqe* sqe = free_entry();
    io_uring_prep_cancel64(sqe, tagged(operation, accept), 0);
    sqe->user_data = ignored;
    // The descriptor is closed right after: the kernel must have seen the cancellation by then.
    io_uring_submit(&ring_);
}

void UringLoop::complete_accept(AcceptOperation* operation, int result, bool more) {
    UringListener* listener = operation->listener;
    if (!more) {
        std::erase(accepts_, operation);
        delete operation;
        if (listener != nullptr) listener->operation = nullptr;
        if (listener != nullptr && listener->stopping && result < 0) {
            listener->accept_rest();
            return listener->close();
        }
    }
    if (listener == nullptr) {
        if (result >= 0) posix::close(result);
        return;
    }
    if (result >= 0) {
        SocketPtr socket(new Socket(*this, *this, result, posix::remote_address(result)));
        listener->sink->accepted(std::move(socket), listener->address());
        if (more) return;
        if (!listener->stopping) return listener->accept_again();
        listener->accept_rest();
        return listener->close();
    }
    IoStatus status = status_of_errno(-result);
    if (status == IoStatus::no_descriptors) {
        refuse_one(listener->descriptor());
        listener->sink->accept_failed(status);
        if (!more) listener->pause.arm(timers_, now_ + accept_pause);
    } else if (!more) {
        listener->accept_again();
    }
}

void UringLoop::wake() {
    std::uint64_t one = 1;
    // A full counter means that a wake-up is already pending.
    [[maybe_unused]] ssize_t written = ::write(event_descriptor_, &one, sizeof one);
}

}  // namespace

base::Result<std::unique_ptr<Loop>> make() {
    auto loop = std::make_unique<UringLoop>();
    TRY_VOID(loop->open());
    return std::unique_ptr<Loop>(std::move(loop));
}

}  // namespace net::uring
