#include "http/scan.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace http {
namespace {

// A copy on the heap of exactly that size, so that the sanitizer sees a byte read too far.
std::vector<char> exact(const std::string& text) { return {text.begin(), text.end()}; }

// Every byte at every place of every size around the blocks' borders, against the table.
TEST(Scan, AgreesWithTheTable) {
    for (std::size_t size = 0; size <= 40; ++size) {
        for (std::size_t at = 0; at < size; ++at) {
            for (int c = 0; c < 256; ++c) {
                std::string text(size, 'a');
                text[at] = static_cast<char>(c);
                std::vector<char> bytes = exact(text);
                const char* begin = bytes.data();
                const char* end = begin + size;
                auto expected = [&](std::uint8_t wanted) { return is(text[at], wanted) ? size : at; };
                ASSERT_EQ(token_length(begin, end), expected(character::token)) << size << " " << at << " " << c;
                ASSERT_EQ(field_value_length(begin, end), expected(character::field_value))
                    << size << " " << at << " " << c;
                ASSERT_EQ(target_length(begin, end), expected(character::target)) << size << " " << at << " " << c;
                bool stops = c == '\n' || c == '\0';
                ASSERT_EQ(find_line_feed_or_nul(begin, end), stops ? begin + at : end) << size << " " << at << " " << c;
                std::vector<char> copy(size);
                ASSERT_EQ(copy_field_value(copy.data(), {begin, size}), is(text[at], character::field_value))
                    << size << " " << at << " " << c;
                ASSERT_EQ(copy, bytes);
            }
        }
    }
}

}  // namespace
}  // namespace http
