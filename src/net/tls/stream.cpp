#include "net/tls/stream.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <new>

namespace net::tls {

namespace {
constexpr std::size_t least_room = 4 * 1024;  // for the next record; then another block is begun
constexpr std::size_t most_of_a_record = 15 * 1024;
}  // namespace

Stream::Stream(SocketPtr socket, Session session)
    : socket_(std::move(socket)),
      session_(std::move(session)),
      input_timer_([](void* self) { static_cast<Stream*>(self)->input_deadline_passed(); }, this) {
    BIO* from = BIO_new(BIO_s_mem());
    BIO* to = BIO_new(BIO_s_mem());
    if (from == nullptr || to == nullptr) {
        BIO_free(from);
        BIO_free(to);
        throw std::bad_alloc();
    }
    BIO_set_mem_eof_return(from, -1);  // nothing there means not yet
    BIO_set_mem_eof_return(to, -1);
    SSL_set_bio(session_.get(), from, to);
    greet();
    send_encrypted();
    advance();
}

Stream::~Stream() {
    if (is_gone_ != nullptr) *is_gone_ = true;
}

// ---- between the socket and TLS

void Stream::socket_has_input() {
    advance();
    wake();
}

void Stream::socket_has_sent() {
    if (socket_->send_status() == IoStatus::ok)
        send_encrypted();
    else
        settle_send(socket_->send_status());
    wake();
}

void Stream::advance() {
    while (!input_ended() && queued_ <= most_queued && socket_->has_input()) {
        Received received = socket_->take_input();
        std::size_t taken = 0;
        if (BIO_write_ex(SSL_get_rbio(session_.get()), received.slice.data(), received.slice.size(), &taken) != 1)
            throw std::bad_alloc();
        if (!is_greeted_) greet();
        if (is_greeted_) decrypt();
        send_encrypted();
    }
    // Without a word of TLS somebody in between may have cut it.
    if (!input_ended() && !socket_->has_input() && socket_->input_ended()) {
        bool is_orderly = socket_->input_end() == IoStatus::ended;
        end(is_orderly ? IoStatus::reset : socket_->input_end());
    }
    wait_for_socket();
}

void Stream::wait_for_socket() {
    if (input_ended() || queued_ > most_queued || socket_->has_input() || socket_->input_ended()) return;
    socket_->on_input({[](void* self) { static_cast<Stream*>(self)->socket_has_input(); }, this}, never);
}

void Stream::greet() {
    ERR_clear_error();
    int result = SSL_do_handshake(session_.get());
    is_greeted_ = result == 1;
    if (!is_greeted_) take_verdict(result);
}

void Stream::decrypt() {
    while (!input_ended()) {
        if (!filling_ || filling_->room() < least_room) {
            if (filling_ && filling_->size() > taken_) full_.push_back(filling_->slice(taken_));
            filling_.reset();
            filling_.emplace(socket_->loop().buffers().at_least(BufferPool::large_size));
            taken_ = 0;
        }
        ERR_clear_error();
        std::size_t size = 0;
        int result = SSL_read_ex(session_.get(), filling_->end(), filling_->room(), &size);
        if (result != 1) {
            take_verdict(result);
            break;
        }
        filling_->grew(size);
        queued_ += size;
    }
    if (queued_ == 0) filling_.reset();
}

void Stream::take_verdict(int result) {
    switch (SSL_get_error(session_.get(), result)) {
        case SSL_ERROR_WANT_READ:
        case SSL_ERROR_WANT_WRITE:
            return;
        case SSL_ERROR_ZERO_RETURN:
            return end(IoStatus::ended);
        default:
            break;
    }
    unsigned long error = ERR_get_error();
    const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
    ERR_clear_error();
    long verdict = SSL_get_verify_result(session_.get());
    if (verdict != X509_V_OK && SSL_get_verify_mode(session_.get()) != SSL_VERIFY_NONE)
        return fail(fmt::format("certificate: {}", X509_verify_cert_error_string(verdict)));
    fail(reason == nullptr ? "unknown error" : reason);
}

void Stream::fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
    end(IoStatus::failed);
}

void Stream::end(IoStatus status) {
    if (!input_ended()) input_end_ = status;
    if (status == IoStatus::ended) return;  // of their half only
    plain_.clear();
    settle_send(status);
}

// ---- input

Received Stream::take_input() {
    bool has_timed_out = std::exchange(timed_out_, false);
    if (!has_input()) {
        if (has_timed_out && !input_ended()) return {{}, IoStatus::timed_out};
        return {{}, input_end_};
    }
    Received out;
    if (!full_.empty()) {
        out.slice = std::move(full_.front());
        full_.erase(full_.begin());
    } else {
        out.slice = filling_->slice(taken_);
        taken_ = filling_->size();
    }
    queued_ -= out.slice.size();
    if (queued_ == 0) filling_.reset();
    if (queued_ <= most_queued / 2) advance();
    return out;
}

void Stream::on_input(Waiter waiter, Instant deadline) {
    if (has_input() || input_ended()) return waiter.wake(waiter.argument);
    input_waiter_ = waiter;
    input_timer_.arm(socket_->loop().timers(), deadline);
}

void Stream::forget_input_waiter() {
    input_waiter_ = {};
    input_timer_.cancel();
}

void Stream::input_deadline_passed() {
    if (!input_waiter_) return;
    timed_out_ = true;
    Waiter waiter = std::exchange(input_waiter_, {});
    waiter.wake(waiter.argument);
}

// ---- output

void Stream::start_send(Pieces& pieces, Instant deadline) {
    ensure(!is_sending_);
    send_status_ = IoStatus::ok;
    if (pieces.empty()) return;
    if (input_ended() && input_end_ != IoStatus::ended) {
        pieces.clear();
        send_status_ = input_end_;
        return;
    }
    is_sending_ = true;
    sent_waiter_ = {};
    send_deadline_ = deadline;
    plain_.take(pieces);
    send_encrypted();
}

std::size_t Stream::encrypted() const { return BIO_ctrl_pending(SSL_get_wbio(session_.get())); }

void Stream::encrypt() {
    while (is_greeted_ && !plain_.empty() && encrypted() < most_encrypted) {
        Slice& piece = plain_.front();
        ERR_clear_error();
        std::size_t size = 0;
        int result =
            SSL_write_ex(session_.get(), piece.data(), std::min<std::size_t>(piece.size(), most_of_a_record), &size);
        if (result != 1) return take_verdict(result);
        piece.remove_prefix(size);
        if (piece.empty()) plain_.pop_front();
    }
    if (encrypted() > most_unsent) fail("messages of TLS that the other side does not take");
}

void Stream::send_encrypted() {
    while (!socket_->is_sending()) {
        encrypt();
        std::size_t size = encrypted();
        if (size == 0) {
            if (is_sending_ && plain_.empty()) settle_send(IoStatus::ok);
            return;
        }
        Draft draft(socket_->loop().buffers().at_least(size));
        std::size_t read = 0;
        ensure(BIO_read_ex(SSL_get_wbio(session_.get()), draft.end(), size, &read) == 1 && read == size, read, size);
        draft.grew(size);
        Pieces pieces;
        pieces.push(std::move(draft).finish());
        socket_->start_send(pieces, send_deadline_);
        if (socket_->is_sending())
            socket_->on_sent({[](void* self) { static_cast<Stream*>(self)->socket_has_sent(); }, this});
        else if (socket_->send_status() != IoStatus::ok)
            return settle_send(socket_->send_status());
    }
}

void Stream::settle_send(IoStatus status) {
    if (!is_sending_) return;
    is_sending_ = false;
    send_status_ = status;
    plain_.clear();
    is_send_due_ = static_cast<bool>(sent_waiter_);
}

// ---- those who wait

void Stream::wake() {
    if (std::exchange(is_send_due_, false)) {
        bool is_gone = false;
        is_gone_ = &is_gone;
        Waiter waiter = std::exchange(sent_waiter_, {});
        waiter.wake(waiter.argument);
        if (is_gone) return;
        is_gone_ = nullptr;
    }
    if (!input_waiter_ || (!has_input() && !input_ended())) return;
    input_timer_.cancel();
    Waiter waiter = std::exchange(input_waiter_, {});
    waiter.wake(waiter.argument);
}

}  // namespace net::tls
