// The binary form of an entry (see entry.h): a row of numbers of fixed size, then all texts in order.
#include <cstring>
#include <vector>

#include "cache/entry.h"
#include "http/characters.h"

namespace cache {

namespace {

constexpr std::string_view magic = "CDC";
constexpr Millis most_millis = Millis{1} << 53;  // sums of a few stay far from overflow
constexpr std::uint64_t no_length = UINT64_MAX;
constexpr std::size_t field_sizes = 6;           // two and four bytes in front of each field

enum Flag : std::uint8_t { no_cache = 1, must_revalidate = 2, shared_limit = 4, all_flags = 7 };

void put(std::string& into, std::uint64_t value, std::size_t bytes) {
    for (std::size_t i = 0; i < bytes; ++i) into.push_back(static_cast<char>(value >> (8 * i)));
}
void put_text(std::string& into, std::string_view text) { into += text; }

// Reads from the front and remembers whether there was ever too little.
class Reader {
  public:
    explicit Reader(std::string_view bytes) : rest_(bytes) {}
    std::uint64_t number(std::size_t bytes) {
        std::string_view raw = text(bytes);
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < raw.size(); ++i) {
            value |= std::uint64_t{static_cast<unsigned char>(raw[i])} << (8 * i);
        }
        return value;
    }
    std::string_view text(std::uint64_t size) {
        if (size > rest_.size()) {
            failed_ = true;
            rest_ = {};
            return {};
        }
        std::string_view out = rest_.substr(0, size);
        rest_.remove_prefix(size);
        return out;
    }
    [[nodiscard]] bool failed() const { return failed_; }
    [[nodiscard]] bool at_end() const { return rest_.empty() && !failed_; }

  private:
    std::string_view rest_;
    bool failed_ = false;
};

base::Error refused(std::string_view why) {
    return base::Error::us(base::Code::malformed, "stored response: " + std::string(why));
}

// Names the parts that are never stored: such a field was put there by somebody else.
bool may_be_stored(const http::Header& header) {
    switch (header.known) {
        case http::Known::connection:
        case http::Known::transfer_encoding:
        case http::Known::content_length:
        case http::Known::upgrade:
        case http::Known::trailer:
            return false;
        default:
            return true;
    }
}

bool is_sane(const Validity& validity) {
    auto good = [](Millis value) { return value >= 0 && value <= most_millis; };
    return good(validity.requested_at) && good(validity.responded_at) && good(validity.initial_age) &&
           good(validity.lifetime) && good(validity.while_stale) && good(validity.on_error) &&
           good(validity.keep_until);
}

}  // namespace

std::size_t binary_size(const Entry& entry) {
    http::Headers headers;
    entry.append_headers(headers);
    std::size_t size = 4 + 1 + 1 + 2 + 2 + 6 * 4 + 9 * 8;
    for (const http::Header& header : headers) size += field_sizes + header.name.size() + header.value.size();
    return size + entry.key().size() + entry.resource().size() + entry.vary().size() + entry.tags().size() +
           entry.reason().size() + entry.body().size();
}

void write_binary(const Entry& entry, std::string& into) {
    into.reserve(into.size() + binary_size(entry));
    const Validity& validity = entry.validity();
    put_text(into, magic);
    put(into, binary_version, 1);
    put(into, static_cast<std::uint8_t>(entry.kind()), 1);
    put(into,
        (validity.no_cache ? no_cache : 0) | (validity.must_revalidate ? must_revalidate : 0) |
            (validity.shared_limit ? shared_limit : 0),
        1);
    put(into, static_cast<std::uint64_t>(entry.status()), 2);
    put(into, entry.header_count(), 2);
    for (std::string_view text :
         {entry.key(), entry.resource(), entry.vary(), entry.tags(), entry.reason(), entry.body()}) {
        put(into, text.size(), 4);
    }
    for (Millis value : {validity.requested_at, validity.responded_at, validity.initial_age, validity.lifetime,
                         validity.while_stale, validity.on_error, validity.keep_until}) {
        put(into, static_cast<std::uint64_t>(value), 8);
    }
    put(into, entry.generation(), 8);
    put(into, entry.head_length().value_or(no_length), 8);
    for (std::string_view text : {entry.key(), entry.resource(), entry.vary(), entry.tags(), entry.reason()}) {
        put_text(into, text);
    }
    http::Headers headers;
    entry.append_headers(headers);
    for (const http::Header& header : headers) {
        put(into, header.name.size(), 2);
        put(into, header.value.size(), 4);
        put_text(into, header.name);
        put_text(into, header.value);
    }
    put_text(into, entry.body());
}

base::Result<EntryPointer> read_binary(std::string_view bytes) {
    Reader reader(bytes);
    if (reader.text(magic.size()) != magic) return refused("not one");
    if (reader.number(1) != binary_version) return refused("of another version");
    EntryParts parts;
    std::uint64_t kind = reader.number(1);
    std::uint64_t flags = reader.number(1);
    parts.status = static_cast<int>(reader.number(2));
    std::uint64_t header_count = reader.number(2);
    std::uint64_t sizes[6];
    for (std::uint64_t& size : sizes) size = reader.number(4);
    Validity& validity = parts.validity;
    for (Millis* value : {&validity.requested_at, &validity.responded_at, &validity.initial_age, &validity.lifetime,
                          &validity.while_stale, &validity.on_error, &validity.keep_until}) {
        *value = static_cast<Millis>(reader.number(8));
    }
    parts.generation = reader.number(8);
    if (std::uint64_t length = reader.number(8); length != no_length) parts.head_length = length;
    if (reader.failed() || kind > static_cast<std::uint64_t>(EntryKind::vary_marker) || flags > all_flags) {
        return refused("broken head");
    }
    parts.kind = static_cast<EntryKind>(kind);
    bool is_marker = parts.kind == EntryKind::vary_marker;
    if (is_marker ? parts.status != 0 : parts.status < 200 || parts.status > 999) return refused("broken status");
    validity.no_cache = (flags & no_cache) != 0;
    validity.must_revalidate = (flags & must_revalidate) != 0;
    validity.shared_limit = (flags & shared_limit) != 0;
    if (!is_sane(validity)) return refused("broken times");

    parts.key = reader.text(sizes[0]);
    parts.resource = reader.text(sizes[1]);
    parts.vary = reader.text(sizes[2]);
    std::string_view tags = reader.text(sizes[3]);
    parts.reason = reader.text(sizes[4]);
    if (!http::all_are(parts.reason, http::character::field_value)) return refused("broken reason");
    http::Headers headers;
    if (header_count > EntryLimits::most_headers) return refused("too many fields");
    for (std::uint64_t i = 0; i < header_count && !reader.failed(); ++i) {
        std::uint64_t name_size = reader.number(2);
        std::uint64_t value_size = reader.number(4);
        http::Header header;
        header.name = reader.text(name_size);
        header.value = reader.text(value_size);
        if (!http::is_token(header.name) || !http::all_are(header.value, http::character::field_value)) {
            return refused("broken field");
        }
        header.known = http::recognise(header.name);
        if (!may_be_stored(header)) return refused("a field that is never stored");
        headers.add(header);
    }
    std::string_view body = reader.text(sizes[5]);
    if (!reader.at_end()) return refused("broken lengths");

    std::vector<std::string_view> tag_list;
    std::string_view tag;
    while (tag_list.size() < EntryLimits::most_tags && http::next_element(tags, tag)) tag_list.push_back(tag);
    parts.tags = tag_list;
    parts.headers = &headers;
    parts.body = std::span(&body, 1);
    EntryPointer entry = make_entry(parts);
    if (!entry) return refused("too large");
    return entry;
}

}  // namespace cache
