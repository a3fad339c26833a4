#include "schema/node.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "schema/source.h"

namespace schema {
namespace {

Tree yaml(std::string_view text, const Limits& limits = {}) {
    ParseResult result = parse_yaml(text, 0, limits);
    if (auto* problem = std::get_if<Problem>(&result)) ADD_FAILURE() << problem->message;
    return std::holds_alternative<Tree>(result) ? std::move(std::get<Tree>(result)) : Tree();
}
std::string fault(ParseResult result) {
    auto* problem = std::get_if<Problem>(&result);
    return problem == nullptr ? std::string("(parsed)") : problem->message;
}
std::string yaml_fault(std::string_view text, const Limits& limits = {}) { return fault(parse_yaml(text, 0, limits)); }
std::string json_fault(std::string_view text, const Limits& limits = {}) { return fault(parse_json(text, 0, limits)); }

TEST(Yaml, ReadsScalarsAsKongDoes) {
    Tree tree = yaml(
        "a: [1, -2, 0x1f, 0b11, 017, 1_000, 1.5, 1e3, .5, .inf, 99999999999999999999]\n"
        "b: [true, False, yes, No, on, OFF, y, n]\n"
        "c: [~, null, '', \"null\", 'yes', \"1\"]\n"
        "d: [1:30, 1.2.3.4, 0x, 0b2, 1e, '-', +, v1, -.inf]\n");
    auto kinds = [&tree](std::string_view key) {
        std::string out;
        for (const Node& node : tree.root().find(key)->items()) out += "nbidtlm"[static_cast<int>(node.kind())];
        return out;
    };
    EXPECT_EQ(kinds("a"), "iiiiiiddddd");
    EXPECT_EQ(kinds("b"), "bbbbbbtt");
    EXPECT_EQ(kinds("c"), "nntttt");
    EXPECT_EQ(kinds("d"), "ttttttttd");
    auto numbers = tree.root().find("a")->items();
    EXPECT_EQ(numbers[2].as_integer(), 31);
    EXPECT_EQ(numbers[3].as_integer(), 3);
    EXPECT_EQ(numbers[4].as_integer(), 15);
    EXPECT_EQ(numbers[5].as_integer(), 1000);
    EXPECT_DOUBLE_EQ(numbers[7].as_number(), 1000);
    auto odd = tree.root().find("d")->items();
    EXPECT_EQ(odd[0].text(), "1:30");  // sexagesimal in lyaml
    EXPECT_EQ(odd[1].text(), "1.2.3.4");
    EXPECT_EQ(odd[7].text(), "v1");
}

TEST(Yaml, KnowsWhereThingsStand) {
    Tree tree = yaml("a:\n  - b: 1\n    c: [x, y]\n");
    const Node& c = *tree.root().find("a")->items()[0].find("c");
    EXPECT_EQ(c.mark().line, 3u);
    EXPECT_EQ(c.mark().column, 8u);
    EXPECT_EQ(c.items()[1].mark().column, 12u);
    EXPECT_EQ(c.items()[1].mark().byte, 23u);
}

TEST(Yaml, ExpandsAliasesAndMergeKeys) {
    Tree tree = yaml(
        "base: &base {x: 1, y: 2}\n"
        "more: &more {y: 3, z: 4}\n"
        "one: {<<: *base, y: 9}\n"
        "two: {<<: [*base, *more]}\n"
        "three: *base\n"
        "quoted: {'<<': text}\n");
    EXPECT_EQ(tree.root().find("one")->find("x")->as_integer(), 1);
    EXPECT_EQ(tree.root().find("one")->find("y")->as_integer(), 9);
    EXPECT_EQ(tree.root().find("two")->find("y")->as_integer(), 2);  // the earlier map wins
    EXPECT_EQ(tree.root().find("two")->find("z")->as_integer(), 4);
    EXPECT_EQ(tree.root().find("three")->find("y")->as_integer(), 2);
    EXPECT_EQ(tree.root().find("quoted")->find("<<")->text(), "text");
}

TEST(Yaml, RefusesWhatItCannotHold) {
    EXPECT_EQ(yaml_fault("a: 1\nb: 2\na: 3\n"), "3:1: duplicate key 'a' (the first stands at 1:1)");
    EXPECT_EQ(yaml_fault("a: 1\n---\nb: 2\n"), "2:1: a second document in one file");
    EXPECT_EQ(yaml_fault("a: *b\n"), "1:4: alias 'b' names no anchor before it");
    EXPECT_EQ(yaml_fault("a: &a [*a]\n"), "1:8: alias 'a' stands inside its own anchor");
    EXPECT_EQ(yaml_fault("? [a]\n: 1\n"), "1:3: a key must be a plain text, not a list or a map");
    EXPECT_EQ(yaml_fault("a: !ruby/object x\n"), "1:4: unknown tag '!ruby/object'");
    EXPECT_EQ(yaml_fault("a: !!int x\n"), "1:4: 'x' is not a value of the tag '!!int'");
    EXPECT_EQ(yaml_fault("a: {<<: 1}\n"), "1:9: the merge key '<<' takes a map or a list of maps");
    EXPECT_EQ(yaml_fault("services: [\n"), "1:11: did not find expected node content");
    EXPECT_NE(yaml_fault("a: \"\xff\"\n"), "(parsed)");
    EXPECT_NE(yaml_fault(std::string_view("a: \0\n", 5)), "(parsed)");
    EXPECT_NE(yaml_fault("a:\n\t- b\n"), "(parsed)");
}

TEST(Yaml, AnAliasBombIsRefused) {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 20; ++i) {
        std::string before = "*a" + std::to_string(i - 1);
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
        for (int j = 0; j < 9; ++j) bomb += ", " + before;
        bomb += "]\n";
    }
    EXPECT_NE(yaml_fault(bomb).find("aliases write out to more than 1000000 values"), std::string::npos)
        << yaml_fault(bomb);
}

TEST(Yaml, AMergeBombIsRefused) {
    std::string bomb = "m0: &m0 {k: v}\n";
    for (int i = 1; i < 3000; ++i) {
        bomb += "m" + std::to_string(i) + ": &m" + std::to_string(i) + " {<<: *m" + std::to_string(i - 1) + ", k" +
                std::to_string(i) + ": v}\n";
    }
    EXPECT_NE(yaml_fault(bomb).find("aliases write out"), std::string::npos) << yaml_fault(bomb);
}

TEST(Limits, AreNamedAndHeld) {
    Limits limits{.bytes = 100, .depth = 5, .nodes = 20, .alias_nodes = 10};
    std::string long_text(101, 'a');
    EXPECT_EQ(yaml_fault(long_text, limits), "101 bytes are more than the limit of 100 bytes for a configuration file");
    EXPECT_EQ(json_fault(long_text, limits), "101 bytes are more than the limit of 100 bytes for a configuration file");
    EXPECT_EQ(yaml_fault("[[[[[[1]]]]]]", limits), "1:6: nested deeper than 5 levels");
    EXPECT_EQ(json_fault("[[[[[[1]]]]]]", limits), "1:6: nested deeper than 5 levels");
    EXPECT_EQ(yaml_fault("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]", limits),
              "1:53: more than 20 values");
    EXPECT_EQ(json_fault("[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21]", limits),
              "1:53: more than 20 values");
    // Depth costs no stack: a megabyte of brackets is refused, not survived by luck.
    EXPECT_EQ(json_fault(std::string(1 << 20, '[')), "1:65: nested deeper than 64 levels");
    EXPECT_EQ(yaml_fault(std::string(1 << 20, '[')), "1:65: nested deeper than 64 levels");
}

TEST(Json, ReadsTheSameTree) {
    ParseResult result = parse_json("{\n \"a\": [1, -2.5, true, null, \"x\\\"\\\\\\u00e9\"],\n \"b\": {}\n}", 3, {});
    ASSERT_TRUE(std::holds_alternative<Tree>(result)) << fault(std::move(result));
    Tree& tree = std::get<Tree>(result);
    auto items = tree.root().find("a")->items();
    EXPECT_EQ(items[0].as_integer(), 1);
    EXPECT_DOUBLE_EQ(items[1].as_number(), -2.5);
    EXPECT_TRUE(items[2].as_boolean());
    EXPECT_TRUE(items[3].is_null());
    EXPECT_EQ(items[4].text(), "x\"\\\xc3\xa9");
    EXPECT_EQ(items[0].mark().column, 8u);
    EXPECT_EQ(items[1].mark().column, 11u);
    EXPECT_EQ(items[2].mark().column, 17u);
    EXPECT_EQ(items[3].mark().column, 23u);
    EXPECT_EQ(items[4].mark().line, 2u);
    EXPECT_EQ(items[4].mark().column, 29u);
    EXPECT_EQ(items[4].mark().file, 3u);
    EXPECT_EQ(tree.root().find("b")->mark().column, 7u);
}

TEST(Json, RefusesWhatIsNotJson) {
    EXPECT_EQ(json_fault("{\"a\": 1, \"a\": 2}"), "1:10: duplicate key 'a' (the first stands at 1:2)");
    for (std::string_view text : {"", "{", "[1,]", "{\"a\":1,}", "nul", "01", "1.", "[1] 2", "{'a':1}", "[NaN]",
                                  "\"\\x\"", "[1e999]", "/*c*/1", "\"\xff\"", "\"a\nb\""}) {
        EXPECT_NE(json_fault(text), "(parsed)") << text;
    }
    EXPECT_EQ(json_fault("{\n  \"a\": tru\n}").substr(0, 4), "2:11");
}

TEST(Source, ChoosesTheParserByName) {
    auto parsed = [](std::string name, std::string text) {
        return fault(parse({.name = std::move(name), .bytes = std::move(text)}, 0, {}));
    };
    EXPECT_EQ(parsed("a.yaml", "a: 1"), "(parsed)");
    EXPECT_EQ(parsed("x.y/a.yml", "a: 1"), "(parsed)");
    EXPECT_NE(parsed("a.json", "a: 1"), "(parsed)");
    EXPECT_EQ(parsed("config", "a: 1"), "(parsed)");
    EXPECT_EQ(parsed("config", "{\"a\": 1}"), "(parsed)");
    EXPECT_EQ(parsed("a.lua", "a: 1"), "unknown file type: a.lua. (Accepted types: json, yaml)");
}

TEST(Source, RefusesALargeFileBeforeReadingIt) {
    Limits limits{.bytes = 1 << 20};
    base::Result<SourceFile> self = read_file(CARDEA_SOURCE_DIR "/CMakeLists.txt", limits);
    ASSERT_TRUE(self);
    EXPECT_GT(self->bytes.size(), 100u);
    limits.bytes = 10;
    base::Result<SourceFile> large = read_file(CARDEA_SOURCE_DIR "/CMakeLists.txt", limits);
    ASSERT_FALSE(large);
    EXPECT_EQ(large.error().code, base::Code::too_large);
    // Without end, and of no stated size.
    base::Result<SourceFile> endless = read_file("/dev/zero", Limits{.bytes = 1 << 20});
    ASSERT_FALSE(endless);
    EXPECT_EQ(endless.error().code, base::Code::too_large);
    EXPECT_FALSE(read_file(CARDEA_SOURCE_DIR, {}));
    EXPECT_FALSE(read_file("/no/such/file", {}));
}

TEST(Source, AFolderStandsForItsDocuments) {
    base::Result<std::vector<SourceFile>> seeds =
        read_sources({CARDEA_SOURCE_DIR "/tests/fuzz/kong_document_fuzz"}, {});
    ASSERT_TRUE(seeds);
    EXPECT_GT(seeds->size(), 10u);
    EXPECT_TRUE(std::is_sorted(seeds->begin(), seeds->end(),
                               [](const auto& one, const auto& two) { return one.name < two.name; }));
    EXPECT_FALSE(read_sources({CARDEA_SOURCE_DIR "/src/schema"}, {}));  // nothing to read in it
    EXPECT_FALSE(read_sources({"/no/such/place"}, {}));
}

}  // namespace
}  // namespace schema
