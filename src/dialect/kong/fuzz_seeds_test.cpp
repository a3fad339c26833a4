// Replays the seeds of the fuzz target on every test run.
#include <gtest/gtest.h>

#include <filesystem>

#include "dialect/kong/check.h"

namespace kong {
namespace {

TEST(FuzzSeeds, EndInADocumentOrInProblems) {
    int seeds = 0;
    for (const auto& entry : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/kong_document_fuzz")) {
        base::Result<schema::SourceFile> seed = schema::read_file(entry.path().string(), {});
        ASSERT_TRUE(seed);
        ++seeds;
        for (const char* name : {"a.yaml", "a.json"}) {
            LoadOptions options;
            options.limits = {.bytes = 1 << 16, .depth = 32, .nodes = 20000, .alias_nodes = 5000};
            std::string out;
            int code = check({{.name = name, .bytes = seed->bytes}}, options, CheckFormat::kong, out);
            EXPECT_TRUE(code == 0 || out.starts_with("Error: Failed parsing:\n")) << out;
        }
    }
    EXPECT_GE(seeds, 10);
}

}  // namespace
}  // namespace kong
