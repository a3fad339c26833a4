#include "redis/connection.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

#include "net/tls/context.h"
#include "observe/log.h"

namespace redis {

namespace {

using base::Code;
using base::Error;

Error error_of(net::IoStatus status, std::string_view what) {
    Code code = Code::reset;
    switch (status) {
        case net::IoStatus::ended:
            code = Code::closed;
            break;
        case net::IoStatus::refused:
            code = Code::refused;
            break;
        case net::IoStatus::timed_out:
            code = Code::timed_out;
            break;
        case net::IoStatus::no_descriptors:
            code = Code::exhausted;
            break;
        default:
            break;
    }
    return Error::us(code, fmt::format("{}: {}", what, net::name(status)));
}

std::string_view role_of(const Reply& reply) {
    return reply.elements().empty() ? std::string_view() : reply.elements().front().text();
}

}  // namespace

void Pending::forget() {
    if (connection_ != nullptr) std::exchange(connection_, nullptr)->forget(number_);
}

ConnectionSettings ConnectionSettings::from(const Settings& settings, const std::string& host) {
    ConnectionSettings out;
    out.username = settings.username;
    out.password = settings.password;
    out.database = settings.database;
    if (settings.is_sentinel() && settings.sentinel_role == SentinelRole::master) out.role = Role::master;
    if (settings.is_sentinel() && settings.sentinel_role == SentinelRole::replica) out.role = Role::replica;
    out.connect_timeout = settings.connect_timeout;
    out.send_timeout = settings.send_timeout;
    out.read_timeout = settings.read_timeout;
    out.limits = settings.limits;
    out.tls = settings.tls;
    out.tls_verify = settings.tls_verify;
    out.tls_authorities = settings.tls_authorities;
    out.tls_name = settings.server_name.empty() ? host : settings.server_name;
    out.where = settings.where();
    return out;
}

Connection::Connection(net::Loop& loop, ConnectionSettings settings, Place& place, ConnectionListener& listener,
                       Counters& counters, std::uint64_t seed)
    : loop_(loop),
      settings_(std::move(settings)),
      place_(place),
      listener_(listener),
      counters_(counters),
      random_(seed),
      encoder_(loop.buffers()),
      watch_([](void* self) { static_cast<Connection*>(self)->look(); }, this),
      turn_end_([](void* self) { static_cast<Connection*>(self)->turn_ends(); }, this) {}

Connection::~Connection() {
    close();
    state_ = State::resting;  // whoever is told now may not issue again
    fail_all(Error::us(Code::cancelled, "Redis: the client has ended"));
}

net::Milliseconds Connection::longest() const {
    return state_ == State::ready ? settings_.read_timeout : settings_.connect_timeout + settings_.read_timeout;
}

Error Connection::away() const {
    return Error::us(Code::no_endpoint, fmt::format("Redis at {} is away", settings_.where));
}

// ---- taking commands

base::Result<void> Connection::issue(Pending& pending, net::Slice bytes, std::uint8_t leading) {
    last_command_ = loop_.now();
    if (!is_available()) return away();
    if (commands_.size() >= settings_.limits.commands || unsent_bytes_ + bytes.size() > settings_.limits.unsent_bytes)
        return Error::us(Code::exhausted, fmt::format("Redis at {}: too much is under way", settings_.where));
    push(pending, std::move(bytes), leading);
    return {};
}

void Connection::push(Pending& pending, net::Slice bytes, std::uint8_t leading) {
    if (state_ == State::idle) dial_soon(State::dialling);
    if (state_ == State::ready) {
        if (commands_.empty()) watch(net::after(loop_.now(), settings_.read_timeout));
        loop_.at_turn_end(turn_end_);
    }
    unsent_bytes_ += bytes.size();
    pending.connection_ = this;
    pending.number_ = commands_.push({&pending, loop_.now(), std::move(bytes), leading, false});
}

// What has not been sent need not be; of what has been, the reply will come.
void Connection::forget(std::uint64_t number) {
    OutstandingCommand& command = commands_[number];
    command.pending = nullptr;
    if (number < unsent_) return;
    command.is_void = true;
    unsent_bytes_ -= command.bytes.size();
    command.bytes.reset();
    drop_void();
}

void Connection::drop_void() {
    while (!commands_.empty() && commands_[commands_.first()].is_void) commands_.pop();
    unsent_ = std::max(unsent_, commands_.first());
}

OutstandingCommand Connection::pop() {
    OutstandingCommand out = commands_.pop();
    unsent_bytes_ -= out.bytes.size();
    if (out.pending != nullptr) out.pending->connection_ = nullptr;
    drop_void();
    return out;
}

void Connection::turn_ends() {
    if (distrusted_) return lose(*distrusted_, Blame::server);
    if (std::exchange(is_dial_due_, false)) {
        dialling_ = dial();
        return dialling_.start();
    }
    send_commands();
}

// ---- opening

// Not at once: whoever issues a command is not told of its failure from within.
void Connection::dial_soon(State state) {
    state_ = state;
    is_dial_due_ = true;
    loop_.at_turn_end(turn_end_);
}

base::Task<void> Connection::dial() {
    net::Instant deadline = net::after(loop_.now(), settings_.connect_timeout);
    base::Result<std::vector<net::SocketAddress>> found = co_await place_.find(deadline);
    if (!found) {
        lose(found.error(), Blame::server);
        co_return;
    }
    const std::vector<net::SocketAddress> addresses = std::move(*found);
    std::size_t first = attempts_++;
    net::IoStatus status = net::IoStatus::refused;
    for (std::size_t tried = 0; tried < addresses.size(); ++tried) {
        net::SocketAddress address = addresses[(first + tried) % addresses.size()];
        address_ = address;
        auto left = static_cast<net::Instant>(addresses.size() - tried);
        net::Instant share = loop_.now() + std::max<net::Instant>(1, (deadline - loop_.now()) / left);
        net::Connected connected = co_await loop_.connect(address, share);
        status = connected.status;
        if (status == net::IoStatus::ok) {
            if (std::optional<Error> error = begin_carrying(std::move(connected.socket)))
                lose(std::move(*error), Blame::server);
            else
                greet();
            co_return;
        }
    }
    lose(error_of(status, "connect"), Blame::server);
}

std::optional<Error> Connection::begin_carrying(net::SocketPtr socket) {
    if (!settings_.tls) {
        wire_.emplace(std::move(socket));
        return std::nullopt;
    }
    // Known since the settings were checked, so this reads no file, unless it has changed meanwhile.
    auto context = net::tls::ClientContext::make(settings_.tls_authorities);
    if (!context) return std::move(context).error();
    std::string name = settings_.tls_name.empty() ? address_->ip.text() : settings_.tls_name;
    net::tls::Verify verify = settings_.tls_verify ? net::tls::Verify::chain_and_name : net::tls::Verify::nothing;
    net::tls::Session session = context->session(name, verify);
    if (!session) return Error::us(Code::invalid, "TLS: no server can have the name " + name);
    wire_.emplace(net::tls::Layer::secure(std::move(socket), std::move(session)));
    return std::nullopt;
}

// Everything at once, one round trip. The callers' commands wait for the last answer: they must not reach a server that
// does not know us, or is not the one that is wanted.
void Connection::greet() {
    reader_.emplace(settings_.limits);
    has_answered_ = false;
    greeting_.clear();
    net::Pieces pieces;
    auto say = [&](Step step, Arguments arguments) {
        pieces.push(encoder_.encode(arguments));
        greeting_.push_back(step);
    };
    if (!settings_.username.empty())
        say(Step::auth, std::array<std::string_view, 3>{"AUTH", settings_.username, settings_.password});
    else if (!settings_.password.empty())
        say(Step::auth, std::array<std::string_view, 2>{"AUTH", settings_.password});
    if (settings_.database != 0)
        say(Step::select, std::array<std::string_view, 2>{"SELECT", std::to_string(settings_.database)});
    if (settings_.role != ConnectionSettings::Role::any) say(Step::role, std::array<std::string_view, 1>{"ROLE"});
    say(Step::ping, std::array<std::string_view, 1>{"PING"});
    encoder_.rest();
    std::ranges::reverse(greeting_);
    watch_.arm(loop_.timers(), net::after(loop_.now(), settings_.read_timeout));
    if (send(pieces)) read();
}

std::optional<Error> Connection::greeted(const Reply& reply) {
    if (std::optional<Error> error = objection(greeting_.back(), reply)) return error;
    greeting_.pop_back();
    if (greeting_.empty()) become_ready();
    return std::nullopt;
}

// Why the server cannot be used. A user that may not ask (NOPERM) is a user all the same.
std::optional<Error> Connection::objection(Step step, const Reply& reply) const {
    using Role = ConnectionSettings::Role;
    Complaint complaint = reply.is_error() ? complaint_of(reply.text()) : Complaint::other;
    bool is_forbidden = reply.is_error() && reply.text().starts_with("NOPERM");
    switch (step) {
        case Step::auth:
            if (!reply.is_error()) return std::nullopt;
            // Only the kind of error: an old server may quote what it did not understand.
            return Error::us(Code::refused, complaint == Complaint::unauthorised
                                                ? "Redis refuses the user name or the password"
                                                : "Redis refuses to be logged in to: it has no such user or password");
        case Step::role:
            if (is_forbidden) return std::nullopt;
            if (reply.is_error()) return redis::error_of(reply.text());
            if (role_of(reply) == (settings_.role == Role::master ? "master" : "slave")) return std::nullopt;
            return Error::us(Code::no_endpoint, "Redis has another role than Sentinel says");
        case Step::select:
        case Step::ping:
            if (!reply.is_error() || (step == Step::ping && is_forbidden)) return std::nullopt;
            return redis::error_of(reply.text());
    }
    return std::nullopt;
}

void Connection::become_ready() {
    state_ = State::ready;
    ready_since_ = last_heard_ = loop_.now();
    ++counters_.connects;
    if (failures_ > 0)
        observe::log(observe::Level::notice, "redis", "connected again",
                     {{"where", settings_.where}, {"attempts", failures_ + 1}});
    watch(overdue_at());
    listener_.connected(*this);
    loop_.at_turn_end(turn_end_);
}

// ---- carrying

// False if the socket is of no use any more, and all has been told.
bool Connection::send(net::Pieces& pieces) {
    (*wire_)->start_send(pieces, net::after(loop_.now(), settings_.send_timeout));
    ++counters_.sends;
    if ((*wire_)->is_sending()) {
        (*wire_)->on_sent({[](void* self) { static_cast<Connection*>(self)->sending_settled(); }, this});
        return true;
    }
    if ((*wire_)->send_status() == net::IoStatus::ok) return true;
    lose(broken((*wire_)->send_status(), "send"), Blame::nobody);
    return false;
}

void Connection::sending_settled() {
    if ((*wire_)->send_status() != net::IoStatus::ok)
        return lose(broken((*wire_)->send_status(), "send"),
                    (*wire_)->send_status() == net::IoStatus::timed_out ? Blame::server : Blame::nobody);
    send_commands();
}

void Connection::send_commands() {
    while (state_ == State::ready && !(*wire_)->is_sending() && unsent_ != commands_.end()) {
        net::Pieces pieces;
        collect(pieces);
        if (!pieces.empty() && !send(pieces)) return;
    }
}

// As many as fit into one send; those that lie behind each other in memory are one piece.
void Connection::collect(net::Pieces& pieces) {
    for (; unsent_ != commands_.end(); ++unsent_) {
        OutstandingCommand& command = commands_[unsent_];
        if (command.is_void) continue;
        net::Slice* last = pieces.empty() ? nullptr : pieces.end() - 1;
        if (last != nullptr && last->shares_block_with(command.bytes) &&
            last->data() + last->size() == command.bytes.data()) {
            *last = last->part(0, last->size() + command.bytes.size());
        } else {
            if (pieces.size() == net::Pieces::most) return;
            pieces.push(command.bytes);
        }
        unsent_bytes_ -= command.bytes.size();
        command.bytes.reset();
    }
    drop_void();
}

void Connection::read() {
    while ((*wire_)->has_input()) {
        net::Received received = (*wire_)->take_input();
        reader_->feed(received.slice.text());
        received.slice.reset();
        if (std::optional<Error> error = take_replies()) return lose(std::move(*error), Blame::server);
    }
    if ((*wire_)->input_ended()) return lose(broken((*wire_)->input_end(), "connection"), Blame::nobody);
    (*wire_)->on_input({[](void* self) { static_cast<Connection*>(self)->read(); }, this}, net::never);
}

Error Connection::broken(net::IoStatus status, std::string_view what) const {
    std::string failure = wire_->tls_failure();
    return failure.empty() ? error_of(status, what) : Error::us(Code::refused, "TLS: " + failure);
}

std::optional<Error> Connection::take_replies() {
    while (true) {
        base::Result<std::optional<Reply>> next = reader_->next();
        if (!next) return std::move(next).error();
        if (!*next) return std::nullopt;
        last_heard_ = loop_.now();
        std::optional<Error> error = state_ == State::ready ? take_reply(std::move(**next)) : greeted(**next);
        if (error) return error;
        if (distrusted_) return distrusted_;
    }
}

std::optional<Error> Connection::take_reply(Reply reply) {
    if (commands_.first() == unsent_) return Error::us(Code::malformed, "Redis: a reply that nobody asked for");
    OutstandingCommand& first = commands_[commands_.first()];
    has_answered_ = true;
    failures_ = 0;
    if (first.leading > 0) {
        --first.leading;
        return std::nullopt;
    }
    OutstandingCommand command = pop();
    if (command.pending != nullptr) command.pending->settled(std::move(reply));
    return std::nullopt;
}

// ---- ending

void Connection::distrust(Error why) {
    if (state_ != State::ready) return;
    distrusted_ = std::move(why);
    loop_.at_turn_end(turn_end_);
}

void Connection::close() {
    wire_.reset();
    reader_.reset();
    greeting_.clear();
    distrusted_.reset();
    turn_end_.cancel();
    is_dial_due_ = false;
    watch_.cancel();
}

void Connection::lose(Error error, Blame blame) {
    bool was_ready = state_ == State::ready;
    bool is_missed = !commands_.empty();
    ++(was_ready ? counters_.lost : counters_.connect_failures);
    close();
    bool has_failed = !was_ready || blame == Blame::server || (is_missed && !has_answered_);
    if (has_failed ? failures_ == 0 : is_missed)
        observe::log(observe::Level::warn, "redis", was_ready ? "connection lost" : "cannot connect",
                     {{"where", settings_.where}, {"reason", error.detail}});
    state_ = State::idle;
    if (has_failed) rest();
    listener_.disconnected(*this, error);
    fail_all(error);
}

// Between half of the back-off and all of it, so that many cores do not come back at once.
void Connection::rest() {
    state_ = State::resting;
    net::Instant least = settings_.limits.least_back_off.count();
    net::Instant span = least << std::min(failures_++, 20u);
    span = std::clamp<net::Instant>(span, 2, std::max<net::Instant>(2, settings_.limits.most_back_off.count()));
    span -= random_.below(static_cast<std::uint32_t>(span / 2));
    watch_.arm(loop_.timers(), loop_.now() + span);
}

// Those that are under way now; whoever is told may issue again, and perhaps that dials anew.
void Connection::fail_all(const Error& error) {
    std::uint64_t end = commands_.end();
    unsent_ = end;
    while (!commands_.empty() && commands_.first() < end) {
        OutstandingCommand command = pop();
        if (command.pending != nullptr) command.pending->settled(error);
    }
}

// ---- time

void Connection::watch(net::Instant at) {
    if (at < watch_.deadline()) watch_.arm(loop_.timers(), at);
}

net::Instant Connection::overdue_at() {
    drop_void();
    if (commands_.empty()) return net::after(last_heard_, settings_.limits.ping_every);
    return net::after(std::max(commands_[commands_.first()].issued, ready_since_), settings_.read_timeout);
}

void Connection::look() {
    net::Instant unwanted_for = loop_.now() - last_command_;
    switch (state_) {
        case State::idle:
            return;
        case State::dialling:
        case State::probing:
            return lose(Error::us(Code::timed_out, "Redis did not answer the greeting in time"), Blame::server);
        case State::resting:
            if (unwanted_for < settings_.limits.idle_timeout.count()) return dial_soon(State::probing);
            state_ = State::idle;
            return;
        case State::ready:
            break;
    }
    if (commands_.empty() && unwanted_for >= settings_.limits.idle_timeout.count()) {
        close();
        state_ = State::idle;
        return;
    }
    look_at_commands();
}

void Connection::look_at_commands() {
    if (overdue_at() <= loop_.now()) {
        if (!commands_.empty()) return lose(Error::us(Code::timed_out, "Redis did not reply in time"), Blame::server);
        push(ping_, encoder_.encode(std::array<std::string_view, 1>{"PING"}), 0);
        encoder_.rest();
    }
    watch(overdue_at());
}

}  // namespace redis
