#include "net/dns/cache.h"

#include <algorithm>
#include <memory>

#include "net/dns/names.h"

namespace net::dns {

namespace {
constexpr std::chrono::milliseconds most_jitter{500};  // as Kong: renewed within half a second of expiry

RecordsPointer records_of(Records::State state, std::vector<IpAddress> addresses, std::string detail = {}) {
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return std::make_shared<const Records>(Records{state, std::move(addresses), std::move(detail)});
}
}  // namespace

Cache::Cache(Settings settings, std::uint64_t seed) : settings_(std::move(settings)), random_(seed) {}

RecordsPointer Cache::watch(std::string_view text, Instant now) {
    std::string name = normal_name(text);
    Entry& entry = entries_[name];  // watched names are as many as the configuration holds, so they are never refused
    ++entry.watchers;
    settle(name, entry, now);
    return usable(entry, now);
}

void Cache::unwatch(std::string_view text, Instant now) {
    std::string name = normal_name(text);
    auto found = entries_.find(name);
    if (found == entries_.end() || found->second.watchers == 0) return;
    --found->second.watchers;
    settle(name, found->second, now);
}

RecordsPointer Cache::request(std::string_view text, Instant now) {
    std::string name = normal_name(text);
    if (RecordsPointer here = local(name)) return here;
    Entry* entry = entry_for(name);
    if (entry == nullptr) return records_of(Records::State::failed, {}, "too many names are being resolved");
    RecordsPointer known = usable(*entry, now);
    if (!known || now >= entry->fresh_until) entry->is_wanted = true;
    settle(name, *entry, now);
    return known;
}

RecordsPointer Cache::known(std::string_view text, Instant now) const {
    std::string name = normal_name(text);
    if (RecordsPointer here = local(name)) return here;
    auto found = entries_.find(name);
    return found == entries_.end() ? nullptr : usable(found->second, now);
}

// What needs no DNS: addresses, names that cannot exist, the hosts file, localhost.
RecordsPointer Cache::local(const std::string& name) const {
    std::string_view bare = name;
    if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
    if (auto address = IpAddress::parse(bare)) return records_of(Records::State::resolved, {*address});
    if (!is_host_name(name)) return records_of(Records::State::not_found, {}, "not a valid host name");
    const std::vector<IpAddress>* listed = hosts_.find(name);
    if (listed == nullptr && !is_localhost(name)) return nullptr;

    auto at = std::find_if(settings_.order.begin(), settings_.order.end(),
                           [](RecordType type) { return type == RecordType::a || type == RecordType::aaaa; });
    bool prefers_v4 = at == settings_.order.end() || *at == RecordType::a;
    if (listed == nullptr) {  // RFC 6761 6.3: never asks a resolver for localhost
        return records_of(Records::State::resolved, {prefers_v4 ? IpAddress::loopback_v4() : *IpAddress::parse("::1")});
    }
    std::vector<IpAddress> preferred;
    std::copy_if(listed->begin(), listed->end(), std::back_inserter(preferred),
                 [&](const IpAddress& address) { return address.is_v4() == prefers_v4; });
    return records_of(Records::State::resolved, preferred.empty() ? *listed : std::move(preferred));
}

std::vector<RecordType> Cache::types_for(const Entry& entry) const {
    std::vector<RecordType> out;
    for (RecordType type : settings_.order) {
        if (type == RecordType::last) type = entry.last;
        bool is_asked = type == RecordType::a || type == RecordType::aaaa;
        if (is_asked && std::find(out.begin(), out.end(), type) == out.end()) out.push_back(type);
    }
    if (out.empty()) out.push_back(RecordType::a);
    std::reverse(out.begin(), out.end());
    return out;
}

RecordsPointer Cache::usable(const Entry& entry, Instant now) const {
    if (!entry.records) return nullptr;
    // A watched name that failed is known to have failed until its next look-up says otherwise.
    bool serves =
        now < entry.fresh_until || entry.watchers > 0 || (entry.records->is_resolved() && now < entry.stale_until);
    return serves ? entry.records : nullptr;
}

// An entry for a name that somebody asks once; null if the cache is full of names in use.
Cache::Entry* Cache::entry_for(const std::string& name) {
    auto found = entries_.find(name);
    if (found != entries_.end()) return &found->second;
    if (entries_.size() >= settings_.cache_size) {
        if (idle_.empty()) return nullptr;
        erase(entries_.find(idle_.front()));
    }
    return &entries_[name];
}

// Brings an entry's place in the queues in line with who wants it: a look-up when one is due, else the time to forget
// it.
void Cache::settle(const std::string& name, Entry& entry, Instant now) {
    bool is_idle = entry.watchers == 0 && !entry.is_wanted && !entry.is_asking && entry.to_ask.empty();
    if (entry.is_idle) idle_.erase(entry.idle);
    if (is_idle) entry.idle = idle_.insert(idle_.end(), name);
    entry.is_idle = is_idle;
    if (is_idle)
        return set_due(name, entry, entry.is_local ? now : std::max({now, entry.fresh_until, entry.stale_until}));
    if (entry.is_asking) return set_due(name, entry, never);
    if (!entry.records || entry.is_local) {
        if (RecordsPointer here = local(name)) {
            entry.records = std::move(here);
            entry.is_local = true;
            entry.is_wanted = false;
            entry.fresh_until = never;
            return set_due(name, entry, never);
        }
    }
    bool at_once = !entry.records || entry.is_wanted || !entry.to_ask.empty();
    set_due(name, entry, at_once ? now : entry.fresh_until);
}

void Cache::set_due(const std::string& name, Entry& entry, Instant due) {
    if (entry.due == due) return;
    if (entry.due != never) due_.erase({entry.due, name});
    entry.due = due;
    if (due != never) due_.insert({due, name});
}

void Cache::erase(Entries::iterator at) {
    set_due(at->first, at->second, never);
    if (at->second.is_idle) idle_.erase(at->second.idle);
    entries_.erase(at);
}

std::optional<Query> Cache::next_query(Instant now) {
    while (in_flight_ < settings_.most_queries && !due_.empty() && due_.begin()->first <= now) {
        auto at = entries_.find(due_.begin()->second);
        Entry& entry = at->second;
        if (entry.is_idle) {
            erase(at);
            continue;
        }
        if (entry.to_ask.empty()) entry.to_ask = types_for(entry);
        Query query{at->first, entry.to_ask.back()};
        entry.to_ask.pop_back();
        entry.is_asking = true;
        ++in_flight_;
        set_due(at->first, entry, never);
        return query;
    }
    return std::nullopt;
}

Instant Cache::next_due() const {
    return due_.empty() || in_flight_ >= settings_.most_queries ? never : due_.begin()->first;
}

std::optional<Finding> Cache::answered(const Query& query, Answer answer, Instant now) {
    auto found = entries_.find(query.name);
    ensure(found != entries_.end() && found->second.is_asking, query.name);
    Entry& entry = found->second;
    entry.is_asking = false;
    --in_flight_;
    if (entry.is_local) {  // the hosts file has taken the name over meanwhile
        entry.to_ask.clear();
        settle(query.name, entry, now);
        return std::nullopt;
    }
    // kong.md 7.1: no such record -> the next type; a failure of the resolver ends the look-up.
    if (answer.kind == Answer::Kind::nothing && !entry.to_ask.empty()) {
        settle(query.name, entry, now);
        return std::nullopt;
    }
    if (answer.kind == Answer::Kind::found) entry.last = query.type;
    entry.to_ask.clear();
    return finish(query.name, entry, std::move(answer), now);
}

Finding Cache::finish(const std::string& name, Entry& entry, Answer answer, Instant now) {
    RecordsPointer before = entry.records;
    if (answer.kind == Answer::Kind::found && !answer.addresses.empty()) {
        if (answer.addresses.size() > most_addresses) answer.addresses.resize(most_addresses);
        auto ttl = settings_.valid_ttl.value_or(std::clamp(answer.ttl, settings_.least_ttl, settings_.most_ttl));
        ttl = std::max(ttl, std::chrono::seconds(1));  // a TTL of 0 would be asked for in a loop
        entry.records = records_of(Records::State::resolved, std::move(answer.addresses));
        entry.fresh_until = later(now, ttl);
        entry.stale_until = after(entry.fresh_until, settings_.stale_ttl);
    } else {
        bool failed = answer.kind == Answer::Kind::failed;
        entry.fresh_until = later(now, failed ? settings_.error_ttl : settings_.not_found_ttl);
        // A name that resolved goes on resolving until its records are too old even as stale ones. If nobody answers at
        // all that says nothing about the name: who watches it keeps what there is, however old.
        bool is_kept = before && before->is_resolved() && (now < entry.stale_until || (failed && entry.watchers > 0));
        if (!is_kept) {
            entry.records =
                records_of(failed ? Records::State::failed : Records::State::not_found, {}, std::move(answer.detail));
            entry.stale_until = 0;
        }
    }
    bool is_news = !before || !before->says_the_same_as(*entry.records);
    entry.is_wanted = false;
    Finding out{name, entry.records, is_news};
    settle(name, entry, now);
    return out;
}

// `span` from now and a little more, so that names that were learnt together are not all renewed together.
Instant Cache::later(Instant now, std::chrono::milliseconds span) {
    auto jitter = std::min<std::chrono::milliseconds>(most_jitter, span / 10);
    return after(now, span + std::chrono::milliseconds(random_.below(static_cast<std::uint32_t>(jitter.count()) + 1)));
}

std::vector<Finding> Cache::set_hosts(Hosts hosts, Instant now) {
    hosts_ = std::move(hosts);
    std::vector<Finding> out;
    for (auto& [name, entry] : entries_) {
        RecordsPointer here = local(name);
        if (here) {
            bool is_news = !entry.records || !entry.records->says_the_same_as(*here);
            bool is_told = is_news || entry.is_wanted;
            entry.is_local = true;
            entry.records = here;
            entry.is_wanted = false;
            if (!entry.is_asking) entry.to_ask.clear();
            entry.fresh_until = never;
            if (is_told) out.push_back({name, here, is_news});
        } else if (entry.is_local) {  // no longer listed: DNS is asked, and until it answers the old address serves
            entry.is_local = false;
            entry.fresh_until = now;
            entry.stale_until = after(now, settings_.stale_ttl);
        } else {
            continue;
        }
        settle(name, entry, now);
    }
    return out;
}

}  // namespace net::dns
