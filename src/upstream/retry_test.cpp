#include "upstream/retry.h"

#include <gtest/gtest.h>

namespace upstream {

namespace {
base::Error failed(base::Retry retry) { return base::Error::upstream(base::Code::reset, retry); }
bool worth(const base::Error& error, bool idempotent, Progress progress) {
    return Attempts::worth_retrying(error, idempotent, progress);
}
}  // namespace

TEST(Attempts, TheBudgetIsRetriesAndTheFirst) {
    Attempts attempts(2);
    int made = 0;
    while (attempts.next()) ++made;
    EXPECT_EQ(made, 3);
    EXPECT_FALSE(attempts.next());
    EXPECT_EQ(attempts.made(), 3U);
    Attempts none(0);
    EXPECT_TRUE(none.next());
    EXPECT_FALSE(none.next());
}

TEST(Attempts, WhatWasNotSentMayAlwaysBeTriedAgain) {
    EXPECT_TRUE(worth(failed(base::Retry::always), false, {}));
    EXPECT_TRUE(worth(failed(base::Retry::idempotent), false, {.request_sent = false}));
}

TEST(Attempts, WhatWasSentIsTriedAgainOnlyIfIdempotent) {
    EXPECT_TRUE(worth(failed(base::Retry::idempotent), true, {.request_sent = true}));
    EXPECT_FALSE(worth(failed(base::Retry::idempotent), false, {.request_sent = true}));
}

TEST(Attempts, NothingIsTriedAgain) {
    EXPECT_FALSE(worth(failed(base::Retry::never), true, {}));
    EXPECT_FALSE(worth(failed(base::Retry::always), true, {.request_sent = true, .response_started = true}));
    EXPECT_FALSE(worth(failed(base::Retry::always), true, {.request_sent = true, .body_replayable = false}));
    EXPECT_FALSE(worth(base::Error::client(base::Code::closed, ""), true, {}));
    EXPECT_FALSE(worth(base::Error::us(base::Code::exhausted), true, {}));
}

TEST(Attempts, Methods) {
    for (const char* method : {"GET", "HEAD", "PUT", "DELETE", "OPTIONS", "TRACE", "PROPFIND"})
        EXPECT_TRUE(is_idempotent(method)) << method;
    for (const char* method : {"POST", "PATCH", "LOCK", "CONNECT", "get", "", "BREW"})
        EXPECT_FALSE(is_idempotent(method)) << method;
}

}  // namespace upstream
