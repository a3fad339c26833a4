// One connection of one loop, as seen by coroutines: receive() and send() with a deadline, or a plain callback for
// connections that sleep (an idle connection holds no coroutine frame and no buffer). The carrier below it (for TCP the
// loop) moves the bytes; what arrives before anybody asks is queued up to a bound, then receiving stops
// (back-pressure).
//
// Rules: one thread; at most one waiter for input and one send in flight; whoever waits is destroyed before the socket.
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <array>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/slab.h"
#include "net/address.h"
#include "net/buffer.h"
#include "net/pieces.h"
#include "net/timer.h"

namespace net {

class Carrier;
class Loop;

enum class IoStatus : std::uint8_t {
    ok,
    ended,           // the other side closed its sending half in order
    reset,           // the connection broke
    refused,         // connect: nobody listens or no way there
    timed_out,       // our deadline
    no_descriptors,  // out of file descriptors
    failed,          // any other error of the system
};
[[nodiscard]] std::string_view name(IoStatus status);
[[nodiscard]] IoStatus status_of_errno(int error);

// Called once, on the loop's thread.
struct Waiter {
    void (*wake)(void* argument) = nullptr;
    void* argument = nullptr;
    explicit operator bool() const { return wake != nullptr; }
    static Waiter of(std::coroutine_handle<> coroutine) {
        return {[](void* address) { std::coroutine_handle<>::from_address(address).resume(); }, coroutine.address()};
    }
};

struct Received {
    Slice slice;  // never empty if status is ok
    IoStatus status = IoStatus::ok;
};

class Socket : public base::SlabAllocated<Socket> {
  public:
    static constexpr std::size_t most_queued = 128 * 1024;  // input bytes nobody asked for; then receiving pauses

    // `carrier` outlives it. The descriptor is -1 unless the carrier is the loop.
    Socket(Loop& loop, Carrier& carrier, int descriptor, const SocketAddress& remote);
    Socket(const Socket&) = delete;
    ~Socket();

    // ---- input
    struct ReceiveAwaiter {
        Socket& socket;
        Instant deadline;
        bool waiting = false;
        ReceiveAwaiter(Socket& from, Instant until) : socket(from), deadline(until) {}
        ReceiveAwaiter(const ReceiveAwaiter&) = delete;
        ~ReceiveAwaiter() {
            if (waiting) socket.forget_input_waiter();
        }
        [[nodiscard]] bool await_ready() const {
            return socket.has_input() || socket.input_ended() || (socket.expects_bulk() && socket.read_at_once());
        }
        void await_suspend(std::coroutine_handle<> coroutine) {
            waiting = true;
            socket.on_input(Waiter::of(coroutine), deadline);
        }
        Received await_resume() {
            waiting = false;
            return socket.take_input();
        }
    };
    // The next bytes. `ended` and `reset` come after all queued input and repeat. `timed_out` does not repeat.
    [[nodiscard]] ReceiveAwaiter receive(Instant deadline) { return {*this, deadline}; }

    // Wakes when there is input, the input has ended, or the deadline has passed (then has_input() and input_ended()
    // are both false). Replaces the waiter there was.
    void on_input(Waiter waiter, Instant deadline);
    void forget_input_waiter();
    // Wakes who waits for input as if the deadline had passed: something else has happened that it must look at.
    void interrupt() { input_deadline_passed(); }
    [[nodiscard]] bool has_input() const { return !first_.empty(); }
    [[nodiscard]] std::size_t queued() const { return queued_; }
    // Whether no byte will be added to what is queued.
    [[nodiscard]] bool input_ended() const { return input_end_ != IoStatus::ok; }
    [[nodiscard]] IoStatus input_end() const { return input_end_; }
    Received take_input();
    // Much is to come, and each piece will be passed on before the next is wanted: the loop may then read only when it
    // is asked, into memory that is still in the cache, instead of ahead.
    void expect_bulk(bool is_expected);
    [[nodiscard]] bool expects_bulk() const { return is_bulk_; }
    // Whether there is input now, after the loop has looked (only some do).
    bool read_at_once();
    // Gives back what was not consumed: it is the next input again.
    void unread(Slice slice);

    // ---- output
    struct SendAwaiter {
        Socket& socket;
        bool waiting = false;
        explicit SendAwaiter(Socket& to) : socket(to) {}
        SendAwaiter(const SendAwaiter&) = delete;
        ~SendAwaiter() {
            if (waiting) socket.forget_send_waiter();
        }
        [[nodiscard]] bool await_ready() const { return socket.is_send_settled(); }
        void await_suspend(std::coroutine_handle<> coroutine) {
            waiting = true;
            socket.wait_sent(Waiter::of(coroutine));
        }
        IoStatus await_resume() {
            waiting = false;
            return socket.take_send_status();
        }
    };
    // Sends all pieces (moved from). The bytes stay alive until they are sent even if the waiter goes away; then only
    // closing the socket is allowed.
    [[nodiscard]] SendAwaiter send(Pieces& pieces, Instant deadline) {
        start_send(pieces, deadline);
        return SendAwaiter(*this);
    }
    [[nodiscard]] SendAwaiter send(Slice piece, Instant deadline) {
        Pieces pieces;
        if (!piece.empty()) pieces.push(std::move(piece));
        return send(pieces, deadline);
    }
    // The same in two steps, for a sender that has something better to do meanwhile; sent() waits for the end.
    void start_send(Pieces& pieces, Instant deadline);
    [[nodiscard]] SendAwaiter sent() { return SendAwaiter(*this); }
    // For senders that are no coroutines: wakes when the send that is_sending() has settled.
    void on_sent(Waiter waiter) { wait_sent(waiter); }
    // Of a send that has settled.
    [[nodiscard]] IoStatus send_status() const { return send_status_; }
    [[nodiscard]] bool is_sending() const { return output_ != nullptr; }
    // Sent, failed, or past its deadline (then the kernel may still hold the bytes, and only closing is left).
    [[nodiscard]] bool is_send_settled() const { return output_ == nullptr || send_status_ != IoStatus::ok; }
    // No more bytes from us (FIN); receiving goes on.
    void shutdown_write();

    [[nodiscard]] const SocketAddress& remote() const { return remote_; }
    // Whose connection it is: the other end's, or of whom a trusted proxy there says so (PROXY protocol).
    [[nodiscard]] const SocketAddress& client() const { return client_; }
    void set_client(const SocketAddress& client) { client_ = client; }
    [[nodiscard]] Loop& loop() const { return loop_; }
    [[nodiscard]] const Carrier& carrier() const { return carrier_; }

    // ---- for the implementations of Carrier
    struct Output {
        Pieces pieces;                // what is not sent yet
        iovec vectors[Pieces::most];  // for the system call; filled by vector_message()
        msghdr message;
        Waiter waiter;
        Timer timer;
        [[nodiscard]] bool is_single() const { return pieces.size() == 1; }
        msghdr* vector_message();
    };
    int descriptor = -1;
    std::uint16_t in_flight = 0;  // completions still to come; the socket's memory lives until there is none
    std::uint8_t flags = 0;       // the implementation's own
    bool wants_input = false;     // the loop should deliver bytes
    bool is_closing = false;
    std::uint32_t index = 0;  // the implementation's own

    void received(Slice slice);
    void receive_ended(IoStatus status);
    void sent_bytes(std::size_t count);
    void send_failed(IoStatus status);
    void connected(IoStatus status) { wake_connect(status); }
    [[nodiscard]] Output& output() { return *output_; }

  private:
    friend class Loop;
    friend struct ConnectAwaiter;
    friend struct SocketCloser;
    void wait_sent(Waiter waiter);
    void forget_send_waiter();
    IoStatus take_send_status();
    void finish_send(IoStatus status);
    void wake_connect(IoStatus status);
    void input_deadline_passed();
    void join_crumbs();
    void resume_receiving_if_low();

    Loop& loop_;
    Carrier& carrier_;
    Slice first_;              // input queue: the first piece...
    std::vector<Slice> rest_;  // ...and those behind it
    std::uint32_t queued_ = 0;
    IoStatus input_end_ = IoStatus::ok;
    IoStatus send_status_ = IoStatus::ok;
    bool timed_out_ = false;
    bool is_bulk_ = false;
    SocketAddress remote_;
    SocketAddress client_;
    Waiter input_waiter_;
    Timer input_timer_;
    struct OutputDeleter {
        void operator()(Output* output) const;
    };
    std::unique_ptr<Output, OutputDeleter> output_;
};

// Closes on destruction: at once, dropping what is being sent. The memory goes back when the loop has let go of it.
struct SocketCloser {
    void operator()(Socket* socket) const;
};
using SocketPtr = std::unique_ptr<Socket, SocketCloser>;

}  // namespace net
