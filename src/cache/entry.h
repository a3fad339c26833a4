// Entry: one stored response, immutable and shared by all cores: head, body, times and what it was selected by, in one
// allocation. An EntryPointer keeps it alive, so that a hit copies nothing and what is evicted meanwhile lives until
// its last reader is done. Also the compact binary form in which an entry travels through Redis.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "base/result.h"
#include "cache/cache_control.h"
#include "http/headers.h"

namespace cache {

// How long a stored response is good, and what may be done with it afterwards (policy.h computes and reads it).
struct Validity {
    Millis requested_at = 0;       // the upstream was asked (RFC 9111 4.2.3 request_time)
    Millis responded_at = 0;       // response_time
    Millis initial_age = 0;        // corrected_initial_age
    Millis lifetime = 0;           // freshness_lifetime
    Millis while_stale = 0;        // stale-while-revalidate
    Millis on_error = 0;           // stale-if-error
    Millis keep_until = 0;         // of no use to anybody from then on
    bool no_cache = false;         // never without asking the upstream
    bool must_revalidate = false;  // never stale (also proxy-revalidate)
    bool shared_limit = false;     // s-maxage: stale only where the response itself allows it
    bool operator==(const Validity&) const = default;
};

enum class EntryKind : std::uint8_t {
    response,
    // Stands under the key of a resource whose responses vary: `vary` names the fields, `generation` goes into the keys
    // of the variants, so that none outlives the marker.
    vary_marker,
};

// What an entry is made of. Views; make_entry() copies.
struct EntryParts {
    EntryKind kind = EntryKind::response;
    std::string_view key;       // the whole key, compared on every look-up
    std::string_view resource;  // what was asked for, the same for all variants; may be a part of `key`
    std::string_view vary;      // VaryNames::text()
    std::uint64_t generation = 0;
    std::span<const std::string_view> tags = {};  // for purging
    int status = 0;
    std::string_view reason;
    const http::Headers* headers = nullptr;       // as they are to be stored
    std::span<const std::string_view> body = {};  // in pieces
    // Of an answer to HEAD: the Content-Length that it told, if any.
    std::optional<std::uint64_t> head_length;
    Validity validity;
};

class EntryPointer;

class Entry {
  public:
    Entry(const Entry&) = delete;
    Entry& operator=(const Entry&) = delete;

    [[nodiscard]] EntryKind kind() const { return kind_; }
    [[nodiscard]] std::string_view key() const { return part(0, key_size_); }
    [[nodiscard]] std::string_view resource() const { return part(resource_at_, resource_size_); }
    [[nodiscard]] std::string_view vary() const { return part(vary_at_, vary_size_); }
    [[nodiscard]] std::uint64_t generation() const { return generation_; }
    [[nodiscard]] std::string_view tags() const { return part(tags_at_, tags_size_); }  // joined by ','
    [[nodiscard]] bool has_tag(std::string_view tag) const;
    [[nodiscard]] int status() const { return status_; }
    [[nodiscard]] std::string_view reason() const { return part(reason_at_, reason_size_); }
    [[nodiscard]] std::string_view body() const { return part(body_at_, body_size_); }
    [[nodiscard]] const Validity& validity() const { return validity_; }
    [[nodiscard]] std::optional<std::uint64_t> head_length() const {
        return head_length_ == no_length ? std::nullopt : std::optional(head_length_);
    }
    [[nodiscard]] std::size_t header_count() const { return header_count_; }
    // Adds all fields to `headers`; the views live as long as the entry.
    void append_headers(http::Headers& headers) const;
    // All memory it takes.
    [[nodiscard]] std::size_t footprint() const { return footprint_; }

  private:
    static constexpr std::uint64_t no_length = UINT64_MAX;
    friend class EntryPointer;
    friend class Shard;
    friend EntryPointer make_entry(const EntryParts& parts);

    Entry() = default;
    ~Entry() = default;
    [[nodiscard]] const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
    [[nodiscard]] std::string_view part(std::size_t at, std::size_t size) const { return {bytes() + at, size}; }
    static void release(Entry* entry);

    // Of the store that holds it, under that store's lock.
    struct Links {
        Entry* next_in_bucket = nullptr;
        Entry* next_of_resource = nullptr;
        Entry* previous_of_resource = nullptr;
        Entry* newer = nullptr;
        Entry* older = nullptr;
        std::uint64_t hash = 0;
        std::uint64_t resource_hash = 0;
        std::uint8_t segment = 0;
    };

    // ---- changed on every hit, so apart from what readers read
    std::atomic<std::uint32_t> references_{1};
    Links links_;

    // ---- constant
    Validity validity_;
    std::uint64_t generation_ = 0;
    std::uint64_t head_length_ = no_length;
    std::size_t footprint_ = 0;
    std::uint32_t key_size_ = 0;
    std::uint32_t resource_at_ = 0;
    std::uint32_t resource_size_ = 0;
    std::uint32_t vary_at_ = 0;
    std::uint32_t vary_size_ = 0;
    std::uint32_t tags_at_ = 0;
    std::uint32_t tags_size_ = 0;
    std::uint32_t reason_at_ = 0;
    std::uint32_t reason_size_ = 0;
    std::uint32_t headers_at_ = 0;
    std::uint32_t body_at_ = 0;
    std::uint32_t body_size_ = 0;
    std::uint16_t header_count_ = 0;
    std::uint16_t status_ = 0;
    EntryKind kind_ = EntryKind::response;
};

// A counted reference; copied and dropped on any thread.
class EntryPointer {
  public:
    EntryPointer() = default;
    // Takes over one reference.
    explicit EntryPointer(Entry* entry) : entry_(entry) {}
    EntryPointer(const EntryPointer& other) : entry_(other.entry_) {
        if (entry_ != nullptr) entry_->references_.fetch_add(1, std::memory_order_relaxed);
    }
    EntryPointer(EntryPointer&& other) noexcept : entry_(std::exchange(other.entry_, nullptr)) {}
    EntryPointer& operator=(EntryPointer other) noexcept {
        std::swap(entry_, other.entry_);
        return *this;
    }
    ~EntryPointer() {
        if (entry_ != nullptr) Entry::release(entry_);
    }
    [[nodiscard]] const Entry* get() const { return entry_; }
    const Entry& operator*() const { return *entry_; }
    const Entry* operator->() const { return entry_; }
    explicit operator bool() const { return entry_ != nullptr; }
    // Gives the reference away.
    [[nodiscard]] Entry* leave() { return std::exchange(entry_, nullptr); }

  private:
    Entry* entry_ = nullptr;
};

// Limits of one entry, whoever made it; beyond them there is none.
struct EntryLimits {
    static constexpr std::size_t most_body = std::size_t{1} << 30;
    static constexpr std::size_t most_head = std::size_t{1} << 20;  // key, tags, reason and headers together
    static constexpr std::size_t most_headers = 1024;
    static constexpr std::size_t most_tags = 64;
};

// Null if a limit is broken. Tags that are empty or hold a comma or a control character are left out.
[[nodiscard]] EntryPointer make_entry(const EntryParts& parts);

// ---- binary form
// "CDC" and a version byte, the lengths of all parts, then the parts; little-endian. A change of the layout changes the
// version, and a reader refuses every version but its own: the cache is then cold, never wrong.
inline constexpr std::uint8_t binary_version = 1;
[[nodiscard]] std::size_t binary_size(const Entry& entry);
void write_binary(const Entry& entry, std::string& into);
// Refuses what is not exactly one entry of that form within the limits, with fields that could not be sent.
[[nodiscard]] base::Result<EntryPointer> read_binary(std::string_view bytes);

}  // namespace cache
