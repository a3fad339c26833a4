// ip-restriction: lets clients through, or not, by their address (kong.md 4.16): the one that real_ip_header gives
// behind trusted proxies. Blocks of each family are joined and sorted, so that a list of many thousands costs a binary
// search.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// Addresses of the blocks. An IPv6 block holds no IPv4 address, not even ::/0, unless it is written as a part of
// ::ffff:0:0/96; clients that come by IPv4-mapped addresses are IPv4 clients (net/address.h).
class AddressSet {
  public:
    base::Result<void> add(std::string_view text) {
        TRY(block, net::Cidr::parse(text));
        (block.first().is_v4() && block.last().is_v4() ? v4_ : v6_).push_back({block.first(), block.last()});
        return base::success();
    }
    void seal() {
        join(v4_);
        join(v6_);
    }
    [[nodiscard]] bool empty() const { return v4_.empty() && v6_.empty(); }
    [[nodiscard]] bool contains(const net::IpAddress& address) const {
        const std::vector<Range>& ranges = address.is_v4() ? v4_ : v6_;
        auto above = std::upper_bound(ranges.begin(), ranges.end(), address,
                                      [](const net::IpAddress& a, const Range& range) { return a < range.first; });
        return above != ranges.begin() && address <= std::prev(above)->last;
    }

  private:
    struct Range {
        net::IpAddress first;
        net::IpAddress last;
    };
    static void join(std::vector<Range>& ranges) {
        std::sort(ranges.begin(), ranges.end(), [](const Range& a, const Range& b) { return a.first < b.first; });
        std::vector<Range> joined;
        for (const Range& range : ranges) {
            if (joined.empty() || joined.back().last < range.first)
                joined.push_back(range);
            else
                joined.back().last = std::max(joined.back().last, range.last);
        }
        ranges = std::move(joined);
    }
    std::vector<Range> v4_;
    std::vector<Range> v6_;
};

base::Result<AddressSet> set_of(const std::vector<std::string>& texts) {
    AddressSet set;
    for (const std::string& text : texts) TRY_VOID(set.add(text));
    set.seal();
    return set;
}

constexpr schema::Format ip_or_cidr{"an IP address or a CIDR block", [](std::string_view text) {
                                        bool is_one = net::Cidr::parse(text).ok();
                                        return is_one ? std::string()
                                                      : "invalid ip or cidr range: '" + std::string(text) + "'";
                                    }};

}  // namespace

struct IpRestriction {
    static constexpr std::string_view name = "ip-restriction";
    static constexpr int priority = 990;
    static constexpr std::string_view summary = "Refuses clients by their IP address.";
    static constexpr std::string_view example = R"(config:
  allow: [10.0.0.0/8, "2001:db8::/32"]
  deny: [10.0.0.66]
)";

    struct Config {
        std::vector<std::string> allow;
        std::vector<std::string> deny;
        std::optional<std::uint16_t> status;
        std::optional<std::string> message;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("allow", &Config::allow, "Addresses and blocks; if there are any, no others come through.")
                    .matches(ip_or_cidr),
                field("deny", &Config::deny, "Addresses and blocks that never come through.").matches(ip_or_cidr),
                field("status", &Config::status, "Status of the refusal; 403 if there is none.").between(200, 599),
                field("message", &Config::message, "Message of the refusal, in the place of the usual one."));
        }
        void check(schema::Checks& checks) const {
            if (allow.empty() && deny.empty() && !checks.failed("allow") && !checks.failed("deny"))
                checks.entity("at least one of these fields must be non-empty: 'config.allow', 'config.deny'");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup&) {
        TRY(allow, set_of(config.allow));
        TRY(deny, set_of(config.deny));
        allow_ = std::move(allow);
        deny_ = std::move(deny);
        return base::success();
    }

    Verdict on_request(Exchange& exchange) const {
        const net::IpAddress& address = exchange.client.address.ip;
        if (!deny_.contains(address) && (allow_.empty() || allow_.contains(address))) return Verdict::go_on;
        std::string_view message = config.message ? std::string_view(*config.message)
                                                  : exchange.arena.join("IP address not allowed: ", address.text());
        return refuse(exchange, config.status.value_or(403), message);
    }

  private:
    AddressSet allow_;
    AddressSet deny_;
};
REGISTER_PLUGIN(IpRestriction);

}  // namespace plugin
