// Carrier: what moves a Socket's bytes: the Loop for a TCP connection; TLS or a stream of HTTP/2 for a Socket that lies
// on top of another. A Socket calls it; it reports with Socket's received(), receive_ended(), sent_bytes() and
// send_failed(). One thread.
//
// A carrier that is no Loop lives until close() of its last Socket, and may then delete itself once it has let go.
#pragma once

namespace net {

class Socket;

class Carrier {
  public:
    Carrier() = default;
    Carrier(const Carrier&) = delete;
    virtual ~Carrier() = default;

  protected:
    friend class Socket;
    friend struct SocketCloser;
    friend struct ConnectAwaiter;

    // Start delivering input to the socket; until stop_receive or its end.
    virtual void start_receive(Socket& socket) = 0;
    virtual void stop_receive(Socket& socket) = 0;
    // A socket that expects bulk is about to wait: it may be read at once, without waiting, if that is the better way.
    virtual void read_at_once(Socket&) {}
    // socket.output() holds what to send; report with sent_bytes/send_failed.
    virtual void start_send(Socket& socket) = 0;
    virtual void shutdown_write(Socket& socket) = 0;
    // The owner has let go: release() it once nothing more will be reported to it.
    virtual void close(Socket& socket) = 0;

    // Gives back the memory of a socket that was closed.
    static void release(Socket& socket);
};

}  // namespace net
