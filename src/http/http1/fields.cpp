#include "http/http1/fields.h"

#include "http/characters.h"
#include "http/scan.h"

namespace http1 {

namespace {

// Why no name and colon stand where a field line begins.
Fault name_fault(const char* at, const char* name_end, const char* end) {
    if (name_end == end) return Fault::missing_colon;
    char c = *name_end;
    if (at == name_end && (c == ' ' || c == '\t')) return Fault::folded_header;
    if (c == ' ' || c == '\t') {
        while (name_end != end && (*name_end == ' ' || *name_end == '\t')) ++name_end;
        return name_end != end && *name_end == ':' ? Fault::space_before_colon : Fault::bad_header_name;
    }
    if (c == '\r') return name_end + 1 != end && name_end[1] == '\n' ? Fault::missing_colon : Fault::bare_cr;
    if (c == '\n') return Fault::bare_lf;
    return Fault::bad_header_name;
}

// Why a value does not end in CRLF.
Fault value_fault(const char* at, const char* end) {
    if (at == end || *at == '\r') return Fault::bare_cr;
    return *at == '\n' ? Fault::bare_lf : Fault::bad_header_value;
}

// CGI and its heirs read '_' in a name as '-' (RFC 3875 4.1.18), and would see a framing field that we did not.
bool is_disguised_framing(std::string_view name) {
    constexpr std::string_view disguised[] = {"content-length", "transfer-encoding"};
    for (std::string_view each : disguised) {
        if (name.size() != each.size()) continue;
        std::size_t same = 0;
        while (same < name.size() &&
               (http::lower(name[same]) == each[same] || (name[same] == '_' && each[same] == '-'))) {
            ++same;
        }
        if (same == name.size()) return true;
    }
    return false;
}

inline bool is_blank(char c) { return c == ' ' || c == '\t'; }

}  // namespace

Fault parse_fields(std::string_view lines, const FieldLimits& limits, http::Headers& out, std::uint64_t& repeated) {
    const char* at = lines.data();
    const char* end = at + lines.size();
    std::uint64_t seen = 0;
    repeated = 0;
    while (at != end && *at != '\r') {
        const char* line = at;
        const char* colon = at + http::token_length(at, end);
        if (colon == at || colon == end || *colon != ':') return name_fault(at, colon, end);
        at = colon + 1;
        while (at != end && is_blank(*at)) ++at;
        const char* value = at;
        at += http::field_value_length(at, end);
        if (end - at < 2 || at[0] != '\r' || at[1] != '\n') return value_fault(at, end);
        if (static_cast<std::size_t>(at - line) > limits.line) return Fault::header_line_too_long;
        if (out.size() == limits.count) return limits.too_many;
        const char* value_end = at;
        while (value_end != value && is_blank(value_end[-1])) --value_end;
        at += 2;

        http::Header header{{line, static_cast<std::size_t>(colon - line)},
                            {value, static_cast<std::size_t>(value_end - value)}};
        header.known = http::recognise(header.name);
        if (header.known == http::Known::none && is_disguised_framing(header.name))
            return Fault::disguised_framing_field;
        repeated |= seen & http::bit(header.known);
        seen |= http::bit(header.known);
        out.add(header);
    }
    // The empty line, and nothing behind it.
    if (end - at == 2 && at[0] == '\r' && at[1] == '\n') return Fault::none;
    return Fault::bare_cr;
}

std::optional<std::uint64_t> parse_content_length(std::string_view value) {
    if (value.empty()) return {};
    std::uint64_t length = 0;
    for (char c : value) {
        if (c < '0' || c > '9') return {};
        length = length * 10 + static_cast<std::uint64_t>(c - '0');
        // Far below what would wrap in the next step: 2^59 * 10 + 9 < 2^63.
        if (length >= std::uint64_t{1} << 59) return {};
    }
    return length;
}

Fault check_transfer_encoding(const http::Headers& headers) {
    std::string_view first = headers.first(http::Known::transfer_encoding);
    if (headers.count(http::Known::transfer_encoding) == 1 && http::equals_ignore_case(first, "chunked")) {
        return Fault::none;
    }
    std::size_t codings = 0;
    std::size_t chunked = 0;
    bool chunked_is_last = false;
    bool well_formed = true;
    headers.all(http::Known::transfer_encoding, [&](std::string_view list) {
        for (std::string_view coding; http::next_element(list, coding);) {
            ++codings;
            chunked_is_last = http::equals_ignore_case(coding, "chunked");
            chunked += chunked_is_last ? 1 : 0;
            std::string_view name = http::trim(coding.substr(0, coding.find(';')));
            well_formed &= http::is_token(name);
        }
    });
    // RFC 9112 6.3: a request whose last coding is not chunked has no end that can be known.
    bool speaks_chunked = chunked == 0 || (chunked == 1 && chunked_is_last && codings > 1);
    return well_formed && codings > 0 && speaks_chunked ? Fault::unsupported_transfer_encoding
                                                        : Fault::bad_transfer_encoding;
}

}  // namespace http1
