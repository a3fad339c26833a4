// Lua patterns (Lua 5.1 reference manual 5.4.1, with LuaJIT's %g and %f) for template values: find, match and gsub of
// strings. Every step is paid from a budget of the caller, and nesting is bounded, so no pattern and no text can hold a
// core. Locale "C". Called by template.cpp.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace plugin {

struct LuaCapture {
    std::string_view text;
    std::size_t position = 0;  // from 1, of a position capture "()"
    bool is_position = false;
};

class LuaPattern {
  public:
    static constexpr std::size_t max_captures = 32;
    static constexpr int max_depth = 200;  // nested attempts, as Lua's own limit

    enum class Outcome : std::uint8_t { matches, differs, malformed, limited };

    // Views both; `steps` is shared by all matches of one evaluation and counts down to 0.
    LuaPattern(std::string_view pattern, std::string_view text, std::size_t& steps);

    // The first match that begins at byte `from` or behind it (only there, if the pattern begins with '^').
    Outcome find(std::size_t from);
    [[nodiscard]] bool is_anchored() const { return anchored_; }
    // A match that begins at `from`.
    Outcome match_at(std::size_t from);

    // Of the last match:
    [[nodiscard]] std::size_t begin() const { return begin_; }
    [[nodiscard]] std::size_t end() const { return end_; }
    [[nodiscard]] std::size_t capture_count() const { return count_; }
    [[nodiscard]] LuaCapture capture(std::size_t index) const;
    [[nodiscard]] std::string_view whole() const { return text_.substr(begin_, end_ - begin_); }

    // What is wrong with a pattern, or nothing.
    static std::string_view fault(std::string_view pattern);

  private:
    static constexpr std::size_t none = static_cast<std::size_t>(-1);
    struct Group {
        std::size_t begin = 0;
        std::size_t length = 0;  // or unclosed, or position
    };
    static constexpr std::size_t unclosed = static_cast<std::size_t>(-2);
    static constexpr std::size_t position = static_cast<std::size_t>(-3);

    // Each answers where the match ends, or `none`.
    std::size_t match(std::size_t s, std::size_t p);
    std::size_t match_special(std::size_t s, std::size_t p, bool& handled);
    std::size_t expand_most(std::size_t s, std::size_t p, std::size_t after);
    std::size_t expand_least(std::size_t s, std::size_t p, std::size_t after);
    std::size_t open_group(std::size_t s, std::size_t p, std::size_t kind);
    std::size_t close_group(std::size_t s, std::size_t p);
    std::size_t match_balance(std::size_t s, std::size_t p);
    std::size_t match_back_reference(std::size_t s, std::size_t p);
    std::size_t match_frontier(std::size_t s, std::size_t p);
    [[nodiscard]] std::size_t class_end(std::size_t p);
    [[nodiscard]] bool is_single(std::size_t s, std::size_t p, std::size_t after) const;
    [[nodiscard]] bool is_in_set(unsigned char c, std::size_t p, std::size_t last) const;
    std::size_t fail(Outcome why);
    bool pay();

    std::string_view pattern_;
    std::string_view text_;
    std::size_t& steps_;
    bool anchored_ = false;
    Outcome trouble_ = Outcome::matches;
    int depth_ = 0;
    std::size_t begin_ = 0;
    std::size_t end_ = 0;
    std::size_t count_ = 0;
    std::array<Group, max_captures> groups_;
};

}  // namespace plugin
