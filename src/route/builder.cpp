#include "route/builder.h"

#include <algorithm>
#include <bit>
#include <limits>
#include <numeric>

#include "base/pacing.h"
#include "route/literal.h"

namespace route {
namespace {

// A rule with more (host, path) pairs than this is filed once per path under "any host" and tests its hosts literally.
constexpr std::size_t max_pairs_per_rule = 4096;
// Fewer regexes at one node are tried one by one.
constexpr std::size_t min_filtered_regexes = 8;
constexpr std::size_t max_faults = 100;
constexpr std::uint32_t any_host = 0;
constexpr std::uint32_t bad_regex = 0xfffffffc;

bool is_regex(std::uint32_t regex) { return regex < bad_regex; }

std::size_t common_prefix(std::string_view a, std::string_view b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

}  // namespace

IndexBuilder::IndexBuilder(std::vector<Rule> rules)
    : rules_(std::move(rules)), index_(std::make_unique<Router::Index>()) {}

base::Result<std::unique_ptr<Router::Index>> IndexBuilder::build() {
    index_->rules.reserve(rules_.size());
    for (std::uint32_t place : by_rank()) {
        add_rule(rules_[place], static_cast<std::uint32_t>(index_->rules.size()));
    }
    if (!faults_.empty()) {
        std::string text;
        for (const std::string& fault : faults_) text += text.empty() ? fault : "\n" + fault;
        return base::Error::us(base::Code::invalid, std::move(text));
    }
    base::clear_paced(rules_);
    rules_ = {};
    lay_out();
    constexpr std::size_t most = std::numeric_limits<std::uint32_t>::max();
    if (index_->labels.size() > most || index_->candidates.size() > most || index_->nodes.size() > most ||
        index_->host_texts.size() > most) {
        return base::Error::us(base::Code::too_large, "more routes than the router can number");
    }
    fill_host_slots();
    index_->conditions.finish();
    index_->regexes.shrink_to_fit();
    index_->methods.shrink_to_fit();
    return std::move(index_);
}

// Equal priority and tie-break leave the route number, and at last the order given, so that a reload cannot reorder.
std::vector<std::uint32_t> IndexBuilder::by_rank() const {
    std::vector<std::uint32_t> order(rules_.size());
    std::iota(order.begin(), order.end(), 0);
    std::ranges::sort(order, [this](std::uint32_t left, std::uint32_t right) {
        const Rule& a = rules_[left];
        const Rule& b = rules_[right];
        base::pace();
        if (a.priority != b.priority) return a.priority > b.priority;
        if (a.tie_break != b.tie_break) return a.tie_break > b.tie_break;
        return a.route != b.route ? a.route < b.route : left < right;
    });
    return order;
}

void IndexBuilder::fault(std::string text) {
    if (faults_.size() < max_faults) faults_.push_back(std::move(text));
}

void IndexBuilder::add_rule(const Rule& rule, std::uint32_t rank) {
    std::size_t paths = rule.prefixes.size() + rule.regexes.size();
    if (paths > max_paths_per_rule) {
        fault(fmt::format("route {}: {} paths, more than {}", rule.route, paths, max_paths_per_rule));
        return;  // nothing will be built
    }
    base::pace(10);
    bool spread_hosts = rule.hosts.size() * std::max<std::size_t>(paths, 1) <= max_pairs_per_rule;
    bool methods_complete = true;
    RankedRule ranked;
    ranked.route = rule.route;
    ranked.methods = method_mask(rule, methods_complete);
    std::vector<std::string> faults;
    ranked.conditions = index_->conditions.add(rule, {.hosts = !spread_hosts, .methods = !methods_complete}, faults);
    for (std::string& text : faults) fault(std::move(text));
    index_->rules.push_back(ranked);
    for (std::size_t order = 0; order < std::max<std::size_t>(paths, 1); ++order) {
        add_path(rule, rank, order, spread_hosts);
    }
}

std::uint64_t IndexBuilder::method_mask(const Rule& rule, bool& is_complete) {
    if (rule.methods.empty()) return ~std::uint64_t{0};
    std::uint64_t mask = 0;
    for (const std::string& method : rule.methods) {
        auto [known, is_new] = method_numbers_.try_emplace(method, static_cast<std::uint32_t>(index_->methods.size()));
        if (is_new && index_->methods.size() < Router::Index::other_method) index_->methods.push_back(method);
        if (known->second >= Router::Index::other_method) is_complete = false;
        mask |= std::uint64_t{1} << std::min<std::size_t>(known->second, Router::Index::other_method);
    }
    return mask;
}

void IndexBuilder::add_path(const Rule& rule, std::uint32_t rank, std::size_t order, bool spread_hosts) {
    Candidate candidate{.rank = rank, .order = static_cast<std::uint16_t>(order), .regex = any_path};
    std::string literal;
    if (order < rule.prefixes.size()) {
        literal = rule.prefixes[order];
        candidate.regex = regex_none;
    } else if (!rule.regexes.empty()) {
        const std::string& pattern = rule.regexes[order - rule.prefixes.size()];
        LiteralPrefix split = literal_prefix(pattern);
        candidate.regex =
            split.rest.empty() && !split.text.empty() ? regex_literal : regex_number(rule, pattern, split.rest);
        literal = std::move(split.text);
    }
    if (literal.size() > max_path_pattern) {
        fault(fmt::format("route {}: a path is longer than {} bytes", rule.route, max_path_pattern));
        return;
    }
    Item item{any_host, path_number(std::move(literal)), candidate};
    if (rule.hosts.empty() || !spread_hosts) {
        items_.push_back(item);
        return;
    }
    for (const HostPattern& host : rule.hosts) {
        item.host = host_number(host);
        item.candidate.port = host.port;
        items_.push_back(item);
    }
}

// Patterns that differ only in their literal beginning ("/users/(\d+)$", "/orders/(\d+)$") share one compiled regex.
std::uint32_t IndexBuilder::regex_number(const Rule& rule, std::string_view whole, std::string_view rest) {
    if (auto known = regex_numbers_.find(std::string(rest)); known != regex_numbers_.end()) return known->second;
    // Alternatives at the top are all anchored: "^(?:a|b)", where "^a|b" would let b match anywhere.
    auto regex = Regex::compile(rest, Regex::Mode::at_start);
    if (!regex) {
        fault(fmt::format("route {}: regex '{}': {}", rule.route, whole, regex.error().detail));
        return bad_regex;
    }
    auto number = static_cast<std::uint32_t>(index_->regexes.size());
    index_->regexes.push_back(std::move(*regex));
    rests_.emplace_back(rest);
    regex_numbers_.emplace(rest, number);
    return number;
}

std::uint32_t IndexBuilder::host_number(const HostPattern& pattern) {
    auto number = static_cast<std::uint32_t>(index_->hosts.size() + 1);
    auto [known, is_new] = host_numbers_.try_emplace({pattern.kind, pattern.text}, number);
    if (!is_new) return known->second;
    index_->hosts.push_back({.text = static_cast<std::uint32_t>(index_->host_texts.size()),
                             .length = static_cast<std::uint16_t>(pattern.text.size()),
                             .kind = pattern.kind});
    index_->host_texts += pattern.text;
    std::uint64_t bit = std::uint64_t{1} << (pattern.text.size() % 64);
    if (pattern.kind == HostPattern::Kind::suffix) index_->suffix_lengths[pattern.text.size() / 64] |= bit;
    if (pattern.kind == HostPattern::Kind::prefix) index_->prefix_lengths[pattern.text.size() / 64] |= bit;
    return number;
}

std::uint32_t IndexBuilder::path_number(std::string text) {
    auto [known, is_new] = path_numbers_.try_emplace(std::move(text), static_cast<std::uint32_t>(paths_.size()));
    if (is_new) paths_.push_back(known->first);
    return known->second;
}

void IndexBuilder::lay_out() {
    base::clear_paced(path_numbers_);
    path_numbers_ = {};
    // Paths by their place in the alphabet, so that sorting the items compares numbers only.
    std::vector<std::uint32_t> by_text(paths_.size());
    std::iota(by_text.begin(), by_text.end(), 0);
    std::ranges::sort(by_text, {}, [this](std::uint32_t path) -> const std::string& {
        base::pace();
        return paths_[path];
    });
    std::vector<std::uint32_t> place(paths_.size());
    std::vector<std::string> sorted(paths_.size());
    for (std::size_t i = 0; i < by_text.size(); ++i) {
        place[by_text[i]] = static_cast<std::uint32_t>(i);
        sorted[i] = std::move(paths_[by_text[i]]);
        base::pace();
    }
    paths_ = std::move(sorted);
    for (Item& item : items_) item.path = place[item.path];
    std::ranges::sort(items_, [](const Item& a, const Item& b) {
        base::pace();
        if (a.host != b.host) return a.host < b.host;
        return a.path != b.path ? a.path < b.path : a.candidate < b.candidate;
    });
    for (std::size_t begin = 0; begin < items_.size();) {
        std::size_t end = begin;
        while (end < items_.size() && items_[end].host == items_[begin].host) ++end;
        std::uint32_t root = lay_out_tree(begin, end);
        if (items_[begin].host == any_host) {
            index_->any_host_root = root;
        } else {
            index_->hosts[items_[begin].host - 1].root = root;
        }
        begin = end;
    }
    index_->nodes.push_back({.candidates = static_cast<std::uint32_t>(index_->candidates.size())});
    index_->nodes.shrink_to_fit();
    index_->first_bytes.shrink_to_fit();
    index_->labels.shrink_to_fit();
    index_->candidates.shrink_to_fit();
    index_->filters.shrink_to_fit();
    base::clear_paced(paths_);
    items_ = {};
}

// Breadth first, so that siblings are neighbours and the nodes of one host lie together.
std::uint32_t IndexBuilder::lay_out_tree(std::size_t begin, std::size_t end) {
    auto root = static_cast<std::uint32_t>(index_->nodes.size());
    index_->nodes.emplace_back();
    index_->first_bytes.push_back(0);
    std::vector<Range> ranges{{begin, end, 0}};
    for (std::size_t i = 0; i < ranges.size(); ++i) {
        Range range = ranges[i];
        base::pace();
        auto number = static_cast<std::uint32_t>(root + i);
        std::string_view first = paths_[items_[range.begin].path];
        std::string_view last = paths_[items_[range.end - 1].path];
        std::size_t depth = common_prefix(first, last);  // sorted: the ends share what all share

        Node node;
        node.label = static_cast<std::uint32_t>(index_->labels.size());
        node.label_length = static_cast<std::uint16_t>(depth - range.depth);
        index_->labels += first.substr(range.depth, depth - range.depth);
        node.candidates = static_cast<std::uint32_t>(index_->candidates.size());
        node.first_child = static_cast<std::uint32_t>(index_->nodes.size());
        std::size_t at = place_candidates(range, depth, number);
        if (!index_->filters.empty() && index_->filters.back().first == number) node.children |= Node::filtered;
        while (at < range.end) {
            std::size_t from = at;
            char byte = paths_[items_[at].path][depth];
            while (at < range.end && paths_[items_[at].path][depth] == byte) ++at;
            ranges.push_back({from, at, depth});
            index_->nodes.emplace_back();
            index_->first_bytes.push_back(byte);
            ++node.children;
        }
        index_->nodes[number] = node;
    }
    return root;
}

// The candidates whose literal ends at this node come first in its range. Answers where its children begin.
std::size_t IndexBuilder::place_candidates(const Range& range, std::size_t depth, std::uint32_t node) {
    std::vector<Candidate> here;
    std::size_t at = range.begin;
    for (; at < range.end && paths_[items_[at].path].size() == depth; ++at) here.push_back(items_[at].candidate);
    here.erase(std::ranges::unique(here).begin(), here.end());  // a host given twice
    filter_candidates(node, here);
    index_->candidates.insert(index_->candidates.end(), here.begin(), here.end());
    return at;
}

void IndexBuilder::filter_candidates(std::uint32_t node, std::vector<Candidate>& candidates) {
    auto regexes = std::ranges::count_if(candidates, [](const Candidate& c) { return is_regex(c.regex); });
    if (static_cast<std::size_t>(regexes) < min_filtered_regexes) return;

    std::vector<std::vector<std::uint32_t>> grams(candidates.size());
    std::unordered_map<std::uint32_t, std::size_t> uses;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (!is_regex(candidates[i].regex)) continue;
        for (const std::string& run : required_literals(rests_[candidates[i].regex])) {
            for (std::size_t at = 0; at + LiteralFilter::gram_bytes <= run.size(); ++at) {
                grams[i].push_back(LiteralFilter::gram_at(run.data() + at));
            }
        }
        for (std::uint32_t gram : grams[i]) ++uses[gram];
    }
    std::vector<LiteralFilter::Keyed> keyed;
    std::vector<Candidate> kept;
    for (std::size_t i = 0; i < candidates.size(); ++i) {
        if (grams[i].empty()) {
            kept.push_back(candidates[i]);
            continue;
        }
        // The rarest tells most.
        auto rarest = std::ranges::min_element(grams[i], {}, [&](std::uint32_t gram) { return uses[gram]; });
        keyed.push_back({*rarest, candidates[i]});
    }
    if (keyed.empty()) return;
    index_->filters.emplace_back(node, LiteralFilter(std::move(keyed)));
    candidates = std::move(kept);
}

void IndexBuilder::fill_host_slots() {
    index_->hosts.shrink_to_fit();
    index_->host_texts.shrink_to_fit();
    index_->host_slots.assign(std::bit_ceil(index_->hosts.size() * 2 + 1), 0);
    std::size_t mask = index_->host_slots.size() - 1;
    for (std::size_t i = 0; i < index_->hosts.size(); ++i) {
        const HostEntry& host = index_->hosts[i];
        std::string_view text = std::string_view(index_->host_texts).substr(host.text, host.length);
        std::size_t at = Router::Index::host_hash(host.kind, text) & mask;
        while (index_->host_slots[at] != 0) at = (at + 1) & mask;
        index_->host_slots[at] = static_cast<std::uint32_t>(i + 1);
    }
}

}  // namespace route
