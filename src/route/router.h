// Router: an immutable index of rules, shared by all threads. `match` finds the best rule (priority, then tie-break)
// that accepts a request; its cost grows with the length of host and path, not with the number of rules. Built off the
// serving threads by the snapshot; the gateway and `explain` call `match`.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "route/captures.h"
#include "route/query.h"
#include "route/rule.h"

namespace route {

// Views point into the query's path; names belong to the router.
struct Match {
    std::uint32_t route = 0;
    std::string_view matched_path;  // the prefix, or what the regex matched; empty for a rule without paths
    bool by_path = false;           // the rule has paths
    bool by_regex = false;
    Captures captures;  // only by_regex
    std::span<const CaptureName> names;

    // Group `number` from 1; empty if it took no part or does not exist.
    [[nodiscard]] std::string_view capture(std::size_t number) const;
    [[nodiscard]] std::string_view capture(std::string_view name) const;
};

class Router {
  public:
    // Fails with every fault of every rule in one text: "route 7: ..., regex '...': ...". Rules are consumed.
    static base::Result<Router> build(std::vector<Rule> rules);

    Router(Router&&) noexcept;
    Router& operator=(Router&&) noexcept;
    ~Router();

    // True and `match` filled, or false and `match` unspecified. Any thread; allocates nothing unless a regex is tried.
    [[nodiscard]] bool match(const Query& query, Match& match) const;

    [[nodiscard]] std::size_t rule_count() const;
    // Everything held, estimated where a regex library does not tell.
    [[nodiscard]] std::size_t memory_bytes() const;
    // Regex attempts given up at their step limit, which count as "does not match".
    [[nodiscard]] std::uint64_t limited_matches() const;

    struct Index;  // index.h

  private:
    explicit Router(std::unique_ptr<Index> index);
    std::unique_ptr<Index> index_;
};

}  // namespace route
