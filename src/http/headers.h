// Headers: the fields of one message in their order, names in the case received, looked up without regard to case.
// Names that the gateway itself has to do with are recognised once (Known) and then found by number.
// Views only: bytes belong to the receive buffer or the arena of the request, and must outlive the list.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/raw_array.h"

namespace http {

enum class Known : std::uint8_t {
    none,
    host,
    content_length,
    transfer_encoding,
    connection,
    keep_alive,
    te,
    trailer,
    upgrade,
    expect,
    proxy,
    proxy_connection,
    proxy_authorization,
    proxy_authenticate,
    http2_settings,
    max_forwards,
    authorization,
    www_authenticate,
    via,
    forwarded,
    x_forwarded_for,
    x_forwarded_proto,
    x_forwarded_host,
    x_forwarded_port,
    x_forwarded_path,
    x_forwarded_prefix,
    x_real_ip,
    x_request_id,
    x_kong_request_id,
    accept,
    accept_encoding,
    accept_language,
    content_type,
    content_encoding,
    content_range,
    server,
    date,
    location,
    cookie,
    set_cookie,
    vary,
    cache_control,
    pragma,
    expires,
    age,
    etag,
    last_modified,
    if_match,
    if_none_match,
    if_modified_since,
    if_unmodified_since,
    if_range,
    range,
    user_agent,
    referer,
    origin,
    access_control_request_method,
    access_control_request_headers,
    sec_websocket_key,
    sec_websocket_protocol,
    allow,
    retry_after,
};
inline constexpr std::size_t known_count = static_cast<std::size_t>(Known::retry_after) + 1;
static_assert(known_count <= 64, "the presence set is one word");

// Which known name a token is, in any case; Known::none if it is not one.
[[nodiscard]] Known recognise(std::string_view name);
// The usual spelling ("Content-Length"); empty for Known::none.
[[nodiscard]] std::string_view canonical_name(Known known);
constexpr std::uint64_t bit(Known known) { return std::uint64_t{1} << static_cast<unsigned>(known); }

struct Header {
    std::string_view name;
    std::string_view value;
    Known known = Known::none;
};

class Headers {
  public:
    static constexpr std::size_t inline_capacity = 32;

    Headers() = default;
    Headers(Headers&& other) noexcept { take(other); }
    Headers& operator=(Headers&& other) noexcept;
    Headers(const Headers&) = delete;
    Headers& operator=(const Headers&) = delete;
    ~Headers() = default;

    [[nodiscard]] std::size_t size() const { return size_; }
    [[nodiscard]] bool empty() const { return size_ == 0; }
    [[nodiscard]] const Header* begin() const { return items_; }
    [[nodiscard]] const Header* end() const { return items_ + size_; }
    [[nodiscard]] const Header& operator[](std::size_t index) const { return items_[index]; }

    [[nodiscard]] bool has(Known known) const { return (present_ & bit(known)) != 0; }
    [[nodiscard]] bool has(std::string_view name) const { return find(name) != nullptr; }
    // Is any of this set (bits of Known) there?
    [[nodiscard]] bool has_any(std::uint64_t set) const { return (present_ & set) != 0; }

    // The first field of that name, or nullptr. The pointer lives until the next change of the list.
    [[nodiscard]] const Header* find(Known known) const;
    [[nodiscard]] const Header* find(std::string_view name) const;
    // The value of the first field of that name; empty if there is none.
    [[nodiscard]] std::string_view first(Known known) const;
    [[nodiscard]] std::string_view first(std::string_view name) const;
    [[nodiscard]] std::size_t count(Known known) const;
    [[nodiscard]] std::size_t count(std::string_view name) const;
    // Calls visit(value) for every field of that name, in order.
    template <typename Visit>
    void all(std::string_view name, Visit&& visit) const {
        Known known = recognise(name);
        if (known != Known::none && !has(known)) return;
        for (const Header& header : *this) {
            if (matches(header, known, name)) visit(header.value);
        }
    }
    template <typename Visit>
    void all(Known known, Visit&& visit) const {
        if (!has(known)) return;
        for (const Header& header : *this) {
            if (header.known == known) visit(header.value);
        }
    }

    void add(std::string_view name, std::string_view value) { add(Header{name, value, recognise(name)}); }
    void add(Known known, std::string_view value) { add(Header{canonical_name(known), value, known}); }
    // `header.known` must be recognise(header.name).
    void add(const Header& header) {
        if (size_ == capacity_) return add_growing(header);
        items_[size_++] = header;
        present_ |= bit(header.known);
    }
    // Replaces the first field of that name (its place and spelling stay) and drops the others; adds it if there is
    // none.
    void set(std::string_view name, std::string_view value) { set(Header{name, value, recognise(name)}); }
    void set(Known known, std::string_view value) { set(Header{canonical_name(known), value, known}); }
    // Removes all fields of that name and says how many there were.
    std::size_t remove(std::string_view name);
    std::size_t remove(Known known);
    // Removes every field for which drop(header) is true, keeping the order of the others.
    template <typename Drop>
    std::size_t remove_if(Drop&& drop) {
        std::size_t kept = 0;
        std::uint64_t present = 0;
        for (std::size_t i = 0; i < size_; ++i) {
            if (drop(static_cast<const Header&>(items_[i]))) continue;
            present |= bit(items_[i].known);
            if (kept != i) items_[kept] = items_[i];
            ++kept;
        }
        std::size_t removed = size_ - kept;
        size_ = kept;
        present_ = present;
        return removed;
    }
    // Adds all fields of another list.
    void append(const Headers& other);
    // Empties the list and gives back memory beyond the inline storage.
    void reset();

    // Does this header have that name? `known` must be recognise(name).
    [[nodiscard]] static bool matches(const Header& header, Known known, std::string_view name);

  private:
    void set(const Header& header);
    void add_growing(Header header);
    void take(Headers& other);

    base::RawArray<Header, inline_capacity> inline_;  // first: the next member points at it
    Header* items_ = inline_.data();
    std::uint64_t present_ = 0;
    std::size_t size_ = 0;
    std::size_t capacity_ = inline_capacity;
    std::unique_ptr<Header[]> more_;
};

}  // namespace http
