#include "redis/cluster.h"

#include <fmt/format.h>

#include <algorithm>

#include "observe/log.h"
#include "redis/inquiry.h"

namespace redis {

namespace {
using base::Code;
using base::Error;
}  // namespace

Cluster::Member::Member(Cluster& cluster, Node at)
    : node(std::move(at)),
      place(cluster.loop_, cluster.surroundings_, node),
      connection(
          cluster.loop_,
          [&] {
              ConnectionSettings out = ConnectionSettings::from(cluster.settings_, node.host);
              out.where = node.text();
              return out;
          }(),
          place, cluster, cluster.counters_, cluster.random_.next()) {}

Cluster::Cluster(net::Loop& loop, const Settings& settings, const Surroundings& surroundings, Counters& counters,
                 std::uint64_t seed)
    : loop_(loop),
      settings_(settings),
      surroundings_(surroundings),
      counters_(counters),
      random_(seed),
      encoder_(loop.buffers()),
      refreshed_(-least_between_refreshes.count()),
      refresh_timer_([](void* self) { static_cast<Cluster*>(self)->want_refresh(); }, this),
      line_timer_([](void* self) { static_cast<Cluster*>(self)->time_passed(); }, this),
      turn_end_([](void* self) { static_cast<Cluster*>(self)->turn_ends(); }, this) {}

Cluster::~Cluster() {
    has_ended_ = true;
    refreshing_ = {};
    call_up([](Call& call) { call.settled(Error::us(Code::cancelled, "Redis: the client has ended")); });
    members_.clear();
}

// ---- commands

base::Result<void> Cluster::issue(Call& call) {
    last_command_ = loop_.now();
    if (!has_map_) {
        if (is_away_) return Error::us(Code::no_endpoint, fmt::format("Redis {} is away", settings_.where()));
        if (line_.size() >= settings_.limits.commands)
            return Error::us(Code::exhausted, fmt::format("Redis {}: too much is under way", settings_.where()));
        stand_in_line(call);
        want_refresh();
        return {};
    }
    Number number = call.slot_ == Call::no_slot ? any_member() : owners_[call.slot_];
    if (number == 0) {
        want_refresh();
        return Error::us(Code::no_endpoint, fmt::format("Redis {}: nobody owns the slot", settings_.where()));
    }
    return issue_at(number, call);
}

base::Result<void> Cluster::issue_at(Number number, Call& call) {
    call.member_ = number;
    base::Result<void> taken = members_[number - 1]->connection.issue(call, call.bytes_);
    if (!taken) want_refresh();
    return taken;
}

Cluster::Number Cluster::any_member() {
    for (std::size_t tried = 0; tried < members_.size(); ++tried) {
        last_any_ = static_cast<Number>(last_any_ % members_.size() + 1);
        const Member* member = members_[last_any_ - 1].get();
        if (member != nullptr && member->is_owner && member->connection.is_available()) return last_any_;
    }
    return 0;
}

bool Cluster::is_available() const {
    if (!has_map_) return !is_away_;
    return std::ranges::any_of(
        members_, [](const auto& member) { return member && member->is_owner && member->connection.is_available(); });
}

// Redis has said that it did not run the command: so it may go elsewhere.
bool Cluster::issue_elsewhere(Call& call, Complaint complaint, std::string_view error) {
    switch (complaint) {
        case Complaint::moved:
        case Complaint::ask:
        case Complaint::try_again:
            break;
        case Complaint::read_only:
        case Complaint::unavailable:
            want_refresh();
            return false;
        default:
            return false;
    }
    if (call.redirects_ >= settings_.cluster_max_redirections) return false;
    ++call.redirects_;
    if (complaint == Complaint::try_again) return issue_later(call);
    std::optional<Redirection> redirection = read_redirection(error, members_[call.member_ - 1]->node);
    Number number = 0;
    if (!redirection || member_at(redirection->to, number) == nullptr) return false;
    ++counters_.redirects;
    if (complaint == Complaint::ask) return issue_asking(number, call);
    owners_[redirection->slot] = number;
    want_refresh();
    // Until the new owner of a slot has been told, the old one sends there, and it sends back.
    return call.redirects_ > most_at_once ? issue_later(call) : issue_at(number, call).ok();
}

bool Cluster::issue_later(Call& call) {
    if (line_.size() >= settings_.limits.commands) return false;
    stand_in_line(call);
    if (!line_timer_.is_armed())
        line_timer_.arm(loop_.timers(), net::after(loop_.now(), try_again_after * call.redirects_));
    return true;
}

// ASKING holds for the command behind it only: the two may not be parted.
bool Cluster::issue_asking(Number number, Call& call) {
    call.member_ = number;
    net::Slice both = encoder_.joined("*1\r\n$6\r\nASKING\r\n", call.bytes_.text());
    return members_[number - 1]->connection.issue(call, std::move(both), 1).ok();
}

// ---- those who wait

void Cluster::stand_in_line(Call& call) {
    call.place_in_line_ = ++last_in_line_;
    line_.emplace(call.place_in_line_, &call);
}

void Cluster::leave(Call& call) {
    if (call.place_in_line_ != 0) line_.erase(std::exchange(call.place_in_line_, 0));
}

// Those who are in the line now, in order; whoever is told may leave others, or come back.
template <typename Function>
void Cluster::call_up(Function function) {
    std::uint64_t last = last_in_line_;
    while (!line_.empty() && line_.begin()->first <= last) {
        Call& call = *line_.begin()->second;
        leave(call);
        function(call);
    }
}

void Cluster::time_passed() {
    if (has_map_) call_up([](Call& call) { call.issue(); });
}

// ---- members

Cluster::Member* Cluster::member_at(const Node& node, Number& number) {
    auto found =
        std::ranges::find_if(members_, [&](const auto& member) { return member != nullptr && member->node == node; });
    if (found == members_.end()) {
        found = std::ranges::find_if(members_, [](const auto& member) { return member == nullptr; });
        if (found == members_.end()) {
            if (members_.size() >= settings_.limits.cluster_nodes) return nullptr;
            found = members_.emplace(members_.end());
        }
        *found = std::make_unique<Member>(*this, node);
    }
    number = static_cast<Number>(found - members_.begin() + 1);
    return found->get();
}

// Nodes that own nothing any more, and those that were only asked for the map.
void Cluster::drop_strangers() {
    for (auto& member : members_)
        if (member && !member->is_owner && member->connection.outstanding() == 0) member.reset();
}

// ---- the map

void Cluster::want_refresh() {
    if (has_ended_ || is_refreshing_ || turn_end_.is_linked()) return;
    net::Instant next = refreshed_ + least_between_refreshes.count();
    if (is_away_ || next <= loop_.now()) {
        if (is_away_ && refresh_timer_.is_armed()) return;
        refresh_timer_.cancel();
        loop_.at_turn_end(turn_end_);
    } else if (!refresh_timer_.is_armed()) {
        refresh_timer_.arm(loop_.timers(), next);
    }
}

void Cluster::turn_ends() {
    bool is_unwanted = loop_.now() - last_command_ >= settings_.limits.idle_timeout.count();
    if (is_unwanted) {
        is_away_ = false;  // the next command finds out
        return;
    }
    is_refreshing_ = true;
    refreshed_ = loop_.now();
    ++counters_.slot_refreshes;
    refreshing_ = refresh();
    refreshing_.start();
}

base::Task<void> Cluster::refresh() {
    Error last = Error::us(Code::no_endpoint, fmt::format("Redis {} is away", settings_.where()));
    for (const Node& node : whom_to_ask()) {
        base::Result<std::vector<SlotRange>> ranges = co_await ask(node);
        if (!ranges) {
            last = std::move(ranges).error();
            continue;
        }
        take(*ranges);
        co_return;
    }
    refresh_failed(last);
}

// Those that hold the data, from a random one on; then those of the configuration.
std::vector<Node> Cluster::whom_to_ask() {
    std::vector<Node> out;
    for (const auto& member : members_)
        if (member && member->is_owner && member->connection.is_available()) out.push_back(member->node);
    if (!out.empty()) std::ranges::rotate(out, out.begin() + random_.below(static_cast<std::uint32_t>(out.size())));
    constexpr std::size_t most_owners = 3;
    if (out.size() > most_owners) out.resize(most_owners);
    for (const Node& node : settings_.cluster_nodes)
        if (std::ranges::find(out, node) == out.end()) out.push_back(node);
    return out;
}

base::Task<base::Result<std::vector<SlotRange>>> Cluster::ask(Node node) {
    Number number = 0;
    Member* member = member_at(node, number);
    if (member == nullptr) co_return Error::us(Code::too_large, "Redis: a cluster of too many nodes");
    std::array<std::string_view, 2> words{"CLUSTER", "SLOTS"};
    Inquiry inquiry(loop_, member->connection, encoder_.encode(words),
                    net::after(loop_.now(), member->connection.longest()));
    base::Result<Reply> reply = co_await inquiry;
    if (!reply) co_return std::move(reply).error();
    co_return read_slots(*reply, node, settings_.limits.cluster_nodes);
}

void Cluster::take(const std::vector<SlotRange>& ranges) {
    is_refreshing_ = false;
    is_away_ = false;
    failures_ = 0;
    has_map_ = true;
    owners_.fill(0);
    for (auto& member : members_)
        if (member) member->is_owner = false;
    for (const SlotRange& range : ranges) {
        Number number = 0;
        Member* member = member_at(range.master, number);
        if (member == nullptr) continue;
        member->is_owner = true;
        std::fill(owners_.begin() + range.first, owners_.begin() + range.last + 1, number);
    }
    drop_strangers();
    call_up([](Call& call) { call.issue(); });
}

// With a map it goes on with that; without one everybody is told, and asks again when the back-off is over.
void Cluster::refresh_failed(const Error& error) {
    is_refreshing_ = false;
    if (failures_ == 0)
        observe::log(observe::Level::warn, "redis", "no node of the cluster tells who owns what",
                     {{"where", settings_.where()}, {"reason", error.detail}});
    net::Instant span = std::max<net::Instant>(2, settings_.limits.least_back_off.count())
                        << std::min(failures_++, 20u);
    span = std::clamp<net::Instant>(span, 2, std::max<net::Instant>(2, settings_.limits.most_back_off.count()));
    span -= random_.below(static_cast<std::uint32_t>(span / 2));
    is_away_ = !has_map_;
    refresh_timer_.arm(loop_.timers(), loop_.now() + span);
    if (!has_map_) call_up([&](Call& call) { call.settled(error); });
}

}  // namespace redis
