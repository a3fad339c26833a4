#include "http/http2/body_carrier.h"

#include <algorithm>
#include <utility>

namespace http2 {

void BodyCarrier::take_data(net::Slice piece) {
    if (socket_ == nullptr) {
        if (Session* known = session()) known->consume(number(), piece.size());
        return;
    }
    delivered_ += piece.size();
    socket_->received(std::move(piece));
    if (socket_ != nullptr) give_credit();
}

// As if receiving paused at once: the socket then says of all that is taken that it has been, which is when more may
// come.
void BodyCarrier::start_receive(net::Socket& socket) {
    socket.wants_input = false;
    give_credit();
}

void BodyCarrier::give_credit() {
    std::uint64_t used = delivered_ - std::min<std::uint64_t>(delivered_, socket_->queued());
    Session* known = session();
    if (used <= credited_ || known == nullptr) return;
    known->consume(number(), static_cast<std::size_t>(used - credited_));
    credited_ = used;
    flush_soon();
}

void BodyCarrier::let_go() {
    socket_ = nullptr;
    pending_ = taken_ = 0;
    credit_all();
}

void BodyCarrier::credit_all() {
    if (Session* known = session()) known->consume(number(), static_cast<std::size_t>(delivered_ - credited_));
    credited_ = delivered_;
}

void BodyCarrier::take_output(std::size_t size, ByteSink& sink) {
    std::size_t skipped = taken_;
    if (taken_ == 0) has_taken();
    taken_ += size;
    for (net::Slice& piece : socket_->output().pieces) {
        if (skipped >= piece.size()) {
            skipped -= piece.size();
            continue;
        }
        std::size_t part = std::min(size, piece.size() - skipped);
        sink.add(piece.part(skipped, part));
        skipped = 0;
        size -= part;
        if (size == 0) break;
    }
}

void BodyCarrier::tell_sent() {
    if (socket_ == nullptr || taken_ == 0) return;
    std::size_t sent = std::exchange(taken_, 0);
    pending_ -= sent;
    socket_->sent_bytes(sent);
}

void BodyCarrier::start_send(net::Socket& socket) {
    Session* known = session();
    if (is_closed() || known == nullptr) return socket.send_failed(net::IoStatus::reset);
    pending_ = 0;
    for (const net::Slice& piece : socket.output().pieces) pending_ += piece.size();
    known->resume(*this);
    flush_soon();
}

void BodyCarrier::end_output(std::string trailers) {
    Session* known = session();
    if (known == nullptr) return;
    known->end_output(*this, std::move(trailers));
    flush_soon();
}

}  // namespace http2
