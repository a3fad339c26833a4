// Targets to endpoints: the names of an upstream's targets are replaced by the addresses that DNS gives, off the
// request path. Order is stable (targets as written, addresses sorted), so that an update moves only what changed.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "net/dns/overrides.h"
#include "net/dns/records.h"
#include "upstream/endpoint.h"

namespace upstream {

struct Target {
    std::string host;  // a name or an address (brackets around an IPv6 address are accepted)
    std::uint16_t port = 8000;
    std::uint32_t weight = 100;
    bool operator==(const Target&) const = default;
};

// As a target's host: RFC 3986 3.2.2 has an IPv6 address in brackets wherever a host name could stand.
[[nodiscard]] std::string host_text(const net::IpAddress& address);

// By which name an endpoint that comes from an SRV record is called: Host and SNI.
enum class CalledBy : std::uint8_t { target, srv_record };

enum class TargetState : std::uint8_t { pending, resolved, not_found, failed };

// Where targets come from, besides those that are written down.
enum class SourceState : std::uint8_t { none, pending, failed, known };

struct EndpointSet {
    std::vector<Target> targets;
    std::vector<Endpoint> endpoints;         // in the order of the targets
    std::vector<TargetState> target_states;  // one per target; all but `resolved` show as dns_error
    std::string detail;                      // why the first unresolved target has no address
    SourceState source = SourceState::none;  // failed: it has never said any

    // The error of a request that finds nothing here: unresolved, resolver_failed (also while pending), or no_endpoint
    // if there is no target at all or only such of weight 0 or out of service (kong.md 3.5).
    [[nodiscard]] base::Error nothing_to_pick() const;
    [[nodiscard]] bool is_pending() const;
};
using EndpointSetPointer = std::shared_ptr<const EndpointSet>;

// The targets of one upstream and the records of their names. Owned by whoever watches the names; one thread at a time.
class Targets {
  public:
    // `upstream_id` is stable over reloads. A service.host that names no upstream is an upstream of one target.
    // `overrides` and `states` must outlive this.
    Targets(std::string upstream_id, std::vector<Target> targets, const net::dns::Overrides& overrides,
            EndpointStates& states, CalledBy called_by = CalledBy::target);

    // The names to watch: lower case, without duplicates, without numeric addresses and overridden names.
    [[nodiscard]] const std::vector<std::string>& names() const { return names_; }
    // Takes what the resolver says about one of the names; true if endpoints() is another one now.
    bool update(std::string_view name, net::dns::RecordsPointer records);
    // Other targets; what is known of names that stay is kept. True if endpoints() is another one now.
    bool set(std::vector<Target> targets, SourceState source, std::string source_detail);
    [[nodiscard]] const EndpointSetPointer& endpoints() const { return endpoints_; }

  private:
    [[nodiscard]] EndpointSetPointer expanded() const;
    void find_names();
    std::string upstream_id_;
    std::vector<Target> targets_;
    const net::dns::Overrides& overrides_;
    EndpointStates& states_;
    CalledBy called_by_;
    std::vector<std::string> names_;                 // sorted
    std::vector<net::dns::RecordsPointer> records_;  // of names_
    SourceState source_ = SourceState::none;
    std::string source_detail_;  // why it failed
    EndpointSetPointer endpoints_;
};

}  // namespace upstream
