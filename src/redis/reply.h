// Reply: what Redis answered, as a value. Integers and short texts hold no memory of their own. And what its error
// texts mean to us, decided once.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"

namespace redis {

class Reply {
  public:
    enum class Kind : std::uint8_t { nil, integer, status, bytes, error, array };

    Reply() = default;
    static Reply of(std::int64_t integer) {
        Reply out(Kind::integer);
        out.integer_ = integer;
        return out;
    }
    static Reply of(Kind kind, std::string_view text) {
        Reply out(kind);
        out.text_ = text;
        return out;
    }
    static Reply array() { return Reply(Kind::array); }

    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] bool is_nil() const { return kind_ == Kind::nil; }
    [[nodiscard]] bool is_error() const { return kind_ == Kind::error; }
    [[nodiscard]] bool is_array() const { return kind_ == Kind::array; }
    // A status or bytes.
    [[nodiscard]] bool is_text() const { return kind_ == Kind::status || kind_ == Kind::bytes; }
    // An integer, or bytes that spell one (what GET gives of a counter).
    [[nodiscard]] std::optional<std::int64_t> integer() const;
    // Of a status, bytes or an error; else empty.
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] std::string take_text() { return std::move(text_); }
    // Of an array; else empty.
    [[nodiscard]] std::span<const Reply> elements() const { return elements_; }
    [[nodiscard]] std::span<Reply> elements() { return elements_; }
    Reply& add(Reply element) { return elements_.emplace_back(std::move(element)); }

    bool operator==(const Reply&) const = default;

  private:
    explicit Reply(Kind kind) : kind_(kind) {}
    Kind kind_ = Kind::nil;
    std::int64_t integer_ = 0;
    std::string text_;
    std::vector<Reply> elements_;
};

// What an error text asks of us, by its first word.
enum class Complaint : std::uint8_t {
    moved,         // MOVED slot host:port: that node owns the slot now
    ask,           // ASK slot host:port: this once, ask that node
    try_again,     // TRYAGAIN: keys of one command are on two nodes while the slot moves
    unavailable,   // CLUSTERDOWN, LOADING, MASTERDOWN, NOREPLICAS, BUSY
    read_only,     // READONLY: a replica, perhaps after a failover
    full,          // OOM: over maxmemory
    no_script,     // NOSCRIPT: EVALSHA of what the server does not have
    unauthorised,  // NOAUTH, WRONGPASS, NOPERM
    other,         // ERR, WRONGTYPE and all that is the command's own fault
};
[[nodiscard]] Complaint complaint_of(std::string_view error);

// The error that a command's caller gets. Shows the text, but for what Redis quotes from the command.
[[nodiscard]] base::Error error_of(std::string_view error);

}  // namespace redis
