#include "upstream/http2_connection.h"

#include <algorithm>
#include <utility>

#include "observe/log.h"

namespace upstream {

using http2::ErrorCode;
using http2::Event;
using http2::Fate;

Http2Connection::Http2Connection(Http2Pool& pool, net::SocketPtr socket, ConnectionPlace place)
    : pool_(pool),
      socket_(std::move(socket)),
      place_(std::move(place)),
      session_(pool.http2_limits(), pool.loop().buffers()),
      turn_end_(&Http2Connection::turn_ended, this),
      idle_until_(net::after(pool.loop().now(), send_timeout)),
      last_heard_(pool.loop().now()) {
    flush_soon();
}

// Only the pool's end destroys one that has streams: then nobody is left to be told.
Http2Connection::~Http2Connection() {
    for (Http2Stream* stream : streams_) stream->detach(Fate::reset, ErrorCode::cancel);
    for (Http2Stream* stream : std::exchange(streams_, {})) stream->tell();
}

// ---- exchanges

bool Http2Connection::has_room() const {
    return !is_retired() && !is_doubtful_ && streams_.size() < session_.most_streams();
}

LinkPtr Http2Connection::open() {
    net::Instant now = pool_.loop().now();
    auto* stream = new Http2Stream(*this);
    streams_.push_back(stream);
    ++opened_;
    if (std::uint64_t most = pool_.limits().requests; most != 0 && opened_ >= most) is_retired_ = true;
    auto link = std::make_unique<Link>();
    link->socket = stream->socket_of(pool_.loop(), pool_.address());
    link->stream = stream;
    link->requests = opened_;
    if (net::after(last_heard_, ping_after) < now) ask_for_life();
    wait();
    return link;
}

bool Http2Connection::take_place(const Claim& claim) {
    if (has_place()) return true;
    place_ = {claim.load, claim.load->take_connection(claim.rules, claim.turn)};
    return has_place();
}

void Http2Connection::stream_left(Http2Stream& stream) {
    if (stream.number() == 0) {
        remove(stream);
        stream.detach(Fate::unprocessed, ErrorCode::cancel);
        stream.tell();
    } else if (!stream.is_closed()) {
        session_.reset(stream, ErrorCode::cancel);
    }
    flush_soon();
}

void Http2Connection::cast_doubt() {
    if (net::after(last_heard_, doubtful_after) > pool_.loop().now()) return;
    is_doubtful_ = true;
    ask_for_life();
    wait();
}

void Http2Connection::remove(Http2Stream& stream) {
    streams_.erase(std::find(streams_.begin(), streams_.end(), &stream));
    output_.forget(stream);
    if (streams_.empty()) {
        net::Milliseconds idle = pool_.limits().idle_timeout;
        idle_until_ = idle.count() == 0 ? net::never : net::after(pool_.loop().now(), idle);
        if (pool_.limits().idle == 0) is_retired_ = true;
        std::vector<Http2Stream*>().swap(streams_);  // an idle connection holds no memory for it
        place_ = {};
    } else if (has_place()) {
        place_.load->wake_one();  // there is room
    }
    pool_.changed();
}

void Http2Connection::retire() {
    is_retired_ = true;
    flush_soon();
}

const http1::Limits& Http2Connection::message_limits() const { return pool_.http2_limits().message; }

// ---- input

void Http2Connection::wake(void* self) { static_cast<Http2Connection*>(self)->take_input(); }

void Http2Connection::take_input() {
    bool is_late = !socket_->has_input() && !socket_->input_ended();
    net::Instant now = pool_.loop().now();
    while (socket_->has_input()) {
        net::Slice input = socket_->take_input().slice;
        last_heard_ = now;
        is_doubtful_ = false;
        bool is_sound = session_.receive(input, now);
        input.reset();
        dispatch();
        if (is_sound) continue;
        const char* why = session_.statistics().why_calm;
        observe::log(observe::Level::error, "upstream", "HTTP/2 connection ended: the upstream broke the protocol",
                     {{"limit", why == nullptr ? "-" : why}, {"address", pool_.address().text()}});
        is_malformed_ = true;
        if (flush()) lost();  // our last word, as far as the socket takes it at once
        return;
    }
    if (socket_->input_ended()) return lost();
    if (is_late) {
        if (ping_due_ <= now) return lost();
        if (streams_.empty() && idle_until_ <= now) is_retired_ = true;
        if (!streams_.empty() && net::after(last_heard_, ping_while_waiting) <= now) ask_for_life();
    }
    if (flush()) wait();
}

void Http2Connection::dispatch() {
    while (!session_.events().empty()) {
        std::vector<Event> events;
        events.swap(session_.events());
        for (Event& event : events) {
            auto* stream = static_cast<Http2Stream*>(event.stream);
            switch (event.kind) {
                case Event::Kind::head:
                    stream->take_head(std::move(event.head));
                    break;
                case Event::Kind::data:
                    stream->take_data(std::move(event.bytes));
                    break;
                case Event::Kind::trailers:
                    stream->take_trailers(std::move(event.head));
                    break;
                case Event::Kind::ended:
                    stream->input_ended();
                    break;
                case Event::Kind::closed:
                    remove(*stream);
                    stream->detach(event.fate, event.code);
                    stream->tell();
                    break;
                case Event::Kind::ping_answered:
                    ping_due_ = net::never;
                    break;
                case Event::Kind::settings:
                    is_new_ = false;
                    pool_.changed();
                    break;
                case Event::Kind::going_away:
                    is_retired_ = true;
                    pool_.changed();
                    break;
            }
        }
        events.clear();
        if (session_.events().empty() && events.capacity() <= 16) session_.events().swap(events);
    }
}

void Http2Connection::wait() {
    if (socket_->has_input() || socket_->input_ended()) return pool_.loop().at_turn_end(turn_end_);
    socket_->on_input({&Http2Connection::wake, this}, waits_until());
}

net::Instant Http2Connection::waits_until() const {
    if (ping_due_ != net::never) return ping_due_;
    return streams_.empty() ? idle_until_ : net::after(last_heard_, ping_while_waiting);
}

void Http2Connection::ask_for_life() {
    if (ping_due_ != net::never) return;
    session_.ping();
    ping_due_ = net::after(pool_.loop().now(), ping_timeout);
    flush_soon();
}

// ---- output

void Http2Connection::flush_soon() {
    if (!socket_->is_sending()) pool_.loop().at_turn_end(turn_end_);
}

void Http2Connection::turn_ended(void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    if (connection.socket_->has_input() || connection.socket_->input_ended()) return connection.take_input();
    if (connection.flush()) connection.wait();
}

void Http2Connection::sent(void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    if (connection.socket_->send_status() != net::IoStatus::ok) return connection.lost();
    if (connection.flush()) connection.wait();
}

bool Http2Connection::flush() {
    turn_end_.cancel();
    if (is_retired_ && streams_.empty()) session_.go_away();
    switch (output_.send(session_, *socket_, send_timeout, [this] { dispatch(); })) {
        case http2::Output::State::failed:
            lost();
            return false;
        case http2::Output::State::sending:
            socket_->on_sent({&Http2Connection::sent, this});
            return true;
        case http2::Output::State::idle:
            break;
    }
    if (is_malformed_) return true;
    if (streams_.empty()) output_.shrink();
    if ((is_retired() && streams_.empty()) || session_.is_over()) {
        is_malformed_ = !streams_.empty();  // nghttp2 has had enough
        lost();
        return false;
    }
    return true;
}

// ---- the end

void Http2Connection::lost() {
    std::vector<Http2Stream*> streams;
    streams.swap(streams_);
    pool_.remove(*this);
    for (Http2Stream* stream : streams) {
        bool was_seen = stream->is_on_its_way();
        stream->detach(!was_seen       ? Fate::unprocessed
                       : is_malformed_ ? Fate::malformed
                                       : Fate::reset,
                       ErrorCode::internal_error);
    }
    place_ = {};  // not in the way of those who try again
    for (Http2Stream* stream : streams) stream->tell();
    delete this;
}

}  // namespace upstream
