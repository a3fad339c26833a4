#include "upstream/http2_stream.h"

#include <utility>

#include "upstream/http2_connection.h"

namespace upstream {

using http2::ErrorCode;
using http2::Fate;

bool Http2Stream::begin(std::string_view head, std::string_view scheme, bool has_body) {
    if (connection_ == nullptr || is_closed()) return false;
    if (!connection_->session().send_request(*this, head, scheme, has_body)) {
        fate_ = Fate::unprocessed;
        return false;
    }
    connection_->flush_soon();
    return true;
}

net::SocketPtr Http2Stream::socket_of(net::Loop& loop, const net::SocketAddress& address) {
    net::SocketPtr out(new net::Socket(loop, *this, -1, address));
    carry(*out);
    return out;
}

void Http2Stream::cast_doubt() {
    if (connection_ != nullptr) connection_->cast_doubt();
}

// ---- what arrived. Each may run the exchange to its end.

void Http2Stream::take_head(http2::ReceivedHead head) {
    if (socket() == nullptr || head.fault != http1::Fault::none) return;  // of a broken one, the end follows
    is_answer_whole_ = head.is_whole;
    socket()->received(std::move(head.text));
}

void Http2Stream::take_trailers(http2::ReceivedHead head) {
    if (socket() == nullptr || trailers_ == nullptr) return;
    trailers_->bytes = head.text;
    if (http2::read_trailers(head, connection_->message_limits(), trailers_->fields) == http1::Fault::none) return;
    // As in HTTP/1, a broken trailer section breaks the answer.
    trailers_->fields.reset();
    fate_ = Fate::malformed;
    connection_->session().reset(*this, ErrorCode::protocol_error);
    socket()->receive_ended(net::IoStatus::failed);
}

void Http2Stream::input_ended() {
    if (socket() != nullptr) socket()->receive_ended(net::IoStatus::ended);
}

void Http2Stream::detach(Fate fate, ErrorCode code) {
    if (fate_ == Fate::served) fate_ = fate;
    reset_code_ = code;
    credit_all();
    abandon();
    connection_ = nullptr;
    is_being_told_ = true;
}

void Http2Stream::tell() {
    if (socket() != nullptr)
        socket()->receive_ended(fate_ == Fate::malformed ? net::IoStatus::failed : net::IoStatus::reset);
    if (socket() != nullptr) socket()->send_failed(net::IoStatus::reset);
    is_being_told_ = false;
    if (socket() == nullptr) delete this;
}

// ---- below the socket

http2::Session* Http2Stream::session() { return connection_ == nullptr ? nullptr : &connection_->session(); }

void Http2Stream::flush_soon() {
    if (connection_ != nullptr) connection_->flush_soon();
}

void Http2Stream::has_taken() { connection_->has_taken(*this); }

void Http2Stream::close(net::Socket& socket) {
    let_go();
    release(socket);
    if (connection_ != nullptr)
        connection_->stream_left(*this);
    else if (!is_being_told_)
        delete this;
}

}  // namespace upstream
