// Index: the compiled form of a router's rules. Rules are numbered by rank, 0 the best, so that comparing candidates is
// comparing numbers. A host name leads to a radix tree over the literal beginnings of paths; each node on the way lists
// the candidates that begin there. Everything sits in a few flat arrays. Filled by IndexBuilder, read by Router::match.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "route/conditions.h"
#include "route/regex.h"
#include "route/router.h"
#include "route/rule.h"

namespace route {

// What a candidate still has to test about the path, once its literal beginning fits.
inline constexpr std::uint32_t regex_none = 0xffffffff;     // a prefix: nothing
inline constexpr std::uint32_t regex_literal = 0xfffffffe;  // a regex without anything but literals: nothing
inline constexpr std::uint32_t any_path = 0xfffffffd;       // a rule without paths: nothing

struct Candidate {
    // In the order of comparison: best rule first, then the first path of that rule.
    std::uint32_t rank = 0;
    std::uint16_t order = 0;           // place of the path in its rule
    std::uint16_t port = 0;            // of the host pattern; 0: any
    std::uint32_t regex = regex_none;  // number of a regex, or one of the constants above
    auto operator<=>(const Candidate&) const = default;
};

// Finds, among many regexes of one node, those whose required literal occurs in the path: by four bytes of it.
// Without this, routes such as "/(tenant)/orders" and "/(tenant)/users" would all be tried in turn.
class LiteralFilter {
  public:
    static constexpr std::size_t gram_bytes = 4;
    static std::uint32_t gram_at(const char* text);

    struct Keyed {
        std::uint32_t gram = 0;
        Candidate candidate;
    };
    explicit LiteralFilter(std::vector<Keyed> candidates);

    struct List {
        const Candidate* begin = nullptr;
        const Candidate* end = nullptr;
    };
    // Appends the numbers of the lists that `text` can match, each once, in no order.
    void find(std::string_view text, std::vector<std::uint32_t>& lists) const;
    [[nodiscard]] List list(std::uint32_t number) const;
    [[nodiscard]] std::size_t memory_bytes() const;

  private:
    struct Slot {
        std::uint32_t gram = 0;
        std::uint32_t begin = 0;
        std::uint32_t end = 0;  // begin == end: free
    };
    std::size_t slot_of(std::uint32_t gram) const;
    std::vector<Slot> slots_;  // open addressing, a power of two
    std::vector<Candidate> candidates_;
};

struct Node {
    static constexpr std::uint16_t filtered = 0x8000;    // flag in `children`
    static constexpr std::uint16_t child_mask = 0x01ff;  // 256 at most
    std::uint32_t label = 0;                             // offset into Index::labels
    std::uint16_t label_length = 0;
    std::uint16_t children = 0;
    std::uint32_t first_child = 0;  // siblings are neighbours, in the order of their first bytes
    std::uint32_t candidates = 0;   // up to the next node's
};

// The routes of one host pattern.
struct HostEntry {
    std::uint32_t text = 0;  // offset into Index::host_texts
    std::uint16_t length = 0;
    HostPattern::Kind kind = HostPattern::Kind::exact;
    std::uint32_t root = 0;
};

struct RankedRule {
    std::uint64_t methods = 0;
    std::uint32_t route = 0;
    std::uint32_t conditions = Conditions::none;
};

struct Router::Index {
    static constexpr std::uint32_t no_node = 0xffffffff;
    static constexpr std::size_t other_method = 63;  // the bit of every method without a bit of its own

    [[nodiscard]] std::uint64_t method_bit(std::string_view method) const;
    // Root of the tree for exactly this pattern, or no_node.
    [[nodiscard]] std::uint32_t root_of(HostPattern::Kind kind, std::string_view text) const;
    [[nodiscard]] const LiteralFilter& filter_of(std::uint32_t node) const;
    [[nodiscard]] std::size_t memory_bytes() const;
    static std::size_t host_hash(HostPattern::Kind kind, std::string_view text);

    std::vector<RankedRule> rules;  // by rank
    std::vector<std::string> methods;
    Conditions conditions;

    std::uint32_t any_host_root = no_node;
    std::vector<HostEntry> hosts;
    std::vector<std::uint32_t> host_slots;  // open addressing over hosts: number + 1, 0 is free
    std::string host_texts;
    // Bit n: some wildcard of n bytes exists; other lengths need no look-up.
    std::array<std::uint64_t, 4> suffix_lengths{};
    std::array<std::uint64_t, 4> prefix_lengths{};

    std::vector<Node> nodes;        // one more at the end closes the last one's candidates
    std::vector<char> first_bytes;  // of each node's label: the byte its parent branches on
    std::string labels;
    std::vector<Candidate> candidates;
    std::vector<std::pair<std::uint32_t, LiteralFilter>> filters;  // by node, ascending
    std::vector<Regex> regexes;

    std::atomic<std::uint64_t> limited{0};
};

}  // namespace route
