// Every plugin's reference page is what its declarations make; CARDEA_REWRITE=1 writes the pages anew.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <string>

#include "plugin/type.h"

namespace plugin {
namespace {

namespace fs = std::filesystem;

fs::path folder() { return fs::path(CARDEA_SOURCE_DIR) / "docs" / "plugins"; }

std::string text_of(const fs::path& file) {
    std::ifstream in(file, std::ios::binary);
    std::ostringstream out;
    out << in.rdbuf();
    return out.str();
}

TEST(PluginPages, AreWhatTheDeclarationsMake) {
    bool rewrites = std::getenv("CARDEA_REWRITE") != nullptr;
    std::set<std::string> expected;
    for (const Type& type : types()) {
        fs::path file = folder() / (std::string(type.name) + ".md");
        expected.insert(file.filename().string());
        if (rewrites) {
            fs::create_directories(folder());
            std::ofstream(file, std::ios::binary) << page(type);
        }
        EXPECT_EQ(text_of(file), page(type)) << file << ": run with CARDEA_REWRITE=1 and look at the change";
    }
    for (const fs::directory_entry& entry : fs::directory_iterator(folder()))
        EXPECT_TRUE(expected.contains(entry.path().filename().string())) << entry.path() << " belongs to no plugin";
}

TEST(PluginPages, SayWhatAPluginIsForAndShowIt) {
    for (const Type& type : types()) {
        EXPECT_FALSE(type.summary.empty()) << type.name;
        EXPECT_FALSE(type.example.empty()) << type.name;
    }
}

}  // namespace
}  // namespace plugin
