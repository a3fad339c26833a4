// Cache: what is known about names, what must be asked next and when. The whole logic of name resolution (kong.md 7.1)
// without threads, sockets or clocks: time is handed in, queries are handed out, answers are handed back.
// Used by the c-ares thread (ares_resolver.cpp), under its lock, and by simulated resolvers.
#pragma once

#include <cstdint>
#include <list>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/random.h"
#include "net/dns/hosts.h"
#include "net/dns/records.h"
#include "net/dns/settings.h"
#include "net/time.h"

namespace net::dns {

struct Query {
    std::string name;
    RecordType type = RecordType::a;  // srv, a or aaaa
    // The name stands in an SRV record: only its addresses are asked for, and it is complete as it is (RFC 2782).
    bool is_service_host = false;
};

struct ServiceRecord {
    std::string host;  // in its normal form
    std::uint16_t port = 0;
    std::uint16_t priority = 0;
    std::uint32_t weight = 0;
    auto operator<=>(const ServiceRecord&) const = default;
};

struct Answer {
    enum class Kind : std::uint8_t { found, nothing, failed };
    Kind kind = Kind::failed;
    std::vector<IpAddress> addresses;
    std::chrono::seconds ttl{0};
    std::string detail;
    std::vector<ServiceRecord> services = {};  // of a query for srv
    bool is_declined = false;                  // failed: a server said that it cannot or will not answer this
};

// The end of a look-up.
struct Finding {
    std::string name;
    RecordsPointer records;
    bool is_news = false;  // other than what those who watch the name were told before
};

class Cache {
  public:
    Cache(Settings settings, std::uint64_t seed);

    // Keeps a name fresh until unwatch(), once per watch(). Returns what is known, or null: a Finding will follow.
    RecordsPointer watch(std::string_view name, Instant now);
    void unwatch(std::string_view name, Instant now);
    // What is fresh or stale; or null, and a Finding for this name will follow.
    RecordsPointer request(std::string_view name, Instant now);
    // The same without asking for anything.
    [[nodiscard]] RecordsPointer known(std::string_view name, Instant now) const;

    // The next query to send now, if one is due and fewer than most_queries are in flight. At most one per name is.
    std::optional<Query> next_query(Instant now);
    // The answer to a query that next_query() gave. A look-up may need further queries before it ends in a Finding; the
    // addresses of a service's host may end those of several names.
    std::vector<Finding> answered(const Query& query, Answer answer, Instant now);
    // When next_query() has something to do at the latest; `never` if nothing is waiting or all slots are busy.
    [[nodiscard]] Instant next_due() const;

    // Takes another hosts file; returns what it changed.
    std::vector<Finding> set_hosts(Hosts hosts, Instant now);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

  private:
    // A name as somebody wants it and the same as the host of a service are two entries: a service's host has no
    // services of its own, so that no circle of names can be made.
    struct Key {
        std::string name;
        bool is_service_host = false;
        auto operator<=>(const Key&) const = default;
    };
    struct KeyHash {
        std::size_t operator()(const Key& key) const {
            return std::hash<std::string>()(key.name) + key.is_service_host;
        }
    };
    struct Entry {
        RecordsPointer records;  // null until the first look-up ends
        Instant fresh_until = 0;
        Instant stale_until = 0;  // of resolved records
        Instant due = never;      // in due_, unless never
        std::uint32_t watchers = 0;
        bool is_wanted = false;               // somebody waits for the end of the look-up
        bool is_asking = false;               // a query is in flight
        bool is_local = false;                // answered by the hosts file
        std::vector<RecordType> to_ask;       // the rest of the look-up under way, last one first
        RecordType last = RecordType::last;   // the type that answered before
        std::vector<ServiceRecord> services;  // what SRV said last; each host is an entry that this one watches
        Instant services_until = 0;           // how long they may serve, as stale ones too
        bool is_provisional = false;          // SRV was declined in the look-up under way
        bool is_gathering = false;            // not every host's addresses are known yet
        std::vector<std::string> used_by;     // of a service's host: the names that have it
        std::list<Key>::iterator idle;        // in idle_, if nobody watches or waits
        bool is_idle = false;
    };
    using Entries = std::unordered_map<Key, Entry, KeyHash>;

    [[nodiscard]] RecordsPointer local(const Key& key) const;
    [[nodiscard]] std::vector<RecordType> types_for(const Key& key, const Entry& entry) const;
    [[nodiscard]] RecordsPointer usable(const Entry& entry, Instant now) const;
    void refuse_local(Answer& answer) const;
    [[nodiscard]] bool keeps(const Entry& entry, bool failed, Instant now) const;
    Entry* entry_for(const Key& key, Instant now);
    void settle(const Key& key, Entry& entry, Instant now);
    void set_due(const Key& key, Entry& entry, Instant due);
    void erase(Entries::iterator at, Instant now);
    void finish(const Key& key, Entry& entry, Answer answer, Instant now, std::vector<Finding>& out);
    void set_services(const Key& key, Entry& entry, std::vector<ServiceRecord> services, Instant now);
    void gather(const Key& key, Entry& entry, Instant now, std::vector<Finding>& out);
    void gather_users(const std::vector<std::string>& names, Instant now, std::vector<Finding>& out);
    [[nodiscard]] std::chrono::seconds time_to_live(const Answer& answer) const;
    Instant later(Instant now, std::chrono::milliseconds span);

    Settings settings_;
    base::Random random_;
    Hosts hosts_;
    Entries entries_;
    std::set<std::pair<Instant, Key>> due_;
    std::list<Key> idle_;  // oldest first
    std::size_t in_flight_ = 0;
};

}  // namespace net::dns
