// Ten thousand seeded scenarios in every weather: each request gets its own answer, once, whole or visibly broken; no
// request reaches an upstream twice that must not; nothing hangs, nothing leaks, nothing grows. In calm weather nothing
// is excused. CARDEA_SEED=n replays one, CARDEA_SCENARIOS=n sets their number.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "gateway/connection_checks_for_tests.h"
#include "gateway/scenario_for_tests.h"

namespace gateway {
namespace {

using Manner = Plan::Manner;
using Place = Plan::Place;

class Judge {
  public:
    explicit Judge(Scenario& scenario) : scenario_(scenario) {}

    void judge() {
        for (const std::string& fault : scenario_.faults) ADD_FAILURE() << fault;
        EXPECT_FALSE(scenario_.is_stuck) << "hangs";
        for (auto& client : scenario_.clients) judge_client(*client);
        for (auto& link : scenario_.links) judge_link(*link);
        for (auto& plan : scenario_.plans) judge_copies(*plan);
        EXPECT_LE(scenario_.most_blocks, Scenario::blocks_per_connection * scenario_.clients.size());
        EXPECT_EQ(scenario_.world->active_attempts(), 0u);
        EXPECT_EQ(scenario_.world->leftovers(), "");
        scenario_.world->core.reset();
        for (auto& snapshot : scenario_.world->served) EXPECT_TRUE(snapshot.expired()) << "a snapshot is still held";
    }
    int answered = 0;  // by an upstream, whole
    int refused = 0;   // by the gateway
    int broken = 0;    // neither

  private:
    // Nothing went wrong that was not planned: then each answer has to be as planned.
    [[nodiscard]] bool is_calm() const {
        return scenario_.kind == Scenario::Kind::calm && !scenario_.was_disturbed && !scenario_.was_closed;
    }
    static bool has_body(const Plan& plan) { return plan.request_framing != Plan::Framing::none; }
    static bool is_own(const WireMessage& message) { return message.count("X-Answer") == 0; }

    void judge_client(ScenarioClient& client) {
        if (client.peer->has_failed_to_connect) {
            EXPECT_FALSE(is_calm() && !scenario_.was_drained);
            return;
        }
        std::size_t at = 0;
        int interims = 0;
        bool is_last = false;
        for (WireMessage& message : client.reader.messages) {
            SCOPED_TRACE(message.first);
            ASSERT_LT(at, client.plans.size()) << "more answers than requests";
            Plan& plan = *client.plans[at];
            ASSERT_TRUE(plan.is_asked);
            EXPECT_FALSE(is_last) << "an answer behind the last one";
            if (message.status() < 200 && message.status() != 101) {
                interims += message.status() == 103;
                EXPECT_LE(interims, plan.interims);
                EXPECT_TRUE(message.status() == 103 || plan.expects) << "100 without being asked";
                EXPECT_EQ(plan.minor_version, 1);
                continue;
            }
            SCOPED_TRACE(described(plan));
            bool is_closing = message.says_close();
            is_own(message) ? judge_own(plan, message) : judge_answer(client, plan, message);
            is_last = is_closing || !message.is_complete || message.status() == 101;
            ++at;
            interims = 0;
        }
        judge_unanswered(client, at, is_last);
    }
    // From request `at` on there is no answer.
    void judge_unanswered(ScenarioClient& client, std::size_t at, bool is_explained) {
        EXPECT_TRUE(client.peer->is_over());
        while (at < client.plans.size() && client.plans[at]->is_asked) {
            Plan& plan = *client.plans[at];
            ++broken;
            // An early answer leaves a body that may be too much to read; then the connection ends without a word.
            is_explained = is_explained || (at > 0 && leaves_body(*client.plans[at - 1]));
            bool is_excused = !is_calm() || is_explained || client.leaving == Leaving::aborts || scenario_.was_drained;
            EXPECT_TRUE(is_excused) << "no answer to " << described(plan);
            // Draining lets everything finish that has been begun.
            if (is_calm() && client.leaving != Leaving::aborts && !is_explained && plan.heads > 0)
                ADD_FAILURE() << described(plan) << " reached an upstream and was not answered";
            is_explained = true;
            ++at;
        }
    }
    static bool leaves_body(const Plan& plan) {
        return has_body(plan) &&
               (plan.manner == Manner::early || plan.manner == Manner::duplex || plan.is_bad() || plan.expects);
    }

    void judge_own(const Plan& plan, const WireMessage& message) {
        ++refused;
        int status = message.status();
        EXPECT_TRUE(message.is_complete || !is_calm());
        EXPECT_EQ(message.count("X-Kong-Request-Id"), 1u);
        std::string id = message.field("X-Kong-Request-Id");
        if (message.is_complete && plan.method != "HEAD") EXPECT_NE(message.body.find(id), std::string::npos);
        EXPECT_TRUE(own_statuses(plan).contains(status)) << status;
    }
    [[nodiscard]] std::set<int> own_statuses(const Plan& plan) const {
        std::set<int> out;
        if (!is_calm()) out = {400, 408, 502, 503, 504};
        switch (plan.place) {
            case Place::dead:
                out.insert(502);
                return out;
            case Place::unresolved:
            case Place::bare:
                out.insert(503);
                return out;
            case Place::missing:
                out.insert(404);
                return out;
            case Place::secure:
                out.insert(426);
                return out;
            case Place::malformed:
                out.insert(400);
                return out;
            default:
                break;
        }
        // A pooled connection that the upstream closes at that moment: what may not be sent again is lost.
        if (scenario_.has_unsaid_closes && (!plan.is_idempotent() || has_body(plan))) out.insert(502);
        if (plan.manner == Manner::early && plan.after_early == Plan::AfterEarly::closes && has_body(plan))
            out.insert(502);
        if (plan.manner == Manner::early && plan.after_early == Plan::AfterEarly::stops_reading && has_body(plan))
            out.insert({502, 504});
        bool may_be_lost = plan.bad_attempts > Scenario::retries || !plan.is_idempotent() || has_body(plan);
        if (plan.manner == Manner::silent && may_be_lost) out.insert(504);
        if (plan.manner == Manner::die && (may_be_lost || plan.die_at > 0)) out.insert(502);
        if (plan.manner == Manner::garbage || plan.manner == Manner::endless_head) out.insert(502);
        return out;
    }

    void judge_answer(ScenarioClient& client, const Plan& plan, const WireMessage& message) {
        EXPECT_EQ(message.field("X-Answer"), std::to_string(plan.id));
        EXPECT_EQ(message.count("X-Hop"), 0u);
        EXPECT_EQ(message.count("Via"), 1u);
        EXPECT_GT(plan.heads, 0u);
        if (plan.manner == Manner::tunnel) return judge_tunnel(client, plan, message);
        EXPECT_EQ(message.status(), plan.status);
        std::string wanted = plan.has_response_body() ? response_body(plan) : "";
        // An HTTP/1.0 client cannot tell the end of a body of unknown length from its loss.
        bool is_blind = message.framing == Plan::Framing::until_close;
        EXPECT_TRUE(!is_blind || plan.minor_version == 0);
        bool is_whole = message.body == wanted && message.is_complete;
        if (message.is_complete && !is_blind)
            EXPECT_EQ(message.body, wanted);
        else
            EXPECT_TRUE(wanted.starts_with(message.body)) << "a wrong byte";
        is_whole ? ++answered : ++broken;
        if (!is_whole) {
            bool may_break = plan.manner == Manner::die ||
                             (plan.manner == Manner::early && plan.after_early == Plan::AfterEarly::closes);
            EXPECT_TRUE(!is_calm() || may_break || client.leaving == Leaving::aborts) << "cut";
            EXPECT_EQ(&message, &client.reader.messages.back());
            return;
        }
        if (plan.has_response_body() && plan.framing == Plan::Framing::length)
            EXPECT_EQ(message.framing, Plan::Framing::length);
        bool has_trailers = plan.has_trailers && plan.takes_trailers && plan.has_response_body();
        EXPECT_EQ(message.trailers.size(), has_trailers ? 1u : 0u);
    }
    void judge_tunnel(ScenarioClient& client, const Plan& plan, const WireMessage& message) {
        EXPECT_EQ(message.status(), 101);
        EXPECT_EQ(message.field("Upgrade"), "websocket");
        EXPECT_TRUE(client.tunnel_sent.starts_with(client.reader.tunnel)) << plan.id;
        bool is_whole = client.reader.tunnel == client.tunnel_sent;
        is_whole ? ++answered : ++broken;
        if (is_calm() && client.leaving != Leaving::aborts) EXPECT_TRUE(is_whole);
    }

    void judge_link(ScenarioLink& link) {
        if (link.is_given_up) return;
        // A message that was not finished holds a part of its own body and nothing else.
        if (link.at >= link.reader.messages.size()) return;
        const WireMessage& cut = link.reader.messages[link.at];
        auto id = static_cast<unsigned>(std::atoi(cut.field("X-Plan").c_str()));
        ASSERT_TRUE(id > 0 && id <= scenario_.plans.size());
        EXPECT_TRUE(request_body(*scenario_.plans[id - 1]).starts_with(cut.body));
        EXPECT_EQ(link.at + 1, link.reader.messages.size());
    }
    void judge_copies(const Plan& plan) {
        SCOPED_TRACE("plan " + std::to_string(plan.id));
        EXPECT_LE(plan.versions.size(), 1u) << "attempts of one request by several configurations";
        if (!plan.reaches_upstream()) EXPECT_EQ(plan.heads, 0u);
        EXPECT_LE(plan.heads, plan.is_idempotent() ? Scenario::retries + 2 : 1u);
    }

    Scenario& scenario_;
};

void describe(const Scenario& scenario) {
    for (const auto& client : scenario.clients) {
        std::fprintf(stderr, "client%s%s leaving %d, ended %d\n", client->is_pipelining ? " pipelining" : "",
                     client->is_slow ? " slow" : "", static_cast<int>(client->leaving),
                     client->peer != nullptr ? static_cast<int>(client->peer->end) : -1);
        for (const Plan* plan : client->plans)
            std::fprintf(stderr, "  %s%s\n", plan->is_asked ? "asked: " : "", described(*plan).c_str());
        for (const WireMessage& message : client->reader.messages)
            std::fprintf(stderr, "  got: %s%s %s %zu bytes %s\n", message.is_complete ? "" : "(part) ",
                         message.first.c_str(), message.field("X-Answer").c_str(), message.body.size(),
                         message.field("Connection").c_str());
    }
}

std::uint64_t from_environment(const char* name, std::uint64_t otherwise) {
    const char* text = std::getenv(name);
    return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

TEST(Scenarios, EachRequestGetsItsAnswerOrAVisibleEnd) {
    std::uint64_t first = from_environment("CARDEA_SEED", 0);
    bool is_replay = std::getenv("CARDEA_SEED") != nullptr;
    std::uint64_t count = is_replay ? 1 : from_environment("CARDEA_SCENARIOS", 10'000);
    int answered = 0;
    int refused = 0;
    int broken = 0;
    std::size_t most_blocks = 0;
    for (std::uint64_t seed = first; seed < first + count; ++seed) {
        SCOPED_TRACE("CARDEA_SEED=" + std::to_string(seed));
        Scenario scenario(seed);
        if (is_replay && std::getenv("CARDEA_EVENTS") != nullptr) scenario.world->loop.print_events(stderr);
        scenario.run();
        Judge judge(scenario);
        judge.judge();
        answered += judge.answered;
        refused += judge.refused;
        broken += judge.broken;
        most_blocks = std::max(most_blocks, scenario.most_blocks / scenario.clients.size());
        if (testing::Test::HasFailure()) {
            describe(scenario);
            std::fprintf(stderr, "replay with CARDEA_SEED=%llu\n", static_cast<unsigned long long>(seed));
            return;
        }
    }
    RecordProperty("answered", answered);
    RecordProperty("refused", refused);
    RecordProperty("broken", broken);
    RecordProperty("most_blocks", static_cast<int>(most_blocks));
    if (is_replay) return;
    // All ends of the scale were reached.
    EXPECT_GT(answered, static_cast<int>(count));
    EXPECT_GT(refused, static_cast<int>(count / 4));
    EXPECT_GT(broken, static_cast<int>(count / 20));
}

TEST(Scenarios, ASeedRepeatsExactly) {
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
        Scenario first(seed);
        Scenario second(seed);
        first.run();
        second.run();
        EXPECT_EQ(first.world->loop.trace(), second.world->loop.trace()) << seed;
    }
}

TEST(Scenarios, TheSeedsOfTheFuzzTargetHold) {
    int files = 0;
    for (const auto& file :
         std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/gateway_connection_fuzz")) {
        std::ifstream in(file.path(), std::ios::binary);
        check_connection(std::string(std::istreambuf_iterator<char>(in), {}));
        ++files;
    }
    EXPECT_GT(files, 10);
}

}  // namespace
}  // namespace gateway
