#include "observe/text.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace observe {

namespace {
std::string escaped(std::string_view text, Escape escape, std::size_t limit = 1000) {
    char out[1024];
    Text into(out, sizeof out);
    into.escaped(text, escape, limit);
    return std::string(into.view());
}
std::string value(std::string_view text) {
    char out[1024];
    Text into(out, sizeof out);
    into.value(text, 1000);
    return std::string(into.view());
}
}  // namespace

TEST(Text, StopsAtItsEnd) {
    char out[5];
    Text text(out, sizeof out);
    text.put("abc");
    text.number(12345);  // does not fit: left out, not cut to a wrong number
    text.put("defgh");
    text.put('x');
    text.escaped("more", Escape::log, 100);
    EXPECT_EQ(text.view(), "abcde");
    EXPECT_EQ(text.room(), 0u);
}

TEST(Text, LogEscapesLeavePrintableAsciiOnly) {
    EXPECT_EQ(escaped("a b/c?d=e", Escape::log), "a b/c?d=e");
    EXPECT_EQ(escaped("x\r\n2026 forged \"\\\x7f\xc3\xa9", Escape::log),
              "x\\x0d\\x0a2026 forged \\x22\\x5c\\x7f\\xc3\\xa9");
    EXPECT_EQ(escaped(std::string_view("\0\x1b[31m", 6), Escape::log), "\\x00\\x1b[31m");
}

TEST(Text, JsonEscapes) {
    EXPECT_EQ(escaped("\"\\\n\r\t/", Escape::json), "\\\"\\\\\\n\\r\\t/");
    EXPECT_EQ(escaped(std::string_view("\0\x1f\x7f", 3), Escape::json), "\\u0000\\u001f\\u007f");
    EXPECT_EQ(escaped("p\xc3\xa4tt \xe2\x82\xac \xf0\x9f\x90\xb6", Escape::json),
              "p\xc3\xa4tt \xe2\x82\xac \xf0\x9f\x90\xb6");
}

TEST(Text, JsonReplacesWhatIsNoUtf8) {
    const std::string r = "\xef\xbf\xbd";
    EXPECT_EQ(escaped("a\xff"
                      "b",
                      Escape::json),
              "a" + r + "b");
    EXPECT_EQ(escaped("\xc3", Escape::json), r);                          // cut sequence
    EXPECT_EQ(escaped("\xc0\xaf", Escape::json), r + r);                  // overlong '/'
    EXPECT_EQ(escaped("\xe0\x9f\xbf", Escape::json), r + r + r);          // overlong
    EXPECT_EQ(escaped("\xed\xa0\x80", Escape::json), r + r + r);          // surrogate
    EXPECT_EQ(escaped("\xf4\x90\x80\x80", Escape::json), r + r + r + r);  // above U+10FFFF
    EXPECT_EQ(escaped("\x80x", Escape::json), r + "x");
}

TEST(Text, CutsLongValuesAtACharacterAndSaysSo) {
    EXPECT_EQ(escaped("0123456789", Escape::log, 10), "0123456789");
    EXPECT_EQ(escaped("0123456789a", Escape::log, 10), "0123456...");
    EXPECT_EQ(escaped("012345\xe2\x82\xac\xe2\x82\xac", Escape::json, 10), "012345...");
    EXPECT_EQ(escaped("\n\n\n", Escape::log, 10), "\\x0a...");
    EXPECT_EQ(escaped("abcdef", Escape::log, 2), "..");
    EXPECT_EQ(escaped("abcdef", Escape::log, 0), "");
}

TEST(Text, QuotesAValueOnlyWhereItWouldBeReadAsSomethingElse) {
    EXPECT_EQ(value("10.0.0.1:80"), "10.0.0.1:80");
    EXPECT_EQ(value(""), "\"\"");
    EXPECT_EQ(value("two words"), "\"two words\"");
    EXPECT_EQ(value("a=b"), "\"a=b\"");
    EXPECT_EQ(value("a\nb"), "\"a\\x0ab\"");
}

TEST(Text, PrintsNumbers) {
    char out[200];
    Text text(out, sizeof out);
    text.number(std::numeric_limits<std::int64_t>::min());
    text.put(' ');
    text.seconds(61'007);
    text.put(' ');
    text.seconds(-5);
    text.put(' ');
    text.padded(7, 2);
    EXPECT_EQ(text.view(), "-9223372036854775808 61.007 0.000 07");
}

}  // namespace observe
