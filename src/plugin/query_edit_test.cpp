#include "plugin/query_edit.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>

namespace plugin {
namespace {

using Order = Arguments::Order;

std::string edited(std::string_view text, const std::function<void(Arguments&)>& edit, Order order = Order::as_given) {
    base::Arena arena;
    Arguments arguments(text, arena);
    edit(arguments);
    return arguments.is_changed() ? std::string(arguments.written(order)) : "unchanged";
}

// kong-observed.md 9, "every operation" and "form body".
TEST(Arguments, AreEditedAsKongDoes) {
    auto query = [](Arguments& arguments) {
        arguments.remove("rmq");
        arguments.rename("oldq", "newq");
        arguments.replace("repq", "new");
        arguments.add("addq", "1");
        arguments.append("appq", "1");
    };
    EXPECT_EQ(edited("rmq=1&oldq=2&repq=3&q=7&appq=0", query, Order::by_name),
              "addq=1&appq=0&appq=1&newq=2&q=7&repq=new");
    EXPECT_EQ(edited("", query, Order::by_name), "addq=1&appq=1");
    auto form = [](Arguments& arguments) {
        arguments.remove("rmb");
        arguments.rename("oldb", "newb");
        arguments.replace("repb", "new");
        arguments.add("addb", "1");
        arguments.append("appb", "1");
    };
    EXPECT_EQ(edited("rmb=1&oldb=2&repb=3&appb=0", form), "newb=2&repb=new&appb=0&addb=1&appb=1");
}

TEST(Arguments, SeveralValuesOfOneName) {
    std::string_view text = "a=1&b=2&a=3&c&a";
    EXPECT_EQ(edited(text, [](Arguments& all) { all.remove("a"); }), "b=2&c");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.replace("a", "9"); }), "a=9&b=2&c");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.rename("a", "x"); }), "x=1&b=2&x=3&c&x");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.rename("a", "b"); }), "b=1&b=3&c&b");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.append("a", ""); }), "a=1&b=2&a=3&c&a&a=");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.append("c", "5"); }), "a=1&b=2&a=3&c=5&a");
    EXPECT_EQ(
        edited("b=1&a=2&b=0&a=1", [](Arguments& all) { all.add("c", ""); }, Order::by_name), "a=2&a=1&b=1&b=0&c=");
}

TEST(Arguments, ChangeOnlyWhatIsThere) {
    std::string_view text = "a=1&b";
    EXPECT_EQ(edited(text, [](Arguments& all) { all.remove("x"); }), "unchanged");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.rename("x", "a"); }), "unchanged");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.rename("a", "a"); }), "unchanged");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.replace("x", "1"); }), "unchanged");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.add("b", "1"); }), "unchanged");
    EXPECT_EQ(edited(text, [](Arguments& all) { all.remove("A"); }), "unchanged");
    EXPECT_EQ(edited("", [](Arguments& all) { all.remove(""); }), "unchanged");
}

TEST(Arguments, AreComparedPlainAndWrittenEscaped) {
    EXPECT_EQ(edited("%61=1&b+c=2&d=%zz", [](Arguments& all) { all.remove("a"); }), "b%20c=2&d=%25zz");
    EXPECT_EQ(edited("%61dm%69n=1&x", [](Arguments& all) { all.remove("admin"); }), "x");
    EXPECT_EQ(edited("x=/?@:!$'()*,;", [](Arguments& all) { all.add("n&=", "\r\n\xc3\xa9~-._"); }),
              "x=%2F%3F%40%3A%21%24%27%28%29%2A%2C%3B&n%26%3D=%0D%0A%C3%A9~-._");
    EXPECT_EQ(edited("&&=1&a=1&", [](Arguments& all) { all.add("b", "2"); }), "a=1&b=2");
}

TEST(Arguments, OfAFormFollowThoseOfTheQuery) {
    base::Arena arena;
    Arguments form("a=1&gone=2", arena);
    form.remove("gone");
    EXPECT_EQ(edited("z=0&a=9", [&](Arguments& all) { all.append(form); }), "z=0&a=9&a=1");
}

TEST(Arguments, ManyStayInOrder) {
    std::string text;
    for (int i = 0; i < 1000; ++i) text += "n" + std::to_string(i % 10) + "=" + std::to_string(i) + "&";
    std::string got = edited(text, [](Arguments& all) { all.add("m", ""); }, Order::by_name);
    EXPECT_EQ(got.substr(0, 20), "m=&n0=0&n0=10&n0=20&");
    EXPECT_TRUE(got.ends_with("&n9=989&n9=999"));
}

}  // namespace
}  // namespace plugin
