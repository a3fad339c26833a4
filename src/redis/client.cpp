#include "redis/client.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "base/hash.h"
#include "redis/route.h"
#include "redis/slots.h"

namespace redis {

namespace {

using base::Code;
using base::Error;

// Keeps itself until the command has ended, which the Client sees to.
base::Detached keep_until_settled(Client& client, Arguments arguments) {
    Call call = client.command(arguments);
    base::Result<Reply> ignored = co_await call;
}

}  // namespace

// ---- Client

Client::Client(net::Loop& loop, Settings settings, const Surroundings& surroundings, std::uint64_t seed)
    : loop_(loop),
      settings_(std::move(settings)),
      encoder_(loop.buffers()),
      route_(make_route(loop, settings_, surroundings, counters_, seed)) {}

Client::~Client() { route_.reset(); }  // null from now on: whoever is told of it may issue again, in vain

bool Client::is_available() const { return route_->is_available(); }

Call Client::run(const Script& script, Arguments keys, Arguments arguments, net::Instant deadline) {
    std::array<char, 8> digits;
    char* end = std::to_chars(digits.data(), digits.data() + digits.size(), keys.size()).ptr;
    std::array<std::string_view, 32> few;
    std::vector<std::string_view> many;
    std::size_t count = 3 + keys.size() + arguments.size();
    std::span<std::string_view> all(few);
    if (count > few.size()) {
        many.resize(count);
        all = many;
    }
    all[0] = "EVALSHA";
    all[1] = script.digest();
    all[2] = {digits.data(), end};
    std::ranges::copy(keys, all.begin() + 3);
    std::ranges::copy(arguments, all.begin() + 3 + static_cast<std::ptrdiff_t>(keys.size()));
    return Call(*this, all.first(count), deadline, &script);
}

void Client::tell(Arguments arguments) { keep_until_settled(*this, arguments); }

// ---- Call

Call::Call(Client& client, Arguments arguments, net::Instant deadline, const Script* script)
    : client_(client), script_(script), timer_([](void* self) { static_cast<Call*>(self)->expire(); }, this) {
    ensure(!arguments.empty());
    ++client.counters_.commands;
    if (std::size_t size = encoded_size(arguments); size > client.settings_.limits.command_bytes) {
        finish(Error::us(Code::too_large, fmt::format("a command of {} bytes to Redis", size)));
        return;
    }
    bytes_ = client.encoder_.encode(arguments);
    if (client.settings_.is_cluster())
        if (std::optional<std::string_view> key = key_of(arguments)) slot_ = slot_of(*key);
    issue(deadline);
}

Call::~Call() {
    if (is_settled()) return;
    ++client_.counters_.dropped;
    if (client_.route_) client_.route_->leave(*this);
}

void Call::issue(net::Instant deadline) {
    if (!client_.route_) return issue();
    net::Instant now = client_.loop_.now();
    deadline = std::min(deadline, net::after(now, client_.route_->longest()));
    if (deadline <= now) return expire();
    timer_.arm(client_.loop_.timers(), deadline);
    issue();
}

void Call::issue() {
    if (!client_.route_) return finish(Error::us(Code::cancelled, "Redis: the client has ended"));
    if (base::Result<void> taken = client_.route_->issue(*this); !taken) {
        ++client_.counters_.refused_at_once;
        finish(std::move(taken).error());
    }
}

void Call::settled(base::Result<Reply> result) {
    if (!result) {
        ++client_.counters_.failures;
        return finish(std::move(result));
    }
    if (result->is_error()) {
        if (complained(*result)) return;
        ++client_.counters_.complaints;
        result = error_of(result->text());
    }
    ++client_.counters_.replies;
    finish(std::move(result));
}

// Whether the command is on its way again.
bool Call::complained(const Reply& reply) {
    Complaint complaint = complaint_of(reply.text());
    if (complaint == Complaint::no_script && script_ != nullptr) {
        run_whole_script();
        return true;
    }
    return client_.route_->issue_elsewhere(*this, complaint, reply.text());
}

// The same command with EVAL and the source in the place of EVALSHA and the digest: still one atomic step, and from
// then on the server knows the script.
void Call::run_whole_script() {
    ++client_.counters_.script_loads;
    std::string_view text = bytes_.text();
    std::string_view count = text.substr(0, text.find('\r') + 2);
    std::string_view rest =
        text.substr(count.size() + std::string_view("$7\r\nEVALSHA\r\n$40\r\n").size() + script_->digest().size() + 2);
    std::string head = fmt::format("{}$4\r\nEVAL\r\n${}\r\n{}\r\n", count, script_->source().size(), script_->source());
    script_ = nullptr;
    bytes_ = client_.encoder_.joined(head, rest);
    issue();
}

void Call::expire() {
    ++client_.counters_.timeouts;
    forget();
    client_.route_->leave(*this);
    finish(Error::us(Code::timed_out, "no reply of Redis in time"));
}

// Wakes who waits, which may be the end of this object.
void Call::finish(base::Result<Reply> result) {
    timer_.cancel();
    bytes_.reset();
    result_.emplace(std::move(result));
    if (net::Waiter waiter = std::exchange(waiter_, {})) waiter.wake(waiter.argument);
}

// ---- Clients

Lease Clients::of(const Settings& settings) {
    auto found = std::ranges::find_if(clients_, [&](const Kept& kept) { return kept.client->settings() == settings; });
    if (found == clients_.end()) {
        seed_ = base::mixed(seed_ + 1);
        clients_.push_back({std::make_unique<Client>(loop_, settings, surroundings_, seed_), {}});
        found = std::prev(clients_.end());
    }
    std::shared_ptr<const void> held = found->held.lock();
    if (held == nullptr) found->held = held = std::make_shared<const char>();
    return {found->client.get(), std::move(held)};
}

void Clients::tidy() {
    std::erase_if(clients_, [](const Kept& kept) { return kept.held.expired(); });
}

}  // namespace redis
