// A request corpus from outside (not in the tree): what it refuses we refuse, and what it accepts we either forward
// with the same meaning or refuse for a stated reason.
#include <gtest/gtest.h>

#include <cctype>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "http/characters.h"
#include "http/http1/requests_for_tests.h"

namespace http1 {
namespace {

// Accepted elsewhere, refused here (Fault::none: incomplete). The rule is the fault's own message; in short: RFC
// 9112 3.2 knows no fragment in a target and demands Host, 6.1 lets us refuse codings other than chunked, RFC
// 9110 4.2.4 advises against userinfo, and names with '_' that spell a framing field are dropped there and refused
// here.
const std::map<std::string, Fault> stricter = {
    {"valid/005", Fault::fragment_in_target},
    {"valid/009", Fault::fragment_in_target},
    {"valid/018", Fault::missing_host},
    {"valid/022", Fault::missing_host},  // the second message of two
    {"valid/023", Fault::missing_host},
    {"valid/025", Fault::unsupported_transfer_encoding},
    {"valid/025_line", Fault::unsupported_transfer_encoding},
    {"valid/029", Fault::unsupported_transfer_encoding},
    {"valid/030", Fault::unsupported_transfer_encoding},
    {"valid/040", Fault::disguised_framing_field},
    {"valid/099", Fault::none},  // less body than its Content-Length says (RFC 9112 8)
    {"valid/rfc9112_smuggle_gzip_chunked_01", Fault::unsupported_transfer_encoding},
    {"valid/rfc9112_smuggle_te_identity_chunked_01", Fault::unsupported_transfer_encoding},
    {"valid/rfc9112_target_absolute_userinfo_01", Fault::userinfo_in_target},
};

// Just enough of JSON for the corpus: the packaged readers do not pass the sanitizers or this compiler.
struct Json {
    std::string text;
    std::vector<Json> items;
    std::map<std::string, Json> members;
    const Json& operator[](const std::string& key) const { return members.at(key); }
};

class JsonReader {
  public:
    explicit JsonReader(std::string_view text) : rest_(text) {}
    Json value() {
        Json json;
        char c = peek();
        if (c == '"') {
            json.text = string();
        } else if (c == '[') {
            sequence(']', [&] { json.items.push_back(value()); });
        } else if (c == '{') {
            sequence('}', [&] {
                std::string key = string();
                take(':');
                json.members[key] = value();
            });
        } else {
            while (std::isalnum(static_cast<unsigned char>(peek())) != 0) json.text.push_back(take(peek()));
        }
        return json;
    }

  private:
    char peek() {
        while (!rest_.empty() && std::isspace(static_cast<unsigned char>(rest_[0])) != 0) rest_.remove_prefix(1);
        return rest_.empty() ? '\0' : rest_[0];
    }
    char take(char wanted) {
        char c = peek();
        ensure(c == wanted && !rest_.empty(), rest_.substr(0, 40));
        rest_.remove_prefix(1);
        return c;
    }
    template <typename Element>
    void sequence(char closing, Element&& element) {
        take(peek());
        while (peek() != closing) {
            element();
            if (peek() != closing) take(',');
        }
        take(closing);
    }
    std::string string() {
        take('"');
        std::string out;
        for (; !rest_.empty() && rest_[0] != '"'; rest_.remove_prefix(1)) {
            bool escaped = rest_[0] == '\\';
            if (escaped) rest_.remove_prefix(1);
            if (escaped && rest_[0] == 'u') {  // the corpus writes the bytes of a message as Latin-1
                out.push_back(static_cast<char>(std::stoul(std::string(rest_.substr(1, 4)), nullptr, 16)));
                rest_.remove_prefix(4);
            } else {
                out.push_back(escaped && rest_[0] == 't' ? '\t' : rest_[0]);
            }
        }
        take('"');
        return out;
    }
    std::string_view rest_;
};

std::string decode_base64(std::string_view text) {
    constexpr std::string_view digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    std::uint32_t bits = 0;
    int count = 0;
    for (char c : text) {
        std::size_t digit = digits.find(c);
        if (digit == std::string_view::npos) continue;
        bits = bits << 6 | static_cast<std::uint32_t>(digit);
        count += 6;
        if (count >= 8) {
            count -= 8;
            out.push_back(static_cast<char>(bits >> count & 0xff));
        }
    }
    return out;
}

void compare(const Json& expected, const ReadRequest& message) {
    const http::RequestHead& head = message.head;
    EXPECT_EQ(head.method_token, expected["method"].text);
    EXPECT_EQ(head.target, expected["target"].text);
    EXPECT_EQ(message.body, decode_base64(expected["body_base64"].text));
    const std::vector<Json>& fields = expected["headers"].items;
    ASSERT_EQ(head.headers.size(), fields.size());
    for (std::size_t i = 0; i < fields.size(); ++i) {
        EXPECT_TRUE(http::equals_ignore_case(head.headers[i].name, fields[i].items[0].text)) << head.headers[i].name;
        EXPECT_EQ(head.headers[i].value, fields[i].items[1].text);
    }
}

TEST(OutsideRequests, AreReadTheSameOrRefused) {
    std::filesystem::path path = std::filesystem::path(CARDEA_SOURCE_DIR) / "../shared/data/http1-requests/cases.json";
    std::ifstream file(path);
    if (!file) GTEST_SKIP() << "no outside data";
    std::stringstream text;
    text << file.rdbuf();
    std::string document = text.str();
    Json root = JsonReader(document).value();
    ASSERT_FALSE(root.items.empty());
    for (const Json& item : root.items) {
        const std::string& name = item["name"].text;
        const std::string& expect = item["expect"].text;
        SCOPED_TRACE(name);
        Limits limits;
        if (expect == "limit") {
            limits.request_line = 4000;
            limits.header_line = 8000;
            limits.header_count = 100;
        }
        std::string bytes = decode_base64(item["request_base64"].text);
        ReadRequests got = read_requests(bytes, limits);
        check_requests(bytes, 1);
        bool is_refused = got.fault != Fault::none || got.is_incomplete;
        if (expect == "reject" || expect == "limit") {
            EXPECT_TRUE(is_refused && got.messages.empty());
            EXPECT_TRUE(expect == "reject" || is_limit(got.fault));
            continue;
        }
        for (const auto& message : got.messages) check_round_trip(*message);
        if (expect != "accept") continue;
        const std::vector<Json>& messages = item["messages"].items;
        auto refusal = stricter.find(name);
        EXPECT_EQ(is_refused, refusal != stricter.end()) << http1::name(got.fault);
        if (refusal != stricter.end()) EXPECT_EQ(http1::name(got.fault), http1::name(refusal->second));
        EXPECT_TRUE(is_refused || got.messages.size() == messages.size());
        ReadRequests untouched = read_requests(bytes, limits);
        for (std::size_t i = 0; i < untouched.messages.size(); ++i) compare(messages.at(i), *untouched.messages[i]);
    }
}

}  // namespace
}  // namespace http1
