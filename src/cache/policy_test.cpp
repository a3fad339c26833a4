#include "cache/policy.h"

#include <gtest/gtest.h>

#include <array>

#include "cache/heads_for_tests.h"
#include "http/date.h"

namespace cache {
namespace {

constexpr Millis now = 1'800'000'000'000;

std::string date(std::int64_t offset) {
    std::array<char, http::date_size> room;
    return std::string(http::write_date(now / a_second + offset, room));
}

Storable storable(int status, const Fields& response, const Fields& request = {}, const PolicyOptions& options = {}) {
    http::ResponseHead head = response_of(status, response);
    return may_store(request_of(request), head, parse_response_control(head.headers), options);
}
Validity validity(const Fields& response, int status = 200, const PolicyOptions& options = {}) {
    http::Headers headers = headers_of(response);
    return validity_of(status, headers, parse_response_control(headers), now, now, options);
}
std::int64_t lifetime(const Fields& response, int status = 200, const PolicyOptions& options = {}) {
    return validity(response, status, options).lifetime / a_second;
}
Use use(const Fields& response, std::int64_t seconds_later, std::string_view asked = "") {
    RequestControl control;
    if (!asked.empty()) control = parse_request_control(headers_of({{"Cache-Control", asked}}));
    return may_serve(validity(response), control, now + seconds_later * a_second);
}

TEST(Storable, Rfc9111_3_OnlyWhatMayBeReused) {
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60"}}), Storable::yes);
    EXPECT_EQ(storable(200, {{"Expires", date(60)}}), Storable::yes);
    EXPECT_EQ(storable(200, {}), Storable::no_lifetime);
    EXPECT_EQ(storable(200, {{"ETag", "\"a\""}}), Storable::yes);  // to be validated
    EXPECT_EQ(storable(200, {{"Last-Modified", date(-86400)}}), Storable::yes);
    EXPECT_EQ(storable(201, {{"Last-Modified", date(-86400)}}), Storable::no_lifetime);
    EXPECT_EQ(storable(599, {{"Last-Modified", date(-86400)}, {"Cache-Control", "public"}}), Storable::yes);
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=0"}}), Storable::no_lifetime);
    EXPECT_EQ(storable(299, {{"Cache-Control", "max-age=60"}}), Storable::yes);
}

TEST(Storable, Rfc9111_3_StatusesThatAreNotWholeOrForbidIt) {
    for (int status : {101, 206, 304, 428, 429, 431, 511}) {
        EXPECT_EQ(storable(status, {{"Cache-Control", "public, max-age=60"}}), Storable::status) << status;
    }
}

TEST(Storable, Rfc9111_3_MethodsButGetAreNot) {
    http::ResponseHead head = response_of(200, {{"Cache-Control", "public, max-age=60"}});
    for (http::Method method : {http::Method::head, http::Method::post, http::Method::put, http::Method::other}) {
        EXPECT_EQ(may_store(request_of({}, method), head, parse_response_control(head.headers), {}), Storable::method);
    }
}

TEST(Storable, Rfc9111_5_2_2_5_NoStoreOfEitherSide) {
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60, no-store"}}), Storable::no_store);
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60"}}, {{"Cache-Control", "no-store"}}), Storable::no_store);
}

TEST(Storable, Rfc9111_5_2_2_7_Private) {
    EXPECT_EQ(storable(200, {{"Cache-Control", "private, max-age=60"}}), Storable::is_private);
    EXPECT_EQ(storable(200, {{"Cache-Control", "public, private, s-maxage=60"}}), Storable::is_private);
    EXPECT_EQ(storable(200, {{"Cache-Control", "private=\"x\", max-age=60"}}), Storable::yes);
}

TEST(Storable, Rfc9111_3_5_AuthorizedAnswersOnlyWhereTheyMayBeShared) {
    Fields authorized = {{"Authorization", "Basic eA=="}};
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60"}}, authorized), Storable::authorization);
    EXPECT_EQ(storable(200, {{"Expires", date(60)}}, authorized), Storable::authorization);
    PolicyOptions options;
    options.default_lifetime = 60;
    EXPECT_EQ(storable(200, {}, authorized, options), Storable::authorization);
    for (std::string_view shared : {"public, max-age=60", "must-revalidate, max-age=60", "s-maxage=60"}) {
        EXPECT_EQ(storable(200, {{"Cache-Control", shared}}, authorized), Storable::yes) << shared;
    }
}

TEST(Storable, Rfc9111_5_2_2_3_MustUnderstand) {
    EXPECT_EQ(storable(599, {{"Cache-Control", "max-age=60, must-understand"}}), Storable::status);
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60, must-understand, no-store"}}), Storable::yes);
    EXPECT_EQ(storable(599, {{"Cache-Control", "max-age=60, must-understand, no-store"}}), Storable::status);
}

TEST(Storable, Rfc9111_7_3_CookiesOnlyWithStatedFreshness) {
    PolicyOptions options;
    options.default_lifetime = 60;
    EXPECT_EQ(storable(200, {{"Set-Cookie", "a=b"}}, {}, options), Storable::cookie);
    EXPECT_EQ(storable(200, {{"Set-Cookie", "a=b"}, {"Last-Modified", date(-86400)}}), Storable::cookie);
    EXPECT_EQ(storable(200, {{"Set-Cookie", "a=b"}, {"Cache-Control", "max-age=60"}}), Storable::yes);
}

TEST(Storable, Rfc9111_4_1_VaryStar) {
    EXPECT_EQ(storable(200, {{"Vary", "A, *"}, {"Cache-Control", "max-age=60"}}), Storable::varies);
}

TEST(Storable, Rfc9111_5_2_2_4_NoCacheNeedsAValidator) {
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60, no-cache"}}), Storable::no_lifetime);
    EXPECT_EQ(storable(200, {{"Cache-Control", "max-age=60, no-cache"}, {"ETag", "\"a\""}}), Storable::yes);
}

TEST(Strip, Rfc9111_3_1_LeavesOutWhatIsNotStored) {
    http::ResponseHead head = response_of(200, {{"Connection", "a, close"},
                                                {"a", "1"},
                                                {"B", "2"},
                                                {"Keep-Alive", "x"},
                                                {"TE", "x"},
                                                {"Upgrade", "x"},
                                                {"Proxy-Connection", "x"},
                                                {"Proxy-Authenticate", "x"},
                                                {"Proxy-Authentication-Info", "x"},
                                                {"Proxy-Authorization", "x"},
                                                {"Age", "5"},
                                                {"Content-Length", "1"},
                                                {"Secret", "s"},
                                                {"Other", "o"},
                                                {"Cache-Control", "private=\"Secret\", no-cache=\"other\""},
                                                {"Set-Cookie", "c=1"}});
    strip_for_storage(head.headers, head.connection, parse_response_control(head.headers));
    EXPECT_EQ(text_of(head.headers), "B: 2\nCache-Control: private=\"Secret\", no-cache=\"other\"\nSet-Cookie: c=1\n");
}

TEST(Lifetime, Rfc9111_4_2_1_Precedence) {
    EXPECT_EQ(lifetime({{"Cache-Control", "s-maxage=1, max-age=2"}, {"Expires", date(3)}}), 1);
    EXPECT_EQ(lifetime({{"Cache-Control", "max-age=0, s-maxage=9"}, {"Expires", date(-3)}}), 9);
    EXPECT_EQ(lifetime({{"Cache-Control", "max-age=2"}, {"Expires", date(-3)}}), 2);
    EXPECT_EQ(lifetime({{"Expires", date(30)}, {"Date", date(10)}}), 20);
    EXPECT_EQ(lifetime({{"Expires", date(30)}}), 30);
    EXPECT_EQ(lifetime({{"Expires", date(30)}, {"Date", "nonsense"}}), 30);
    EXPECT_EQ(lifetime({}), 0);
}

TEST(Lifetime, Rfc9111_5_3_BrokenExpiresIsPast) {
    PolicyOptions options;
    options.default_lifetime = 60;
    for (std::string_view bad : {"0", "-1", "", "soon", "Thu, 18 Aug 2050 02:01:18 AEST"}) {
        EXPECT_EQ(lifetime({{"Expires", bad}}, 200, options), 0) << bad;
    }
    EXPECT_EQ(lifetime({{"Expires", date(30)}, {"Expires", date(30)}}), 0);
    EXPECT_EQ(lifetime({}, 200, options), 60);
}

TEST(Lifetime, Rfc9111_4_2_2_HeuristicIsATenthAndLimited) {
    EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}, {"Date", date(0)}}), 100);
    EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}}), 100);
    EXPECT_EQ(lifetime({{"Last-Modified", date(-100 * 86400)}}), 24 * 3600);
    EXPECT_EQ(lifetime({{"Last-Modified", date(1000)}}), 0);
    EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}, {"Cache-Control", "max-age=5"}}), 5);
    for (int status : {200, 203, 204, 300, 301, 308, 404, 405, 410, 414, 501}) {
        EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}}, status), 100) << status;
    }
    for (int status : {201, 202, 302, 307, 400, 403, 500, 502, 503, 504, 599}) {
        EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}}, status), 0) << status;
        EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}, {"Cache-Control", "public"}}, status), 100) << status;
    }
    PolicyOptions options;
    options.heuristic_percent = 0;
    EXPECT_EQ(lifetime({{"Last-Modified", date(-1000)}}, 200, options), 0);
}

TEST(Age, Rfc9111_4_2_3_TakesTheLargerOfDateAndAge) {
    auto age = [](const Fields& fields, Millis delay = 0) {
        http::Headers headers = headers_of(fields);
        Validity v = validity_of(200, headers, {}, now - delay, now, {});
        return current_age(v, now) / a_second;
    };
    EXPECT_EQ(age({}), 0);
    EXPECT_EQ(age({{"Age", "30"}}), 30);
    EXPECT_EQ(age({{"Age", "30"}}, 5000), 35);
    EXPECT_EQ(age({{"Date", date(-40)}, {"Age", "30"}}, 5000), 40);
    EXPECT_EQ(age({{"Date", date(40)}}), 0);
    EXPECT_EQ(age({{"Age", "x"}}), most_delta);
    Validity v = validity({{"Age", "30"}});
    EXPECT_EQ(age_seconds(v, now + 2999), 32);
    EXPECT_EQ(age_seconds(v, now - 100'000), 30);  // the clock was set back
}

TEST(Serve, Rfc9111_4_2_FreshOrNot) {
    Fields sixty = {{"Cache-Control", "max-age=60"}};
    EXPECT_EQ(use(sixty, 0), Use::serve);
    EXPECT_EQ(use(sixty, 59), Use::serve);
    EXPECT_EQ(use(sixty, 60), Use::validate);
    EXPECT_EQ(use({{"Cache-Control", "max-age=60"}, {"Age", "60"}}, 0), Use::validate);
    EXPECT_EQ(use({{"Cache-Control", "max-age=60, no-cache"}, {"ETag", "\"a\""}}, 0), Use::validate);
}

TEST(Serve, Rfc9111_5_2_1_RequestDirectives) {
    Fields sixty = {{"Cache-Control", "max-age=60"}};
    EXPECT_EQ(use(sixty, 1, "no-cache"), Use::validate);
    EXPECT_EQ(use(sixty, 0, "max-age=0"), Use::validate);
    EXPECT_EQ(use(sixty, 10, "max-age=10"), Use::serve);
    EXPECT_EQ(use(sixty, 11, "max-age=10"), Use::validate);
    EXPECT_EQ(use(sixty, 10, "min-fresh=50"), Use::serve);
    EXPECT_EQ(use(sixty, 11, "min-fresh=50"), Use::validate);
    EXPECT_EQ(use(sixty, 70, "max-stale=10"), Use::serve);
    EXPECT_EQ(use(sixty, 71, "max-stale=10"), Use::validate);
    EXPECT_EQ(use(sixty, 1'000'000, "max-stale"), Use::serve);
    EXPECT_EQ(use(sixty, 70, "max-stale=10, max-age=60"), Use::validate);
}

TEST(Serve, Rfc9111_4_2_4_NeverStaleWhereForbidden) {
    for (std::string_view control : {"max-age=60, must-revalidate", "max-age=60, proxy-revalidate", "s-maxage=60"}) {
        Fields fields = {{"Cache-Control", control}, {"ETag", "\"a\""}};
        EXPECT_EQ(use(fields, 59, "max-stale"), Use::serve) << control;
        EXPECT_EQ(use(fields, 61, "max-stale"), Use::validate) << control;
        EXPECT_FALSE(may_serve_on_error(validity(fields), {}, now + 61 * a_second)) << control;
    }
    Fields both = {{"Cache-Control", "max-age=60, must-revalidate, stale-while-revalidate=60, stale-if-error=60"}};
    EXPECT_EQ(use(both, 61), Use::validate);
    EXPECT_FALSE(may_serve_on_error(validity(both), {}, now + 61 * a_second));
}

TEST(Serve, Rfc5861_3_StaleWhileRevalidate) {
    Fields fields = {{"Cache-Control", "max-age=60, stale-while-revalidate=30"}};
    EXPECT_EQ(use(fields, 59), Use::serve);
    EXPECT_EQ(use(fields, 61), Use::serve_and_refresh);
    EXPECT_EQ(use(fields, 90), Use::validate);
    EXPECT_EQ(use(fields, 61, "no-cache"), Use::validate);
    EXPECT_EQ(use(fields, 61, "max-age=60"), Use::validate);
    EXPECT_EQ(use(fields, 61, "min-fresh=0"), Use::validate);
    EXPECT_EQ(use({{"Cache-Control", "s-maxage=60, stale-while-revalidate=30"}}, 61), Use::serve_and_refresh);
}

TEST(Serve, Rfc5861_4_StaleIfError) {
    Validity v = validity({{"Cache-Control", "max-age=60, stale-if-error=30"}});
    EXPECT_TRUE(may_serve_on_error(v, {}, now + 90 * a_second));
    EXPECT_FALSE(may_serve_on_error(v, {}, now + 91 * a_second));
    RequestControl asked = parse_request_control(headers_of({{"Cache-Control", "stale-if-error=60"}}));
    EXPECT_TRUE(may_serve_on_error(v, asked, now + 120 * a_second));
    asked.no_cache = true;
    EXPECT_FALSE(may_serve_on_error(v, asked, now + 61 * a_second));
    EXPECT_FALSE(may_serve_on_error(validity({{"Cache-Control", "max-age=60"}}), {}, now + 61 * a_second));
    EXPECT_TRUE(is_server_failure(503) && !is_server_failure(501) && !is_server_failure(404));
}

TEST(Serve, OptionsFillInWhatTheResponseDoesNotSay) {
    PolicyOptions options;
    options.stale_while_revalidate = 10;
    options.stale_if_error = 20;
    Validity v = validity({{"Cache-Control", "max-age=60"}}, 200, options);
    EXPECT_EQ(may_serve(v, {}, now + 65 * a_second), Use::serve_and_refresh);
    EXPECT_TRUE(may_serve_on_error(v, {}, now + 80 * a_second));
    EXPECT_EQ(validity({{"Cache-Control", "s-maxage=60"}}, 200, options).while_stale, 0);
    EXPECT_EQ(validity({{"Cache-Control", "max-age=60, must-revalidate"}}, 200, options).on_error, 0);
}

TEST(Keep, IsAsLongAsItMayBeOfUse) {
    EXPECT_EQ(validity({{"Cache-Control", "max-age=60"}}).keep_until, now + 60'000);
    EXPECT_EQ(validity({{"Cache-Control", "max-age=60"}, {"Age", "50"}}).keep_until, now + 10'000);
    EXPECT_EQ(validity({{"Cache-Control", "max-age=60, stale-if-error=30"}}).keep_until, now + 90'000);
    EXPECT_EQ(validity({{"Cache-Control", "max-age=60"}, {"ETag", "\"a\""}}).keep_until, now + 3'660'000);
}

TEST(Invalidation, Rfc9111_4_4_UnsafeMethodsThatSucceeded) {
    for (http::Method method :
         {http::Method::post, http::Method::put, http::Method::delete_, http::Method::patch, http::Method::other}) {
        EXPECT_TRUE(invalidates(request_of({}, method), 200) && invalidates(request_of({}, method), 303));
        EXPECT_FALSE(invalidates(request_of({}, method), 500) || invalidates(request_of({}, method), 404));
    }
    for (http::Method method : {http::Method::get, http::Method::head, http::Method::options, http::Method::trace}) {
        EXPECT_FALSE(invalidates(request_of({}, method), 200));
    }
}

TEST(Invalidation, Rfc9111_4_4_OnlyTheSameOrigin) {
    auto target = [](std::string_view reference) {
        return same_origin_target(reference, "http", "a.example:8000", "/b/c").value_or("none");
    };
    EXPECT_EQ(target("/x?y=1#z"), "/x?y=1");
    EXPECT_EQ(target("d"), "/b/d");
    EXPECT_EQ(target("../d"), "/d");
    EXPECT_EQ(target("?q"), "/b/c?q");
    EXPECT_EQ(target("http://A.example:8000/x"), "/x");
    EXPECT_EQ(target("HTTP://a.example:8000"), "/");
    EXPECT_EQ(target("http://a.example:8000?q"), "/?q");
    EXPECT_EQ(target("//a.example:8000/x"), "/x");
    for (std::string_view other : {"http://a.example/x", "http://b.example:8000/x", "https://a.example:8000/x",
                                   "//b.example/x", "mailto:x", "http:x", "http://u@a.example:8000/x"}) {
        EXPECT_EQ(target(other), "none") << other;
    }
    EXPECT_EQ(same_origin_target("http://a.example:80/x", "http", "a.example", "/").value_or("none"), "/x");
    EXPECT_EQ(same_origin_target("https://[::1]/x", "https", "[::1]:443", "/").value_or("none"), "/x");
}

}  // namespace
}  // namespace cache
