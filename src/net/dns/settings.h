// Settings of name resolution, in the meaning of kong.conf's dns_* keys (kong.md 7.1). Filled by the program's
// settings.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/dns/records.h"

namespace net::dns {

struct Settings {
    std::vector<SocketAddress> servers;            // dns_resolver; empty: those of resolv_conf
    std::string resolv_conf = "/etc/resolv.conf";  // servers, search, ndots, rotate; read again when it changes
    std::string hosts_file = "/etc/hosts";         // dns_hostsfile; empty: none; read again when it changes
    std::vector<RecordType> order = {RecordType::last, RecordType::srv, RecordType::a, RecordType::cname};  // dns_order
    std::optional<std::chrono::seconds> valid_ttl;  // dns_valid_ttl: instead of the TTL of the answer
    std::chrono::seconds least_ttl{1};              // floor and ceiling of an answer's own TTL
    std::chrono::seconds most_ttl{86'400};
    std::chrono::seconds stale_ttl{
        3600};  // dns_stale_ttl: how long an expired answer serves while it cannot be renewed
    std::chrono::seconds not_found_ttl{30};      // dns_not_found_ttl
    std::chrono::seconds error_ttl{1};           // dns_error_ttl
    bool refuses_local = false;                  // dns_rebind_protection: answers that point at this host or its link
    std::size_t cache_size = 10'000;             // dns_cache_size: names nobody watches give way beyond it
    std::size_t most_queries = 64;               // queries in flight
    std::chrono::milliseconds timeout{2000};     // of the first try at a server; doubles with each round
    int tries = 3;                               // rounds over the servers
    std::chrono::milliseconds file_check{2000};  // how often hosts_file and resolv_conf are looked at
};

// "LAST,SRV,A,CNAME" and "1.2.3.4, [::1]:5353, 1.2.3.4:53", as in kong.conf.
base::Result<std::vector<RecordType>> parse_order(std::string_view text);
base::Result<std::vector<SocketAddress>> parse_servers(std::string_view text);

}  // namespace net::dns
