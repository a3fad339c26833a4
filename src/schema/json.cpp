// JSON (RFC 8259) through rapidjson's SAX reader, iterative so that depth costs no stack, with the place of each value.
#define RAPIDJSON_HAS_STDSTRING 1
#include <fmt/format.h>

// rapidjson compares `top + size` with `end` while both are still null: defined in practice, a report under UBSan.
#ifdef __clang__
#pragma clang attribute push(__attribute__((no_sanitize("pointer-overflow"))), apply_to = function)
#endif
#include <rapidjson/error/en.h>
#include <rapidjson/memorystream.h>
#include <rapidjson/reader.h>
#ifdef __clang__
#pragma clang attribute pop
#endif

#include <algorithm>
#include <charconv>

#include "schema/builder.h"

namespace schema {
namespace {

// Turns byte offsets, asked for in rising order, into lines and columns.
class Lines {
  public:
    Lines(std::string_view text, std::uint16_t file) : text_(text), file_(file) {}
    Mark at(std::size_t offset) {
        offset = std::min(offset, text_.size());
        if (offset < at_) at_ = line_ = start_ = 0;
        for (; at_ < offset; ++at_) {
            if (text_[at_] == '\n') {
                ++line_;
                start_ = at_ + 1;
            }
        }
        return {.line = static_cast<std::uint32_t>(line_ + 1),
                .byte = static_cast<std::uint32_t>(offset),
                .column = static_cast<std::uint16_t>(std::min<std::size_t>(offset - start_ + 1, 65535)),
                .file = file_};
    }

  private:
    std::string_view text_;
    std::uint16_t file_;
    std::size_t at_ = 0;
    std::size_t line_ = 0;
    std::size_t start_ = 0;
};

// rapidjson's handler: the names and the capitals are its own.
struct Handler {
    Builder& builder;
    Lines& lines;
    rapidjson::MemoryStream& stream;
    std::string_view source;

    bool Null() { return builder.scalar(Node::null(before(4))); }
    bool Bool(bool value) { return builder.scalar(Node::boolean(value, before(value ? 4 : 5))); }
    bool RawNumber(const char* text, rapidjson::SizeType length, bool) {
        std::string_view digits(text, length);
        Mark mark = before(length);
        std::int64_t whole = 0;
        auto [end, error] = std::from_chars(text, text + length, whole);
        if (error == std::errc() && end == text + length) return builder.scalar(Node::integer(whole, mark));
        double number = 0;
        auto [stop, fault] = std::from_chars(text, text + length, number);
        if (fault != std::errc() || stop != text + length) return builder.refuse(mark, "number out of range");
        return builder.scalar(Node::number(number, mark));
    }
    // Numbers arrive as text (kParseNumbersAsStringsFlag); rapidjson wants these to exist.
    bool Int(int) { return false; }
    bool Uint(unsigned) { return false; }
    bool Int64(std::int64_t) { return false; }
    bool Uint64(std::uint64_t) { return false; }
    bool Double(double) { return false; }
    bool String(const char* text, rapidjson::SizeType length, bool) {
        return builder.text({text, length}, string_start());
    }
    bool Key(const char* text, rapidjson::SizeType length, bool) { return builder.key({text, length}, string_start()); }
    // Called before the bracket is taken.
    bool StartObject() { return builder.open_map(before(0)); }
    bool StartArray() { return builder.open_list(before(0)); }
    bool EndObject(rapidjson::SizeType) { return builder.close(); }
    bool EndArray(rapidjson::SizeType) { return builder.close(); }

    Mark before(std::size_t length) { return lines.at(stream.Tell() - std::min(length, stream.Tell())); }
    // The reader stands behind the closing quote; inside a string every quote has an odd run of backslashes before it.
    Mark string_start() {
        std::size_t at = stream.Tell() - 1;
        for (;;) {
            at = source.rfind('"', at - 1);
            std::size_t slashes = 0;
            while (slashes < at && source[at - 1 - slashes] == '\\') ++slashes;
            if (slashes % 2 == 0) return lines.at(at);
        }
    }
};

Problem located(Problem problem) {
    problem.message = fmt::format("{}:{}: {}", problem.mark.line, problem.mark.column, problem.message);
    return problem;
}

}  // namespace

ParseResult parse_json(std::string_view text, std::uint16_t file, const Limits& limits) {
    if (text.size() > limits.bytes) return too_large(text.size(), file, limits);
    constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    Builder builder(limits);
    Lines lines(text, file);
    rapidjson::MemoryStream stream(text.data(), text.size());
    Handler handler{builder, lines, stream, text};
    rapidjson::Reader reader;
    constexpr unsigned flags =
        rapidjson::kParseIterativeFlag | rapidjson::kParseValidateEncodingFlag | rapidjson::kParseNumbersAsStringsFlag;
    rapidjson::ParseResult result = reader.Parse<flags>(stream, handler);
    if (result) return builder.take();
    if (result.Code() == rapidjson::kParseErrorTermination) return located(builder.problem());
    return located({.mark = lines.at(result.Offset()), .message = rapidjson::GetParseError_En(result.Code())});
}

}  // namespace schema
