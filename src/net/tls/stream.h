// Stream: a TLS connection over a Socket, with the Socket's own words: on_input(), take_input(), start_send(),
// on_sent(). The handshake happens below: what is sent before its end waits, and its failure is the end of the input.
// OpenSSL works on memory; the socket stays the loop's. The rules are the Socket's: one thread, one waiter for input
// and one send; whoever waits is gone before the Stream. A waiter may destroy the Stream that wakes it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/loop.h"
#include "net/pieces.h"
#include "net/socket.h"
#include "net/tls/context.h"

namespace net::tls {

class Stream {
  public:
    static constexpr std::size_t most_queued = 128 * 1024;    // plain bytes nobody asked for; then reading pauses
    static constexpr std::size_t most_encrypted = 16 * 1024;  // plain bytes given to the socket at a time
    static constexpr std::size_t most_unsent = 1024 * 1024;   // of TLS's own messages that the other side does not take

    // The session is a client's or a server's.
    Stream(SocketPtr socket, Session session);
    Stream(const Stream&) = delete;
    ~Stream();

    // ---- input
    [[nodiscard]] bool has_input() const { return queued_ != 0; }
    [[nodiscard]] bool input_ended() const { return input_end_ != IoStatus::ok; }
    // `failed` if TLS itself failed: failure() says how. `reset` if the connection ended without TLS saying so.
    [[nodiscard]] IoStatus input_end() const { return input_end_; }
    Received take_input();
    void on_input(Waiter waiter, Instant deadline);
    void forget_input_waiter();

    // ---- output
    void start_send(Pieces& pieces, Instant deadline);
    [[nodiscard]] bool is_sending() const { return is_sending_; }
    void on_sent(Waiter waiter) { sent_waiter_ = waiter; }
    [[nodiscard]] IoStatus send_status() const { return send_status_; }

    [[nodiscard]] bool is_greeted() const { return is_greeted_; }  // the handshake is over
    [[nodiscard]] const std::string& failure() const { return failure_; }
    [[nodiscard]] const Socket& socket() const { return *socket_; }

  private:
    void socket_has_input();
    void socket_has_sent();
    void advance();
    void greet();
    void decrypt();
    void encrypt();
    void send_encrypted();
    [[nodiscard]] std::size_t encrypted() const;
    void take_verdict(int result);
    void fail(std::string why);
    void end(IoStatus status);
    void settle_send(IoStatus status);
    void wait_for_socket();
    void input_deadline_passed();
    void wake();

    SocketPtr socket_;
    Session session_;
    bool is_greeted_ = false;
    std::string failure_;

    // Decrypted: the full blocks, oldest first, then the one being filled, from `taken_` on. So what is queued costs
    // memory in proportion to its bytes, however small the records are.
    std::vector<Slice> full_;
    std::optional<Draft> filling_;
    std::size_t taken_ = 0;
    std::size_t queued_ = 0;
    IoStatus input_end_ = IoStatus::ok;
    bool timed_out_ = false;
    Waiter input_waiter_;
    Timer input_timer_;

    Pieces plain_;  // to be encrypted
    Instant send_deadline_ = never;
    bool is_sending_ = false;
    bool is_send_due_ = false;  // settled, and its waiter not told yet
    IoStatus send_status_ = IoStatus::ok;
    Waiter sent_waiter_;

    bool* is_gone_ = nullptr;  // set by the destructor for a call in progress
};

}  // namespace net::tls
