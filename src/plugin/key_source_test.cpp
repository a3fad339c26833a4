#include "plugin/key_source.h"

#include <gtest/gtest.h>

#include "crypto/signer_for_tests.h"

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
