// docs/reference is made from the schema; these tests hold the committed pages to it. CARDEA_REWRITE=1 writes them.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "dialect/kong/check.h"
#include "dialect/kong/plugins_for_tests.h"

namespace kong {
namespace {

TEST(Reference, PagesAreThoseOfTheSchema) {
    const std::filesystem::path folder = CARDEA_SOURCE_DIR "/docs/reference";
    for (const ReferencePage& page : reference_pages()) {
        if (std::getenv("CARDEA_REWRITE") != nullptr) {
            std::filesystem::create_directories(folder);
            std::ofstream(folder / page.file) << page.text;
        }
        std::ifstream in(folder / page.file);
        std::stringstream text;
        text << in.rdbuf();
        EXPECT_EQ(text.str(), page.text) << page.file;
    }
}

TEST(Schema, IsJson) {
    for (std::string_view name :
         {"", "service", "routes", "upstream", "target", "plugin", "jwt_secret", "certificate", "rate-limiting"}) {
        std::string out;
        EXPECT_EQ(print_schema(name, for_tests::plugins(), out), 0) << name;
        EXPECT_TRUE(std::holds_alternative<schema::Tree>(schema::parse_json(out, 0, {}))) << out;
    }
}

TEST(Schema, SaysSoIfThereIsNone) {
    std::string out;
    EXPECT_EQ(print_schema("servise", {}, out), 1);
    EXPECT_EQ(out, "no entity or plugin named 'servise'; did you mean 'service'?\n");
}

}  // namespace
}  // namespace kong
