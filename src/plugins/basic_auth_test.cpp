#include "crypto/base64.h"
#include "crypto/hash.h"
#include "plugin/password_checks.h"
#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

// "correct horse" by bcrypt with cost 4.
constexpr std::string_view bcrypt = "$2b$04$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e";

class BasicAuthTest : public PluginTest {
  protected:
    ~BasicAuthTest() override { worker.clear(); }

    void add(std::string_view username, std::string_view password, bool is_hashed = false) {
        base::Uuid uuid;
        uuid.bytes[15] = static_cast<std::uint8_t>(consumers.size() + 1);
        std::string kept(password);
        if (!is_hashed) kept = crypto::hex(crypto::digest(crypto::Hash::sha1, password, uuid.text()).view());
        std::vector<std::pair<std::string, std::string>> fields{{"username", std::string(username)},
                                                                {"password", kept}};
        Consumers::NewCredential credential{uuid, "basicauth_credentials", fields};
        consumers.add(uuid, username, "", {}, std::span(&credential, 1));
    }
    static std::string request(std::string_view headers) {
        return "GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n" + std::string(headers) + "\r\n";
    }
    static std::string basic(std::string_view user_pass, std::string_view header = "Authorization") {
        return std::string(header) + ": Basic " + crypto::base64(user_pass) + "\r\n";
    }
    std::string line(std::string_view headers) {
        std::string got = answer(request(headers));
        return got.substr(0, got.find('\n'));
    }
    // The request phase where the answer comes from another thread.
    std::string slow(FakeExchange& on) {
        Verdict verdict = type->on_request(under_test.get(), on);
        if (verdict == Verdict::wait) {
            base::Task<Verdict> task = type->wait_request(under_test.get(), on);
            task.start();
            while (!task.is_done()) {
                loop.turn(false);
                std::this_thread::yield();
            }
            verdict = task.take();
        }
        return verdict == Verdict::go_on ? "go on" : std::to_string(on.response.status);
    }
    std::string slow(std::string_view headers) { return slow(*exchange(request(headers))); }
    bool has_to_wait(std::string_view headers) {
        return type->on_request(under_test.get(), *exchange(request(headers))) == Verdict::wait;
    }
};

TEST_F(BasicAuthTest, LetsTheRightPasswordPassAndSaysWhoItIs) {
    add("alice", "pw");
    use("basic-auth", "");
    auto made = exchange(request(basic("alice:pw")));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "alice");
    EXPECT_EQ(made->request.headers.first("X-Credential-Identifier"), "alice");
    EXPECT_TRUE(made->request.headers.has("Authorization"));
    EXPECT_TRUE(made->identity.is_authenticated);
    EXPECT_EQ(line("Authorization: basic   YWxpY2U6cHc\r\n"), "go on");  // padding is optional, as Kong has it
}

TEST_F(BasicAuthTest, TellsNobodyWhatIsWrong) {
    add("alice", "pw");
    add("bob", "with:colon");
    add("carol", "");
    use("basic-auth", "");
    for (const std::string& headers :
         {std::string(), basic("alice:x"), basic("alice:"), basic("alice"), basic("Alice:pw"), basic(":pw"),
          basic("nobody:pw"), basic(std::string_view("alice:pw\0", 9)), basic("bob:with"),
          std::string("Authorization: Basic\r\n"), std::string("Authorization: Basic !!!\r\n"),
          std::string("Authorization: Bearer YWxpY2U6cHc=\r\n"), std::string("Authorization: Basic YWxpY2U6cHc==\r\n"),
          std::string("Authorization: Basic YWxpY2U6cHd=\r\n"), basic("alice:pw" + std::string(5000, 'x'))})
        EXPECT_EQ(line(headers), "401 Unauthorized") << headers;
    EXPECT_EQ(line(basic("bob:with:colon")), "go on");
    EXPECT_EQ(line(basic("carol:")), "go on");
    auto made = exchange(request(""));
    EXPECT_EQ(run(*made), Verdict::answered);
    EXPECT_EQ(made->client_headers.first(http::Known::www_authenticate), "Basic realm=\"service\"");
}

TEST_F(BasicAuthTest, LooksAtProxyAuthorizationFirst) {
    add("alice", "pw");
    add("bob", "pw");
    use("basic-auth", "hide_credentials: true");
    auto made = exchange(request(basic("bob:pw", "Proxy-Authorization") + basic("alice:pw")));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "bob");
    EXPECT_FALSE(made->request.headers.has("Proxy-Authorization"));
    EXPECT_TRUE(made->request.headers.has("Authorization"));  // was not looked at
    made = exchange(request(basic("nobody:pw", "Proxy-Authorization") + basic("alice:pw")));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "alice");
    EXPECT_FALSE(made->request.headers.has("Authorization"));
    // A known name with a wrong password is an answer, not a reason to look further.
    EXPECT_EQ(line(basic("bob:x", "Proxy-Authorization") + basic("alice:pw")), "401 Unauthorized");
}

TEST_F(BasicAuthTest, ChecksCostlyHashesBesideTheLoopAndRemembersTheRightOnes) {
    add("dave", bcrypt, true);
    use("basic-auth", "");
    EXPECT_TRUE(has_to_wait(basic("dave:correct horse")));
    EXPECT_EQ(slow(basic("dave:wrong")), "401");
    EXPECT_TRUE(has_to_wait(basic("dave:wrong")));
    EXPECT_EQ(slow(basic("dave:correct horse")), "go on");
    EXPECT_FALSE(has_to_wait(basic("dave:correct horse")));
    EXPECT_EQ(line(basic("dave:correct horse")), "go on");
    EXPECT_TRUE(has_to_wait(basic("dave:correct horsE")));
    EXPECT_EQ(slow(basic("erin:correct horse")), "401") << "a name that nobody has takes as long";
    auto made = exchange(request(basic("dave:correct horse")));
    EXPECT_EQ(slow(*made), "go on");
    EXPECT_EQ(made->request.headers.first("X-Credential-Identifier"), "dave");
}

TEST_F(BasicAuthTest, BoundsTheChecksThatWaitAndForgetsThoseWhoseClientIsGone) {
    add("dave", "$2b$10$abcdefghijklmnopqrstuu23JPZtHcGhwXSF41f93o/7vBdDut3Xu", true);  // tens of milliseconds each
    use("basic-auth", "");
    std::vector<std::unique_ptr<FakeExchange>> exchanges;
    std::vector<base::Task<Verdict>> tasks;
    auto start = [&] {
        exchanges.push_back(exchange(request(basic("dave:guess"))));
        EXPECT_EQ(type->on_request(under_test.get(), *exchanges.back()), Verdict::wait);
        tasks.push_back(type->wait_request(under_test.get(), *exchanges.back()));
        tasks.back().start();
    };
    // The other thread would need seconds for these.
    for (std::size_t i = 0; i < 4 * PasswordChecks::most_waiting; ++i) start();
    std::size_t refused = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) refused += tasks[i].is_done();
    EXPECT_GT(refused, 0U);
    EXPECT_EQ(exchanges.back()->response.status, 503);
    EXPECT_EQ(exchanges.back()->client_headers.first(http::Known::retry_after), "1");
    tasks.clear();  // clients go: nobody may be resumed, and there is room again at once
    EXPECT_EQ(slow(basic("dave:correct horse")), "go on");
}

TEST_F(BasicAuthTest, APasswordThatCannotBeUsedIsSaidAtLoadWithoutBeingShown) {
    add("dave", "$2b$31$abcdefghijklmnopqrstuujydOTSfIH/d5oUHpsygqV5X9xJLQc6e", true);
    add("erin", "in clear", true);
    std::string problems = try_use("basic-auth", "");
    EXPECT_NE(problems.find("of consumer dave cannot be used: a bcrypt hash with a cost outside 4 to"),
              std::string::npos)
        << problems;
    EXPECT_NE(problems.find("of consumer erin cannot be used: not a password hash"), std::string::npos) << problems;
    EXPECT_EQ(problems.find("clear"), std::string::npos);
    EXPECT_EQ(problems.find("abcdef"), std::string::npos);
}

TEST_F(BasicAuthTest, AnonymousConsumersGoOnWithoutAChallenge) {
    add("alice", "pw");
    consumers.add({}, "anon", "", {}, {});
    use("basic-auth", "{anonymous: anon, realm: shop}");
    auto made = exchange(request(basic("alice:x")));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Anonymous-Consumer"), "true");
    EXPECT_FALSE(made->client_headers.has(http::Known::www_authenticate));
    made = exchange(request(basic("alice:pw")));
    EXPECT_EQ(run(*made), Verdict::go_on);
    EXPECT_EQ(made->request.headers.first("X-Consumer-Username"), "alice");
}

}  // namespace
}  // namespace plugin
