#include "plugin/template.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>
#include <string>

#include "plugin/template_checks_for_tests.h"

namespace plugin {
namespace {

const RequestForTests& request() {
    static const RequestForTests environment;
    return environment;
}

std::string rendered(std::string_view source) {
    auto compiled = Template::compile(source);
    if (!compiled) return "refused: " + compiled.error().detail;
    base::Arena arena;
    auto result = compiled->render(request(), arena);
    return result ? std::string(result->text) : "raised: " + result.error().detail;
}
// The value of one expression as Lua prints it, nil and false included.
std::string value(std::string_view expression) { return rendered("$(tostring(" + std::string(expression) + "))"); }

TEST(Template, LeavesPlainTextAlone) {
    for (std::string_view source : {"", "plain", "100%", "$", "$x", "a$b (c)", "{{x}}", "#if", "$$", "\xff\n"}) {
        auto compiled = Template::compile(source);
        ASSERT_TRUE(compiled) << source;
        EXPECT_TRUE(compiled->is_plain());
        EXPECT_EQ(rendered(source), source);
    }
    EXPECT_FALSE(Template::compile("$(nil)")->is_plain());
}

// kong.md 4.11 and the templates of the recorded cases.
TEST(Template, RendersKongsExamples) {
    EXPECT_EQ(rendered("$(headers.x or \"d\")"), "d");
    EXPECT_EQ(rendered("$(headers[\"X-User-Id\"])"), "7");
    EXPECT_EQ(rendered("$(headers.x_user_id)$(headers.X_User_Id)"), "77");
    EXPECT_EQ(rendered("$(query_params.user)"), "alice");
    EXPECT_EQ(rendered("$(uri_captures.id)"), "42");
    EXPECT_EQ(rendered("/new/$(uri_captures.id)/$(uri_captures['id'])"), "/new/42/42");
    EXPECT_EQ(rendered("$(\"/\" .. uri_captures[\"id\"] .. \"/x\")"), "/42/x");
    EXPECT_EQ(rendered("$(uri_captures[1])"), "42");
    EXPECT_EQ(rendered("$(headers.host)-$(query_params.q)"), "gw.example-");
    EXPECT_EQ(rendered("$(consumer.username)/$(consumer.custom_id)"), "alice/");
    EXPECT_EQ(rendered("$(headers.authorization:gsub('Bearer%s+', ''))"), "tok.en");
    EXPECT_EQ(rendered("$(headers.x_user_id == '7' and 'seven' or 'other')"), "seven");
    EXPECT_EQ(rendered("$(type(headers.x_two) == 'table' and headers.x_two[1] or headers.x_two)"), "one");
    EXPECT_EQ(rendered("$(query_params.bare)"), "true");
    EXPECT_EQ(rendered("$(shared.nothing)"), "");
}

TEST(Template, ANameWithUnderscoresIsFirstAskedForAsItIs) {
    EXPECT_EQ(rendered("$(headers.under_score)"), "own");
    EXPECT_EQ(rendered("$(query_params.a_b)$(query_params['a-b'])"), "dash");
}

TEST(Template, SaysWhetherSomethingWasNil) {
    base::Arena arena;
    for (const auto& [source, has_nil] : std::map<std::string_view, bool>{
             {"$(headers.x)", true}, {"a$(false)", true}, {"$(nil or 'x')", false}, {"$('')", false}, {"x", false}}) {
        EXPECT_EQ(Template::compile(source)->render(request(), arena)->has_nil, has_nil) << source;
    }
}

TEST(Template, SeveralFieldsAreOneList) {
    EXPECT_EQ(rendered("$(headers.x_two)"), "one, two");
    EXPECT_EQ(value("#headers.x_two"), "2");
    EXPECT_EQ(value("headers.x_two[3]"), "nil");
    EXPECT_EQ(value("headers.x_two.x"), "nil");
    EXPECT_EQ(value("headers.x_two == 'one'"), "false");
    EXPECT_EQ(value("headers.x_two .. 'x'"), "raised: attempt to concatenate a table value");
    EXPECT_EQ(value("headers.x_two:upper()"), "raised: string expected, got table");
}

TEST(Template, KeepsLuasPrecedence) {
    EXPECT_EQ(value("1 + 2 * 3"), "7");
    EXPECT_EQ(value("(1 + 2) * 3"), "9");
    EXPECT_EQ(value("2 ^ 3 ^ 2"), "512");
    EXPECT_EQ(value("-2 ^ 2"), "-4");
    EXPECT_EQ(value("2 ^ -1"), "0.5");
    EXPECT_EQ(value("10 - 2 - 3"), "5");
    EXPECT_EQ(value("not nil == true"), "true");
    EXPECT_EQ(value("1 .. 2 == '12'"), "true");
    EXPECT_EQ(value("1 + 1 .. ''"), "2");
    EXPECT_EQ(value("false or nil and 1"), "nil");
    EXPECT_EQ(value("nil and nil.x or 'kept'"), "refused: byte 23: '.' is not expected here");
    EXPECT_EQ(value("1 < 2 and 'b' > 'a' and 2 >= 2 and 2 <= 2 and 1 ~= 2"), "true");
    EXPECT_EQ(value("'a' < 'b'"), "true");
    EXPECT_EQ(value("'a' .. 'b' .. 'c'"), "abc");
    EXPECT_EQ(value("- - 1"), "1");
    EXPECT_EQ(value("#'abc' + 1"), "4");
    EXPECT_EQ(value("not not 0"), "true");
}

TEST(Template, CalculatesAsLua) {
    EXPECT_EQ(value("1 / 2"), "0.5");
    EXPECT_EQ(value("1 / 0"), "inf");
    EXPECT_EQ(value("5 % 3"), "2");
    EXPECT_EQ(value("-5 % 3"), "1");
    EXPECT_EQ(value("'10' + 5"), "15");
    EXPECT_EQ(value("'0x10' + 0"), "16");
    EXPECT_EQ(value("0xff"), "255");
    EXPECT_EQ(value("1e3"), "1000");
    EXPECT_EQ(value("1e100"), "1e+100");
    EXPECT_EQ(value("0.1 + 0.2"), "0.3");
    EXPECT_EQ(value(".5"), "0.5");
    EXPECT_EQ(value("tonumber(' 12 ')"), "12");
    EXPECT_EQ(value("tonumber('12x')"), "nil");
    EXPECT_EQ(value("tonumber('inf')"), "nil");
    EXPECT_EQ(value("tonumber('')"), "nil");
    EXPECT_EQ(value("tonumber(headers.x_user_id) + 1"), "8");
    EXPECT_EQ(value("'x' + 1"), "raised: attempt to perform arithmetic on a string value");
    EXPECT_EQ(value("1 < '2'"), "raised: attempt to compare number with string");
    EXPECT_EQ(value("headers.x .. 'a'"), "raised: attempt to concatenate a nil value");
    EXPECT_EQ(value("headers.x.y"), "raised: attempt to index a nil value");
    EXPECT_EQ(value("headers.x:upper()"), "raised: string expected, got nil");
    EXPECT_EQ(value("#nil"), "raised: attempt to get length of a nil value");
    EXPECT_EQ(value("nil == false"), "false");
}

TEST(Template, HasTheMethodsOfStrings) {
    EXPECT_EQ(value("('abcdef'):sub(2, 4)"), "bcd");
    EXPECT_EQ(value("('abcdef'):sub(-2)"), "ef");
    EXPECT_EQ(value("('abcdef'):sub(0)"), "abcdef");
    EXPECT_EQ(value("('abcdef'):sub(-100, 2)"), "ab");
    EXPECT_EQ(value("('abcdef'):sub(4, 2)"), "");
    EXPECT_EQ(value("('abc'):sub(2, -9999999999)"), "");
    EXPECT_EQ(value("('aBc1'):upper()"), "ABC1");
    EXPECT_EQ(value("string.lower('ABC')"), "abc");
    EXPECT_EQ(value("('abc'):len()"), "3");
    EXPECT_EQ(value("('abc'):reverse()"), "cba");
    EXPECT_EQ(value("('ab'):rep(3)"), "ababab");
    EXPECT_EQ(value("('ab'):rep(-1)"), "");
    EXPECT_EQ(value("('A'):byte()"), "65");
    EXPECT_EQ(value("('AB'):byte(-1)"), "66");
    EXPECT_EQ(value("('A'):byte(2)"), "nil");
    EXPECT_EQ(value("('A'):byte(0)"), "nil");
    EXPECT_EQ(value("('a.b'):find('.', 1, true)"), "2");
    EXPECT_EQ(value("('abc'):find('c')"), "3");
    EXPECT_EQ(value("('abc'):find('b', 3)"), "nil");
    EXPECT_EQ(value("('abc'):find('', 10)"), "4");
    EXPECT_EQ(value("('key=val'):match('=(.*)')"), "val");
    EXPECT_EQ(value("('key=val'):match('^%a+')"), "key");
    EXPECT_EQ(value("('key'):match('()y')"), "3");
    EXPECT_EQ(value("(5):rep(2)"), "55");
    EXPECT_EQ(value("headers.authorization:sub(8):upper():lower()"), "tok.en");
}

// The results of Lua 5.1 for the same calls.
TEST(Template, ReplacesAsLua) {
    EXPECT_EQ(value("('hello world'):gsub('o', '0')"), "hell0 w0rld");
    EXPECT_EQ(value("('hello world'):gsub('o', '0', 1)"), "hell0 world");
    EXPECT_EQ(value("('hello'):gsub('', '-')"), "-h-e-l-l-o-");
    EXPECT_EQ(value("('hello world'):gsub('(%w+)', '<%1>')"), "<hello> <world>");
    EXPECT_EQ(value("('hello world'):gsub('%w+', '%0 %0', 1)"), "hello hello world");
    EXPECT_EQ(value("('abc'):gsub('%w', '%%%0')"), "%a%b%c");
    EXPECT_EQ(value("('abc'):gsub('^a', 'x')"), "xbc");
    EXPECT_EQ(value("('aaa'):gsub('^a', 'x')"), "xaa");
    EXPECT_EQ(value("('abc'):gsub('%w', '%1')"), "abc");
    EXPECT_EQ(value("('abc'):gsub('b*', 'x')"), "xaxxcx");
    EXPECT_EQ(value("('a b'):gsub('(%a) (%a)', '%2 %1')"), "b a");
    EXPECT_EQ(value("('abc'):gsub('b', '%2')"), "raised: invalid capture index in the replacement");
    EXPECT_EQ(value("('x'):gsub(('%'):rep(1), '')"), "raised: malformed pattern");
}

TEST(Template, EscapesOfTexts) {
    EXPECT_EQ(value(R"('a\'b\"\\\65\n')"), "a'b\"\\A\n");
    EXPECT_EQ(value("'a)b'"), "a)b");
}

TEST(Template, RefusesWhatIsNotTakenAndSaysWhere) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"ab$(os.time())",
         "byte 5: there is no 'os' in templates: they know headers, query_params, uri_captures, "
         "shared, consumer, string, tostring, tonumber and type"},
        {"$(headers.x", "byte 1: this $( has no matching )"},
        {"$(", "byte 3: the expression ends too early"},
        {"$()", "byte 3: ')' is not expected here"},
        {"$(headers)", "byte 10: headers is a table: say which of it, as in headers.name"},
        {"$(function() end)", "byte 3: 'function' is not taken in templates"},
        {"$({})", "byte 3: tables are not taken in templates"},
        {"$(1 -- x)", "byte 5: comments are not taken in templates"},
        {"$([[x]])", "byte 3: texts in [[ ]] are not taken in templates; use \" or '"},
        {"$('x)", "byte 3: this text is not closed"},
        {"$('x\n')", "byte 3: this text is not closed on its line"},
        {"$('\\q')", "byte 4: this escape is not taken in templates"},
        {"$('\\256')", "byte 4: an escape is at most \\255"},
        {"$(12x)", "byte 3: this is not a number"},
        {"$(1..2)", "byte 3: this is not a number"},
        {"$(string.format('%s', 1))",
         "byte 10: 'format' is not taken in templates; of strings there are byte, find, gsub, len, lower, match, rep, "
         "reverse, sub and upper"},
        {"$(headers.x:dump())",
         "byte 13: 'dump' is not taken in templates; of strings there are byte, find, gsub, len, lower, match, rep, "
         "reverse, sub and upper"},
        {"$(headers.x())", "byte 12: only methods of strings, string.*, tostring, tonumber and type can be called"},
        {"$(headers.x:sub())", "byte 13: sub takes 2 to 3 arguments, the text included; here are 1"},
        {"$(headers.x:sub 'a')", "byte 17: a method needs its arguments in ( )"},
        {"$(type)", "byte 7: type is a function: it needs an argument in ( )"},
        {"$(consumer.password)", "byte 12: of a consumer there are id, username and custom_id"},
        {"$(headers.x:gsub('[a', ''))", "byte 13: bad pattern: a '[' without its ']'"},
        {"$(headers.x:gsub('(a', ''))", "byte 13: bad pattern: a '(' without its ')'"},
        {"$(headers.x:rep(headers.x:find('a')))",
         "byte 13: find, gsub and match give several values: put the call in ( ) to pass the first"},
        {"$(1 2)", "byte 5: '2' is not expected here"},
        {"$(headers.x headers.y)", "byte 13: 'headers' is not expected here"},
        {"$(a = 1)",
         "byte 3: there is no 'a' in templates: they know headers, query_params, uri_captures, shared, "
         "consumer, string, tostring, tonumber and type"},
        {"$(headers.x = 1)", "byte 13: '=' is not expected here"},
        {"$(\x01)", "byte 3: this byte is not expected here"},
    };
    for (const auto& [source, message] : cases) {
        EXPECT_EQ(rendered(source), "refused: " + std::string(message)) << source;
    }
    EXPECT_EQ(rendered("$(headers.authorization:rep((('abc'):find('b'))))"), "Bearer tok.enBearer tok.en");
}

TEST(Template, BoundsWhatIsCompiled) {
    std::string open(200, '(');
    EXPECT_EQ(rendered("$(" + open), "refused: byte 103: an expression is at most 100 levels deep");
    std::string negations;
    for (int i = 0; i < 200; ++i) negations += "not ";
    EXPECT_NE(rendered("$(" + negations + "1)").find("100 levels deep"), std::string::npos);
    std::string sum = "1";
    for (int i = 0; i < 200; ++i) sum += "+1";
    EXPECT_NE(rendered("$(" + sum + ")").find("100 levels deep"), std::string::npos);
    std::string many;
    for (int i = 0; i < 2001; ++i) many += "$(1)";
    EXPECT_NE(rendered(many).find("at most 2000 parts"), std::string::npos);
    EXPECT_EQ(rendered(std::string(Template::max_source_bytes + 1, 'x')),
              "refused: a template is at most 16384 bytes long");
}

TEST(Template, BoundsWhatIsRendered) {
    EXPECT_EQ(rendered("$(('x'):rep(65536):len())"), "65536");
    EXPECT_EQ(rendered("$(('x'):rep(65537))"), "raised: a text of more than 65536 bytes");
    EXPECT_EQ(rendered("$(('x'):rep(1e300))"), "raised: a text of more than 65536 bytes");
    EXPECT_EQ(rendered("$(('xyz'):rep(1e18))"), "raised: a text of more than 65536 bytes");
    EXPECT_EQ(rendered("$(('x'):rep(300):gsub('x', ('y'):rep(300)))"), "raised: a text of more than 65536 bytes");
    std::string worst = "$(('a'):rep(1000):find('a*a*a*a*a*a*b'))";
    EXPECT_EQ(rendered(worst), "raised: too many steps");
    EXPECT_EQ(rendered("$(('a'):find(('a'):rep(257)))"), "raised: a pattern of more than 256 bytes");
    auto compiled = Template::compile("$(('x'):rep(65537))");
    base::Arena arena;
    EXPECT_EQ(compiled->render(request(), arena).error().code, base::Code::too_large);
}

TEST(Template, HoldsForEverySeedOfTheFuzzer) {
    std::size_t seeds = 0;
    for (const auto& file : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/template_fuzz")) {
        std::ifstream stream(file.path(), std::ios::binary);
        std::stringstream bytes;
        bytes << stream.rdbuf();
        check_template(bytes.str());
        ++seeds;
    }
    EXPECT_GT(seeds, 5U);
}

}  // namespace
}  // namespace plugin
