#include "net/dns/cache.h"

#include <algorithm>
#include <memory>
#include <set>
#include <utility>

#include "net/dns/names.h"

namespace net::dns {

namespace {
constexpr std::chrono::milliseconds most_jitter{500};  // as Kong: renewed within half a second of expiry

RecordsPointer records_of(Records::State state, std::vector<IpAddress> addresses, std::string detail = {}) {
    std::sort(addresses.begin(), addresses.end());
    addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
    return std::make_shared<const Records>(Records{state, std::move(addresses), std::move(detail)});
}

// Where a packet would not leave this host or its link: loopback, unspecified (which connects to this host),
// link-local, and IPv4's in the forms that IPv6 has for them (IPv4-compatible, NAT64).
bool is_local_address(const IpAddress& address) {
    static const std::vector<Cidr> blocks = [] {
        std::vector<Cidr> out;
        for (const char* block : {"0.0.0.0/8", "127.0.0.0/8", "169.254.0.0/16", "::/96", "fe80::/10"})
            out.push_back(*Cidr::parse(block));
        return out;
    }();
    static const Cidr nat64 = *Cidr::parse("64:ff9b::/96");  // RFC 6052 2.1
    const auto& bytes = address.bytes();
    IpAddress inner =
        !nat64.contains(address)
            ? address
            : IpAddress::v4(std::uint32_t{bytes[12]} << 24 | bytes[13] << 16 | bytes[14] << 8 | bytes[15]);
    return std::any_of(blocks.begin(), blocks.end(), [&](const Cidr& block) { return block.contains(inner); });
}
// How long addresses serve of a name that may have services, which the servers will not say now.
constexpr std::chrono::seconds longest_provisional{10};

constexpr std::string_view refusal = "the DNS points at this host or its link (dns_rebind_protection)";

// RFC 2782: the lowest number is the most preferred; the others are for when it cannot be reached at all.
std::vector<ServiceRecord> most_preferred(std::vector<ServiceRecord> services) {
    std::sort(services.begin(), services.end());
    services.erase(std::unique(services.begin(), services.end()), services.end());
    std::uint16_t least = 65'535;
    for (const ServiceRecord& service : services) least = std::min(least, service.priority);
    std::erase_if(services, [&](const ServiceRecord& service) { return service.priority != least; });
    if (services.size() > most_addresses) services.resize(most_addresses);
    return services;
}
}  // namespace

Cache::Cache(Settings settings, std::uint64_t seed) : settings_(std::move(settings)), random_(seed) {}

RecordsPointer Cache::watch(std::string_view text, Instant now) {
    Key key{normal_name(text)};
    Entry& entry = entries_[key];  // watched names are as many as the configuration holds, so they are never refused
    ++entry.watchers;
    settle(key, entry, now);
    return usable(entry, now);
}

void Cache::unwatch(std::string_view text, Instant now) {
    Key key{normal_name(text)};
    auto found = entries_.find(key);
    if (found == entries_.end() || found->second.watchers == 0) return;
    --found->second.watchers;
    settle(key, found->second, now);
}

RecordsPointer Cache::request(std::string_view text, Instant now) {
    Key key{normal_name(text)};
    if (RecordsPointer here = local(key)) return here;
    Entry* entry = entry_for(key, now);
    if (entry == nullptr) return records_of(Records::State::failed, {}, "too many names are being resolved");
    RecordsPointer known = usable(*entry, now);
    if (!known || now >= entry->fresh_until) entry->is_wanted = true;
    settle(key, *entry, now);
    return known;
}

RecordsPointer Cache::known(std::string_view text, Instant now) const {
    Key key{normal_name(text)};
    if (RecordsPointer here = local(key)) return here;
    auto found = entries_.find(key);
    return found == entries_.end() ? nullptr : usable(found->second, now);
}

// What needs no DNS: addresses, names that cannot exist, the hosts file, localhost.
RecordsPointer Cache::local(const Key& key) const {
    const std::string& name = key.name;
    // In an SRV record these are the DNS's words; elsewhere the operator's.
    bool is_refused = key.is_service_host && settings_.refuses_local;
    std::string_view bare = name;
    if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']') bare = bare.substr(1, bare.size() - 2);
    if (auto address = IpAddress::parse(bare)) {
        if (is_refused && is_local_address(*address))
            return records_of(Records::State::not_found, {}, std::string(refusal));
        return records_of(Records::State::resolved, {*address});
    }
    if (!is_host_name(name)) return records_of(Records::State::not_found, {}, "not a valid host name");
    const std::vector<IpAddress>* listed = hosts_.find(name);
    if (listed == nullptr && !is_localhost(name)) return nullptr;

    auto at = std::find_if(settings_.order.begin(), settings_.order.end(),
                           [](RecordType type) { return type == RecordType::a || type == RecordType::aaaa; });
    bool prefers_v4 = at == settings_.order.end() || *at == RecordType::a;
    if (listed == nullptr) {  // RFC 6761 6.3: never asks a resolver for localhost
        if (is_refused) return records_of(Records::State::not_found, {}, std::string(refusal));
        return records_of(Records::State::resolved, {prefers_v4 ? IpAddress::loopback_v4() : *IpAddress::parse("::1")});
    }
    std::vector<IpAddress> preferred;
    std::copy_if(listed->begin(), listed->end(), std::back_inserter(preferred),
                 [&](const IpAddress& address) { return address.is_v4() == prefers_v4; });
    return records_of(Records::State::resolved, preferred.empty() ? *listed : std::move(preferred));
}

std::vector<RecordType> Cache::types_for(const Key& key, const Entry& entry) const {
    std::vector<RecordType> out;
    for (RecordType type : settings_.order) {
        if (type == RecordType::last) type = entry.last;
        bool is_asked =
            type == RecordType::a || type == RecordType::aaaa || (type == RecordType::srv && !key.is_service_host);
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
Cache::Entry* Cache::entry_for(const Key& key, Instant now) {
    auto found = entries_.find(key);
    if (found != entries_.end()) return &found->second;
    if (entries_.size() >= settings_.cache_size) {
        if (idle_.empty()) return nullptr;
        erase(entries_.find(idle_.front()), now);
    }
    return &entries_[key];
}

// Brings an entry's place in the queues in line with who wants it: a look-up when one is due, else the time to forget
// it.
void Cache::settle(const Key& key, Entry& entry, Instant now) {
    bool is_idle = entry.watchers == 0 && !entry.is_wanted && !entry.is_asking && entry.to_ask.empty();
    if (entry.is_idle) idle_.erase(entry.idle);
    if (is_idle) entry.idle = idle_.insert(idle_.end(), key);
    entry.is_idle = is_idle;
    if (is_idle)
        return set_due(key, entry, entry.is_local ? now : std::max({now, entry.fresh_until, entry.stale_until}));
    if (entry.is_asking) return set_due(key, entry, never);
    if (!entry.records || entry.is_local) {
        if (RecordsPointer here = local(key)) {
            entry.records = std::move(here);
            entry.is_local = true;
            entry.is_wanted = false;
            entry.fresh_until = never;
            return set_due(key, entry, never);
        }
    }
    if (entry.is_gathering) return set_due(key, entry, never);  // until its hosts have been answered for
    bool at_once = !entry.records || entry.is_wanted || !entry.to_ask.empty();
    set_due(key, entry, at_once ? now : entry.fresh_until);
}

void Cache::set_due(const Key& key, Entry& entry, Instant due) {
    if (entry.due == due) return;
    if (entry.due != never) due_.erase({entry.due, key});
    entry.due = due;
    if (due != never) due_.insert({due, key});
}

void Cache::erase(Entries::iterator at, Instant now) {
    set_services(at->first, at->second, {}, now);
    set_due(at->first, at->second, never);
    if (at->second.is_idle) idle_.erase(at->second.idle);
    entries_.erase(at);
}

std::optional<Query> Cache::next_query(Instant now) {
    while (in_flight_ < settings_.most_queries && !due_.empty() && due_.begin()->first <= now) {
        auto at = entries_.find(due_.begin()->second);
        const Key& key = at->first;
        Entry& entry = at->second;
        if (entry.is_idle) {
            erase(at, now);
            continue;
        }
        if (entry.to_ask.empty()) {
            entry.to_ask = types_for(key, entry);
            entry.is_provisional = false;
        }
        Query query{key.name, entry.to_ask.back(), key.is_service_host};
        entry.to_ask.pop_back();
        entry.is_asking = true;
        ++in_flight_;
        set_due(key, entry, never);
        return query;
    }
    return std::nullopt;
}

Instant Cache::next_due() const {
    return due_.empty() || in_flight_ >= settings_.most_queries ? never : due_.begin()->first;
}

std::vector<Finding> Cache::answered(const Query& query, Answer answer, Instant now) {
    std::vector<Finding> out;
    auto found = entries_.find(Key{query.name, query.is_service_host});
    ensure(found != entries_.end() && found->second.is_asking, query.name);
    const Key& key = found->first;
    Entry& entry = found->second;
    entry.is_asking = false;
    --in_flight_;
    if (entry.is_local) {  // the hosts file has taken the name over meanwhile
        entry.to_ask.clear();
        settle(key, entry, now);
        return out;
    }
    if (settings_.refuses_local) refuse_local(answer);
    // kong.md 7.1: no such record -> the next type; a failure of the resolver ends the look-up.
    if (answer.kind == Answer::Kind::nothing && !entry.to_ask.empty()) {
        settle(key, entry, now);
        return out;
    }
    // Some servers decline what they do not know, and many names have no services: addresses will do, for a while.
    if (answer.is_declined && query.type == RecordType::srv && entry.last != query.type && !entry.to_ask.empty()) {
        entry.is_provisional = true;
        settle(key, entry, now);
        return out;
    }
    bool is_provisional = std::exchange(entry.is_provisional, false);
    if (is_provisional) answer.ttl = std::min(answer.ttl, longest_provisional);
    if (answer.kind == Answer::Kind::found && !is_provisional) entry.last = query.type;
    entry.to_ask.clear();
    if (answer.kind == Answer::Kind::found && !answer.services.empty()) {
        entry.fresh_until = later(now, time_to_live(answer));
        entry.services_until = after(entry.fresh_until, settings_.stale_ttl);
        set_services(key, entry, most_preferred(std::move(answer.services)), now);
        gather(key, entry, now, out);
    } else {
        finish(key, entry, std::move(answer), now, out);
    }
    return out;
}

void Cache::refuse_local(Answer& answer) const {
    if (std::erase_if(answer.addresses, is_local_address) == 0) return;
    answer.detail = refusal;
    if (answer.addresses.empty()) answer.kind = Answer::Kind::nothing;
}

std::chrono::seconds Cache::time_to_live(const Answer& answer) const {
    auto ttl = settings_.valid_ttl.value_or(std::clamp(answer.ttl, settings_.least_ttl, settings_.most_ttl));
    return std::max(ttl, std::chrono::seconds(1));  // a TTL of 0 would be asked for in a loop
}

void Cache::finish(const Key& key, Entry& entry, Answer answer, Instant now, std::vector<Finding>& out) {
    RecordsPointer before = entry.records;
    if (answer.kind == Answer::Kind::found && !answer.addresses.empty()) {
        if (answer.addresses.size() > most_addresses) answer.addresses.resize(most_addresses);
        entry.fresh_until = later(now, time_to_live(answer));
        entry.stale_until = after(entry.fresh_until, settings_.stale_ttl);
        entry.records = records_of(Records::State::resolved, std::move(answer.addresses), std::move(answer.detail));
        set_services(key, entry, {}, now);
    } else {
        bool failed = answer.kind == Answer::Kind::failed;
        entry.fresh_until = later(now, failed ? settings_.error_ttl : settings_.not_found_ttl);
        if (!keeps(entry, failed, now)) {
            entry.records =
                records_of(failed ? Records::State::failed : Records::State::not_found, {}, std::move(answer.detail));
            entry.stale_until = 0;
            set_services(key, entry, {}, now);
        }
    }
    bool is_news = !before || !before->says_the_same_as(*entry.records);
    entry.is_wanted = false;
    settle(key, entry, now);
    if (!key.is_service_host)
        out.push_back({key.name, entry.records, is_news});
    else if (is_news)
        gather_users(entry.used_by, now, out);
}

// A name that resolved goes on resolving until its records are too old even as stale ones. If nobody answers at all
// that says nothing about the name: who watches it keeps what there is, however old.
bool Cache::keeps(const Entry& entry, bool failed, Instant now) const {
    return entry.records && entry.records->is_resolved() && (now < entry.stale_until || (failed && entry.watchers > 0));
}

// Watches the hosts of these in the place of those before.
void Cache::set_services(const Key& key, Entry& entry, std::vector<ServiceRecord> services, Instant now) {
    std::vector<ServiceRecord> before = std::exchange(entry.services, std::move(services));
    entry.is_gathering = false;
    for (const ServiceRecord& service : entry.services) {
        Key host{service.host, true};
        Entry& used = entries_[host];
        if (std::find(used.used_by.begin(), used.used_by.end(), key.name) != used.used_by.end()) continue;
        used.used_by.push_back(key.name);
        ++used.watchers;
        settle(host, used, now);
    }
    std::set<std::string_view> kept;
    for (const ServiceRecord& service : entry.services) kept.insert(service.host);
    for (const ServiceRecord& service : before) {
        if (kept.contains(service.host)) continue;
        Key host{service.host, true};
        Entry& used = entries_.find(host)->second;
        if (std::erase(used.used_by, key.name) == 0) continue;
        --used.watchers;
        settle(host, used, now);
    }
}

// Makes a name's records of its services, once each of their hosts has been answered for: those that are new are not
// told one by one, or the first would take all the load.
void Cache::gather(const Key& key, Entry& entry, Instant now, std::vector<Finding>& out) {
    std::vector<ServiceAddress> found;
    std::vector<IpAddress> addresses;
    std::string detail;
    bool failed = false;
    for (const ServiceRecord& service : entry.services) {
        const RecordsPointer& host = entries_.find(Key{service.host, true})->second.records;
        if (!host) {
            entry.is_gathering = true;
            return settle(key, entry, now);
        }
        failed |= host->state == Records::State::failed;
        if (!host->detail.empty() && detail.empty()) detail = service.host + ": " + host->detail;
        for (const IpAddress& ip : host->addresses)
            found.push_back({ip, service.port, std::max(service.weight, 1U), service.host});  // kong.md 7.1: 0 is 1
    }
    entry.is_gathering = false;
    std::sort(found.begin(), found.end());
    found.erase(std::unique(found.begin(), found.end()), found.end());
    if (found.size() > most_addresses) found.resize(most_addresses);
    for (const ServiceAddress& each : found) addresses.push_back(each.ip);

    RecordsPointer before = entry.records;
    if (!found.empty()) {
        Records records = *records_of(Records::State::resolved, std::move(addresses), std::move(detail));
        records.services = std::move(found);
        entry.records = std::make_shared<const Records>(std::move(records));
        entry.stale_until = entry.services_until;
    } else if (!keeps(entry, failed, now)) {
        entry.records = records_of(failed ? Records::State::failed : Records::State::not_found, {}, std::move(detail));
        entry.stale_until = 0;
    }
    bool is_news = !before || !before->says_the_same_as(*entry.records);
    bool is_told = is_news || entry.is_wanted;
    entry.is_wanted = false;
    settle(key, entry, now);
    if (is_told) out.push_back({key.name, entry.records, is_news});
}

void Cache::gather_users(const std::vector<std::string>& names, Instant now, std::vector<Finding>& out) {
    for (const std::string& name : names) {
        auto user = entries_.find(Key{name});
        if (!user->second.is_local) gather(user->first, user->second, now, out);
    }
}

// `span` from now and a little more, so that names that were learnt together are not all renewed together.
Instant Cache::later(Instant now, std::chrono::milliseconds span) {
    auto jitter = std::min<std::chrono::milliseconds>(most_jitter, span / 10);
    return after(now, span + std::chrono::milliseconds(random_.below(static_cast<std::uint32_t>(jitter.count()) + 1)));
}

std::vector<Finding> Cache::set_hosts(Hosts hosts, Instant now) {
    hosts_ = std::move(hosts);
    std::vector<Finding> out;
    std::vector<std::string> to_gather;
    for (auto& [key, entry] : entries_) {
        RecordsPointer here = local(key);
        if (here) {
            bool is_news = !entry.records || !entry.records->says_the_same_as(*here);
            bool is_told = is_news || entry.is_wanted;
            entry.is_local = true;
            entry.records = here;
            entry.is_wanted = false;
            if (!entry.is_asking) entry.to_ask.clear();
            entry.fresh_until = never;
            set_services(key, entry, {}, now);
            if (is_told && !key.is_service_host) out.push_back({key.name, here, is_news});
            to_gather.insert(to_gather.end(), entry.used_by.begin(), entry.used_by.end());
        } else if (entry.is_local) {  // no longer listed: DNS is asked, and until it answers the old address serves
            entry.is_local = false;
            entry.fresh_until = now;
            entry.stale_until = after(now, settings_.stale_ttl);
        } else {
            continue;
        }
        settle(key, entry, now);
    }
    // Those that the file has taken over themselves have no services any more.
    std::erase_if(to_gather,
                  [&](const std::string& name) { return entries_.find(Key{name})->second.services.empty(); });
    gather_users(to_gather, now, out);
    return out;
}

}  // namespace net::dns
