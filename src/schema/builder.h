// Builder: makes a Tree out of the events of a YAML or JSON parser, and holds the limits and the rules both share:
// depth, number of nodes, keys that are text and stand once in a map. Used by yaml.cpp and json.cpp only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "schema/node.h"

namespace schema {

class Builder {
  public:
    Builder(const Limits& limits) : limits_(limits) {}

    // Each returns false when the document must be refused; `problem()` says why.
    bool open_list(Mark mark, std::string_view anchor = {});
    bool open_map(Mark mark, std::string_view anchor = {});
    bool close();
    // `merge` = the plain key `<<` of YAML.
    bool key(std::string_view text, Mark mark, bool merge = false);
    bool scalar(Node node, std::string_view anchor = {});
    bool text(std::string_view text, Mark mark, std::string_view anchor = {});
    bool alias(std::string_view anchor, Mark mark);

    // True if the next event is a key of the innermost map.
    [[nodiscard]] bool wants_key() const;
    [[nodiscard]] bool is_open() const { return !frames_.empty(); }
    bool refuse(Mark mark, std::string message, std::string hint = {});
    [[nodiscard]] const Problem& problem() const { return *problem_; }
    [[nodiscard]] Tree take();

  private:
    struct Frame {
        bool map;
        bool merges = false;
        Mark mark;
        std::size_t first;         // in pending_
        std::uint64_t weight = 1;  // nodes in it once aliases are written out
        std::string anchor;
    };
    struct Anchor {
        bool open = true;  // still being read: an alias to it would contain itself
        Node node;
        std::uint64_t weight = 1;
    };
    bool open(bool map, Mark mark, std::string_view anchor);
    bool add(Node node, std::uint64_t weight);
    bool close_map(const Frame& frame, Node& made);
    bool merge(const Node& value, std::vector<Member>& into, std::size_t own);
    bool check_unique(const std::vector<Member>& members);

    const Limits& limits_;
    Tree tree_;
    std::vector<Node> pending_;
    std::vector<Frame> frames_;
    std::unordered_map<std::string, Anchor> anchors_;
    std::unordered_map<std::string_view, std::string_view> keys_;  // the same few keys stand in every entity
    std::size_t nodes_ = 0;
    std::uint64_t alias_nodes_ = 0;
    std::optional<Problem> problem_;
};

}  // namespace schema
