// Which use of a plugin runs (kong.md 1.6), in which order, and what still runs after an answer (4.1).
#include "plugin/chain.h"

#include <gtest/gtest.h>

#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

// Each use writes its label into X-Ran; what it does beyond that, its plugin says.
struct Recorder {
    std::string label;
    Verdict verdict = Verdict::go_on;
    const Consumer* finds = nullptr;
};

void note(Exchange& exchange, std::string_view text) {
    std::string_view before = exchange.client_headers.first("X-Ran");
    exchange.client_headers.set("X-Ran",
                                before.empty() ? exchange.arena.copy(text) : exchange.arena.join(before, " ", text));
}

class ChainTest : public PluginTest {
  protected:
    static Type type_named(std::string_view name, int priority) {
        Type type;
        type.name = name;
        type.priority = priority;
        type.on_request = [](const void* plugin, Exchange& exchange) {
            const auto& recorder = *static_cast<const Recorder*>(plugin);
            note(exchange, recorder.label);
            if (recorder.finds != nullptr) exchange.identity.consumer = recorder.finds;
            return recorder.verdict;
        };
        type.wait_request = [](const void* plugin, Exchange& exchange) -> base::Task<Verdict> {
            note(exchange, static_cast<const Recorder*>(plugin)->label + "-waited");
            co_return Verdict::go_on;
        };
        type.on_log = [](const void* plugin, Exchange& exchange) {
            note(exchange, static_cast<const Recorder*>(plugin)->label + "-log");
        };
        return type;
    }
    Instance& add(const Type& of, std::string label, Index route = none, Index service = none,
                  Index consumer_index = none, Index group = none) {
        auto recorder = std::make_shared<Recorder>();
        recorder->label = std::move(label);
        Instance instance;
        instance.type = &of;
        instance.plugin = recorder;
        instance.route = route;
        instance.service = service;
        instance.consumer = consumer_index;
        instance.group = group;
        made.push_back(std::move(instance));
        return made.back();
    }
    Recorder& recorder(Instance& instance) { return *static_cast<Recorder*>(instance.plugin.get()); }
    // What ran for a request of route 0 and service 0.
    std::string ran(Index route = 0, Index service = 0) {
        Chains chains;
        for (const Instance& instance : made) chains.add(instance);
        chains.seal();
        auto on = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        const Chain& chain = *chains.chain(route, service);
        Verdict verdict = chain.on_request(*on);
        while (verdict == Verdict::wait) {
            base::Task<Verdict> task = chain.wait_request(*on);
            task.start();
            verdict = task.take();
            if (verdict == Verdict::go_on) verdict = chain.on_request(*on);
        }
        if (has_log) chain.on_log(*on);
        return std::string(on->client_headers.first("X-Ran"));
    }

    std::vector<Instance> made;
    bool has_log = false;
    Type auth = type_named("auth", 1000);
    Type limit = type_named("limit", 900);
    Type last = type_named("last", 1);
};

TEST_F(ChainTest, HigherPrioritiesRunFirst) {
    add(last, "last");
    add(auth, "auth");
    add(limit, "limit");
    EXPECT_EQ(ran(), "auth limit last");
}

// From the least specific to the most: each one added takes the place of those before it.
TEST_F(ChainTest, TheMostSpecificUseRuns) {
    std::vector<Index> groups{0, 1};
    Consumer anna{{}, 7, "anna", {}, groups};
    recorder(add(auth, "auth")).finds = &anna;
    struct Level {
        const char* label;
        Index route, service, consumer, group;
    };
    for (const Level& level : {Level{"global", none, none, none, none},
                               {"service", none, 0, none, none},
                               {"route", 0, none, none, none},
                               {"second-group", none, none, none, 1},
                               {"group", none, none, none, 0},
                               {"consumer", none, none, 7, none},
                               {"route-service", 0, 0, none, none},
                               {"group-service", none, 0, none, 0},
                               {"group-route", 0, none, none, 0},
                               {"consumer-service", none, 0, 7, none},
                               {"consumer-route", 0, none, 7, none},
                               {"group-route-service", 0, 0, none, 0},
                               {"consumer-route-service", 0, 0, 7, none}}) {
        add(limit, level.label, level.route, level.service, level.consumer, level.group);
        EXPECT_EQ(ran(), std::string("auth ") + level.label);
    }
}

TEST_F(ChainTest, UsesForOthersDoNotRun) {
    add(limit, "other-route", 5);
    add(limit, "other-service", none, 5);
    add(limit, "other-consumer", none, none, 5);
    EXPECT_EQ(ran(), "");
    EXPECT_EQ(ran(5, 5), "other-route");
    EXPECT_EQ(ran(none, none), "");
}

// A consumer that is found later changes nothing for the plugins before, in none of their phases.
TEST_F(ChainTest, AChoiceHoldsForTheLaterPhases) {
    Consumer anna{{}, 7, "anna", {}, {}};
    Type early = type_named("early", 2000);
    add(early, "early");
    add(early, "early-of-anna", none, none, 7);
    recorder(add(auth, "auth")).finds = &anna;
    add(limit, "limit-of-anna", none, none, 7);
    has_log = true;
    EXPECT_EQ(ran(), "early auth limit-of-anna early-log auth-log limit-of-anna-log");
}

TEST_F(ChainTest, AnAnswerEndsTheRequestPhaseOnly) {
    recorder(add(auth, "auth")).verdict = Verdict::answered;
    add(limit, "limit");
    has_log = true;
    EXPECT_EQ(ran(), "auth auth-log limit-log");
}

TEST_F(ChainTest, GoesOnBehindAPluginThatWaited) {
    recorder(add(auth, "auth")).verdict = Verdict::wait;
    add(limit, "limit");
    EXPECT_EQ(ran(), "auth auth-waited limit");
}

TEST_F(ChainTest, OrderingMovesTheRequestPhaseOnly) {
    add(auth, "auth");
    add(limit, "limit").before = {"auth"};
    add(last, "last");
    has_log = true;
    EXPECT_EQ(ran(), "limit auth last auth-log limit-log last-log");
    made[1].before.clear();
    made[0].after = {"last"};
    has_log = false;
    EXPECT_EQ(ran(), "limit last auth");
}

TEST_F(ChainTest, AUseForOneSchemeLetsTheOtherPass) {
    add(limit, "limit").on_http = false;
    EXPECT_EQ(ran(), "");
}

// A proxy's X-Forwarded-Proto says `http` where the connection has TLS: what looks at certificates runs nonetheless.
TEST_F(ChainTest, CertificatesAreLookedAtWhateverAFieldSays) {
    Type certificates = type_named("certificates", 1100);
    certificates.asks_for_certificates = [](const void*) { return std::vector<std::string>(); };
    add(certificates, "certificates", 0).on_http = false;
    add(auth, "auth", 0).on_http = false;
    Chains chains;
    for (const Instance& instance : made) chains.add(instance);
    chains.seal();
    auto ran_over = [&](const net::tls::Layer* layer, std::string_view scheme) {
        auto on = exchange("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        on->client.tls = layer;
        on->client.scheme = scheme;
        EXPECT_EQ(chains.chain(0, 0)->on_request(*on), Verdict::go_on);
        return std::string(on->client_headers.first("X-Ran"));
    };
    char stands_for_one = 0;
    const auto* layer = reinterpret_cast<const net::tls::Layer*>(&stands_for_one);
    EXPECT_EQ(ran_over(layer, "https"), "certificates auth");
    EXPECT_EQ(ran_over(layer, "http"), "certificates");
    EXPECT_EQ(ran_over(nullptr, "http"), "");
    EXPECT_EQ(ran_over(nullptr, "https"), "certificates auth");
}

}  // namespace
}  // namespace plugin
