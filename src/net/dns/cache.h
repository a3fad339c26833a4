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
    RecordType type = RecordType::a;  // a or aaaa
};

struct Answer {
    enum class Kind : std::uint8_t { found, nothing, failed };
    Kind kind = Kind::failed;
    std::vector<IpAddress> addresses;
    std::chrono::seconds ttl{0};
    std::string detail;
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
    // The answer to a query that next_query() gave. A look-up may need another query before it ends in a Finding.
    std::optional<Finding> answered(const Query& query, Answer answer, Instant now);
    // When next_query() has something to do at the latest; `never` if nothing is waiting or all slots are busy.
    [[nodiscard]] Instant next_due() const;

    // Takes another hosts file; returns what it changed.
    std::vector<Finding> set_hosts(Hosts hosts, Instant now);

    [[nodiscard]] std::size_t size() const { return entries_.size(); }
    [[nodiscard]] std::size_t in_flight() const { return in_flight_; }

  private:
    struct Entry {
        RecordsPointer records;  // null until the first look-up ends
        Instant fresh_until = 0;
        Instant stale_until = 0;  // of resolved records
        Instant due = never;      // in due_, unless never
        std::uint32_t watchers = 0;
        bool is_wanted = false;                 // somebody waits for the end of the look-up
        bool is_asking = false;                 // a query is in flight
        bool is_local = false;                  // answered by the hosts file
        std::vector<RecordType> to_ask;         // the rest of the look-up under way, last one first
        RecordType last = RecordType::last;     // the type that answered before
        std::list<std::string>::iterator idle;  // in idle_, if nobody watches or waits
        bool is_idle = false;
    };
    using Entries = std::unordered_map<std::string, Entry>;

    [[nodiscard]] RecordsPointer local(const std::string& name) const;
    [[nodiscard]] std::vector<RecordType> types_for(const Entry& entry) const;
    [[nodiscard]] RecordsPointer usable(const Entry& entry, Instant now) const;
    Entry* entry_for(const std::string& name);
    void settle(const std::string& name, Entry& entry, Instant now);
    void set_due(const std::string& name, Entry& entry, Instant due);
    void erase(Entries::iterator at);
    Finding finish(const std::string& name, Entry& entry, Answer answer, Instant now);
    Instant later(Instant now, std::chrono::milliseconds span);

    Settings settings_;
    base::Random random_;
    Hosts hosts_;
    Entries entries_;
    std::set<std::pair<Instant, std::string>> due_;
    std::list<std::string> idle_;  // oldest first
    std::size_t in_flight_ = 0;
};

}  // namespace net::dns
