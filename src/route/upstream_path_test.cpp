#include "route/upstream_path.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace route {
namespace {

struct Row {
    const char* base;
    const char* matched;
    const char* path;
    const char* stripped;
    const char* kept;
};

void expect_rows(PathHandling handling, std::initializer_list<Row> rows) {
    for (const Row& row : rows) {
        base::Arena arena;
        EXPECT_EQ(upstream_path(row.base, row.path, row.matched, StripPath::yes, handling, arena), row.stripped)
            << row.base << " + " << row.path << " without " << row.matched;
        EXPECT_EQ(upstream_path(row.base, row.path, row.matched, StripPath::no, handling, arena), row.kept)
            << row.base << " + " << row.path;
    }
}

TEST(UpstreamPath, V0) {
    expect_rows(PathHandling::v0, {
                                      // The base is the root.
                                      {"/", "/", "/", "/", "/"},
                                      {"", "/", "/", "/", "/"},
                                      {"/", "", "/x", "/x", "/x"},
                                      {"/", "/route", "/route", "/", "/route"},
                                      {"/", "/route", "/route/", "/", "/route/"},
                                      {"/", "/route/", "/route/", "/", "/route/"},
                                      {"/", "/route", "/routereq", "/req", "/routereq"},
                                      {"/", "/route", "/route/req", "/req", "/route/req"},
                                      {"/", "/route/", "/route/req", "/req", "/route/req"},
                                      // What is left must be no way up for anybody.
                                      {"/srv", "/a", "/a../b", "/srv/b", "/srv/a../b"},
                                      {"/srv", "/a", "/a..", "/srv", "/srv/a.."},
                                      {"/srv", "/a", "/a..\\b", "/srv/\\b", "/srv/a..\\b"},
                                      {"/srv", "/a", "/a..%2Fb", "/srv/%2Fb", "/srv/a..%2Fb"},
                                      {"/srv", "/a", "/a..;/b", "/srv/;/b", "/srv/a..;/b"},
                                      {"/srv", "/a", "/a.;/b", "/srv/;/b", "/srv/a.;/b"},
                                      {"/srv", "/a", "/a...;/b", "/srv/...;/b", "/srv/a...;/b"},
                                      // The base ends in a slash.
                                      {"/srv/", "/", "/", "/srv/", "/srv/"},
                                      {"/srv/", "/rou", "/rou", "/srv", "/srv/rou"},
                                      {"/srv/", "/rou", "/rou/", "/srv/", "/srv/rou/"},
                                      {"/srv/", "/rou/", "/rou/", "/srv/", "/srv/rou/"},
                                      {"/srv/", "/rou", "/roureq", "/srv/req", "/srv/roureq"},
                                      {"/srv/", "/rou", "/rou/req", "/srv/req", "/srv/rou/req"},
                                      // The base does not.
                                      {"/srv", "/", "/", "/srv", "/srv"},
                                      {"/srv", "/rou", "/rou", "/srv", "/srv/rou"},
                                      {"/srv", "/rou", "/rou/", "/srv/", "/srv/rou/"},
                                      {"/srv", "/rou/", "/rou/", "/srv/", "/srv/rou/"},
                                      {"/srv", "/rou", "/roureq", "/srv/req", "/srv/roureq"},
                                      {"/srv", "/rou", "/rou/req", "/srv/req", "/srv/rou/req"},
                                      {"/srv", "/rou/", "/rou/req", "/srv/req", "/srv/rou/req"},
                                      {"/srv", "", "/rou/req", "/srv/rou/req", "/srv/rou/req"},
                                      {"/srv", "", "/", "/srv", "/srv"},
                                      {"/srv", "", "/rou/", "/srv/rou/", "/srv/rou/"},
                                      {"/srv/", "", "/", "/srv/", "/srv/"},
                                      {"/srv/", "", "/rou", "/srv/rou", "/srv/rou"},
                                      {"/", "", "/", "/", "/"},
                                      {"/srv/", "/", "/rou", "/srv/rou", "/srv/rou"},
                                      {"/srv/", "/", "/rou/req", "/srv/rou/req", "/srv/rou/req"},
                                      {"/srv", "/", "/rou/", "/srv/rou/", "/srv/rou/"},
                                  });
}

TEST(UpstreamPath, V1) {
    expect_rows(PathHandling::v1, {
                                      {"/", "/", "/", "/", "/"},
                                      {"/", "/route", "/route", "/", "/route"},
                                      {"/", "/route", "/route/", "/", "/route/"},
                                      {"/", "/route", "/routereq", "/req", "/routereq"},
                                      {"/srv", "/rou", "/roureq", "/srvreq", "/srvroureq"},
                                      {"/srv", "/rou", "/rou/req", "/srv/req", "/srvrou/req"},
                                      {"/srv/", "/rou", "/rou/req", "/srv/req", "/srv/rou/req"},
                                      {"/srv/", "/rou", "/roureq", "/srv/req", "/srv/roureq"},
                                      {"/srv", "/rou", "/rou", "/srv", "/srvrou"},
                                      {"/srv", "", "/req", "/srvreq", "/srvreq"},
                                      {"/srv", "", "/", "/srv", "/srv"},
                                      {"/srv", "", "/req/", "/srvreq/", "/srvreq/"},
                                      {"/srv/", "", "/req", "/srv/req", "/srv/req"},
                                      {"/srv/", "", "/", "/srv/", "/srv/"},
                                      {"/", "", "/req/", "/req/", "/req/"},
                                      {"/srv", "/", "/", "/srv", "/srv"},
                                      {"/srv", "/", "/req", "/srvreq", "/srvreq"},
                                      {"/srv", "/rou", "/rou/", "/srv/", "/srvrou/"},
                                      {"/srv", "/rou/", "/rou/", "/srv", "/srvrou/"},
                                      {"/srv", "/rou/", "/rou/req", "/srvreq", "/srvrou/req"},
                                      {"/srv/", "/rou", "/rou", "/srv/", "/srv/rou"},
                                      {"/srv/", "/rou", "/rou/", "/srv/", "/srv/rou/"},
                                      {"/srv/", "/rou/", "/rou/", "/srv/", "/srv/rou/"},
                                      {"/srv/", "/rou/", "/rou/req", "/srv/req", "/srv/rou/req"},
                                  });
}

// What a real Kong 3.9.1 did with a service at /base.
TEST(UpstreamPath, AsObserved) {
    expect_rows(PathHandling::v0, {{"/base", "/plain", "/plain/x", "/base/x", "/base/plain/x"},
                                   {"/base", "/nostrip", "/nostrip/x", "/base/x", "/base/nostrip/x"},
                                   {"/base", "/plain", "/plain", "/base", "/base/plain"},
                                   {"/base", "/plain", "/plain/", "/base/", "/base/plain/"},
                                   {"/base", "/plain", "/plainfoo", "/base/foo", "/base/plainfoo"},
                                   {"/base", "/rx/ab/12", "/rx/ab/12/tail", "/base/tail", "/base/rx/ab/12/tail"},
                                   {"/base", "/plain", "/plain/a%2Fb%20c", "/base/a%2Fb%20c", "/base/plain/a%2Fb%20c"},
                                   {"/base", "/plain", "/plain/;v=1/x", "/base/;v=1/x", "/base/plain/;v=1/x"},
                                   {"/base", "/plain", "/plain/x#frag", "/base/x#frag", "/base/plain/x#frag"},
                                   {"/base", "/plain", "/plain/~user/A", "/base/~user/A", "/base/plain/~user/A"}});
}

TEST(UpstreamPath, StrippingLeavesNoDots) {
    expect_rows(PathHandling::v0, {{"/srv", "/a", "/a../b", "/srv/b", "/srv/a../b"},
                                   {"/srv", "/a", "/a./b", "/srv/b", "/srv/a./b"},
                                   {"/srv", "/a", "/a..", "/srv", "/srv/a.."},
                                   {"/srv", "/a", "/a.", "/srv", "/srv/a."},
                                   {"/srv", "/a", "/a../", "/srv/", "/srv/a../"},
                                   {"/", "/a", "/a../b", "/b", "/a../b"},
                                   {"/srv", "/a", "/a...", "/srv/...", "/srv/a..."},
                                   {"/srv", "/a", "/a.b", "/srv/.b", "/srv/a.b"}});
    expect_rows(PathHandling::v1, {{"/srv/", "/a", "/a../b", "/srv/b", "/srv/a../b"}});
}

bool is_normal(std::string_view path) {
    return path.starts_with('/') && path.find("//") == path.npos && path.find("/../") == path.npos &&
           path.find("/./") == path.npos && !path.ends_with("/..") && !path.ends_with("/.");
}

TEST(UpstreamPath, StaysNormalAndUnderItsBase) {
    const std::string letters = "ab/.";
    for (unsigned seed = 1; seed <= 20000; ++seed) {
        std::mt19937 random(seed);
        auto text = [&] {
            std::string out = "/";
            for (std::size_t n = random() % 7; n > 0; --n) out += letters[random() % letters.size()];
            return out;
        };
        std::string base = text();
        std::string path = text();
        if (!is_normal(base) || !is_normal(path)) continue;
        std::string_view matched = std::string_view(path).substr(0, random() % (path.size() + 1));
        base::Arena arena;
        for (StripPath strip : {StripPath::no, StripPath::yes}) {
            std::string_view v0 = upstream_path(base, path, matched, strip, PathHandling::v0, arena);
            EXPECT_TRUE(is_normal(v0)) << "seed " << seed << " " << base << " " << path << " " << matched << " -> "
                                       << v0;
            std::string_view root = std::string_view(base).substr(0, base.size() - base.ends_with('/'));
            EXPECT_TRUE(v0.starts_with(root)) << "seed " << seed << " " << base << " " << path << " -> " << v0;
            std::string_view v1 = upstream_path(base, path, matched, strip, PathHandling::v1, arena);
            EXPECT_TRUE(v1.starts_with(base)) << "seed " << seed << " " << base << " " << path << " -> " << v1;
        }
    }
}

}  // namespace
}  // namespace route
