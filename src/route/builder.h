// IndexBuilder: compiles rules into an Index. Takes time and memory in proportion to the rules; runs off the serving
// threads.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "route/index.h"
#include "route/rule.h"

namespace route {

class IndexBuilder {
  public:
    explicit IndexBuilder(std::vector<Rule> rules);
    // Once. All faults of all rules are reported together, up to a limit.
    base::Result<std::unique_ptr<Router::Index>> build();

  private:
    // One candidate before the trees are laid out.
    struct Item {
        std::uint32_t host = 0;  // number of the tree; 0 is "any host"
        std::uint32_t path = 0;  // number in paths_
        Candidate candidate;
    };
    struct Range {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::size_t depth = 0;  // bytes of the path above this node
    };

    [[nodiscard]] std::vector<std::uint32_t> by_rank() const;
    void add_rule(const Rule& rule, std::uint32_t rank);
    std::uint64_t method_mask(const Rule& rule, bool& is_complete);
    void add_path(const Rule& rule, std::uint32_t rank, std::size_t order, bool spread_hosts);
    std::uint32_t regex_number(const Rule& rule, std::string_view whole, std::string_view rest);
    std::uint32_t host_number(const HostPattern& pattern);
    std::uint32_t path_number(std::string text);
    void fault(std::string text);

    void lay_out();
    std::uint32_t lay_out_tree(std::size_t begin, std::size_t end);
    std::size_t place_candidates(const Range& range, std::size_t depth, std::uint32_t node);
    void filter_candidates(std::uint32_t node, std::vector<Candidate>& candidates);
    void fill_host_slots();

    std::vector<Rule> rules_;
    std::unique_ptr<Router::Index> index_;
    std::vector<Item> items_;
    std::vector<std::string> paths_;  // literal beginnings
    std::unordered_map<std::string, std::uint32_t> path_numbers_;
    std::vector<std::string> rests_;  // by regex number: the pattern behind the literal beginning
    std::unordered_map<std::string, std::uint32_t> regex_numbers_;
    std::map<std::pair<HostPattern::Kind, std::string>, std::uint32_t> host_numbers_;
    std::unordered_map<std::string, std::uint32_t> method_numbers_;
    std::vector<std::string> faults_;
};

}  // namespace route
