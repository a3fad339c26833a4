#include "plugin/key_source.h"

#include <gtest/gtest.h>

#include "crypto/signer_for_tests.h"
#include "net/simulated/loop.h"

namespace plugin {
namespace {

using crypto::Algorithm;

// An issuer whose answers the test decides, one at a time.
class Issuer {
  public:
    KeySource::Fetch fetch() {
        return [this](const std::string&, const std::atomic<bool>& stop) -> base::Result<net::Fetched> {
            std::unique_lock guard(lock_);
            ++asked_;
            changed_.notify_all();
            while (answers_.empty()) {
                if (stop) return base::Error::us(base::Code::cancelled, "over");
                changed_.wait_for(guard, std::chrono::milliseconds(1));
            }
            std::string answer = std::move(answers_.front());
            answers_.erase(answers_.begin());
            if (answer.empty()) return base::Error::us(base::Code::refused, "nobody there");
            return net::Fetched{std::move(answer), "max-age=0"};
        };
    }
    void answer(std::string text) {
        std::lock_guard guard(lock_);
        answers_.push_back(std::move(text));
        changed_.notify_all();
    }
    void wait_for(int asked) {
        std::unique_lock guard(lock_);
        changed_.wait(guard, [&] { return asked_ >= asked; });
    }

  private:
    std::mutex lock_;
    std::condition_variable changed_;
    std::vector<std::string> answers_;  // "": a failure
    int asked_ = 0;
};

std::string published(const std::string& key_id, const crypto::Signer& signer) {
    return R"({"keys":[)" + signer.jwk("\"kid\":\"" + key_id + "\",") + "]}";
}

// Every pause so short that the next fetch begins as soon as the one before has ended.
KeyPauses quick() {
    KeyPauses out;
    out.least = std::chrono::seconds(0);
    out.after_failure = std::chrono::milliseconds(0);
    return out;
}

TEST(KeySourceTest, TakesKeysAndKeepsThemThroughFailures) {
    auto signer = crypto::Signer::ec("P-256");
    Issuer issuer;
    KeySource source("http://issuer/keys", issuer.fetch(), quick());
    EXPECT_EQ(source.keys(), nullptr);
    EXPECT_EQ(source.generation(), 0u);
    issuer.answer(published("a", signer));
    issuer.wait_for(2);  // so the first has been taken
    auto first = source.keys();
    ASSERT_NE(first, nullptr);
    EXPECT_NE(first->set.find("a", Algorithm::es256), nullptr);
    EXPECT_EQ(source.generation(), first->generation);

    for (std::string answer : {"", "no JSON", R"({"keys":[{"kty":"PQC"}]})"}) issuer.answer(answer);
    issuer.answer(published("a", signer));
    issuer.wait_for(6);
    EXPECT_EQ(source.keys(), first) << "the same document: what was verified by it stays so";

    issuer.answer(published("b", signer));
    issuer.wait_for(7);
    EXPECT_NE(source.generation(), first->generation);
    EXPECT_EQ(source.keys()->set.find("a", Algorithm::es256), nullptr) << "a key that was taken back";
    EXPECT_NE(source.keys()->set.find("b", Algorithm::es256), nullptr);
    issuer.answer(R"({"keys":[]})");
    issuer.wait_for(8);
    EXPECT_EQ(source.keys()->set.size(), 0u) << "all of them taken back";
}

// Waits for a renewal as a request does; a flag says when it went on.
base::Task<void> wait_for(KeySource& source, net::Loop& loop, std::string key_id, bool& is_over) {
    co_await source.renewed(loop, key_id);
    is_over = true;
}

class KeyStormTest : public testing::Test {
  protected:
    void begin(KeyPauses pauses) {
        pauses.least = std::chrono::seconds(3600);
        issuer.answer(published("a", signer));
        source.emplace("http://issuer/keys", issuer.fetch(), pauses);
        while (source->generation() == 0) std::this_thread::yield();
    }
    struct Asking {
        bool is_over = false;
        base::Task<void> task;
    };
    std::unique_ptr<Asking> ask(std::string key_id) {
        auto out = std::make_unique<Asking>();
        out->task = wait_for(*source, loop, std::move(key_id), out->is_over);
        out->task.start();
        return out;
    }
    void until_over(const Asking& asking) {
        while (!asking.is_over) loop.turn(false);
    }
    crypto::Signer signer = crypto::Signer::ec("P-256");
    Issuer issuer;
    net::simulated::SimulatedLoop loop{1};
    std::optional<KeySource> source;
};

// A made-up id makes nobody's real key be refused: who comes after it waits for the next fetch.
TEST_F(KeyStormTest, ARealKeyWaitsWhereAMadeUpOneWasJustAskedFor) {
    KeyPauses pauses;
    pauses.shortest_pause = std::chrono::milliseconds(50);
    begin(pauses);
    auto made_up = ask("made up");
    issuer.answer(published("a", signer));
    until_over(*made_up);
    auto real = ask("b");
    EXPECT_FALSE(real->is_over);
    issuer.answer(published("b", signer));
    until_over(*real);
    EXPECT_NE(source->keys()->set.find("b", Algorithm::es256), nullptr);
}

TEST_F(KeyStormTest, AnIdThatWasJustAskedForInVainIsNotAskedForAgain) {
    KeyPauses pauses;
    pauses.shortest_pause = std::chrono::hours(1);
    pauses.most_waiters = 2;
    begin(pauses);
    auto first = ask("made up");
    issuer.answer(published("a", signer));
    until_over(*first);
    EXPECT_TRUE(ask("made up")->is_over);
    auto second = ask("another");
    auto third = ask("a third");
    EXPECT_FALSE(second->is_over || third->is_over) << "they wait for the next fetch";
    EXPECT_TRUE(ask("a fourth")->is_over) << "for whom there is no place";
    third.reset();
    auto fifth = ask("a fifth");
    EXPECT_FALSE(fifth->is_over) << "one has gone";
    second.reset();
    fifth.reset();
    std::vector<observe::Sample> samples;
    source->measure(samples);
    EXPECT_EQ(samples[1].value, 2) << "fetches";
}

TEST(KeySourceTest, OldKeysEnd) {
    auto signer = crypto::Signer::ec("P-256");
    Issuer issuer;
    KeyPauses pauses = quick();
    pauses.longest_use = std::chrono::seconds(0);
    pauses.least = std::chrono::seconds(3600);
    KeySource source("http://issuer/keys", issuer.fetch(), pauses);
    issuer.answer(published("a", signer));
    while (true) {
        std::vector<observe::Sample> samples;
        source.measure(samples);
        if (source.generation() == 0 && samples[0].value == 0 && source.keys() == nullptr) break;
        std::this_thread::yield();
    }
}

}  // namespace
}  // namespace plugin
