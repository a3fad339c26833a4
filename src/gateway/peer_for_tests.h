// Peer: the other end of one of the gateway's connections in a simulated test: a client or an upstream. It plays a
// script of texts, pauses and ends, keeps what it receives, and tells a callback. World keeps it to the end.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "base/task.h"
#include "net/simulated/loop.h"

namespace gateway {

// A function that may replace itself while it runs.
template <typename... Arguments>
class Callback {
  public:
    template <typename Function>
    Callback& operator=(Function function) {
        function_ = std::make_shared<std::function<void(Arguments...)>>(std::move(function));
        return *this;
    }
    void operator()(Arguments... arguments) const {
        auto running = function_;
        if (running && *running) (*running)(arguments...);
    }

  private:
    std::shared_ptr<std::function<void(Arguments...)>> function_;
};

class Peer {
  public:
    enum class Act : std::uint8_t { send, pause, finish, close, abort };

    Peer(net::simulated::SimulatedLoop& loop, net::SocketPtr socket) : loop_(loop) { attach(std::move(socket)); }
    // Dials first; what is scripted waits for it.
    Peer(net::simulated::SimulatedLoop& loop, const net::IpAddress& from, const net::SocketAddress& to) : loop_(loop) {
        dialling_ = dial(from, to);
        dialling_.start();
    }
    Peer(const Peer&) = delete;

    // ---- the script; played in order
    void send(std::string text) {
        if (!text.empty()) add({Act::send, std::move(text), {}});
    }
    void pause(net::Milliseconds span) { add({Act::pause, {}, span}); }
    void finish() { add({Act::finish, {}, {}}); }
    void close() { add({Act::close, {}, {}}); }
    void abort() { add({Act::abort, {}, {}}); }
    [[nodiscard]] bool has_played() const { return script_.empty() && !is_playing_; }

    // ---- at once
    void close_now() {
        script_.clear();
        writing_ = {};
        reading_ = {};
        dialling_ = {};
        socket_.reset();
        is_closed = true;
    }
    // Takes nothing more in until go_on().
    void stop_reading() {
        is_paused_ = true;
        if (!is_in_callback_) reading_ = {};
    }
    void go_on() {
        if (!std::exchange(is_paused_, false) || !socket_) return;
        start_reading();
    }

    std::string received;
    net::IoStatus end = net::IoStatus::ok;  // how the other side ended
    bool is_closed = false;                 // by this side
    bool has_failed_to_connect = false;
    bool keeps_received = true;
    bool closes_at_end = false;           // as soon as the other side has ended
    Callback<std::string_view> on_input;  // each piece
    Callback<> on_end;
    // After each piece, waits that long.
    std::function<net::Milliseconds()> reading_pause;

    [[nodiscard]] bool is_open() const { return socket_ != nullptr; }
    [[nodiscard]] bool is_over() const { return end != net::IoStatus::ok || is_closed || has_failed_to_connect; }

  private:
    struct Step {
        Act act;
        std::string text;
        net::Milliseconds span;
    };

    void add(Step step) {
        if (is_closed) return;
        script_.push_back(std::move(step));
        kick();
    }
    // Through the loop, so that a callback may add to the script.
    void kick() {
        if (is_playing_ || !socket_) return;
        is_playing_ = true;
        loop_.post([this] {
            if (is_closed) return;
            writing_ = play();
            writing_.start();
        });
    }
    void attach(net::SocketPtr socket) {
        socket_ = std::move(socket);
        start_reading();
        if (!script_.empty()) kick();
    }
    void start_reading() {
        loop_.post([this] {
            if (!socket_ || is_paused_) return;
            reading_ = read();
            reading_.start();
        });
    }
    base::Task<void> dial(net::IpAddress from, net::SocketAddress to) {
        net::Connected connected = co_await loop_.connect_from(from, to, net::after(loop_.now(), patience));
        if (connected.socket)
            attach(std::move(connected.socket));
        else
            has_failed_to_connect = true;
    }
    base::Task<void> play() {
        while (!script_.empty()) {
            Step step = std::move(script_.front());
            script_.pop_front();
            net::IoStatus status = net::IoStatus::ok;
            switch (step.act) {
                case Act::send:
                    for (std::size_t at = 0; at < step.text.size() && status == net::IoStatus::ok;) {
                        std::string_view piece = std::string_view(step.text).substr(at, 16 * 1024);
                        net::Draft draft(loop_.buffers().at_least(piece.size()));
                        draft.append(piece);
                        at += piece.size();
                        net::Slice slice = std::move(draft).finish();
                        status = co_await socket_->send(std::move(slice), net::never);
                    }
                    break;
                case Act::pause:
                    co_await net::sleep_until(loop_, net::after(loop_.now(), step.span));
                    break;
                case Act::finish:
                    socket_->shutdown_write();
                    break;
                case Act::abort:
                    loop_.abort(*socket_);
                    [[fallthrough]];
                case Act::close:
                    script_.clear();
                    reading_ = {};
                    socket_.reset();
                    is_closed = true;
                    co_return;
            }
            if (status != net::IoStatus::ok) script_.clear();  // nobody takes it any more; what comes is still read
        }
        is_playing_ = false;
    }
    base::Task<void> read() {
        while (!is_paused_) {
            net::Received got = co_await socket_->receive(net::never);
            is_in_callback_ = true;
            if (got.status != net::IoStatus::ok) {
                end = got.status;
                on_end();
                if (closes_at_end) loop_.post([this] { close_now(); });
                is_in_callback_ = false;
                co_return;
            }
            if (keeps_received) received += got.slice.text();
            on_input(got.slice.text());
            is_in_callback_ = false;
            got.slice.reset();
            if (!reading_pause) continue;
            net::Milliseconds span = reading_pause();
            if (span.count() > 0) co_await net::sleep_until(loop_, net::after(loop_.now(), span));
        }
    }

    static constexpr net::Milliseconds patience{60'000};
    net::simulated::SimulatedLoop& loop_;
    net::SocketPtr socket_;
    std::deque<Step> script_;
    bool is_playing_ = false;
    bool is_paused_ = false;
    bool is_in_callback_ = false;
    base::Task<void> dialling_;
    base::Task<void> writing_;
    base::Task<void> reading_;
};

}  // namespace gateway
