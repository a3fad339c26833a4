#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "http/date.h"
#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

constexpr const char* not_valid = "HMAC signature cannot be verified";
constexpr const char* not_same = "HMAC signature does not match";
constexpr const char* no_date =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";

class HmacAuthTest : public PluginTest {
  protected:
    HmacAuthTest() {
        add_consumer("alice", {{"hmacauth_credentials", {{"username", "alice"}, {"secret", "sesame"}}}});
        add_consumer("anon", {});
    }
    std::string date(int seconds_from_now = 0) {
        std::array<char, http::date_size> text{};
        return std::string(http::write_date(loop.wall_now() / 1000 + seconds_from_now, text));
    }
    static std::string signature(std::string_view text, crypto::Hash hash = crypto::Hash::sha256,
                                 std::string_view secret = "sesame") {
        return crypto::base64(crypto::HmacKey::make(hash, secret)->sign(text).view());
    }
    static std::string claim(std::string_view headers, std::string_view text,
                             std::string_view algorithm = "hmac-sha256", crypto::Hash hash = crypto::Hash::sha256) {
        return "hmac username=\"alice\", algorithm=\"" + std::string(algorithm) + "\", headers=\"" +
               std::string(headers) + "\", signature=\"" + signature(text, hash) + "\"";
    }
    // The consumer's name, or the message of a 401, or "STATUS".
    std::string call(const std::string& fields, const std::string& line = "GET /a%20b?x=1",
                     const std::string& body = "") {
        std::string length = body.empty() ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n";
        last = exchange(line + " HTTP/1.1\r\nHost: a\r\n" + fields + length + "\r\n" + body);
        if (run(*last) == Verdict::go_on) return std::string(last->request.headers.first("X-Consumer-Username"));
        std::string_view text = last->response_text;
        std::size_t at = text.find("\"message\":\"") + 11;
        if (last->response.status != 401) return std::to_string(last->response.status);
        return std::string(text.substr(at, text.find("\",\n") - at));
    }
    std::string authorize(const std::string& value, const std::string& more = "") {
        return call("Date: " + date() + "\r\n" + more + "Authorization: " + value + "\r\n");
    }
    std::unique_ptr<FakeExchange> last;
};

TEST_F(HmacAuthTest, SaysWhoItIs) {
    use("hmac-auth", "");
    std::string text = "date: " + date() + "\nGET /a%20b?x=1 HTTP/1.1\n@request-target: get /a%20b?x=1\nHost: a\nx-no:";
    EXPECT_EQ(authorize(claim("date request-line @request-target Host x-no", text)), "alice");
    EXPECT_EQ(last->request.headers.first("X-Credential-Identifier"), "alice");
    EXPECT_TRUE(last->request.headers.has("Authorization"));
    EXPECT_EQ(authorize(claim("date", "date: " + date(), "hmac-sha1", crypto::Hash::sha1)), "alice");
    EXPECT_EQ(authorize(claim("date", "date: " + date(), "hmac-sha384", crypto::Hash::sha384)), "alice");
    EXPECT_EQ(authorize(claim("date", "date: " + date(), "hmac-sha512", crypto::Hash::sha512)), "alice");
    // Plugins before it may have changed the query: what the client sent counts.
    last = exchange("GET /?k=1&x HTTP/1.1\r\nHost: a\r\nDate: " + date() +
                    "\r\nAuthorization: " + claim("request-line", "GET /?k=1&x HTTP/1.1") + "\r\n\r\n");
    last->request.query = "x";
    EXPECT_EQ(run(*last), Verdict::go_on);
}

TEST_F(HmacAuthTest, TellsWhyItRefuses) {
    use("hmac-auth", "{realm: here}");
    std::string good = claim("date", "date: " + date());
    EXPECT_EQ(authorize(good), "alice");
    EXPECT_EQ(call(""), "Unauthorized");
    EXPECT_EQ(last->client_headers.first("WWW-Authenticate"), "hmac realm=\"here\"");
    EXPECT_EQ(call("Authorization: " + good + "\r\n"), no_date);
    EXPECT_EQ(call("Date: yesterday\r\nAuthorization: " + good + "\r\n"), no_date);
    EXPECT_EQ(authorize("hmac"), not_valid);
    EXPECT_EQ(authorize("Basic YWxpY2U6cHc="), not_valid);
    EXPECT_EQ(authorize("hmac username=\"alice\", algorithm=\"hmac-sha256\", headers=\"date\""), not_valid);
    EXPECT_EQ(authorize(good + ", username=\"alice\""), not_valid);
    EXPECT_EQ(authorize(good + ", more=\"1\""), not_valid);
    EXPECT_EQ(authorize(good + ","), not_valid);
    std::string of_bob = good;
    of_bob.replace(of_bob.find("alice"), 5, "bobby");
    EXPECT_EQ(authorize(of_bob), not_valid);
    EXPECT_EQ(authorize(claim("date", "date: " + date(), "hmac-md5")), not_valid);
    EXPECT_EQ(authorize(claim("date", "date: " + date(), "hmac-sha512")), not_same);
    EXPECT_EQ(authorize(claim("date", "date: x")), not_same);
    std::string cut = good;
    cut.erase(cut.size() - 5, 4);
    EXPECT_EQ(authorize(cut), not_same);
    // A signature over nothing would be good for every request.
    EXPECT_EQ(authorize(claim("", "")), not_valid);
    EXPECT_EQ(authorize(claim(" ", "")), not_valid);
    EXPECT_EQ(authorize("hmac username=\"alice\", algorithm=\"hmac-sha256\", signature=\"" + signature("") + "\""),
              not_valid);
    EXPECT_EQ(call("Date: " + date() + "\r\nAuthorization: " + good + "\r\nAuthorization: " + good + "\r\n"),
              not_valid);
    use("hmac-auth", "{algorithms: [hmac-sha512]}");
    EXPECT_EQ(authorize(good), not_valid);
}

TEST_F(HmacAuthTest, WantsTheTime) {
    use("hmac-auth", "{clock_skew: 10}");
    auto at = [&](int seconds) {
        std::string when = date(seconds);
        return call("Date: " + when + "\r\nAuthorization: " + claim("date", "date: " + when) + "\r\n");
    };
    EXPECT_EQ(at(10), "alice");
    EXPECT_EQ(at(-10), "alice");
    EXPECT_EQ(at(11), no_date);
    EXPECT_EQ(at(-11), no_date);
    std::string fresh = date(), stale = date(-100);
    EXPECT_EQ(call("Date: " + stale + "\r\nX-Date: " + fresh +
                   "\r\nAuthorization: " + claim("x-date", "x-date: " + fresh) + "\r\n"),
              "alice");
    // A request that somebody saw does not become good again with a date that nobody has signed.
    EXPECT_EQ(call("Date: " + fresh + "\r\nX-Date: " + stale +
                   "\r\nAuthorization: " + claim("x-date", "x-date: " + stale) + "\r\n"),
              no_date);
    EXPECT_EQ(call("X-Date: " + fresh + "\r\nDate: " + stale + "\r\nAuthorization: " + claim("date", "date: " + stale) +
                   "\r\n"),
              no_date);
}

TEST_F(HmacAuthTest, SignedHeadersAreWhatTheySeem) {
    use("hmac-auth", "{enforce_headers: [date, request-line]}");
    std::string text = "GET /a%20b?x=1 HTTP/1.1\nDate: " + date();
    EXPECT_EQ(authorize(claim("request-line Date", text)), "alice");
    EXPECT_EQ(authorize(claim("date", "date: " + date())), not_valid);
    use("hmac-auth", "");
    EXPECT_EQ(authorize(claim("x-a", "x-a: 1"), "X-A: 1\r\n"), "alice");
    EXPECT_EQ(authorize(claim("x-a", "x-a: 1"), "X-A: 1\r\nX-A: 2\r\n"), not_valid);
    EXPECT_EQ(authorize(claim("request-line", "request-line: x"), "request-line: x\r\n"), not_same);
    std::string many;
    for (int i = 0; i < 40; ++i) many += "x-a ";
    EXPECT_EQ(authorize(claim(many, ""), "X-A: " + std::string(4000, 'x') + "\r\n"), not_valid);
}

TEST_F(HmacAuthTest, ComparesTheBody) {
    use("hmac-auth", "{validate_request_body: true, enforce_headers: [digest]}");
    std::string body = "hello";
    std::string digest = "SHA-256=" + crypto::base64(crypto::digest(crypto::Hash::sha256, body).view());
    EXPECT_EQ(digest, "SHA-256=LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=");
    std::string fields = "Date: " + date() + "\r\nAuthorization: ";
    std::string with = fields + claim("digest", "digest: " + digest) + "\r\nDigest: " + digest + "\r\n";
    std::string without = fields + claim("digest", "digest:") + "\r\n";
    EXPECT_EQ(call(with, "POST /", body), "alice");
    EXPECT_EQ(call(with, "POST /", "hellp"), not_same);
    EXPECT_EQ(call(with, "POST /"), not_same);
    EXPECT_EQ(call(without, "POST /", body), not_same);
    EXPECT_EQ(call(without, "POST /"), "alice");
    EXPECT_EQ(call(with, "POST /", std::string(8 * 1024 * 1024 + 1, 'x')), "413");
}

TEST_F(HmacAuthTest, ProxysFieldFirstAndHidden) {
    use("hmac-auth", "{hide_credentials: true, anonymous: anon}");
    std::string good = claim("date", "date: " + date());
    EXPECT_EQ(authorize(good), "alice");
    EXPECT_FALSE(last->request.headers.has("Authorization"));
    EXPECT_EQ(authorize("Bearer t", "Proxy-Authorization: " + good + "\r\n"), "alice");
    EXPECT_FALSE(last->request.headers.has("Proxy-Authorization"));
    EXPECT_EQ(last->request.headers.first("Authorization"), "Bearer t");
    EXPECT_EQ(authorize(good, "Proxy-Authorization: Basic eDp5\r\n"), "alice");
    EXPECT_EQ(authorize(claim("date", "x")), "anon");
    EXPECT_EQ(last->request.headers.first("X-Anonymous-Consumer"), "true");
    EXPECT_FALSE(last->client_headers.has("WWW-Authenticate"));
}

TEST_F(HmacAuthTest, RefusesSettingsAndSecretsThatAreNone) {
    EXPECT_NE(try_use("hmac-auth", "{clock_skew: 0}").find("must be greater than 0"), std::string::npos);
    EXPECT_NE(try_use("hmac-auth", "{algorithms: [hmac-md5]}").find("expected one of"), std::string::npos);
    add_consumer("empty", {{"hmacauth_credentials", {{"username", "empty"}, {"secret", ""}}}});
    EXPECT_NE(try_use("hmac-auth", "").find("its secret is empty"), std::string::npos);
}

}  // namespace
}  // namespace plugin
