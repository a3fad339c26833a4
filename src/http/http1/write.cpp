#include "http/http1/write.h"

#include <charconv>
#include <cstring>

#include "http/http1/trailers.h"
#include "http/scan.h"
#include "http/status.h"

namespace http1 {

namespace {

using http::BodyFraming;
using http::Header;
using http::Headers;
using http::Known;

constexpr std::string_view request_line_end = " HTTP/1.1\r\n";
constexpr std::string_view status_line_start = "HTTP/1.1 ";
constexpr std::string_view content_length = "Content-Length: ";
constexpr std::string_view chunked = "Transfer-Encoding: chunked\r\n";
constexpr std::size_t most_digits = 20;
// What a head has besides its lines' own text.
constexpr std::size_t head_overhead = 64;
static_assert(head_overhead >= request_line_end.size() + 1 + content_length.size() + most_digits + 4);
static_assert(head_overhead >= status_line_start.size() + 6 + content_length.size() + most_digits + 4);
static_assert(content_length.size() + most_digits + 2 >= chunked.size());

char* append(char* at, std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

// For field names, which are not worth a call: words that overlap instead of a loop.
char* append_short(char* at, std::string_view text) {
    const char* from = text.data();
    std::size_t size = text.size();
    if (size > 32) return append(at, text);
    auto copy = [&](std::size_t offset, auto word) {
        std::memcpy(&word, from + offset, sizeof word);
        std::memcpy(at + offset, &word, sizeof word);
    };
    if (size >= 8) {
        for (std::size_t offset = 0; offset + 8 < size; offset += 8) copy(offset, std::uint64_t{});
        copy(size - 8, std::uint64_t{});
    } else if (size >= 4) {
        copy(0, std::uint32_t{});
        copy(size - 4, std::uint32_t{});
    } else {
        for (std::size_t i = 0; i < size; ++i) at[i] = from[i];
    }
    return at + size;
}

bool is_token(std::string_view text) {
    return !text.empty() && http::token_length(text.data(), text.data() + text.size()) == text.size();
}
bool is_field_value(std::string_view text) {
    return http::field_value_length(text.data(), text.data() + text.size()) == text.size();
}
bool is_target(std::string_view text) {
    return !text.empty() && http::target_length(text.data(), text.data() + text.size()) == text.size();
}
bool is_framing_field(Known known) { return known == Known::content_length || known == Known::transfer_encoding; }

std::size_t fields_size(const Headers& headers) {
    std::size_t size = 0;
    for (const Header& header : headers) size += field_size(header.name, header.value);
    return size;
}

}  // namespace

bool HeadWriter::reserve(std::size_t size) {
    if (static_cast<std::size_t>(end_ - at_) < size) failed_ = true;
    return !failed_;
}

void HeadWriter::request_line(std::string_view method, std::string_view target) {
    if (!is_token(method) || !is_target(target)) failed_ = true;
    if (!reserve(method.size() + 1 + target.size() + request_line_end.size())) return;
    at_ = append(at_, method);
    *at_++ = ' ';
    at_ = append(at_, target);
    at_ = append(at_, request_line_end);
}

void HeadWriter::status_line(int status, std::optional<std::string_view> reason) {
    std::string_view phrase = reason ? *reason : http::reason_phrase(status);
    if (status < 100 || status > 999 || !is_field_value(phrase)) failed_ = true;
    if (!reserve(status_line_start.size() + 4 + phrase.size() + 2)) return;
    at_ = append(at_, status_line_start);
    *at_++ = static_cast<char>('0' + status / 100);
    *at_++ = static_cast<char>('0' + status / 10 % 10);
    *at_++ = static_cast<char>('0' + status % 10);
    *at_++ = ' ';
    at_ = append(at_, phrase);
    at_ = append(at_, "\r\n");
}

void HeadWriter::header(const Header& header) {
    if (is_framing_field(header.known)) return;
    // A known name is a token, since it was recognised.
    if (header.known == Known::none && !is_token(header.name)) failed_ = true;
    if (!reserve(field_size(header.name, header.value))) return;
    char* at = append_short(at_, header.name);
    *at++ = ':';
    *at++ = ' ';
    if (!http::copy_field_value(at, header.value)) failed_ = true;
    at += header.value.size();
    *at++ = '\r';
    *at++ = '\n';
    if (!failed_) at_ = at;
}

void HeadWriter::headers(const Headers& headers) {
    for (const Header& each : headers) header(each);
}

void HeadWriter::framing(const Framing& framing) {
    if (framing.framing == BodyFraming::chunked) {
        if (reserve(chunked.size())) at_ = append(at_, chunked);
    } else if (framing.framing != BodyFraming::until_close && framing.length) {
        if (!reserve(content_length.size() + most_digits + 2)) return;
        at_ = append(at_, content_length);
        at_ = std::to_chars(at_, end_, *framing.length).ptr;
        at_ = append(at_, "\r\n");
    }
}

std::size_t HeadWriter::finish() {
    if (!reserve(2)) return 0;
    at_ = append(at_, "\r\n");
    return static_cast<std::size_t>(at_ - start_);
}

std::size_t request_head_size(std::string_view method, std::string_view target, const Headers& headers) {
    return method.size() + target.size() + fields_size(headers) + head_overhead;
}

std::size_t response_head_size(int status, std::optional<std::string_view> reason, const Headers& headers) {
    std::size_t phrase = reason ? reason->size() : http::reason_phrase(status).size();
    return phrase + fields_size(headers) + head_overhead;
}

std::size_t write_request_head(std::string_view method, std::string_view target, const Headers& headers,
                               const Framing& framing, std::span<char> into) {
    HeadWriter writer(into);
    writer.request_line(method, target);
    writer.headers(headers);
    writer.framing(framing);
    return writer.finish();
}

std::size_t write_response_head(int status, std::optional<std::string_view> reason, const Headers& headers,
                                const Framing& framing, std::span<char> into) {
    HeadWriter writer(into);
    writer.status_line(status, reason);
    writer.headers(headers);
    if (!http::is_informational(status) && status != 204) writer.framing(framing);
    return writer.finish();
}

std::string_view write_chunk_prefix(std::uint64_t size, std::span<char, chunk_prefix_capacity> into) {
    char* end = std::to_chars(into.data(), into.data() + 16, size, 16).ptr;
    end = append(end, "\r\n");
    return {into.data(), static_cast<std::size_t>(end - into.data())};
}

std::size_t last_chunk_size(const Headers& trailers) { return last_chunk.size() + fields_size(trailers); }

std::size_t write_last_chunk(const Headers& trailers, std::span<char> into) {
    constexpr std::string_view last_size = "0\r\n";
    if (into.size() < last_size.size()) return 0;
    append(into.data(), last_size);
    HeadWriter writer(into.subspan(last_size.size()));
    for (const Header& trailer : trailers) {
        if (is_allowed_in_trailers(trailer)) writer.header(trailer);
    }
    std::size_t size = writer.finish();
    return size == 0 ? 0 : last_size.size() + size;
}

}  // namespace http1
