#include <unistd.h>

#include <set>

#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class CorrelationIdTest : public PluginTest {
  protected:
    // What the upstream gets and, if it is echoed, the client.
    std::string ids(std::string_view field, std::string_view sent = {}) {
        auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(sent) + "\r\n");
        std::string_view id = "0123456789abcdef0123456789abcdef";
        std::copy(id.begin(), id.end(), made->request_id.begin());
        EXPECT_EQ(run(*made), Verdict::go_on);
        made->answer_from_upstream(200, "x-request-id: upstream\r\n");
        respond(*made);
        return std::string(made->request.headers.first(field)) + " " + std::string(made->response.headers.first(field));
    }
};

constexpr std::string_view uuid = "01234567-89ab-4def-8123-456789abcdef";

// kong-observed.md 10.
TEST_F(CorrelationIdTest, CountsForEachCore) {
    use("correlation-id", "{header_name: X-Request-ID, generator: 'uuid#counter', echo_downstream: true}");
    std::string first = std::string(uuid) + "#1";
    EXPECT_EQ(ids("X-Request-ID"), first + " " + first);
    std::string second = std::string(uuid) + "#2";
    EXPECT_EQ(ids("X-Request-ID"), second + " " + second);
    EXPECT_EQ(ids("X-Request-ID", "X-Request-ID: mine\r\n"), "mine mine");
    // All uses of the plugin count on.
    use("correlation-id", "");
    EXPECT_EQ(ids("Kong-Request-ID"), std::string(uuid) + "#3 ");
}

TEST_F(CorrelationIdTest, AnEmptyFieldCountsAsNone) {
    use("correlation-id", "{generator: uuid}");
    EXPECT_EQ(ids("Kong-Request-ID", "Kong-Request-ID: \r\n"), std::string(uuid) + " ");
}

TEST_F(CorrelationIdTest, StandsOnAnswersOfOurOwn) {
    use("correlation-id", "{echo_downstream: true, generator: uuid}");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    run(*made);
    refuse(*made, 401, "Unauthorized");
    respond(*made);
    EXPECT_EQ(made->response.headers.first("Kong-Request-ID").size(), 36U);
}

TEST_F(CorrelationIdTest, StandsOnAnswersThatCameBeforeItsTurn) {
    use("correlation-id", "{echo_downstream: true, generator: uuid}");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    refuse(*made, 404, "nothing here");
    respond(*made);
    EXPECT_EQ(made->response.headers.first("Kong-Request-ID"), "00000000-0000-4000-8000-000000000000");
}

TEST_F(CorrelationIdTest, TellsWhereAndWhen) {
    use("correlation-id", "{generator: tracker}");
    auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    made->client.connection = 7;
    made->client.connection_requests = 3;
    run(*made);
    std::string time = std::to_string(loop.wall_now());
    time.insert(time.size() - 3, ".");
    EXPECT_EQ(made->request.headers.first("Kong-Request-ID"),
              "127.0.0.1-8000-" + std::to_string(::getpid()) + "-7-3-" + time);
}

TEST_F(CorrelationIdTest, ConnectionsOfDifferentCoresDiffer) {
    cores = 2;
    use("correlation-id", "{generator: tracker}");
    Worker second{loop, 1, metrics};
    std::set<std::string> ids;
    for (Worker* core : {&worker, &second})
        for (std::uint64_t connection : {1, 2}) {
            FakeExchange on(*core, "GET / HTTP/1.1\r\nHost: a\r\n\r\n");
            on.client.connection = connection;
            run(on);
            ids.emplace(on.request.headers.first("Kong-Request-ID"));
        }
    EXPECT_EQ(ids.size(), 4U);
}

TEST_F(CorrelationIdTest, SettingsThatAreRefused) {
    EXPECT_NE(try_use("correlation-id", "{generator: x}").find("expected one of: uuid, uuid#counter, tracker"),
              std::string::npos);
    EXPECT_NE(try_use("correlation-id", "{header_name: content-length}").find("gateway writes itself"),
              std::string::npos);
    EXPECT_NE(try_use("correlation-id", "{header_name: 'a b'}").find("invalid value: a b"), std::string::npos);
}

}  // namespace
}  // namespace plugin
