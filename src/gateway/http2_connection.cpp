#include "gateway/http2_connection.h"

#include <algorithm>
#include <utility>

#include "gateway/stream.h"
#include "observe/log.h"

namespace gateway {

namespace {

using observe::Counter;
using observe::Gauge;

// How long a client that does not answer PING may go on opening streams on a connection that ends.
constexpr net::Milliseconds shutdown_notice{1'000};

}  // namespace

void Http2Connection::begin(Core& core, net::SocketPtr socket, const net::SocketAddress& local, ServeFunction serve,
                            std::uint64_t number, const net::tls::Layer* tls) {
    auto* self = new Http2Connection(core, std::move(socket), local, serve, number, tls);
    self->insert_before(core.asleep_);
    self->deadline_ = net::after(core.loop.now(), core.settings.limits.header_timeout);
    if (core.is_draining()) self->drain();
    wake(self);
}

Http2Connection::Http2Connection(Core& core, net::SocketPtr socket, const net::SocketAddress& local,
                                 ServeFunction serve, std::uint64_t number, const net::tls::Layer* tls)
    : core_(core),
      socket_(std::move(socket)),
      local_(local),
      serve_(serve),
      number_(number),
      tls_(tls),
      session_(core.http2_limits, core.loop.buffers(), *this),
      turn_end_(&Http2Connection::turn_ended, this) {}

Http2Connection::~Http2Connection() {
    unlink();
    for (Stream* stream : streams_) delete stream;
    core_.process.leave(socket_->client().ip);
    core_.metrics.lower(Gauge::connections_active);
}

void Http2Connection::close() { delete this; }

void Http2Connection::lost() {
    for (Stream* stream : streams_) stream->lost();
    delete this;
}

// ---- input

void Http2Connection::wake(void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    connection.take_input();
}

void Http2Connection::take_input() {
    bool has_waited = !socket_->has_input() && !socket_->input_ended();
    while (socket_->has_input()) {
        net::Slice input = socket_->take_input().slice;
        if (state_ == State::lingering) continue;
        bool is_sound = session_.receive(input, core_.loop.now());
        input.reset();
        dispatch();
        if (is_sound) continue;
        if (const char* why = session_.statistics().why_calm; why != nullptr)
            observe::log(observe::Level::info, "client", "HTTP/2 connection ended: limit reached",
                         {{"limit", why}, {"client", socket_->remote().text()}});
        for (Stream* stream : streams_) stream->lost();
        state_ = State::shut;
        if (!flush()) return;
        if (!socket_->is_sending()) return linger();
        break;
    }
    if (socket_->input_ended()) return lost();
    if (state_ == State::lingering) {
        if (has_waited) return close();
        return wait();
    }
    if (has_waited && core_.loop.now() >= waits_until()) {
        if (state_ == State::shut) return lost();  // it does not even take our last words
        if (state_ == State::announced) {
            shut_down();
        } else if (streams_.empty() || session_.is_reading_head()) {
            session_.terminate(http2::ErrorCode::no_error);
            state_ = State::shut;
            deadline_ = net::after(core_.loop.now(), core_.settings.limits.linger_timeout);
        }
    }
    if (flush()) wait();
}

void Http2Connection::wait() {
    bool reads_head = session_.is_reading_head();
    if (reads_head && !was_reading_head_) {
        net::Instant due = net::after(core_.loop.now(), core_.settings.limits.header_timeout);
        deadline_ = state_ == State::serving ? due : std::min(deadline_, due);
    }
    was_reading_head_ = reads_head;
    socket_->on_input({&Http2Connection::wake, this}, waits_until());
}

// A served stream has deadlines of its own.
net::Instant Http2Connection::waits_until() const {
    if (streams_.empty()) return core_.sleep_until(deadline_);
    return was_reading_head_ || state_ != State::serving ? deadline_ : net::never;
}

http2::SessionStream* Http2Connection::open(std::int32_t number) {
    std::uint64_t most = core_.settings.limits.keepalive_requests;
    ++opened_;
    if (most != 0 && opened_ >= most && state_ == State::serving) drain();
    // It has had its notice, and opens more and more.
    if (most != 0 && opened_ >= most + core_.http2_limits.concurrent_streams) shut_down();
    if (streams_.empty()) {
        unlink();
        insert_before(core_.awake_);
    }
    streams_.push_back(new Stream(*this, number));
    return streams_.back();
}

void Http2Connection::dispatch() {
    while (!session_.events().empty()) {
        std::vector<http2::Event> events;
        events.swap(session_.events());
        for (http2::Event& event : events) {
            auto* stream = static_cast<Stream*>(event.stream);
            switch (event.kind) {
                case http2::Event::Kind::head:
                    stream->begin(std::move(event.head));
                    break;
                case http2::Event::Kind::data:
                    stream->take_data(std::move(event.bytes));
                    break;
                case http2::Event::Kind::trailers:
                    stream->take_trailers(event.head);
                    break;
                case http2::Event::Kind::ended:
                    stream->input_ended();
                    break;
                case http2::Event::Kind::closed:
                    stream->lost();
                    remove(*stream);
                    break;
                case http2::Event::Kind::ping_answered:
                    if (state_ == State::announced) shut_down();
                    break;
                case http2::Event::Kind::settings:
                case http2::Event::Kind::going_away:
                    break;
            }
        }
        events.clear();
        if (session_.events().empty() && events.capacity() <= 16) session_.events().swap(events);
    }
}

void Http2Connection::remove(Stream& stream) {
    streams_.erase(std::find(streams_.begin(), streams_.end(), &stream));
    output_.forget(stream);
    delete &stream;
    if (!streams_.empty()) return;
    std::vector<Stream*>().swap(streams_);  // an idle connection holds no memory for it
    unlink();
    insert_before(core_.asleep_);
    if (state_ == State::serving)
        deadline_ = net::after(core_.loop.now(), core_.settings.limits.idle_timeout);
    else if (state_ == State::announced)
        shut_down();
    if (!socket_->has_input() && !socket_->input_ended()) wait();
}

// ---- the end

void Http2Connection::drain() {
    if (state_ != State::serving) return;
    state_ = State::announced;
    session_.begin_shutdown();
    deadline_ = net::after(core_.loop.now(), shutdown_notice);
    flush_soon();
}

void Http2Connection::shut_down() {
    if (state_ != State::announced) return;
    state_ = State::shut;
    session_.finish_shutdown();
    deadline_ = was_reading_head_ ? net::after(core_.loop.now(), core_.settings.limits.header_timeout) : net::never;
    flush_soon();
}

// All is said. Closing at once could destroy it on its way (RFC 9112 9.6 says why).
void Http2Connection::linger() {
    state_ = State::lingering;
    turn_end_.cancel();
    for (Stream* stream : streams_) stream->lost();
    if (socket_->input_ended()) return close();
    socket_->shutdown_write();
    deadline_ = net::after(core_.loop.now(), core_.settings.limits.linger_timeout);
    wait();
}

// ---- output

void Http2Connection::flush_soon() {
    if (state_ != State::lingering && !socket_->is_sending()) core_.loop.at_turn_end(turn_end_);
}

void Http2Connection::turn_ended(void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    (void)connection.flush();
}

void Http2Connection::sent(void* self) {
    auto& connection = *static_cast<Http2Connection*>(self);
    if (connection.socket_->send_status() != net::IoStatus::ok) return connection.lost();
    (void)connection.flush();
}

bool Http2Connection::flush() {
    turn_end_.cancel();
    if (state_ == State::lingering) return true;
    switch (output_.send(session_, *socket_, core_.settings.limits.send_timeout, [this] { dispatch(); })) {
        case http2::Output::State::failed:
            lost();
            return false;
        case http2::Output::State::sending:
            socket_->on_sent({&Http2Connection::sent, this});
            return true;
        case http2::Output::State::idle:
            break;
    }
    if (session_.is_over() || (state_ == State::shut && streams_.empty() && !session_.wants_to_send())) {
        linger();
        return false;
    }
    if (streams_.empty()) output_.shrink();
    return true;
}

}  // namespace gateway
