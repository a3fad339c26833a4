#include "net/tls/layer.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
#include <new>

namespace net::tls {

namespace {
// So that two records with what TLS adds fill a large block.
constexpr std::size_t most_of_a_record = 16 * 1024 - 64;
constexpr std::size_t record_overhead = 64;
constexpr std::size_t least_room = 1024;  // for the next record; then another block is begun
}  // namespace

// The transport that OpenSSL reads from and writes to. Never blocks, never fails to take.
struct Transport {
    static Layer& of(BIO* bio) { return *static_cast<Layer*>(BIO_get_data(bio)); }
    static int read(BIO* bio, char* to, int size) {
        BIO_clear_retry_flags(bio);
        int given = of(bio).give(to, size);
        if (given > 0) return given;
        BIO_set_retry_read(bio);
        return -1;
    }
    static int write(BIO* bio, const char* from, int size) {
        BIO_clear_retry_flags(bio);
        of(bio).take(from, static_cast<std::size_t>(size));
        return size;
    }
    static long control(BIO*, int command, long, void*) { return command == BIO_CTRL_FLUSH ? 1 : 0; }
    static int create(BIO* bio) {
        BIO_set_init(bio, 1);
        return 1;
    }
    static BIO_METHOD* method() {
        static BIO_METHOD* const made = [] {
            BIO_METHOD* out = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
            if (out == nullptr) throw std::bad_alloc();
            BIO_meth_set_read(out, &Transport::read);
            BIO_meth_set_write(out, &Transport::write);
            BIO_meth_set_ctrl(out, &Transport::control);
            BIO_meth_set_create(out, &Transport::create);
            return out;
        }();
        return made;
    }
};

// Whoever is woken may close the upper socket: then the layer lives on until the last call in it is over.
struct Layer::Busy {
    Layer& layer;
    explicit Busy(Layer& in) : layer(in) { ++layer.busy_; }
    Busy(const Busy&) = delete;
    ~Busy() {
        if (--layer.busy_ == 0 && layer.is_over_) delete &layer;
    }
};

Secured Layer::secure(SocketPtr lower, Session session) {
    auto* layer = new Layer(std::move(lower), std::move(session));
    SocketPtr upper(new Socket(layer->lower_->loop(), *layer, -1, layer->lower_->remote()));
    upper->set_client(layer->lower_->client());
    layer->upper_ = upper.get();
    layer->read();
    return {std::move(upper), layer};
}

Layer::Layer(SocketPtr lower, Session session)
    : lower_(std::move(lower)),
      session_(std::move(session)),
      read_later_([](void* self) { static_cast<Layer*>(self)->read(); }, this),
      farewell_timer_([](void* self) { static_cast<Layer*>(self)->farewell_passed(); }, this) {
    BIO* bio = BIO_new(Transport::method());
    if (bio == nullptr) throw std::bad_alloc();
    BIO_set_data(bio, this);
    SSL_set_bio(session_.get(), bio, bio);
}

Layer::~Layer() = default;

std::string_view Layer::protocol() const {
    const unsigned char* name = nullptr;
    unsigned size = 0;
    SSL_get0_alpn_selected(session_.get(), &name, &size);
    return {reinterpret_cast<const char*>(name), size};
}

std::string_view Layer::server_name() const {
    const char* name = SSL_get_servername(session_.get(), TLSEXT_NAMETYPE_host_name);
    return name == nullptr ? std::string_view() : name;
}

bool Layer::is_resumed() const { return SSL_session_reused(session_.get()) == 1; }

const PeerChain* Layer::peer_chain() const {
    if (!peer_chain_ && is_greeted_) peer_chain_ = PeerChain::of(session_);
    return peer_chain_.get();
}

// ---- OpenSSL's bytes

int Layer::give(char* to, int size) {
    if (encrypted_.empty() && lower_->has_input()) encrypted_ = lower_->take_input().slice;
    if (encrypted_.empty()) return 0;
    std::size_t given = std::min(encrypted_.size(), static_cast<std::size_t>(size));
    std::memcpy(to, encrypted_.data(), given);
    encrypted_.remove_prefix(given);
    if (encrypted_.empty()) encrypted_.reset();
    return static_cast<int>(given);
}

void Layer::take(const char* from, std::size_t size) {
    if (send_end_ != IoStatus::ok) return;  // nobody will ever read it
    while (size > 0) {
        if (filling_ && filling_->room() == 0) {
            full_.push_back(std::move(*filling_).finish());
            filling_.reset();
        }
        if (!filling_) {
            std::size_t wanted = std::min<std::size_t>(std::max(expected_, size), BufferPool::large_size);
            filling_.emplace(lower_->loop().buffers().at_least(wanted));
        }
        std::size_t taken = std::min(size, filling_->room());
        filling_->append({from, taken});
        from += taken;
        size -= taken;
    }
}

std::size_t Layer::unsent() const {
    std::size_t out = filling_ ? filling_->size() : 0;
    for (const Slice& slice : full_) out += slice.size();
    return out;
}

// Bytes that OpenSSL has not seen, or not handed out.
std::size_t Layer::waiting() const {
    return encrypted_.size() + lower_->queued() + static_cast<std::size_t>(SSL_pending(session_.get()));
}

// ---- input

void Layer::start_receive(Socket&) {
    // Nobody is woken while they begin to wait.
    if (end_ != IoStatus::ok || waiting() > 0 || lower_->input_ended()) return lower_->loop().at_turn_end(read_later_);
    wait_for_lower();
}

void Layer::read() {
    Busy busy(*this);
    if (upper_ == nullptr) return;
    if (!is_greeted_ && end_ == IoStatus::ok) greet();
    if (is_greeted_) decrypt();
    if (upper_ != nullptr) notice_lower_end();
    if (upper_ != nullptr && unsent() > 0) write();
    if (upper_ != nullptr) tell_end();
    if (upper_ != nullptr) wait_for_lower();
}

void Layer::greet() {
    ERR_clear_error();
    int result = SSL_do_handshake(session_.get());
    if (result != 1) return take_verdict(result);
    is_greeted_ = true;
    write();
    if (upper_ != nullptr && std::exchange(is_greeting_awaited_, false)) upper_->interrupt();
}

void Layer::decrypt() {
    while (upper_ != nullptr && upper_->wants_input && end_ == IoStatus::ok) {
        std::size_t expected = waiting();
        if (expected == 0) return;
        Draft draft(lower_->loop().buffers().at_least(std::min<std::size_t>(expected, BufferPool::large_size)));
        bool has_more = true;
        while (has_more && (draft.size() == 0 || draft.room() >= least_room)) {
            ERR_clear_error();
            std::size_t size = 0;
            int result = SSL_read_ex(session_.get(), draft.end(), draft.room(), &size);
            if (result == 1)
                draft.grew(size);
            else
                take_verdict(result);
            has_more = result == 1 && waiting() > 0;
        }
        if (draft.size() > 0) upper_->received(std::move(draft).finish());
        if (!has_more) return;
    }
}

// Without a word of TLS somebody in between may have cut it.
void Layer::notice_lower_end() {
    if (end_ != IoStatus::ok || waiting() > 0 || !lower_->input_ended()) return;
    end(lower_->input_end() == IoStatus::ended ? IoStatus::reset : lower_->input_end());
}

void Layer::tell_end() {
    if (end_ == IoStatus::ok) return;
    if (has_failed() && upper_->is_sending()) upper_->send_failed(end_);
    if (upper_ != nullptr) upper_->receive_ended(end_);
}

void Layer::take_verdict(int result) {
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

void Layer::fail(std::string why) {
    if (failure_.empty()) failure_ = std::move(why);
    end(IoStatus::failed);
}

void Layer::end(IoStatus status) {
    if (end_ == IoStatus::ok || end_ == IoStatus::ended) end_ = status;
}

void Layer::wait_for_lower() {
    if (end_ != IoStatus::ok || lower_->has_input() || lower_->input_ended()) return;
    if (is_greeted_ && !upper_->wants_input) return;
    lower_->on_input({[](void* self) { static_cast<Layer*>(self)->read(); }, this}, never);
}

// ---- output

void Layer::start_send(Socket&) {
    Busy busy(*this);
    if (IoStatus status = has_failed() ? end_ : send_end_; status != IoStatus::ok) return upper_->send_failed(status);
    write();
}

void Layer::lower_has_sent() {
    Busy busy(*this);
    if (lower_->send_status() == IoStatus::ok)
        write();
    else
        end_sending(lower_->send_status());
    if (upper_ == nullptr && !lower_->is_sending()) is_over_ = true;
}

// Input goes on: an upstream that takes no more of a request may have answered it.
void Layer::end_sending(IoStatus status) {
    send_end_ = status;
    full_.clear();
    filling_.reset();
    if (upper_ != nullptr && upper_->is_sending()) upper_->send_failed(status);
}

void Layer::encrypt() {
    if (!is_greeted_ || has_failed() || upper_ == nullptr || !upper_->is_sending()) return;
    Pieces& plain = upper_->output().pieces;
    std::size_t left = 0;
    for (const Slice& piece : plain) left += piece.size() + record_overhead;
    while (!plain.empty() && unsent() < most_encrypted - most_of_a_record) {
        Slice& piece = plain.front();
        expected_ = left;
        ERR_clear_error();
        std::size_t size = 0;
        int result =
            SSL_write_ex(session_.get(), piece.data(), std::min<std::size_t>(piece.size(), most_of_a_record), &size);
        if (result != 1) return take_verdict(result);
        left -= std::min(left, size);
        piece.remove_prefix(size);
        if (piece.empty()) plain.pop_front();
    }
    expected_ = 0;
}

void Layer::write() {
    Busy busy(*this);
    while (true) {
        // Also while a send is under way: a client that asks for answers of TLS itself (renegotiation) and reads none.
        if (unsent() > most_unsent) {
            fail("messages of TLS that the other side does not take");
            full_.clear();
            filling_.reset();
        }
        while (!lower_->is_sending() && send_end_ == IoStatus::ok) {
            encrypt();
            if (!filling_) break;  // full_ is followed by it
            Pieces pieces;
            for (Slice& slice : full_)
                if (pieces.size() + 1 < Pieces::most) pieces.push(std::move(slice));
            full_.erase(full_.begin(), full_.begin() + static_cast<std::ptrdiff_t>(pieces.size()));
            if (full_.empty()) {
                pieces.push(std::move(*filling_).finish());
                filling_.reset();
                std::vector<Slice>().swap(full_);
            }
            lower_->start_send(pieces, never);
            if (lower_->is_sending()) {
                lower_->on_sent({[](void* self) { static_cast<Layer*>(self)->lower_has_sent(); }, this});
            } else if (lower_->send_status() != IoStatus::ok) {
                return end_sending(lower_->send_status());
            }
        }
        if (upper_ != nullptr && has_failed()) {
            // The input has ended too: told when nobody is in the middle of a call.
            if (upper_->is_sending()) upper_->send_failed(end_);
            if (upper_ != nullptr && !upper_->input_ended()) lower_->loop().at_turn_end(read_later_);
            return;
        }
        if (lower_->is_sending() || send_end_ != IoStatus::ok) return;
        if (std::exchange(is_shutdown_due_, false)) lower_->shutdown_write();
        if (upper_ == nullptr || !upper_->is_sending() || !is_greeted_) return;
        if (!upper_->output().pieces.empty()) continue;
        upper_->sent_bytes(0);  // what it waits for may send or close at once
        if (upper_ == nullptr || !upper_->is_sending()) return;
    }
}

void Layer::shutdown_write(Socket&) {
    Busy busy(*this);
    if (!is_greeted_ || has_failed()) return;
    say_goodbye();
    is_shutdown_due_ = true;
    write();
}

// ---- the end

void Layer::close(Socket& socket) {
    Busy busy(*this);
    bool is_cut = socket.is_sending();
    upper_ = nullptr;
    release(socket);
    read_later_.cancel();
    lower_->forget_input_waiter();
    is_over_ = is_cut && is_greeted_;
    if (is_over_) return;
    if (is_greeted_ && !has_failed()) say_goodbye();
    // And what OpenSSL had to say before, such as why the handshake failed.
    write();
    is_over_ = !lower_->is_sending();
    if (!is_over_) farewell_timer_.arm(lower_->loop().timers(), after(lower_->loop().now(), farewell));
}

void Layer::say_goodbye() {
    if ((SSL_get_shutdown(session_.get()) & SSL_SENT_SHUTDOWN) != 0) return;
    ERR_clear_error();
    SSL_shutdown(session_.get());
    ERR_clear_error();
}

void Layer::farewell_passed() {
    Busy busy(*this);
    is_over_ = true;
}

}  // namespace net::tls
