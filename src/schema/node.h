// Node: one value of a configuration document, the same for YAML and JSON, with the place it was written at.
// A Tree owns the nodes and their text in one arena; nodes are read-only and shared by aliases. Readers: schema fields,
// dialects.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/arena.h"
#include "base/result.h"
#include "schema/error.h"

namespace schema {

enum class Kind : std::uint8_t { null, boolean, integer, number, text, list, map };

struct Member;

// 32 bytes: a document of 100,000 routes has some millions of them.
class Node {
  public:
    Node() = default;
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is(Kind kind) const { return kind_ == kind; }
    [[nodiscard]] bool is_null() const { return kind_ == Kind::null; }
    [[nodiscard]] Mark mark() const { return mark_; }

    // Each is meaningful for its own kind only (as_number also for integers); else the zero of its type.
    [[nodiscard]] bool as_boolean() const { return kind_ == Kind::boolean && integer_ != 0; }
    [[nodiscard]] std::int64_t as_integer() const { return kind_ == Kind::integer ? integer_ : 0; }
    [[nodiscard]] double as_number() const {
        return kind_ == Kind::number ? number_ : static_cast<double>(as_integer());
    }
    [[nodiscard]] std::string_view text() const {
        return kind_ == Kind::text ? std::string_view(text_, size_) : std::string_view();
    }
    [[nodiscard]] std::span<const Node> items() const {
        return kind_ == Kind::list ? std::span(items_, size_) : std::span<const Node>();
    }
    [[nodiscard]] inline std::span<const Member> members() const;
    // The value of a key, or nullptr.
    [[nodiscard]] inline const Node* find(std::string_view key) const;

    static Node null(Mark mark) { return Node(Kind::null, mark); }
    static Node boolean(bool value, Mark mark) {
        Node node(Kind::boolean, mark);
        node.integer_ = value ? 1 : 0;
        return node;
    }
    static Node integer(std::int64_t value, Mark mark) {
        Node node(Kind::integer, mark);
        node.integer_ = value;
        return node;
    }
    static Node number(double value, Mark mark) {
        Node node(Kind::number, mark);
        node.number_ = value;
        return node;
    }
    // `text`, `items` and `members` must live as long as the node: they belong to the same Tree.
    static Node string(std::string_view text, Mark mark) {
        Node node(Kind::text, mark);
        node.text_ = text.data();
        node.size_ = static_cast<std::uint32_t>(text.size());
        return node;
    }
    static Node list(std::span<const Node> items, Mark mark) {
        Node node(Kind::list, mark);
        node.items_ = items.data();
        node.size_ = static_cast<std::uint32_t>(items.size());
        return node;
    }
    static inline Node map(std::span<const Member> members, Mark mark);

  private:
    Node(Kind kind, Mark mark) : kind_(kind), mark_(mark) {}
    Kind kind_ = Kind::null;
    std::uint32_t size_ = 0;
    Mark mark_;
    union {
        std::int64_t integer_ = 0;
        double number_;
        const char* text_;
        const Node* items_;
        const Member* members_;
    };
};

struct Member {
    Node key;  // always text
    Node value;
};

inline std::span<const Member> Node::members() const {
    return kind_ == Kind::map ? std::span(members_, size_) : std::span<const Member>();
}
inline const Node* Node::find(std::string_view key) const {
    for (const Member& member : members()) {
        if (member.key.text() == key) return &member.value;
    }
    return nullptr;
}
inline Node Node::map(std::span<const Member> members, Mark mark) {
    Node node(Kind::map, mark);
    node.members_ = members.data();
    node.size_ = static_cast<std::uint32_t>(members.size());
    return node;
}

// What a document may cost. A document beyond a limit is refused with a message that names the limit.
struct Limits {
    std::size_t bytes = 256ull << 20;     // text of one file
    std::size_t depth = 64;               // lists and maps inside each other
    std::size_t nodes = 16'000'000;       // written in one file
    std::size_t alias_nodes = 1'000'000;  // copied by YAML aliases and merge keys
};

// One parsed file. Movable; nodes keep their addresses.
class Tree {
  public:
    Tree() : arena_(std::make_unique<base::Arena>()) {}
    [[nodiscard]] const Node& root() const { return root_; }
    void set_root(Node root) { root_ = root; }
    [[nodiscard]] base::Arena& arena() { return *arena_; }

  private:
    std::unique_ptr<base::Arena> arena_;
    Node root_;
};

// Parses one file. `file` is its index for marks. The error is a Problem (its path is empty) at the place of the fault.
using ParseResult = std::variant<Tree, Problem>;
[[nodiscard]] ParseResult parse_yaml(std::string_view text, std::uint16_t file, const Limits& limits);
[[nodiscard]] ParseResult parse_json(std::string_view text, std::uint16_t file, const Limits& limits);

// The refusal of a text beyond Limits::bytes.
[[nodiscard]] Problem too_large(std::size_t size, std::uint16_t file, const Limits& limits);

}  // namespace schema
