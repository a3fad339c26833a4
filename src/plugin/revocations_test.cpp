// What counts when authorities contradict each other, answer late, or not at all any more.
#include "plugin/revocations.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <set>

#include "net/simulated/loop.h"
#include "net/tls/revocation_for_tests.h"

namespace plugin {
namespace {

using net::tls::Certificate;
using net::tls::Ruling;
using net::tls::Standing;

constexpr std::chrono::milliseconds hour{3'600'000};

base::Task<Revocations::Said> asked(Revocations& revocations, net::Loop& loop, const Certificate& certificate,
                                    const Certificate& issuer, std::shared_ptr<const Revocations::Ways> ways) {
    Revocations::Said said = co_await revocations.ask(loop, certificate.get(), issuer.get(), std::move(ways));
    co_return said;
}

class RevocationsTest : public testing::Test {
  protected:
    struct Fetched {
        std::string url;
        net::FetchLimits limits;
    };
    base::Result<net::Fetched> fetch(const std::string& url, const std::atomic<bool>& stop,
                                     const net::FetchLimits& limits) {
        std::unique_lock guard(lock);
        fetched.push_back({url, limits});
        ++running[url];
        most_running[url] = std::max(most_running[url], running[url]);
        change.notify_all();
        change.wait(guard, [&] { return !hanging.contains(url) || stop; });
        --running[url];
        if (auto fault = faults.find(url); fault != faults.end()) return base::Error::us(fault->second, "it failed");
        auto answer = answers.find(url);
        if (answer == answers.end()) return base::Error::us(base::Code::malformed, "status 404");
        return net::Fetched{answer->second, {}};
    }
    Ruling ask(const Certificate& certificate, std::size_t least_fetches = 0) {
        base::Task<Revocations::Said> task = asked(*revocations, loop, certificate, root, ways());
        task.start();
        wait_until([&] { return fetched.size() >= least_fetches; });
        while (!task.is_done()) {
            loop.turn(false);
            std::this_thread::yield();
        }
        said = task.take();
        return said;
    }
    std::shared_ptr<const Revocations::Ways> ways() const {
        return std::make_shared<const Revocations::Ways>(Revocations::Ways{lists, timeout, belief, proxy});
    }
    // The threads are at work or done; no answer of theirs has reached the loop.
    template <typename Condition>
    void wait_until(Condition condition) {
        std::unique_lock guard(lock);
        change.wait(guard, condition);
    }
    std::size_t fetches(const std::string& url) {
        std::lock_guard guard(lock);
        std::size_t out = 0;
        for (const Fetched& each : fetched) out += each.url == url ? 1 : 0;
        return out;
    }
    void pass(std::chrono::milliseconds time) { later += time.count(); }
    void let_go() {
        std::lock_guard guard(lock);
        hanging.clear();
        change.notify_all();
    }
    void TearDown() override {
        let_go();
        revocations.reset();
    }
    Certificate with(const std::string& points, const std::string& responder = {}) {
        Certificate::Wish wish;
        if (!points.empty()) wish.extensions.emplace_back(NID_crl_distribution_points, points);
        if (!responder.empty()) wish.extensions.emplace_back(NID_info_access, "OCSP;URI:" + responder);
        return root.sign("alice", wish);
    }
    void answer_ocsp(const std::string& url, const Certificate& certificate, const net::tls::OcspWish& wish = {}) {
        answers[url] = net::tls::ocsp_answer(certificate, root, wish);
    }

    std::mutex lock;
    std::condition_variable change;
    std::vector<Fetched> fetched;
    std::map<std::string, int> running;
    std::map<std::string, int> most_running;
    std::map<std::string, std::string> answers;
    std::map<std::string, base::Code> faults;
    std::set<std::string> hanging;
    std::atomic<std::int64_t> later = 0;

    Certificate root = Certificate::authority("root");
    Certificate other = Certificate::authority("root");
    std::vector<std::string> lists;
    std::chrono::milliseconds timeout = hour * 1000;
    std::chrono::milliseconds belief{10'000};
    std::string proxy;
    Revocations::Said said;
    net::simulated::SimulatedLoop loop{1};
    std::unique_ptr<Revocations> revocations = std::make_unique<Revocations>(
        [this](const std::string& url, const std::atomic<bool>& stop, const net::FetchLimits& limits) {
            return fetch(url, stop, limits);
        },
        [this] { return Revocations::Clock::now() + std::chrono::milliseconds(later.load()); });
};

constexpr auto list_url = "http://ca/list";
constexpr auto ocsp_url = "http://ca/ocsp";

TEST_F(RevocationsTest, AListCountsWhileNobodySaysMore) {
    Certificate bad = with("URI:http://ca/list");
    answers[list_url] = net::tls::revocation_list(root, {&bad}, -60, 300'000);
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    answers.clear();
    pass(belief + hour);
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    EXPECT_EQ(fetches(list_url), 2u);
    // Nor does a list that nobody has signed take it away.
    answers[list_url] = net::tls::revocation_list(root, {}, -60, 300'000, &other);
    pass(hour);
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    answers[list_url] = net::tls::revocation_list(root, {}, -60, 300'000);
    pass(hour);
    EXPECT_EQ(ask(bad).standing, Standing::good);
}

TEST_F(RevocationsTest, TakenBackStaysTakenBackWhileNobodySaysMore) {
    Certificate bad = with("", ocsp_url);
    answer_ocsp(ocsp_url, bad, {.status = V_OCSP_CERTSTATUS_REVOKED, .until_s = 300'000});
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    faults[ocsp_url] = base::Code::refused;
    for (int i = 0; i < 3; ++i) {
        pass(hour);
        EXPECT_EQ(ask(bad).standing, Standing::revoked);
    }
    // The same while the question waits for too long.
    faults.clear();
    hanging.insert(ocsp_url);
    pass(Revocations::silence + hour);
    base::Task<Revocations::Said> late = asked(*revocations, loop, bad, root, ways());
    late.start();
    wait_until([&] { return running[ocsp_url] == 1; });
    loop.run_for(timeout + hour);
    ASSERT_TRUE(late.is_done());
    EXPECT_EQ(late.take().standing, Standing::revoked);
}

TEST_F(RevocationsTest, RevokedAnywhereWins) {
    Certificate bad = with("", ocsp_url);
    std::string path = testing::TempDir() + "cardea_revocations_list";
    std::ofstream(path, std::ios::binary) << net::tls::revocation_list(root, {&bad});
    answer_ocsp(ocsp_url, bad);
    EXPECT_EQ(ask(bad).standing, Standing::good);
    lists = {path};
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    // An operator's good list is no reason to ask nobody else.
    std::ofstream(path, std::ios::binary) << net::tls::revocation_list(root, {});
    belief = std::chrono::milliseconds(20'000);
    pass(hour);
    answer_ocsp(ocsp_url, bad, {.status = V_OCSP_CERTSTATUS_REVOKED});
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    std::filesystem::remove(path);
}

TEST_F(RevocationsTest, OnlyTheOperatorNamesFiles) {
    Certificate bad = with("URI:HTTP://ca/list");
    answers["HTTP://ca/list"] = net::tls::revocation_list(root, {&bad});
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    EXPECT_EQ(fetches("HTTP://ca/list"), 1u);
}

TEST_F(RevocationsTest, WhatCertificatesNameLeadsNowhereElse) {
    Certificate one = with("URI:http://ca/list", ocsp_url);
    lists = {"http://operator/list"};
    (void)ask(one);
    ASSERT_EQ(fetched.size(), 3u);
    EXPECT_EQ(fetched[0].url, "http://operator/list");
    EXPECT_GT(fetched[0].limits.redirects, 0);
    EXPECT_EQ(fetched[1].limits.redirects, 0);
    EXPECT_EQ(fetched[2].limits.redirects, 0);
}

TEST_F(RevocationsTest, ChangesAloneAreNoList) {
    Certificate bad = with("URI:http://ca/list");
    std::string whole = net::tls::revocation_list(root, {});
    const auto* bytes = reinterpret_cast<const unsigned char*>(whole.data());
    X509_CRL* list = d2i_X509_CRL(nullptr, &bytes, static_cast<long>(whole.size()));
    ASN1_INTEGER* base = ASN1_INTEGER_new();
    ASN1_INTEGER_set(base, 1);
    X509_CRL_add1_ext_i2d(list, NID_delta_crl, base, 1, 0);
    X509_CRL_sign(list, root.key(), EVP_sha256());
    unsigned char* made = nullptr;
    int size = i2d_X509_CRL(list, &made);
    answers[list_url] = std::string(reinterpret_cast<char*>(made), static_cast<std::size_t>(size));
    OPENSSL_free(made);
    ASN1_INTEGER_free(base);
    X509_CRL_free(list);
    EXPECT_EQ(ask(bad).standing, Standing::unknown);
    EXPECT_EQ(said.fault, "http://ca/list: the CRL lists changes only");
}

TEST_F(RevocationsTest, OnlyWhoIsSilentIsLeftAlone) {
    Certificate one = with("", ocsp_url);
    Certificate two = with("", ocsp_url);
    Certificate three = with("", ocsp_url);
    EXPECT_EQ(ask(one).standing, Standing::unknown);  // status 404
    faults[ocsp_url] = base::Code::timed_out;
    timeout = std::chrono::milliseconds(500);
    (void)ask(two, 2);  // had no fair chance
    timeout = hour * 1000;
    (void)ask(two);
    EXPECT_EQ(fetches(ocsp_url), 3u);
    faults.clear();
    answer_ocsp(ocsp_url, three);
    EXPECT_EQ(ask(three).standing, Standing::unknown);
    EXPECT_EQ(fetches(ocsp_url), 3u);
    proxy = "http://proxy:3128";
    EXPECT_EQ(ask(three).standing, Standing::good);  // by another way
    proxy = "";
    pass(Revocations::silence + Revocations::least_belief);
    EXPECT_EQ(ask(three).standing, Standing::good);
}

TEST_F(RevocationsTest, EachSourceLeavesTimeForTheNext) {
    Certificate bad = with("URI:http://ca/list", ocsp_url);
    faults[ocsp_url] = base::Code::timed_out;
    answers[list_url] = net::tls::revocation_list(root, {&bad});
    timeout = std::chrono::milliseconds(600'000);
    EXPECT_EQ(ask(bad).standing, Standing::revoked);
    ASSERT_EQ(fetched.size(), 2u);
    EXPECT_LE(fetched[0].limits.whole.count(), 300'000);
    EXPECT_GT(fetched[0].limits.whole.count(), 200'000);
    EXPECT_GT(fetched[1].limits.whole.count(), 400'000);
}

TEST_F(RevocationsTest, WhoHangsKeepsFewThreadsAndNobodyWaiting) {
    hanging.insert(ocsp_url);
    std::vector<Certificate> stuck;
    for (int i = 0; i < 6; ++i) stuck.push_back(with("", ocsp_url));
    timeout = std::chrono::milliseconds(30'000);
    std::vector<base::Task<Revocations::Said>> tasks;
    for (const Certificate& each : stuck) {
        tasks.push_back(asked(*revocations, loop, each, root, ways()));
        tasks.back().start();
    }
    wait_until([&] { return running[ocsp_url] == 2; });
    timeout = hour * 1000;
    Certificate good = with("", "http://elsewhere/");
    answer_ocsp("http://elsewhere/", good);
    EXPECT_EQ(ask(good).standing, Standing::good);
    EXPECT_EQ(most_running[ocsp_url], 2);
    loop.run_for(std::chrono::milliseconds(31'000));
    for (base::Task<Revocations::Said>& task : tasks) {
        ASSERT_TRUE(task.is_done());
        Revocations::Said late = task.take();
        EXPECT_EQ(late.standing, Standing::unknown);
        EXPECT_EQ(late.fault, "nobody has answered in time");
    }
}

TEST_F(RevocationsTest, AnAnswerIsBelievedNoLongerThanItLasts) {
    Certificate one = with("", ocsp_url);
    answer_ocsp(ocsp_url, one, {.until_s = 5});
    EXPECT_EQ(ask(one).standing, Standing::good);
    EXPECT_LE(said.lasts.count(), 5'000);
    pass(std::chrono::milliseconds(2'000));
    auto known = revocations->known(Revocations::key_of(one.get(), root.get(), *ways()));
    ASSERT_TRUE(known.has_value());
    EXPECT_LE(known->lasts.count(), 3'000);
    pass(std::chrono::milliseconds(4'000));
    EXPECT_FALSE(revocations->known(Revocations::key_of(one.get(), root.get(), *ways())).has_value());
}

TEST_F(RevocationsTest, ListsOfNobodyAreNotKept) {
    Certificate one = with("URI:http://ca/list");
    Certificate two = with("URI:http://ca/list");
    answers[list_url] = net::tls::revocation_list(root, {}, -60, 300, &other);
    EXPECT_EQ(ask(one).standing, Standing::unknown);
    answers[list_url] = net::tls::revocation_list(root, {&two});
    EXPECT_EQ(ask(two).standing, Standing::revoked);
    EXPECT_EQ(fetches(list_url), 2u);
}

}  // namespace
}  // namespace plugin
