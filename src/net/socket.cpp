#include "net/socket.h"

#include <algorithm>
#include <cerrno>

#include "net/loop.h"

namespace net {

std::string_view name(IoStatus status) {
    switch (status) {
        case IoStatus::ok:
            return "ok";
        case IoStatus::ended:
            return "closed";
        case IoStatus::reset:
            return "reset";
        case IoStatus::refused:
            return "refused";
        case IoStatus::timed_out:
            return "timed out";
        case IoStatus::no_descriptors:
            return "out of file descriptors or local ports";
        case IoStatus::failed:
            return "failed";
    }
    return "unknown";
}

IoStatus status_of_errno(int error) {
    switch (error) {
        case 0:
            return IoStatus::ok;
        case ECONNRESET:
        case EPIPE:
        case ECONNABORTED:
            return IoStatus::reset;
        case ECONNREFUSED:
        case EHOSTUNREACH:
        case ENETUNREACH:
        case ENETDOWN:
        case EHOSTDOWN:
        case EACCES:
        case EPERM:
            return IoStatus::refused;
        case ETIMEDOUT:
            return IoStatus::timed_out;
        case EMFILE:
        case ENFILE:
        case ENOBUFS:
        case EADDRNOTAVAIL:  // of connect: every local port is taken
        case ENOMEM:
            return IoStatus::no_descriptors;
        default:
            return IoStatus::failed;
    }
}

Socket::Socket(Loop& loop, Carrier& carrier, int fd, const SocketAddress& remote)
    : descriptor(fd), loop_(loop), carrier_(carrier), remote_(remote), client_(remote) {
    input_timer_.set([](void* self) { static_cast<Socket*>(self)->input_deadline_passed(); }, this);
    ++loop.open_sockets_;
}

Socket::~Socket() { --loop_.open_sockets_; }

void SocketCloser::operator()(Socket* socket) const {
    socket->is_closing = true;
    socket->wants_input = false;
    socket->input_waiter_ = {};
    socket->input_timer_.cancel();
    if (socket->output_) {
        socket->output_->waiter = {};
        socket->output_->timer.cancel();
    }
    socket->carrier_.close(*socket);
}

// ---- input

void Socket::on_input(Waiter waiter, Instant deadline) {
    if (has_input() || input_ended()) {
        // Nothing to wait for: callers that cannot be re-entered check before they ask.
        waiter.wake(waiter.argument);
        return;
    }
    input_waiter_ = waiter;
    input_timer_.arm(loop_.timers(), deadline);
    if (!wants_input) {
        wants_input = true;
        carrier_.start_receive(*this);
    }
}

void Socket::forget_input_waiter() {
    input_waiter_ = {};
    input_timer_.cancel();
}

Received Socket::take_input() {
    if (timed_out_) {
        timed_out_ = false;
        if (!has_input() && !input_ended()) return {{}, IoStatus::timed_out};
    }
    if (!has_input()) return {{}, input_end_};
    Received out{std::move(first_), IoStatus::ok};
    queued_ -= static_cast<std::uint32_t>(out.slice.size());
    if (!rest_.empty()) {
        first_ = std::move(rest_.front());
        rest_.erase(rest_.begin());
        if (rest_.empty()) std::vector<Slice>().swap(rest_);  // an idle connection holds no memory for it
    }
    resume_receiving_if_low();
    return out;
}

void Socket::expect_bulk(bool is_expected) {
    if (is_closing || is_bulk_ == is_expected) return;
    is_bulk_ = is_expected;
    if (!wants_input || input_ended()) return;
    wants_input = false;  // the next one who waits for input starts it in the other way
    carrier_.stop_receive(*this);
}

bool Socket::read_at_once() {
    carrier_.read_at_once(*this);
    return has_input() || input_ended();
}

void Socket::unread(Slice slice) {
    if (slice.empty()) return;
    queued_ += static_cast<std::uint32_t>(slice.size());
    if (has_input()) rest_.insert(rest_.begin(), std::move(first_));
    first_ = std::move(slice);
}

void Socket::resume_receiving_if_low() {
    if (wants_input || is_bulk_ || is_closing || input_ended() || queued_ > most_queued / 2) return;
    wants_input = true;
    carrier_.start_receive(*this);
}

void Socket::received(Slice slice) {
    if (is_closing || slice.empty()) return;
    queued_ += static_cast<std::uint32_t>(slice.size());
    if (has_input())
        rest_.push_back(std::move(slice));
    else
        first_ = std::move(slice);
    join_crumbs();
    if (queued_ > most_queued && wants_input) {
        wants_input = false;
        carrier_.stop_receive(*this);
    }
    if (input_waiter_) {
        input_timer_.cancel();
        Waiter waiter = std::exchange(input_waiter_, {});
        waiter.wake(waiter.argument);
    }
}

// A piece keeps the whole block it came in, and a sender may make them as small as it likes: so small ones that have to
// wait are copied together. What is queued then costs memory in proportion to its bytes.
void Socket::join_crumbs() {
    constexpr std::size_t most_crumbs = 16;
    constexpr std::size_t crumb_size = 2 * 1024;
    if (rest_.size() < most_crumbs) return;
    auto begin = rest_.end() - most_crumbs;
    if (std::any_of(begin, rest_.end(), [](const Slice& piece) { return piece.size() >= crumb_size; })) return;
    std::size_t size = 0;
    for (auto piece = begin; piece != rest_.end(); ++piece) size += piece->size();
    Draft together(loop_.buffers().at_least(size));
    for (auto piece = begin; piece != rest_.end(); ++piece) together.append(piece->text());
    rest_.erase(begin, rest_.end());
    rest_.push_back(std::move(together).finish());
}

void Socket::receive_ended(IoStatus status) {
    if (is_closing || input_ended()) return;
    input_end_ = status;
    wants_input = false;
    if (input_waiter_) {
        input_timer_.cancel();
        Waiter waiter = std::exchange(input_waiter_, {});
        waiter.wake(waiter.argument);
    }
}

void Socket::input_deadline_passed() {
    if (!input_waiter_) return;
    timed_out_ = true;
    Waiter waiter = std::exchange(input_waiter_, {});
    waiter.wake(waiter.argument);
}

// ---- output

void Socket::OutputDeleter::operator()(Output* output) const {
    output->~Output();
    base::Slab::free(output, sizeof(Output));
}

msghdr* Socket::Output::vector_message() {
    std::size_t used = 0;
    for (Slice& piece : pieces) vectors[used++] = {const_cast<char*>(piece.data()), piece.size()};
    message = {};
    message.msg_iov = vectors;
    message.msg_iovlen = used;
    return &message;
}

void Socket::start_send(Pieces& pieces, Instant deadline) {
    ensure(!is_sending() && !is_closing);
    send_status_ = IoStatus::ok;
    if (pieces.empty()) return;
    output_.reset(new (base::Slab::allocate(sizeof(Output))) Output);
    output_->pieces.take(pieces);
    output_->timer.set([](void* self) { static_cast<Socket*>(self)->finish_send(IoStatus::timed_out); }, this);
    output_->timer.arm(loop_.timers(), deadline);
    carrier_.start_send(*this);
}

void Socket::wait_sent(Waiter waiter) { output_->waiter = waiter; }

void Socket::forget_send_waiter() {
    if (output_) output_->waiter = {};
}

IoStatus Socket::take_send_status() {
    // After a timeout the kernel may still hold the pieces: output_ stays until the socket is closed.
    return send_status_;
}

void Socket::sent_bytes(std::size_t count) {
    if (!output_) return;
    Pieces& pieces = output_->pieces;
    while (count > 0) {
        Slice& piece = pieces.front();
        if (count < piece.size()) {
            piece.remove_prefix(count);
            break;
        }
        count -= piece.size();
        pieces.pop_front();
    }
    if (is_closing) return;
    if (!pieces.empty()) {
        if (send_status_ == IoStatus::ok) carrier_.start_send(*this);
        return;
    }
    Waiter waiter = output_->waiter;
    output_.reset();
    if (waiter) waiter.wake(waiter.argument);
}

void Socket::send_failed(IoStatus status) {
    if (!output_ || is_closing) return;
    Waiter waiter = output_->waiter;
    output_.reset();
    if (send_status_ == IoStatus::ok) send_status_ = status;
    if (waiter) waiter.wake(waiter.argument);
}

void Socket::finish_send(IoStatus status) {
    send_status_ = status;
    Waiter waiter = std::exchange(output_->waiter, {});
    if (waiter) waiter.wake(waiter.argument);
}

void Socket::shutdown_write() {
    if (!is_closing) carrier_.shutdown_write(*this);
}

void Socket::wake_connect(IoStatus status) {
    if (is_closing || !input_waiter_) return;
    // While connecting, the input waiter slot belongs to the ConnectAwaiter.
    input_end_ = IoStatus::ok;
    auto* awaiter = static_cast<ConnectAwaiter*>(std::exchange(input_waiter_, {}).argument);
    awaiter->settle(status);
}

}  // namespace net
