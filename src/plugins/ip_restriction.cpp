// ip-restriction: lets clients through, or not, by their address (kong.md 4.16): the one that real_ip_header gives
// behind trusted proxies.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// Single addresses by binary search, blocks one by one.
class AddressList {
  public:
    base::Result<void> add(std::string_view text) {
        if (auto address = net::IpAddress::parse(text)) {
            addresses_.push_back(*address);
            return base::success();
        }
        TRY(block, net::Cidr::parse(text));
        // A block of IPv6 says nothing of IPv4 clients, whose addresses lie inside ::/0 in the mapped form.
        bool is_v6 = text.find(':') != text.npos && text.find('.') == text.npos;
        (is_v6 ? blocks_v6_ : blocks_v4_).push_back(block);
        return base::success();
    }
    void seal() { std::sort(addresses_.begin(), addresses_.end()); }

    [[nodiscard]] bool empty() const { return addresses_.empty() && blocks_v4_.empty() && blocks_v6_.empty(); }
    [[nodiscard]] bool contains(const net::IpAddress& address) const {
        const std::vector<net::Cidr>& blocks = address.is_v4() ? blocks_v4_ : blocks_v6_;
        return std::binary_search(addresses_.begin(), addresses_.end(), address) ||
               std::any_of(blocks.begin(), blocks.end(),
                           [&address](const net::Cidr& block) { return block.contains(address); });
    }

  private:
    std::vector<net::IpAddress> addresses_;
    std::vector<net::Cidr> blocks_v4_;
    std::vector<net::Cidr> blocks_v6_;
};

base::Result<AddressList> list_of(const std::vector<std::string>& texts) {
    AddressList list;
    for (const std::string& text : texts) TRY_VOID(list.add(text));
    list.seal();
    return list;
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
                field("status", &Config::status, "Status of the refusal; 403 if there is none.").between(100, 599),
                field("message", &Config::message, "Message of the refusal, in the place of the usual one."));
        }
        void check(schema::Checks& checks) const {
            if (allow.empty() && deny.empty() && !checks.failed("allow") && !checks.failed("deny"))
                checks.entity("at least one of these fields must be non-empty: 'config.allow', 'config.deny'");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup&) {
        TRY(allow, list_of(config.allow));
        TRY(deny, list_of(config.deny));
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
    AddressList allow_;
    AddressList deny_;
};
REGISTER_PLUGIN(IpRestriction);

}  // namespace plugin
