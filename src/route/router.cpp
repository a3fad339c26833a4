#include "route/router.h"

#include <algorithm>
#include <cstring>
#include <limits>

#include "route/builder.h"
#include "route/host.h"
#include "route/index.h"

namespace route {
namespace {

constexpr std::uint32_t no_rank = std::numeric_limits<std::uint32_t>::max();

// Lists of literal filters that fit the path; kept per thread, so that it grows once.
std::vector<std::uint32_t>& filter_scratch() {
    thread_local std::vector<std::uint32_t> lists;
    return lists;
}

// One match. The host selects some trees; walking each along the path gathers the lists of candidates whose literal
// beginning fits; then the lists, each sorted by rank, are merged and the first candidate that passes its other tests
// wins.
class Search {
  public:
    Search(const Router::Index& index, const Query& query, Match& match)
        : index_(index),
          query_(query),
          match_(match),
          method_(index.method_bit(query.method)),
          headers_(query.headers) {}

    bool run() {
        host_ = comparable_host(query_.host, host_buffer_);
        if (query_.tls && query_.sni) server_name_ = comparable_host(*query_.sni, server_name_buffer_);
        walk_hosts();
        merge();
        return best_ != no_rank;
    }
    [[nodiscard]] std::uint64_t limited() const { return limited_; }

  private:
    struct List {
        const Candidate* next;
        const Candidate* end;
        std::size_t depth;  // bytes of the path that the literal beginning took
    };
    struct Failure {
        std::uint32_t regex;
        std::size_t depth;
    };
    static constexpr std::size_t max_lists = 64;
    static constexpr std::size_t max_failures = 8;

    void walk_hosts() {
        if (index_.any_host_root != Router::Index::no_node) walk(index_.any_host_root);
        if (host_.empty() || index_.hosts.empty()) return;
        walk_host(HostPattern::Kind::exact, host_);
        for (std::size_t i = 0; i < host_.size(); ++i) {
            if (host_[i] != '.') continue;
            // "*.x" is the suffix ".x", "x.*" the prefix "x.": both begin or end at a dot.
            std::size_t after = host_.size() - i;
            if (has_length(index_.suffix_lengths, after)) walk_host(HostPattern::Kind::suffix, host_.substr(i));
            if (has_length(index_.prefix_lengths, i + 1)) walk_host(HostPattern::Kind::prefix, host_.substr(0, i + 1));
        }
    }
    static bool has_length(const std::array<std::uint64_t, 4>& lengths, std::size_t length) {
        return (lengths[length / 64] >> (length % 64) & 1) != 0;
    }
    void walk_host(HostPattern::Kind kind, std::string_view text) {
        if (std::uint32_t root = index_.root_of(kind, text); root != Router::Index::no_node) walk(root);
    }

    void walk(std::uint32_t number) {
        std::string_view path = query_.path;
        for (std::size_t at = 0;;) {
            const Node& node = index_.nodes[number];
            if (path.size() - at < node.label_length ||
                std::memcmp(path.data() + at, index_.labels.data() + node.label, node.label_length) != 0) {
                return;
            }
            at += node.label_length;
            const Candidate* begin = index_.candidates.data() + node.candidates;
            const Candidate* end = index_.candidates.data() + index_.nodes[number + 1].candidates;
            if (begin != end) add_list({begin, end, at});
            if ((node.children & Node::filtered) != 0) add_filtered(index_.filter_of(number), at);
            std::size_t children = node.children & Node::child_mask;
            if (at == path.size() || children == 0) return;
            const char* bytes = index_.first_bytes.data() + node.first_child;
            const void* child = std::memchr(bytes, path[at], children);
            if (child == nullptr) return;
            number = node.first_child + static_cast<std::uint32_t>(static_cast<const char*>(child) - bytes);
        }
    }

    void add_filtered(const LiteralFilter& filter, std::size_t depth) {
        std::vector<std::uint32_t>& lists = filter_scratch();
        lists.clear();
        filter.find(query_.path.substr(depth), lists);
        for (std::uint32_t number : lists) {
            LiteralFilter::List list = filter.list(number);
            add_list({list.begin, list.end, depth});
        }
    }

    void add_list(List list) {
        if (list.next->rank > best_) return;
        if (list_count_ == max_lists) merge();  // decides among those so far; only better ones matter from here on
        lists_[list_count_++] = list;
    }

    // Tests the gathered candidates in the order of their ranks until one passes or none better than `best_` is left.
    void merge() {
        while (list_count_ > 0) {
            std::size_t first = 0;
            for (std::size_t i = 1; i < list_count_; ++i) {
                if (*lists_[i].next < *lists_[first].next) first = i;
            }
            List& list = lists_[first];
            const Candidate& candidate = *list.next;
            if (is_behind_best(candidate) || (passes(candidate, list.depth) && take(candidate, list.depth))) break;
            if (++list.next == list.end) list = lists_[--list_count_];
        }
        list_count_ = 0;
    }
    // Of one rule, the first path in its order counts.
    [[nodiscard]] bool is_behind_best(const Candidate& candidate) const {
        return candidate.rank > best_ || (candidate.rank == best_ && candidate.order >= best_order_);
    }

    bool passes(const Candidate& candidate, std::size_t depth) {
        const RankedRule& rule = index_.rules[candidate.rank];
        if ((rule.methods & method_) == 0) return false;
        if (candidate.port != 0 && candidate.port != query_.port) return false;
        if (rule.conditions != Conditions::none &&
            !index_.conditions.accept(rule.conditions, query_, host_, server_name_, headers_, limited_)) {
            return false;
        }
        return candidate.regex >= index_.regexes.size() || passes_regex(candidate.regex, depth);
    }

    // Fills match_.captures, which only `take` makes valid.
    bool passes_regex(std::uint32_t number, std::size_t depth) {
        for (std::size_t i = 0; i < std::min(failure_count_, max_failures); ++i) {
            if (failures_[i].regex == number && failures_[i].depth == depth) return false;
        }
        Regex::Outcome outcome = index_.regexes[number].match(query_.path, depth, &match_.captures);
        if (outcome == Regex::Outcome::matches) return true;
        if (outcome == Regex::Outcome::limited) ++limited_;
        failures_[failure_count_++ % max_failures] = {number, depth};
        return false;
    }

    bool take(const Candidate& candidate, std::size_t depth) {
        best_ = candidate.rank;
        best_order_ = candidate.order;
        match_.route = index_.rules[candidate.rank].route;
        match_.matched_path = query_.path.substr(0, depth);
        match_.by_path = candidate.regex != any_path;
        match_.by_regex = candidate.regex < index_.regexes.size() || candidate.regex == regex_literal;
        match_.names = {};
        if (candidate.regex < index_.regexes.size()) {
            match_.matched_path = query_.path.substr(0, depth + match_.captures.groups[0].size());
            match_.names = index_.regexes[candidate.regex].names();
        } else {
            match_.captures.count = match_.by_regex ? 1 : 0;
        }
        if (match_.by_regex) match_.captures.groups[0] = match_.matched_path;
        return true;
    }

    const Router::Index& index_;
    const Query& query_;
    Match& match_;
    std::uint64_t method_;
    HeaderValues headers_;
    std::string_view host_;
    std::string_view server_name_;
    std::uint64_t limited_ = 0;
    std::uint32_t best_ = no_rank;
    std::uint16_t best_order_ = 0;
    std::size_t list_count_ = 0;
    std::size_t failure_count_ = 0;
    List lists_[max_lists];
    Failure failures_[max_failures];
    HostBuffer host_buffer_;
    HostBuffer server_name_buffer_;
};

}  // namespace

std::string_view Match::capture(std::size_t number) const {
    return number < captures.count ? captures.groups[number] : std::string_view();
}

std::string_view Match::capture(std::string_view name) const {
    for (const CaptureName& known : names) {
        if (known.name == name) return capture(known.group);
    }
    return {};
}

Router::Router(std::unique_ptr<Index> index) : index_(std::move(index)) {}
Router::Router(Router&&) noexcept = default;
Router& Router::operator=(Router&&) noexcept = default;
Router::~Router() = default;

base::Result<Router> Router::build(std::vector<Rule> rules) {
    TRY(index, IndexBuilder(std::move(rules)).build());
    return Router(std::move(index));
}

bool Router::match(const Query& query, Match& match) const {
    Search search(*index_, query, match);
    bool found = search.run();
    if (search.limited() != 0) index_->limited.fetch_add(search.limited(), std::memory_order_relaxed);
    return found;
}

std::size_t Router::rule_count() const { return index_->rules.size(); }
std::size_t Router::memory_bytes() const { return index_->memory_bytes(); }
std::uint64_t Router::limited_matches() const { return index_->limited.load(std::memory_order_relaxed); }

}  // namespace route
