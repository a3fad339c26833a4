#include "plugin/multipart_edit.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

namespace plugin {
namespace {

using Kind = MultipartEdit::Kind;
using Outcome = MultipartEdited::Outcome;

constexpr std::string_view type = "multipart/form-data; boundary=XX";
constexpr std::string_view file =
    "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a;name=b.txt\"\r\nContent-Type: text/plain\r\n\r\n"
    "line\r\n--XY\r\n\r\n--X\r\n";

std::string field(std::string_view name, std::string_view value) {
    return "--XX\r\nContent-Disposition: form-data; name=\"" + std::string(name) + "\"\r\n\r\n" + std::string(value) +
           "\r\n";
}

std::string edited(std::string_view text, std::vector<MultipartEdit> edits, std::string_view content_type = type) {
    base::Arena arena;
    MultipartEdited result = edit_multipart(text, content_type, edits, arena);
    switch (result.outcome) {
        case Outcome::edited:
            return std::string(result.text);
        case Outcome::unchanged:
            return "unchanged";
        case Outcome::refused:
            return "refused";
        case Outcome::too_large:
            return "too large";
    }
    return {};
}

TEST(EditMultipart, ChangesFieldsAndKeepsTheOthers) {
    std::string text = field("a", "1") + std::string(file) + field("b", "") + "--XX--\r\n";
    EXPECT_EQ(edited(text, {{Kind::remove, "a", ""}}), std::string(file) + field("b", "") + "--XX--\r\n");
    EXPECT_EQ(edited(text, {{Kind::rename, "a", "x\"\r\n"}}),
              field("x%22%0D%0A", "1") + std::string(file) + field("b", "") + "--XX--\r\n");
    EXPECT_EQ(edited(text, {{Kind::rename, "f", "g"}, {Kind::remove, "a", ""}, {Kind::remove, "b", ""}}),
              "--XX\r\nContent-Disposition: form-data; name=\"g\"; filename=\"a;name=b.txt\"\r\nContent-Type: "
              "text/plain\r\n\r\nline\r\n--XY\r\n\r\n--X\r\n--XX--\r\n");
    EXPECT_EQ(edited(text, {{Kind::replace, "a", "2"}, {Kind::add, "c", "3"}}),
              std::string(file) + field("b", "") + field("a", "2") + field("c", "3") + "--XX--\r\n");
}

TEST(EditMultipart, ChangesOnlyWhatIsThere) {
    std::string text = field("a", "1") + "--XX--\r\n";
    EXPECT_EQ(edited(text, {}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::remove, "x", ""}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::rename, "x", "a"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::rename, "a", "a"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::replace, "x", "1"}}), "unchanged");
    EXPECT_EQ(edited(text, {{Kind::add, "a", "1"}}), "unchanged");
}

TEST(EditMultipart, TakesBodiesWithoutParts) {
    EXPECT_EQ(edited("", {{Kind::add, "a", "1"}}), field("a", "1") + "--XX--\r\n");
    EXPECT_EQ(edited("--XX--\r\n", {{Kind::add, "a", "1"}}), field("a", "1") + "--XX--\r\n");
    EXPECT_EQ(edited(field("a", "1") + "--XX--", {{Kind::remove, "a", ""}}), "--XX--\r\n");
}

TEST(EditMultipart, KeepsWhatStandsAroundTheParts) {
    EXPECT_EQ(edited("before\r\n" + field("a", "1") + "--XX--after", {{Kind::add, "b", "2"}}),
              "before\r\n" + field("a", "1") + field("b", "2") + "--XX--after");
}

TEST(EditMultipart, SeesEveryPartOfAName) {
    std::string text = field("a", "1") + "--XX  \r\ncontent-disposition:form-data;NAME=a\r\n\r\n2\r\n" +
                       "--XX\r\nContent-Disposition: form-data; name=\"\\a\"\r\n\r\n3\r\n--XX--\r\n";
    EXPECT_EQ(edited(text, {{Kind::remove, "a", ""}}), "--XX--\r\n");
    EXPECT_EQ(edited("--XX\r\n\r\nnameless\r\n--XX--\r\n", {{Kind::remove, "", ""}}), "unchanged");
}

TEST(EditMultipart, ReadsTheBoundary) {
    std::string text = field("a", "1") + "--XX--\r\n";
    for (std::string_view content_type : {"multipart/form-data; boundary=\"XX\"",
                                          "multipart/form-data;charset=x; BOUNDARY=XX ; y", "a;b;boundary=XX"}) {
        EXPECT_EQ(edited(text, {{Kind::remove, "a", ""}}, content_type), "--XX--\r\n") << content_type;
    }
    for (std::string_view content_type : {"multipart/form-data", "multipart/form-data; boundary=", "a; boundary=\"XX",
                                          "a; boundary=YY", "a; xboundary=XX"}) {
        EXPECT_EQ(edited(text, {{Kind::remove, "a", ""}}, content_type), "refused") << content_type;
    }
    EXPECT_EQ(edited(text, {{Kind::remove, "a", ""}}, "a; boundary=" + std::string(71, 'X')), "refused");
}

TEST(EditMultipart, LeavesWhatBreaksOff) {
    std::string whole = field("a", "1") + "--XX--";
    for (std::size_t size = 1; size < whole.size(); ++size) {
        EXPECT_EQ(edited(std::string_view(whole).substr(0, size), {{Kind::remove, "a", ""}}), "refused") << size;
    }
    EXPECT_EQ(edited("--XX\r\nno colon\r\n\r\n1\r\n--XX--", {{Kind::remove, "a", ""}}), "refused");
    EXPECT_EQ(edited("--XXa\r\n\r\n1\r\n--XX--", {{Kind::remove, "a", ""}}), "refused");
    EXPECT_EQ(edited("--XX\r\n--XX--\r\n", {{Kind::add, "a", ""}}), "refused");
}

TEST(EditMultipart, BoundsTheParts) {
    std::string text;
    for (std::size_t i = 0; i < max_multipart_parts; ++i) text += "--XX\r\n\r\n\r\n";
    EXPECT_EQ(edited(text + "--XX--", {{Kind::remove, "a", ""}}), "unchanged");
    EXPECT_EQ(edited(text + "--XX\r\n\r\n\r\n--XX--", {{Kind::remove, "a", ""}}), "too large");
}

TEST(MultipartField, IsTheBytesOfItsPart) {
    base::Arena arena;
    std::string type = "multipart/form-data; boundary=b";
    std::string form =
        "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\none\r\n"
        "--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=c; filename=x\r\n\r\n\r\n\r\nx\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"d\"\r\n\r\n1\r\n"
        "--b\r\nContent-Disposition: form-data; name=\"d\"\r\n\r\n2\r\n--b--\r\n";
    EXPECT_EQ(multipart_field(form, type, "a", arena)->value, "one");
    EXPECT_FALSE(multipart_field(form, type, "a", arena)->has_several);
    EXPECT_EQ(multipart_field(form, type, "c", arena)->value, "\r\n\r\nx");
    EXPECT_TRUE(multipart_field(form, type, "d", arena)->has_several);
    EXPECT_FALSE(multipart_field(form, type, "e", arena));
    EXPECT_FALSE(multipart_field(form.substr(0, form.size() - 6), type, "a", arena));
    EXPECT_FALSE(multipart_field(form, "multipart/form-data", "a", arena));
}

}  // namespace
}  // namespace plugin
