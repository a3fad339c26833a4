#include "http/headers.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <utility>

#include "http/characters.h"

namespace http {

namespace {

struct KnownName {
    std::string_view lower;
    std::string_view canonical;
};
// In the order of Known.
constexpr KnownName known_names[] = {
    {"", ""},
    {"host", "Host"},
    {"content-length", "Content-Length"},
    {"transfer-encoding", "Transfer-Encoding"},
    {"connection", "Connection"},
    {"keep-alive", "Keep-Alive"},
    {"te", "TE"},
    {"trailer", "Trailer"},
    {"upgrade", "Upgrade"},
    {"expect", "Expect"},
    {"proxy", "Proxy"},
    {"proxy-connection", "Proxy-Connection"},
    {"proxy-authorization", "Proxy-Authorization"},
    {"proxy-authenticate", "Proxy-Authenticate"},
    {"http2-settings", "HTTP2-Settings"},
    {"max-forwards", "Max-Forwards"},
    {"authorization", "Authorization"},
    {"www-authenticate", "WWW-Authenticate"},
    {"via", "Via"},
    {"forwarded", "Forwarded"},
    {"x-forwarded-for", "X-Forwarded-For"},
    {"x-forwarded-proto", "X-Forwarded-Proto"},
    {"x-forwarded-host", "X-Forwarded-Host"},
    {"x-forwarded-port", "X-Forwarded-Port"},
    {"x-forwarded-path", "X-Forwarded-Path"},
    {"x-forwarded-prefix", "X-Forwarded-Prefix"},
    {"x-real-ip", "X-Real-IP"},
    {"x-request-id", "X-Request-ID"},
    {"x-kong-request-id", "X-Kong-Request-Id"},
    {"accept", "Accept"},
    {"accept-encoding", "Accept-Encoding"},
    {"accept-language", "Accept-Language"},
    {"content-type", "Content-Type"},
    {"content-encoding", "Content-Encoding"},
    {"content-range", "Content-Range"},
    {"server", "Server"},
    {"date", "Date"},
    {"location", "Location"},
    {"cookie", "Cookie"},
    {"set-cookie", "Set-Cookie"},
    {"vary", "Vary"},
    {"cache-control", "Cache-Control"},
    {"pragma", "Pragma"},
    {"expires", "Expires"},
    {"age", "Age"},
    {"etag", "ETag"},
    {"last-modified", "Last-Modified"},
    {"if-match", "If-Match"},
    {"if-none-match", "If-None-Match"},
    {"if-modified-since", "If-Modified-Since"},
    {"if-unmodified-since", "If-Unmodified-Since"},
    {"if-range", "If-Range"},
    {"range", "Range"},
    {"user-agent", "User-Agent"},
    {"referer", "Referer"},
    {"origin", "Origin"},
    {"access-control-request-method", "Access-Control-Request-Method"},
    {"access-control-request-headers", "Access-Control-Request-Headers"},
    {"sec-websocket-key", "Sec-WebSocket-Key"},
    {"sec-websocket-protocol", "Sec-WebSocket-Protocol"},
    {"allow", "Allow"},
    {"retry-after", "Retry-After"},
};
static_assert(std::size(known_names) == known_count);

// A perfect hash of the known names over length and four characters; the multiplier was found by search, and the
// compiler checks below that no two names meet.
constexpr std::uint32_t slot_bits = 9;
constexpr std::uint32_t hash_multiplier = 0xd5f4b3b3;
constexpr std::uint32_t slot_of(std::string_view name) {
    auto folded = [name](std::size_t i) {
        return static_cast<std::uint32_t>(static_cast<unsigned char>(name[i]) | 0x20);
    };
    std::size_t size = name.size();
    std::uint32_t mixed = static_cast<std::uint32_t>(size) + (folded(0) << 5) + (folded(size - 1) << 10) +
                          (folded(size > 4 ? size - 4 : 0) << 15) + (folded(size / 2) << 20);
    return (mixed * hash_multiplier) >> (32 - slot_bits);
}
constexpr std::array<std::uint8_t, 1U << slot_bits> make_slots() {
    std::array<std::uint8_t, 1U << slot_bits> slots{};
    for (std::size_t i = 1; i < known_count; ++i) slots[slot_of(known_names[i].lower)] = static_cast<std::uint8_t>(i);
    return slots;
}
constexpr std::array<std::uint8_t, 1U << slot_bits> slots = make_slots();
constexpr bool is_perfect() {
    for (std::size_t i = 1; i < known_count; ++i) {
        if (slots[slot_of(known_names[i].lower)] != i) return false;
    }
    return true;
}
static_assert(is_perfect(), "two known names share a slot: search another multiplier");

template <typename Word>
bool words_equal(const char* name, const char* lower_name) {
    Word a;
    Word b;
    std::memcpy(&a, name, sizeof a);
    std::memcpy(&b, lower_name, sizeof b);
    return (a | static_cast<Word>(0x2020202020202020)) == b;
}
// For a token against a lower-case name of the same size made of letters, digits and '-': setting bit 5 folds case, and
// no other token character becomes one of those by it. Words overlap, so that no size needs a loop.
bool equals_folded(const char* name, const char* lower_name, std::size_t size) {
    auto words = [&](std::size_t at) { return words_equal<std::uint64_t>(name + at, lower_name + at); };
    if (size > 16) return words(0) && words(8) && words(size - 16) && words(size - 8);
    if (size >= 8) return words(0) && words(size - 8);
    if (size >= 4) {
        return words_equal<std::uint32_t>(name, lower_name) &&
               words_equal<std::uint32_t>(name + size - 4, lower_name + size - 4);
    }
    for (std::size_t i = 0; i < size; ++i) {
        if ((name[i] | 0x20) != lower_name[i]) return false;
    }
    return true;
}

// The lower-case names again, in a form that is compared without following a pointer.
struct Candidate {
    char lower[31] = {};
    std::uint8_t size = 0;
};
constexpr std::array<Candidate, known_count> make_candidates() {
    std::array<Candidate, known_count> candidates{};
    for (std::size_t i = 0; i < known_count; ++i) {
        std::string_view name = known_names[i].lower;
        std::copy(name.begin(), name.end(), candidates[i].lower);
        candidates[i].size = static_cast<std::uint8_t>(name.size());
    }
    return candidates;
}
constexpr std::array<Candidate, known_count> candidates = make_candidates();

}  // namespace

Known recognise(std::string_view name) {
    if (name.empty()) return Known::none;
    std::uint8_t index = slots[slot_of(name)];
    const Candidate& candidate = candidates[index];
    if (candidate.size != name.size()) return Known::none;
    return equals_folded(name.data(), candidate.lower, name.size()) ? static_cast<Known>(index) : Known::none;
}

std::string_view canonical_name(Known known) { return known_names[static_cast<std::size_t>(known)].canonical; }

bool Headers::matches(const Header& header, Known known, std::string_view name) {
    if (known != Known::none) return header.known == known;
    return header.known == Known::none && equals_ignore_case(header.name, name);
}

const Header* Headers::find(Known known) const {
    if (!has(known)) return nullptr;
    for (const Header& header : *this) {
        if (header.known == known) return &header;
    }
    return nullptr;
}

const Header* Headers::find(std::string_view name) const {
    Known known = recognise(name);
    if (known != Known::none) return find(known);
    for (const Header& header : *this) {
        if (matches(header, known, name)) return &header;
    }
    return nullptr;
}

std::string_view Headers::first(Known known) const {
    const Header* header = find(known);
    return header == nullptr ? std::string_view() : header->value;
}

std::string_view Headers::first(std::string_view name) const {
    const Header* header = find(name);
    return header == nullptr ? std::string_view() : header->value;
}

std::size_t Headers::count(Known known) const {
    std::size_t found = 0;
    all(known, [&found](std::string_view) { ++found; });
    return found;
}

std::size_t Headers::count(std::string_view name) const {
    std::size_t found = 0;
    all(name, [&found](std::string_view) { ++found; });
    return found;
}

void Headers::set(const Header& header) {
    const Header* existing = header.known != Known::none ? find(header.known) : find(header.name);
    if (existing == nullptr) return add(header);
    std::size_t place = static_cast<std::size_t>(existing - items_);
    items_[place].value = header.value;
    std::size_t index = 0;
    remove_if([&](const Header& other) { return index++ > place && matches(other, header.known, header.name); });
}

std::size_t Headers::remove(std::string_view name) {
    Known known = recognise(name);
    if (known != Known::none && !has(known)) return 0;
    return remove_if([&](const Header& header) { return matches(header, known, name); });
}

std::size_t Headers::remove(Known known) {
    if (!has(known)) return 0;
    return remove_if([&](const Header& header) { return header.known == known; });
}

void Headers::append(const Headers& other) {
    for (const Header& header : other) add(header);
}

void Headers::reset() {
    more_.reset();
    items_ = inline_.data();
    capacity_ = inline_capacity;
    size_ = 0;
    present_ = 0;
}

// By value: the field may be one of the list itself.
void Headers::add_growing(Header header) {
    auto larger = std::make_unique<Header[]>(capacity_ * 2);
    std::copy(begin(), end(), larger.get());
    more_ = std::move(larger);
    items_ = more_.get();
    capacity_ *= 2;
    add(header);
}

Headers& Headers::operator=(Headers&& other) noexcept {
    if (this != &other) take(other);
    return *this;
}

void Headers::take(Headers& other) {
    more_ = std::move(other.more_);
    if (more_ != nullptr) {
        items_ = more_.get();
    } else {
        items_ = inline_.data();
        std::copy(other.begin(), other.end(), inline_.data());
    }
    present_ = other.present_;
    size_ = other.size_;
    capacity_ = other.capacity_;
    other.reset();
}

}  // namespace http
