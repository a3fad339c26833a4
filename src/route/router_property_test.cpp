// The router against a reference that tries every rule in order and reads each condition literally. Alphabets are tiny,
// so that rules overlap, shadow one another and nearly match. A failure prints the seed, which reproduces it.
#include <gtest/gtest.h>
#include <re2/re2.h>

#include <algorithm>
#include <numeric>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include "route/regex.h"
#include "route/router.h"

namespace route {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

class Chance {
  public:
    explicit Chance(unsigned seed) : random_(seed) {}
    std::size_t below(std::size_t bound) { return random_() % bound; }
    bool one_in(std::size_t n) { return below(n) == 0; }
    std::string pick(const std::vector<std::string>& from) { return from[below(from.size())]; }
    std::string text(std::string_view letters, std::size_t most) {
        std::string out;
        for (std::size_t n = below(most + 1); n > 0; --n) out += letters[below(letters.size())];
        return out;
    }

  private:
    std::mt19937 random_;
};

const std::vector<std::string> methods = {"GET", "PUT", "X"};
const std::vector<std::string> hosts = {"a",     "a.b",  "b.a.b",  "*.b",    "*.a.b", "a.*",
                                        "b.a.*", "a:81", "*.b:82", "a.*:81", "A.B"};
const std::vector<std::string> queried_hosts = {"a", "A",     "a.b",   "b.a.b", "a.b.", "c.b", "a.c",
                                                "b", "b.a.c", "x.a.b", "",      ".b",   "b."};
const std::vector<std::string> regex_tails = {"a",     "b+",      "a*b",      "(a)",    "(b|ab)",     "[ab]/",    "$",
                                              ".",     "(?:ab)?", "(?<n>a+)", "a{1,2}", "\\.",        "b$",       "|a",
                                              "(?i)A", "\\b",     "(?=b)",    "abab",   "(a|b)+abab", "[ab]+baba"};
const std::vector<std::string> header_names = {"x", "y-z", "Y_z"};
const std::vector<std::string> header_values = {"1", "A", "a", "aa"};
const std::vector<std::string> header_regexes = {"^a", "1$", "A+"};
const std::vector<std::string> blocks = {"10.0.0.0/8", "10.0.0.1", "::/0"};
const std::vector<std::string> addresses = {"10.0.0.1", "10.0.0.2", "11.0.0.1", "fe80::1"};

Rule random_rule(Chance& chance, std::uint32_t route) {
    Rule rule;
    rule.route = route;
    rule.priority = chance.below(4);
    rule.tie_break[0] = static_cast<std::uint8_t>(chance.below(3));
    if (chance.one_in(4)) rule.methods = {chance.pick(methods), chance.pick(methods)};
    for (std::size_t n = chance.one_in(2) ? chance.below(3) : 0; n > 0; --n) {
        rule.hosts.push_back(*HostPattern::parse(chance.pick(hosts)));
    }
    std::size_t paths = chance.below(4);
    if (chance.one_in(3)) {
        for (; paths > 0; --paths) {
            std::string pattern = "/" + chance.text("ab/", 3);
            for (std::size_t n = chance.below(4); n > 0; --n) pattern += chance.pick(regex_tails);
            if (RE2(pattern, RE2::Quiet).ok() || pattern.find("(?<n>") != pattern.npos ||
                pattern.find("(?=") != pattern.npos) {
                if (Regex::compile(pattern, Regex::Mode::at_start)) rule.regexes.push_back(pattern);
            }
        }
    } else {
        for (; paths > 0; --paths) rule.prefixes.push_back("/" + chance.text("ab/", 5));
    }
    if (chance.one_in(5)) {
        HeaderCondition condition{.name = chance.pick(header_names), .values = {chance.pick(header_values)}};
        if (chance.one_in(2)) condition.regexes = {chance.pick(header_regexes)};
        rule.headers.push_back(condition);
    }
    if (chance.one_in(8)) rule.server_names = {*HostPattern::parse_server_name(chance.one_in(2) ? "s.b" : "*.b")};
    if (chance.one_in(8)) rule.sources = {{.block = *net::Cidr::parse(chance.pick(blocks))}};
    if (chance.one_in(8)) rule.destinations = {{.port = static_cast<std::uint16_t>(81 + chance.below(2))}};
    return rule;
}

std::string folded(std::string_view text) {
    std::string out;
    for (char c : text) out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    if (out.ends_with('.')) out.pop_back();
    return out;
}
bool name_fits(const HostPattern& pattern, std::string_view raw) {
    std::string name = folded(raw);
    if (pattern.kind == HostPattern::Kind::exact) return name == pattern.text;
    return pattern.kind == HostPattern::Kind::suffix ? name.ends_with(pattern.text) : name.starts_with(pattern.text);
}
bool endpoint_fits(const EndpointCondition& condition, const net::SocketAddress& address) {
    return (!condition.block || condition.block->contains(address.ip)) &&
           (condition.port == 0 || condition.port == address.port);
}
std::string dashed(std::string text) {
    std::ranges::replace(text, '_', '-');
    return folded(text);
}
bool header_fits(const HeaderCondition& condition, const Fields& fields) {
    return std::ranges::any_of(fields, [&](const auto& field) {
        if (dashed(field.first) != dashed(condition.name)) return false;
        return std::ranges::any_of(condition.values, [&](auto& v) { return folded(v) == folded(field.second); }) ||
               std::ranges::any_of(condition.regexes,
                                   [&](auto& r) { return RE2::PartialMatch(field.second, "(?i)" + r); });
    });
}

// The whole pattern at once, without any literal beginning taken off.
bool regex_fits(const std::string& pattern, const std::string& path, std::string& matched) {
    std::string whole = "(?:" + pattern + ")";
    if (std::size_t name = whole.find("(?<n>"); name != whole.npos) whole.insert(name + 2, "P");
    RE2 linear(whole, RE2::Quiet);
    if (linear.ok()) {
        re2::StringPiece found;
        if (!linear.Match(path, 0, path.size(), RE2::ANCHOR_START, &found, 1)) return false;
        matched = std::string(found);
        return true;
    }
    auto regex = Regex::compile(whole, Regex::Mode::at_start);  // look-ahead
    Captures captures;
    if (!regex || regex->match(path, 0, &captures) != Regex::Outcome::matches) return false;
    matched = captures.groups[0];
    return true;
}

bool path_fits(const Rule& rule, const std::string& path, std::string& matched) {
    matched.clear();
    if (rule.prefixes.empty() && rule.regexes.empty()) return true;
    for (const std::string& prefix : rule.prefixes) {
        if (path.starts_with(prefix)) return matched = prefix, true;
    }
    return std::ranges::any_of(rule.regexes, [&](const std::string& r) { return regex_fits(r, path, matched); });
}

bool fits(const Rule& rule, const Query& query, const Fields& fields, std::string& matched) {
    auto any = [](const auto& all, auto&& test) { return all.empty() || std::ranges::any_of(all, test); };
    return any(rule.methods, [&](auto& method) { return method == query.method; }) &&
           any(rule.hosts,
               [&](auto& h) { return name_fits(h, query.host) && (h.port == 0 || h.port == query.port); }) &&
           std::ranges::all_of(rule.headers, [&](auto& condition) { return header_fits(condition, fields); }) &&
           (!query.tls || any(rule.server_names, [&](auto& s) { return query.sni && name_fits(s, *query.sni); })) &&
           any(rule.sources, [&](auto& source) { return endpoint_fits(source, query.source); }) &&
           any(rule.destinations, [&](auto& destination) { return endpoint_fits(destination, query.destination); }) &&
           path_fits(rule, std::string(query.path), matched);
}

struct Request {
    std::string method;
    std::string host;
    std::string path;
    std::string sni;
    Fields fields;
    Query query;
};

void random_request(Chance& chance, Request& request) {
    request.method = chance.pick({"GET", "PUT", "X", "Y"});
    request.host = chance.pick(queried_hosts);
    request.path = "/" + chance.text("ab/.", 8);
    request.sni = chance.pick({"s.b", "S.b.", "b", "s"});
    request.fields.clear();
    for (std::size_t n = chance.below(4); n > 0; --n) {
        request.fields.emplace_back(chance.pick({"X", "Y-Z", "y_z", "other"}), chance.pick(header_values));
    }
    Query& query = request.query;
    query.method = request.method;
    query.host = request.host;
    query.port = static_cast<std::uint16_t>(80 + chance.below(3));
    query.path = request.path;
    query.headers = {&request.fields, request.fields.size(),
                     [](const void* all, std::size_t i, std::string_view& name, std::string_view& value) {
                         name = (*static_cast<const Fields*>(all))[i].first;
                         value = (*static_cast<const Fields*>(all))[i].second;
                     }};
    query.tls = chance.one_in(2);
    query.sni = chance.one_in(4) ? std::nullopt : std::optional<std::string_view>(request.sni);
    query.source = {*net::IpAddress::parse(chance.pick(addresses)), 1};
    query.destination = {*net::IpAddress::parse(chance.pick(addresses)), query.port};
}

void compare(unsigned seed, std::size_t rule_count, std::size_t requests, std::size_t& found) {
    Chance chance(seed);
    std::vector<Rule> rules;
    for (std::size_t i = 0; i < rule_count; ++i) {
        rules.push_back(random_rule(chance, static_cast<std::uint32_t>(chance.below(rule_count))));
    }
    auto router = Router::build(rules);
    ASSERT_TRUE(router) << "seed " << seed << ": " << router.error().detail;
    std::vector<std::size_t> order(rules.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, [&](std::size_t left, std::size_t right) {
        const Rule& a = rules[left];
        const Rule& b = rules[right];
        return std::tie(b.priority, b.tie_break, a.route, left) < std::tie(a.priority, a.tie_break, b.route, right);
    });
    Request request;
    for (std::size_t i = 0; i < requests; ++i) {
        random_request(chance, request);
        std::string matched;
        auto place = std::ranges::find_if(
            order, [&](std::size_t rule) { return fits(rules[rule], request.query, request.fields, matched); });
        const Rule* expected = place == order.end() ? nullptr : &rules[*place];
        Match match;
        bool matches = router->match(request.query, match);
        ASSERT_EQ(matches, expected != nullptr) << "seed " << seed << " request " << i << " " << request.path;
        if (!matches) continue;
        ++found;
        ASSERT_EQ(match.route, expected->route) << "seed " << seed << " request " << i << " " << request.path;
        ASSERT_EQ(match.matched_path, matched) << "seed " << seed << " request " << i << " " << request.path;
        ASSERT_EQ(match.by_regex, !expected->regexes.empty()) << "seed " << seed << " request " << i;
    }
}

TEST(RouterProperty, SmallSetsOfRules) {
    std::size_t found = 0;
    for (unsigned seed = 1; seed <= 3000 && !HasFatalFailure(); ++seed) compare(seed, 1 + seed % 12, 12, found);
    EXPECT_GT(found, 10000u);
}

TEST(RouterProperty, LargeSetsOfRules) {
    std::size_t found = 0;
    for (unsigned seed = 100001; seed <= 100060 && !HasFatalFailure(); ++seed) compare(seed, 300, 60, found);
    EXPECT_GT(found, 2000u);
}

}  // namespace
}  // namespace route
