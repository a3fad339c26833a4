// Sources in time: a simulated Consul that holds questions back, fails, restarts and lies about its index; an HTTP
// endpoint with entity tags; a file that is written while it is read.
#include "upstream/discovery/source.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>

namespace upstream {

namespace {
constexpr net::Instant second = 1000;

std::string text(const FoundPointer& found) {
    if (!found->targets) return found->fault.empty() ? "pending" : "nothing: " + found->fault;
    std::string out;
    for (const Target& each : *found->targets) out += (out.empty() ? "" : " ") + each.host;
    return found->fault.empty() ? out : out + " but " + found->fault;
}

SourceSpec consul_spec() {
    SourceSpec spec;
    spec.type = SourceType::consul;
    spec.place = "http://agent:8500";
    spec.service = "web";
    return spec;
}
net::FetchAnswer said(std::vector<std::string> addresses, std::uint64_t index) {
    std::string body;
    for (const std::string& address : addresses)
        body +=
            (body.empty() ? "" : ",") + (R"({"Service": {"ID": "x", "Address": ")" + address + R"(", "Port": 80}})");
    return {200, "[" + body + "]", {{"X-Consul-Index", std::to_string(index)}}};
}
std::uint64_t index_of(const net::FetchRequest& request) {
    std::size_t at = request.url.find("index=");
    return at == request.url.npos ? 0 : std::stoull(request.url.substr(at + 6));
}
base::Error refused() { return base::Error::us(base::Code::refused, "connection refused"); }
}  // namespace

TEST(Source, ConsulIsAskedAgainWithWhatItSaid) {
    Source source(consul_spec(), 1);
    net::Instant now = 1'000'000;
    EXPECT_LE(source.due(), now);
    EXPECT_EQ(text(source.found()), "pending");
    EXPECT_EQ(index_of(source.ask(now)), 0U);
    EXPECT_EQ(source.due(), net::never);
    EXPECT_TRUE(source.answered(said({"10.0.0.2", "10.0.0.1"}, 7), now, 5));
    EXPECT_EQ(text(source.found()), "10.0.0.1 10.0.0.2");
    EXPECT_GE(source.due(), now + 375);
    EXPECT_LE(source.due(), now + 500);

    now = source.due();
    EXPECT_EQ(index_of(source.ask(now)), 7U);
    now += 60 * second;  // held back, and nothing has changed
    EXPECT_FALSE(source.answered(said({"10.0.0.1", "10.0.0.2"}, 7), now, 5));
    EXPECT_EQ(source.due(), now);
    source.ask(now);
    now += 3 * second;
    EXPECT_TRUE(source.answered(said({"10.0.0.1"}, 9), now, 5));
    EXPECT_EQ(text(source.found()), "10.0.0.1");
    EXPECT_EQ(source.status().changes, 2U);
    EXPECT_EQ(index_of(source.ask(now)), 9U);
    EXPECT_TRUE(source.answered(said({"10.0.0.3"}, 2), now, 5));  // restored from a backup
    EXPECT_EQ(index_of(source.ask(now)), 0U);
    EXPECT_TRUE(source.answered(said({}, 2), now, 5));
    EXPECT_EQ(text(source.found()), "");
    EXPECT_TRUE(source.found()->targets);
}

TEST(Source, AnAgentThatAnswersAtOnceForEverIsNotAskedInALoop) {
    for (std::uint64_t index : {0ULL, 1ULL, 1000ULL}) {
        Source source(consul_spec(), 1);
        int questions = 0;
        net::Instant now = 0;
        for (net::Instant end = 60 * second; now < end; now = source.due(), ++questions) {
            source.ask(now);
            source.answered(said({"10.0.0.1"}, index == 1000 ? 1000 - static_cast<std::uint64_t>(questions) : index),
                            now, 5);
        }
        EXPECT_LE(questions, 160) << index;
    }
}

TEST(Source, AnAgentThatVanishesTakesNothingAwayAndIsAskedEverMoreSlowly) {
    Source source(consul_spec(), 1);
    net::Instant now = 0;
    source.ask(now);
    source.answered(said({"10.0.0.1"}, 7), now, 5);
    std::vector<net::Instant> pauses;
    for (int i = 0; i < 20; ++i) {
        now = source.due();
        source.ask(now);
        EXPECT_EQ(source.answered(refused(), now, 100 + i), i == 0);
        EXPECT_EQ(text(source.found()), "10.0.0.1 but connection refused");
        pauses.push_back(source.due() - now);
    }
    EXPECT_LE(pauses.front(), 500);
    for (net::Instant pause : pauses) EXPECT_LE(pause, 30 * second);
    EXPECT_GE(pauses.back(), 22 * second);
    EXPECT_EQ(source.status().fault, "connection refused");
    EXPECT_EQ(source.status().since, 100);
    EXPECT_EQ(source.status().failures, 20U);
    now = source.due();
    EXPECT_EQ(index_of(source.ask(now)), 7U);
    EXPECT_TRUE(source.answered(said({"10.0.0.1"}, 7), now, 500));
    EXPECT_EQ(text(source.found()), "10.0.0.1");
    EXPECT_EQ(source.status().changes, 1U);
    EXPECT_EQ(source.status().since, 500);
}

TEST(Source, OneThatNeverAnsweredSaysWhy) {
    Source source(consul_spec(), 1);
    source.ask(0);
    EXPECT_TRUE(source.answered(refused(), 0, 5));
    EXPECT_EQ(text(source.found()), "nothing: connection refused");
    EXPECT_FALSE(source.status().is_known);
}

TEST(Source, NotAllKeepStep) {
    std::vector<net::Instant> dues;
    for (std::uint64_t seed = 0; seed < 50; ++seed) {
        Source source(consul_spec(), seed);
        for (int i = 0; i < 8; ++i) {
            source.ask(0);
            source.answered(refused(), 0, 5);
        }
        dues.push_back(source.due());
    }
    std::sort(dues.begin(), dues.end());
    EXPECT_GE(dues.back() - dues.front(), 5 * second);
}

// A Consul with a catalogue that changes, that restarts, loses its leader, and answers late or never: the gateway's
// view is at every moment one that the catalogue had, and in the end the one that it has.
TEST(Source, RandomLivesOfAnAgent) {
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
        base::Random random(seed);
        Source source(consul_spec(), seed);
        net::Instant now = 0;
        std::uint64_t index = 100;
        std::vector<std::string> catalogue{"10.0.0.1"};
        std::set<std::string> once{"pending"};
        auto text_of = [](const std::vector<std::string>& list) {
            std::string out;
            for (const std::string& each : list) out += (out.empty() ? "" : " ") + each;
            return out;
        };
        auto change = [&] {
            catalogue.clear();
            for (std::uint32_t i = random.below(4); i > 0; --i) catalogue.push_back("10.0.0." + std::to_string(i));
            std::sort(catalogue.begin(), catalogue.end());
            once.insert(text_of(catalogue));
            index += 1 + random.below(3);
        };
        once.insert(text_of(catalogue));
        int asked_in_a_row = 0;
        for (int step = 0; step < 200; ++step) {
            now = std::max(now, source.due());
            std::uint64_t known = index_of(source.ask(now));
            bool is_held = known == index;
            if (is_held) {
                bool is_quiet = random.below(3) == 0;  // nothing happens while it waits
                now += is_quiet ? 60 * second : random.below(60'000);
                if (!is_quiet) change();
            }
            switch (random.below(10)) {
                case 0:
                    source.answered(refused(), now, 1);
                    break;
                case 1:
                    source.answered(net::FetchAnswer{500, "No cluster leader", {}}, now, 1);
                    break;
                case 2:  // another Consul in its place
                    change();
                    index = 1 + random.below(200);
                    source.answered(said(catalogue, index), now, 1);
                    break;
                case 3:
                    source.answered(said(catalogue, 0), now, 1);
                    break;
                default:
                    source.answered(said(catalogue, index), now, 1);
            }
            if (source.found()->targets) {
                Found bare{source.found()->targets, {}};
                ASSERT_TRUE(once.contains(text(std::make_shared<const Found>(bare)))) << seed;
            }
            if (random.below(4) == 0) change();
            ASSERT_LT(++asked_in_a_row, 201);
        }
        for (int i = 0; i < 3; ++i) {
            now = std::max(now, source.due());
            source.ask(now);
            source.answered(said(catalogue, index), now, 1);
        }
        ASSERT_EQ(text(source.found()), text_of(catalogue)) << seed;
    }
}

TEST(Source, AnEndpointWithEntityTags) {
    SourceSpec spec;
    spec.type = SourceType::http;
    spec.place = "http://list.test/targets?key=1";
    spec.token = "secret";
    Source source(spec, 1);
    net::FetchRequest first = source.ask(0);
    EXPECT_EQ(first.url, spec.place);
    EXPECT_EQ(first.limits.fields,
              (std::vector<std::string>{"Accept: application/json", "Authorization: Bearer secret"}));
    EXPECT_EQ(first.limits.redirects, 0);
    EXPECT_TRUE(source.answered(net::FetchAnswer{200, R"(["a.test:80"])", {{"ETag", "\"1\""}}}, 0, 5));
    EXPECT_EQ(text(source.found()), "a.test");
    EXPECT_GE(source.due(), 22 * second);
    EXPECT_LE(source.due(), 30 * second);
    auto has_tag = [](const net::FetchRequest& request) {
        return std::ranges::count(request.limits.fields, "If-None-Match: \"1\"") == 1;
    };
    EXPECT_TRUE(has_tag(source.ask(0)));
    EXPECT_FALSE(source.answered(net::FetchAnswer{304, "", {}}, 0, 5));
    EXPECT_TRUE(has_tag(source.ask(0)));
    EXPECT_TRUE(source.answered(net::FetchAnswer{200, "[\"a.test:80\",\n 7]", {{"ETag", "\"2\""}}}, 0, 5));
    EXPECT_EQ(text(source.found()),
              "a.test but http://list.test/targets:2:2: [1]: expected a target or {target, weight}");
    EXPECT_FALSE(has_tag(source.ask(0)));
    EXPECT_TRUE(source.answered(net::FetchAnswer{200, "[]", {}}, 0, 5));
    EXPECT_EQ(text(source.found()), "");
    source.ask(0);
    EXPECT_TRUE(source.answered(net::FetchAnswer{404, "", {}}, 0, 5));
    EXPECT_EQ(text(source.found()), " but status 404");
}

struct FileSourceTest : testing::Test {
    FileSourceTest() {
        std::string pattern = (std::filesystem::temp_directory_path() / "cardea-source-XXXXXX").string();
        folder = mkdtemp(pattern.data());
        spec.type = SourceType::file;
        spec.place = (folder / "targets.yml").string();
    }
    ~FileSourceTest() override { std::filesystem::remove_all(folder); }
    void write(const std::string& text) const { std::ofstream(spec.place) << text; }
    std::filesystem::path folder;
    SourceSpec spec;
};

TEST_F(FileSourceTest, IsReadAgainWhenItHasChangedAndIsQuiet) {
    write("- a.test:80\n");
    Source source(spec, 1);
    EXPECT_TRUE(source.look(0, 5));
    EXPECT_EQ(text(source.found()), "a.test");
    EXPECT_EQ(source.due(), 500);
    EXPECT_FALSE(source.look(500, 5));
    write("- a.test:80\n- b.t");
    EXPECT_FALSE(source.look(1000, 5)) << "it may be being written";
    write("- a.test:80\n- b.test:80\n- c.test:80\n");
    EXPECT_FALSE(source.look(1500, 5));
    EXPECT_TRUE(source.look(2000, 5));
    EXPECT_EQ(text(source.found()), "a.test b.test c.test");
    EXPECT_FALSE(source.look(2500, 5));
}

TEST_F(FileSourceTest, ABrokenOneKeepsTheOldTargetsAndSaysWhere) {
    write("- a.test:80\n");
    Source source(spec, 1);
    source.look(0, 5);
    write("- a.test:80\n- b test:80\n");
    source.look(500, 5);
    EXPECT_TRUE(source.look(1000, 5));
    EXPECT_EQ(text(source.found()), "a.test but " + spec.place + ":2:3: [1]: expected host:port");
    std::filesystem::remove(spec.place);
    source.look(1500, 5);
    source.look(2000, 5);
    EXPECT_EQ(text(source.found()), "a.test but " + spec.place + ": missing, unreadable or empty");
    write("- c.test:80\n");
    source.look(2500, 5);
    EXPECT_TRUE(source.look(3000, 5));
    EXPECT_EQ(text(source.found()), "c.test");
}

TEST_F(FileSourceTest, OneThatIsNotThereYet) {
    Source source(spec, 1);
    EXPECT_TRUE(source.look(0, 5));
    EXPECT_EQ(text(source.found()), "nothing: " + spec.place + ": missing, unreadable or empty");
    write("- a.test:80\n");
    source.look(500, 5);
    EXPECT_TRUE(source.look(1000, 5));
    EXPECT_EQ(text(source.found()), "a.test");
}

}  // namespace upstream
