#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class KeyAuthTest : public PluginTest {
  protected:
    KeyAuthTest() {
        add("alice", {{"key", "alice-api-key"}});
        add("bob", {{"key", "bob key/+%"}});
    }
    void add(std::string_view username, std::vector<std::pair<std::string, std::string>> fields) {
        base::Uuid uuid;
        uuid.bytes[15] = static_cast<std::uint8_t>(consumers.size() + 1);
        base::Uuid own = uuid;
        own.bytes[0] = 0xc0;
        Consumers::NewCredential credential{own, "keyauth_credentials", fields};
        consumers.add(uuid, username, "", {}, std::span(&credential, 1));
    }
    static std::string get(std::string_view target, std::string_view headers = "") {
        return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n" + std::string(headers) +
               "\r\n";
    }
    static std::string post(std::string_view type, std::string_view body, std::string_view target = "/") {
        return "POST " + std::string(target) +
               " HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\nContent-Type: " + std::string(type) +
               "\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
    }
    std::string line(std::string request) {
        std::string got = answer(std::move(request));
        return got.substr(0, got.find('\n'));
    }
};

constexpr std::string_view form = "application/x-www-form-urlencoded";

TEST_F(KeyAuthTest, LetsTheRightKeyPassAndSaysWhoItIs) {
    use("key-auth", "");
    auto made = exchange(get("/", "APIKEY: alice-api-key\r\n"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "alice");
    EXPECT_EQ(made->request.headers.first("X-Credential-Identifier"), "c0000000-0000-0000-0000-000000000001");
    EXPECT_EQ(made->request.headers.first("apikey"), "alice-api-key");
    EXPECT_TRUE(made->identity.is_authenticated);
    EXPECT_EQ(line(get("/?a=1&apikey=alice-api-key")), "go on");
    EXPECT_EQ(line(get("/?apikey=bob+key%2F%2B%25")), "go on");
}

TEST_F(KeyAuthTest, TellsWhyItRefuses) {
    use("key-auth", "");
    for (std::string_view target : {"/", "/?apikey", "/?apikey=", "/?APIKEY=alice-api-key", "/?b=alice-api-key"})
        EXPECT_EQ(line(get(target)), "401 No API key found in request") << target;
    EXPECT_EQ(line(get("/", "apikey: \r\n")), "401 No API key found in request");
    EXPECT_EQ(line(get("/", "apikey: x\r\n")), "401 Unauthorized");
    EXPECT_EQ(line(get("/", "apikey: Alice-api-key\r\n")), "401 Unauthorized");
    EXPECT_EQ(line(get("/", "apikey: alice-api-key \x80\r\n")), "401 Unauthorized");
    EXPECT_EQ(line(get("/", "apikey: alice-api-key\r\napikey: alice-api-key\r\n")), "401 Duplicate API key found");
    EXPECT_EQ(line(get("/?apikey=a&apikey=alice-api-key")), "401 Duplicate API key found");
    // The first place that has one counts.
    EXPECT_EQ(line(get("/?apikey=alice-api-key", "apikey: x\r\n")), "401 Unauthorized");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    EXPECT_EQ(run(*made), Verdict::answered);
    EXPECT_EQ(made->client_headers.first(http::Known::www_authenticate), "Key");
    EXPECT_NE(made->response_text.find("\"message\":\"No API key found in request\",\n  \"request_id\":"),
              std::string_view::npos);
}

TEST_F(KeyAuthTest, LooksWhereItIsToldTo) {
    use("key-auth", "{key_in_header: false, key_names: [k1, k2]}");
    EXPECT_EQ(line(get("/", "k1: alice-api-key\r\n")), "401 No API key found in request");
    EXPECT_EQ(line(get("/?k2=alice-api-key")), "go on");
    EXPECT_EQ(line(get("/?k2=alice-api-key&k1=x")), "401 Unauthorized");
    EXPECT_EQ(line(get("/?k2=alice-api-key&k1")), "go on");
    use("key-auth", "{key_in_query: false}");
    EXPECT_EQ(line(get("/?apikey=alice-api-key")), "401 No API key found in request");
    EXPECT_EQ(line(post(form, "apikey=alice-api-key")), "401 No API key found in request");
}

TEST_F(KeyAuthTest, ReadsBodiesIfItIsToldTo) {
    use("key-auth", "{key_in_body: true, key_names: [other, apikey]}");
    EXPECT_EQ(line(post(form, "a=1&apikey=bob+key%2f%2b%25")), "go on");
    EXPECT_EQ(line(post(form, "apikey=bob")), "401 Unauthorized");
    EXPECT_EQ(line(post(form, "apikey=a&apikey=a")), "401 Duplicate API key found");
    EXPECT_EQ(line(post("application/json; charset=utf-8", R"({"apikey":"alice-api-key"})")), "go on");
    EXPECT_EQ(line(post("application/json", R"({"apikey":7})")), "401 No API key found in request");
    EXPECT_EQ(line(post("application/json", R"({"apikey":"alice-api-key","apikey":"x"})")),
              "401 No API key found in request");
    EXPECT_EQ(line(post("application/json", "{")), "401 No API key found in request");
    EXPECT_EQ(line(post("text/plain", "apikey=alice-api-key")), "401 No API key found in request");
    EXPECT_EQ(line(post("multipart/form-data; boundary=x",
                        "--x\r\nContent-Disposition: form-data; name=\"apikey\"\r\n\r\nalice-api-key\r\n--x--\r\n")),
              "go on");
    EXPECT_EQ(line(get("/?apikey=alice-api-key")), "go on");
    EXPECT_EQ(line(post(form, "apikey=x", "/?apikey=alice-api-key")), "go on");
    EXPECT_EQ(line(post(form, "apikey=" + std::string(1024 * 1024, 'a'))).substr(0, 3), "413");
}

TEST_F(KeyAuthTest, HidesTheKeyFromTheUpstream) {
    use("key-auth", "{hide_credentials: true, key_in_body: true}");
    auto made = exchange(get("/?b=2&apikey=x&a=1", "apikey: alice-api-key\r\nX-A: 1\r\n"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_FALSE(made->request.headers.has("apikey"));
    EXPECT_TRUE(made->request.headers.has("X-A"));
    EXPECT_EQ(made->request.query, "a=1&b=2");
    made = exchange(get("/?apikey=alice-api-key"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_FALSE(made->request.has_query);
    made = exchange(post(form, "c=%31&&apikey=alice-api-key&b&%61pikey=&a="));
    EXPECT_EQ(run(*made), Verdict::answered);  // twice
    made = exchange(post(form, "c=%31&&%61pikey=alice-api-key&b&apikey&a="));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->new_body, "c=%31&b&a=");
    made = exchange(post("application/json", R"({"apikey":"alice-api-key", "b": [1.0]})"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    ASSERT_TRUE(made->new_body);
    EXPECT_EQ(made->new_body->find("alice"), std::string::npos);
    EXPECT_NE(made->new_body->find("[1.0]"), std::string::npos);
    made = exchange(post(form, "apikey=alice-api-key", "/?apikey=alice-api-key"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->new_body, "");
}

TEST_F(KeyAuthTest, WhereAKeyMightBeLeftInTheBodyTheRequestEnds) {
    use("key-auth", "{hide_credentials: true, key_in_body: true}");
    auto with_header = [&](std::string_view type, std::string_view body) {
        std::string text = post(type, body);
        return line(text.insert(text.find("Accept"), "apikey: alice-api-key\r\n")).substr(0, 5);
    };
    EXPECT_EQ(with_header("application/json", R"({"apikey":"x")"), "400 B");
    EXPECT_EQ(with_header("application/json", R"( {"a":1,})"), "400 B");
    EXPECT_EQ(with_header("application/json", R"([1, {"apikey":"x"}])"), "go on");
    EXPECT_EQ(with_header("application/json", "nonsense"), "go on");
    EXPECT_EQ(with_header("multipart/form-data; boundary=x", "--x\r\n"), "400 B");
    EXPECT_EQ(with_header("text/plain", R"({"apikey":"x")"), "go on");
    EXPECT_EQ(with_header(form, "%%%&="), "go on");
}

TEST_F(KeyAuthTest, AKeyEndsWithItsTime) {
    std::int64_t now = loop.wall_now() / 1000;
    add("carol", {{"key", "carol-key"}, {"ttl", "60"}});
    add("dave", {{"key", "dave-key"}, {"ttl", "60"}, {"created_at", std::to_string(now - 50)}});
    add("erin", {{"key", "erin-key"}, {"ttl", "60"}, {"created_at", std::to_string(now - 60)}});
    use("key-auth", "");
    EXPECT_EQ(line(get("/", "apikey: carol-key\r\n")), "go on");
    EXPECT_EQ(line(get("/", "apikey: dave-key\r\n")), "go on");
    EXPECT_EQ(line(get("/", "apikey: erin-key\r\n")), "401 Unauthorized");
    loop.run_until([] { return false; }, net::Milliseconds(11'000));
    EXPECT_EQ(line(get("/", "apikey: carol-key\r\n")), "go on");
    EXPECT_EQ(line(get("/", "apikey: dave-key\r\n")), "401 Unauthorized");
    loop.run_until([] { return false; }, net::Milliseconds(50'000));
    EXPECT_EQ(line(get("/", "apikey: carol-key\r\n")), "401 Unauthorized");
    EXPECT_EQ(line(get("/", "apikey: alice-api-key\r\n")), "go on");
}

TEST_F(KeyAuthTest, AReloadDoesNotProlongAKey) {
    add("carol", {{"key", "carol-key"}, {"ttl", "60"}});
    for (int round = 0; round < 3; ++round) {
        auto before = under_test;  // a configuration lives until the next one is made
        use("key-auth", "");
        EXPECT_EQ(line(get("/", "apikey: carol-key\r\n")), round < 2 ? "go on" : "401 Unauthorized") << round;
        loop.run_until([] { return false; }, net::Milliseconds(35'000));
    }
}

TEST_F(KeyAuthTest, PreflightsMayPass) {
    use("key-auth", "");
    EXPECT_EQ(line("OPTIONS / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n").substr(0, 3), "401");
    use("key-auth", "run_on_preflight: false");
    EXPECT_EQ(line("OPTIONS / HTTP/1.1\r\nHost: a\r\n\r\n"), "go on");
}

TEST_F(KeyAuthTest, AnonymousConsumersGoOnWithoutAChallenge) {
    consumers.add({}, "anon", "", {}, {});
    use("key-auth", "{anonymous: anon, realm: shop}");
    auto made = exchange(get("/", "apikey: x\r\n"));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Anonymous-Consumer"), "true");
    EXPECT_FALSE(made->identity.is_authenticated);
    EXPECT_FALSE(made->client_headers.has(http::Known::www_authenticate));
    use("key-auth", "realm: shop");
    made = exchange(get("/"));
    EXPECT_EQ(run(*made), Verdict::answered);
    EXPECT_EQ(made->client_headers.first(http::Known::www_authenticate), "Key realm=\"shop\"");
}

TEST_F(KeyAuthTest, ItsSettingsAreChecked) {
    EXPECT_NE(try_use("key-auth", "key_names: [a b]").find("bad header name 'a b'"), std::string::npos);
    EXPECT_NE(try_use("key-auth", "key_names: x").find("expected an array"), std::string::npos);
    EXPECT_NE(try_use("key-auth", "key: x").find("unknown field"), std::string::npos);
}

}  // namespace
}  // namespace plugin
