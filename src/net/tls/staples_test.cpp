#include "net/tls/staples.h"

#include <gtest/gtest.h>

#include <deque>

#include "net/tls/revocation_for_tests.h"

namespace net::tls {
namespace {

// An authority that says what it is told, one thing after the other, and then keeps its caller waiting.
class Authority {
  public:
    void say(base::Result<Fetched> what) {
        std::lock_guard guard(lock_);
        said_.push_back(std::move(what));
        changed_.notify_all();
    }
    Staples::Fetch fetch() {
        return [this](const std::string& url, const std::atomic<bool>& stop,
                      const FetchLimits& limits) -> base::Result<Fetched> {
            EXPECT_EQ(url, "http://ocsp.example/");
            EXPECT_EQ(limits.post_type, "application/ocsp-request");
            std::unique_lock guard(lock_);
            ++asked_;
            changed_.notify_all();
            while (said_.empty() && !stop) changed_.wait_for(guard, std::chrono::milliseconds(5));
            if (stop) return base::Error::us(base::Code::cancelled, "stopped");
            base::Result<Fetched> out = std::move(said_.front());
            said_.pop_front();
            return out;
        };
    }
    // Until it is asked for that time, which is when the answer before has arrived.
    void await(int times) {
        std::unique_lock guard(lock_);
        changed_.wait(guard, [&] { return asked_ >= times; });
    }

  private:
    std::mutex lock_;
    std::condition_variable changed_;
    std::deque<base::Result<Fetched>> said_;
    int asked_ = 0;
};

class StaplesTest : public testing::Test {
  protected:
    static Staples::Pauses at_once() {
        using namespace std::chrono_literals;
        return {.least = 0ms, .most = 0ms, .after_failure = 0ms, .longest_after_failure = 0ms};
    }
    Fetched answer(const OcspWish& wish) { return {ocsp_answer(server, root, wish), {}}; }
    bool is_shown(long in_s = 0) { return slot->answer(std::time(nullptr) + in_s) != nullptr; }

    Certificate root = Certificate::authority("root");
    Certificate server = root.sign("server", {.extensions = {{NID_info_access, "OCSP;URI:http://ocsp.example/"}}});
    Authority authority;
    Staples staples{authority.fetch(), at_once()};
    std::shared_ptr<const Staples::Slot> slot = staples.slot(server.get(), root.get());
};

TEST_F(StaplesTest, ShowWhatIsGoodUntilItEnds) {
    ASSERT_NE(slot, nullptr);
    authority.await(1);
    EXPECT_FALSE(is_shown());
    authority.say(answer({}));
    authority.await(2);
    EXPECT_TRUE(is_shown());
    EXPECT_TRUE(is_shown(290));
    EXPECT_FALSE(is_shown(300));
    EXPECT_EQ(staples.slot(server.get(), root.get()), slot);
}

TEST_F(StaplesTest, WhatFailsChangesNothing) {
    authority.say(answer({}));
    authority.await(2);
    int asked = 2;
    for (auto& failure :
         {answer({.signer = &server}), answer({.from_s = -4000, .until_s = -400}), Fetched{"garbage", {}}}) {
        authority.say(failure);
        authority.await(++asked);
        EXPECT_TRUE(is_shown());
    }
    authority.say(base::Error::us(base::Code::refused, "nobody listens"));
    authority.await(++asked);
    EXPECT_TRUE(is_shown());
    EXPECT_FALSE(is_shown(300));
}

TEST_F(StaplesTest, OneThatWasTakenBackIsNotCalledGood) {
    authority.say(answer({}));
    authority.await(2);
    EXPECT_TRUE(is_shown());
    authority.say(answer({.status = V_OCSP_CERTSTATUS_REVOKED}));
    authority.await(3);
    EXPECT_FALSE(is_shown());
}

TEST_F(StaplesTest, WithoutAnybodyToAskThereIsNoSlot) {
    Certificate plain = root.sign("plain", "");
    EXPECT_EQ(staples.slot(plain.get(), root.get()), nullptr);
}

}  // namespace
}  // namespace net::tls
