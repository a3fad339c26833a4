#include "dialect/kong/priority.h"

#include <algorithm>

#include "dialect/kong/uuid.h"

namespace kong {
namespace {

constexpr std::size_t max_counted_headers = 255;
constexpr std::uint64_t max_counted_length = 0x7ffff;
constexpr std::uint64_t plain_hosts_bit = std::uint64_t{1} << 60;
constexpr std::uint64_t regex_bit = std::uint64_t{1} << 51;
// Of tcp, tls, udp and tls_passthrough.
constexpr std::uint64_t stream_bit = std::uint64_t{1} << 61;
constexpr std::uint64_t exact_address = 8;
constexpr std::uint64_t port_given = 4;
constexpr std::uint64_t address_block = 1;

// Kong's namespace for the ids of the groups of one route.
const base::Uuid& group_namespace() {
    static const base::Uuid value = *base::Uuid::parse("7f145bf9-0dce-4f91-98eb-debbce4b9f6b");
    return value;
}

bool is_regex(std::string_view path) { return path.starts_with('~'); }

bool is_stream(const RouteMatchers& matchers) {
    if (matchers.protocols.empty()) return false;
    const std::string& first = matchers.protocols.front();  // the sets of protocols do not mix
    return first == "tcp" || first == "tls" || first == "udp" || first == "tls_passthrough";
}

std::uint64_t address_weight(const std::vector<AddressMatcher>& matchers) {
    std::uint64_t weight = 0;
    for (const AddressMatcher& matcher : matchers) {
        if (!matcher.ip.empty()) weight |= matcher.ip.find('/') != matcher.ip.npos ? address_block : exact_address;
        if (matcher.port != 0) weight |= port_given;
    }
    return weight;
}

std::uint64_t stream_priority(const RouteMatchers& matchers) {
    bool both_ends = !matchers.sources.empty() && !matchers.destinations.empty();
    return (!matchers.snis.empty() || both_ends ? stream_bit : 0) | address_weight(matchers.sources) << 4 |
           address_weight(matchers.destinations);
}

base::Result<std::vector<route::EndpointCondition>> endpoints(const std::vector<AddressMatcher>& matchers) {
    std::vector<route::EndpointCondition> conditions;
    for (const AddressMatcher& matcher : matchers) {
        route::EndpointCondition condition{.port = matcher.port};
        if (!matcher.ip.empty()) {
            TRY(block, net::Cidr::parse(matcher.ip));
            condition.block = block;
        }
        conditions.push_back(condition);
    }
    return conditions;
}

// Everything but the paths, the priority and the tie-break, which differ from group to group.
base::Result<route::Rule> common_rule(const RouteMatchers& matchers, std::uint32_t route) {
    route::Rule rule;
    rule.route = route;
    rule.methods = matchers.methods;
    for (const std::string& text : matchers.hosts) {
        TRY(host, route::HostPattern::parse(text));
        rule.hosts.push_back(std::move(host));
    }
    for (const std::string& text : matchers.snis) {
        TRY(name, route::HostPattern::parse_server_name(text));
        rule.server_names.push_back(std::move(name));
    }
    for (const auto& [name, values] : matchers.headers) {
        route::HeaderCondition condition{.name = name};
        for (const std::string& value : values) {
            if (value.starts_with("~*")) {
                condition.regexes.push_back(value.substr(2));
            } else {
                condition.values.push_back(value);
            }
        }
        rule.headers.push_back(std::move(condition));
    }
    TRY(sources, endpoints(matchers.sources));
    TRY(destinations, endpoints(matchers.destinations));
    rule.sources = std::move(sources);
    rule.destinations = std::move(destinations);
    return rule;
}

struct Group {
    PathGroup kind = PathGroup::none;
    std::size_t length = 0;  // of its prefixes
    std::vector<std::string> paths;
};

// In the order in which their first paths stand in the document, which numbers their derived ids.
std::vector<Group> groups_of(const std::vector<std::string>& paths) {
    std::vector<Group> groups;
    for (const std::string& path : paths) {
        bool regex = is_regex(path);
        Group wanted{regex ? PathGroup::regexes : PathGroup::prefixes, regex ? 0 : path.size(), {}};
        auto group = std::ranges::find_if(
            groups, [&](const Group& known) { return known.kind == wanted.kind && known.length == wanted.length; });
        if (group == groups.end()) group = groups.insert(group, std::move(wanted));
        group->paths.push_back(regex ? path.substr(1) : path);
    }
    if (groups.empty()) groups.emplace_back();
    return groups;
}

}  // namespace

std::uint64_t priority(const RouteMatchers& matchers, PathGroup group, std::size_t prefix_length) {
    if (is_stream(matchers)) return stream_priority(matchers);
    bool has_plain_hosts = !matchers.hosts.empty() && std::ranges::none_of(matchers.hosts, [](const std::string& host) {
        return host.find('*') != host.npos;
    });
    std::uint64_t attributes = 0;
    for (bool given :
         {!matchers.sources.empty(), !matchers.destinations.empty(), !matchers.methods.empty(), !matchers.hosts.empty(),
          !matchers.headers.empty(), !matchers.snis.empty(), group != PathGroup::none}) {
        attributes += given ? 1 : 0;
    }
    std::uint64_t value = attributes << 61;
    if (has_plain_hosts) value |= plain_hosts_bit;
    value |= static_cast<std::uint64_t>(std::min(matchers.headers.size(), max_counted_headers)) << 52;
    if (group == PathGroup::regexes) value |= regex_bit | std::uint64_t{matchers.regex_priority} << 19;
    if (group == PathGroup::prefixes) value |= prefix_length & max_counted_length;
    return value;
}

base::Result<void> append_rules(const RouteMatchers& matchers, std::uint32_t route, std::vector<route::Rule>& rules) {
    TRY(common, common_rule(matchers, route));
    std::vector<Group> groups = groups_of(matchers.paths);
    for (std::size_t i = 0; i < groups.size(); ++i) {
        Group& group = groups[i];
        route::Rule rule = common;
        rule.priority = priority(matchers, group.kind, group.length);
        // A route of one group keeps its own id; of several, each has a derived one, counted from 1.
        rule.tie_break = groups.size() == 1
                             ? matchers.id.bytes
                             : uuid_v5(group_namespace(), fmt::format("{}#{}", matchers.id.text(), i + 1)).bytes;
        (group.kind == PathGroup::regexes ? rule.regexes : rule.prefixes) = std::move(group.paths);
        rules.push_back(std::move(rule));
    }
    return base::success();
}

}  // namespace kong
