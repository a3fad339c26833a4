// acl: lets consumers pass by the groups they are in (kong.md 4.7); after the authentication plugins.
#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "http/path.h"
#include "plugin/authentication.h"

namespace plugin {

namespace {

// The groups (`acls`) of each consumer, in the order of the document. Of one configuration; const, all cores read it.
class ConsumerGroups {
  public:
    explicit ConsumerGroups(const Consumers& consumers) : first_(consumers.size() + 1, 0) {
        const Credentials& acls = consumers.of_kind("acls");
        for (const Credential& acl : acls.all) ++first_[acl.consumer + 1];
        for (std::size_t i = 1; i < first_.size(); ++i) first_[i] += first_[i - 1];
        groups_.resize(acls.all.size());
        std::vector<std::uint32_t> next = first_;
        for (const Credential& acl : acls.all) groups_[next[acl.consumer]++] = acls.value(acl, "group");
    }
    [[nodiscard]] std::span<const std::string_view> of(const Consumer& consumer) const {
        return std::span(groups_).subspan(first_[consumer.index], first_[consumer.index + 1] - first_[consumer.index]);
    }

  private:
    std::vector<std::uint32_t> first_;  // by consumer: where its groups begin; one more at the end
    std::vector<std::string_view> groups_;
};

using Groups = std::span<const std::string_view>;

}  // namespace

struct Acl {
    static constexpr std::string_view name = "acl";
    static constexpr int priority = 950;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets consumers pass that are in one of the groups `allow`, or in none of the groups `deny`. The upstream is "
        "told "
        "the groups.";
    static constexpr std::string_view example = R"(config:
  allow: [admins, staff]
)";

    struct Config {
        std::vector<std::string> allow;
        std::vector<std::string> deny;
        bool hide_groups_header = false;
        bool always_use_authenticated_groups = false;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("allow", &Config::allow, "Groups that pass; no others do."),
                field("deny", &Config::deny, "Groups that do not pass; all others do."),
                field("hide_groups_header", &Config::hide_groups_header, "Do not tell the upstream."),
                field("always_use_authenticated_groups", &Config::always_use_authenticated_groups,
                      "Groups that an authentication plugin found count, also where there is a consumer."));
        }
        void check(schema::Checks& checks) const {
            if (allow.empty() == deny.empty() && !checks.failed("allow") && !checks.failed("deny"))
                checks.entity("exactly one of these fields must be non-empty: 'config.allow', 'config.deny'");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        names_ = config.allow.empty() ? config.deny : config.allow;
        std::sort(names_.begin(), names_.end());
        groups_ = setup.shared.state<ConsumerGroups>(setup.consumers_key("acls"),
                                                     [&] { return std::make_shared<ConsumerGroups>(setup.consumers); });
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        const Identity& identity = exchange.identity;
        bool is_allow = !config.allow.empty();
        // Groups that a plugin found take the place of a consumer's only where no credential says who that is.
        bool has_found_groups = !identity.groups.empty();
        bool uses_found = has_found_groups && (identity.consumer == nullptr || !identity.is_authenticated ||
                                               config.always_use_authenticated_groups);
        if (identity.consumer == nullptr && !uses_found) return refuse_unknown(exchange);
        Groups groups = uses_found ? identity.groups : groups_->of(*identity.consumer);
        if (groups.empty() && is_allow) return refuse_unknown(exchange);
        if (has_any(groups) != is_allow) return refuse(exchange, 403, cannot_consume);
        if (!config.hide_groups_header && !groups.empty()) {
            exchange.request.headers.set(uses_found ? "X-Authenticated-Groups" : "X-Consumer-Groups",
                                         http::escape_value(joined(groups, exchange.arena), exchange.arena));
        }
        return Verdict::go_on;
    }

  private:
    static constexpr std::string_view cannot_consume = "You cannot consume this service";

    static Verdict refuse_unknown(Exchange& exchange) {
        return exchange.identity.is_authenticated ? refuse(exchange, 403, cannot_consume) : refuse(exchange, 401, {});
    }
    [[nodiscard]] bool has_any(Groups groups) const {
        return std::any_of(groups.begin(), groups.end(), [this](std::string_view group) {
            return std::binary_search(names_.begin(), names_.end(), group, std::less<>());
        });
    }
    static std::string_view joined(Groups groups, base::Arena& arena) {
        if (groups.size() == 1) return groups.front();
        std::size_t size = 0;
        for (std::string_view group : groups) size += group.size() + 2;
        char* start = arena.bytes(size);
        char* at = start;
        for (std::string_view group : groups) {
            if (at != start) at = std::copy_n(", ", 2, at);
            at = std::copy(group.begin(), group.end(), at);
        }
        return {start, static_cast<std::size_t>(at - start)};
    }

    std::vector<std::string> names_;  // sorted
    std::shared_ptr<const ConsumerGroups> groups_;
};
REGISTER_PLUGIN(Acl);

}  // namespace plugin
