#include "cache/entry.h"

#include <malloc.h>

#include <cstdlib>
#include <cstring>
#include <new>

#include "http/characters.h"

namespace cache {

namespace {

// In front of the name and the value of each stored field.
struct FieldSizes {
    std::uint32_t value;
    std::uint16_t name;
    std::uint8_t known;
    std::uint8_t unused = 0;
};
static_assert(sizeof(FieldSizes) == 8);

// Writes the parts one behind the other and remembers where each one is.
class PartWriter {
  public:
    explicit PartWriter(char* start) : start_(start), at_(start) {}
    std::uint32_t append(std::string_view text) {
        std::uint32_t place = here();
        if (!text.empty()) std::memcpy(at_, text.data(), text.size());
        at_ += text.size();
        return place;
    }
    [[nodiscard]] std::uint32_t here() const { return static_cast<std::uint32_t>(at_ - start_); }

  private:
    char* start_;
    char* at_;
};

std::size_t headers_size(const http::Headers* headers) {
    std::size_t size = 0;
    if (headers == nullptr) return 0;
    for (const http::Header& header : *headers) size += sizeof(FieldSizes) + header.name.size() + header.value.size();
    return size;
}

std::string joined(std::span<const std::string_view> tags) {
    std::string out;
    std::size_t count = 0;
    for (std::string_view tag : tags) {
        bool good =
            !tag.empty() && tag.find(',') == std::string_view::npos && http::all_are(tag, http::character::field_value);
        if (!good || ++count > EntryLimits::most_tags) continue;
        if (!out.empty()) out.push_back(',');
        out += tag;
    }
    return out;
}

}  // namespace

EntryPointer make_entry(const EntryParts& parts) {
    std::size_t body_size = 0;
    for (std::string_view piece : parts.body) {
        body_size += piece.size();
        if (body_size > EntryLimits::most_body) return {};
    }
    std::size_t count = parts.headers == nullptr ? 0 : parts.headers->size();
    if (count > EntryLimits::most_headers) return {};
    if (parts.headers != nullptr) {
        for (const http::Header& header : *parts.headers) {
            if (header.name.size() > UINT16_MAX || header.value.size() > EntryLimits::most_head) return {};
        }
    }
    std::string tags = joined(parts.tags);
    std::size_t within = parts.key.find(parts.resource);
    bool is_within = within != std::string_view::npos;
    std::size_t head_size = parts.key.size() + (is_within ? 0 : parts.resource.size()) + parts.vary.size() +
                            tags.size() + parts.reason.size() + headers_size(parts.headers);
    if (head_size > EntryLimits::most_head) return {};

    void* memory = std::malloc(sizeof(Entry) + head_size + body_size);
    if (memory == nullptr) return {};
    auto* entry = new (memory) Entry;
    PartWriter writer(reinterpret_cast<char*>(entry + 1));
    writer.append(parts.key);
    entry->key_size_ = static_cast<std::uint32_t>(parts.key.size());
    entry->resource_at_ = is_within ? static_cast<std::uint32_t>(within) : writer.append(parts.resource);
    entry->resource_size_ = static_cast<std::uint32_t>(parts.resource.size());
    entry->vary_at_ = writer.append(parts.vary);
    entry->vary_size_ = static_cast<std::uint32_t>(parts.vary.size());
    entry->tags_at_ = writer.append(tags);
    entry->tags_size_ = static_cast<std::uint32_t>(tags.size());
    entry->reason_at_ = writer.append(parts.reason);
    entry->reason_size_ = static_cast<std::uint32_t>(parts.reason.size());
    entry->headers_at_ = writer.here();
    if (parts.headers != nullptr) {
        for (const http::Header& header : *parts.headers) {
            FieldSizes sizes{static_cast<std::uint32_t>(header.value.size()),
                             static_cast<std::uint16_t>(header.name.size()), static_cast<std::uint8_t>(header.known)};
            writer.append({reinterpret_cast<const char*>(&sizes), sizeof sizes});
            writer.append(header.name);
            writer.append(header.value);
        }
    }
    entry->body_at_ = writer.here();
    for (std::string_view piece : parts.body) writer.append(piece);
    entry->body_size_ = static_cast<std::uint32_t>(body_size);
    entry->header_count_ = static_cast<std::uint16_t>(count);
    entry->status_ = static_cast<std::uint16_t>(parts.status);
    entry->kind_ = parts.kind;
    entry->generation_ = parts.generation;
    entry->head_length_ = parts.head_length.value_or(Entry::no_length);
    entry->validity_ = parts.validity;
    // What the allocator really took, and its word of book-keeping.
    entry->footprint_ = malloc_usable_size(memory) + sizeof(std::size_t);
    return EntryPointer(entry);
}

void Entry::release(Entry* entry) {
    if (entry->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
    entry->~Entry();
    std::free(entry);
}

bool Entry::has_tag(std::string_view tag) const {
    std::string_view list = tags();
    std::string_view element;
    while (http::next_element(list, element)) {
        if (element == tag) return true;
    }
    return false;
}

void Entry::append_headers(http::Headers& headers) const {
    const char* at = bytes() + headers_at_;
    for (std::size_t i = 0; i < header_count_; ++i) {
        FieldSizes sizes;
        std::memcpy(&sizes, at, sizeof sizes);
        at += sizeof sizes;
        headers.add(
            http::Header{{at, sizes.name}, {at + sizes.name, sizes.value}, static_cast<http::Known>(sizes.known)});
        at += sizes.name + sizes.value;
    }
}

}  // namespace cache
