#include "plugin/plugin_for_tests.h"

#include "plugin/identity.h"

namespace plugin {
namespace {

class AclTest : public PluginTest {
  protected:
    AclTest() {
        add("alice", {"admins", "staff"});
        add("bob", {"guests"});
        add("carol", {});
    }
    void add(std::string_view username, const std::vector<std::string>& groups) {
        std::vector<std::vector<std::pair<std::string, std::string>>> fields;
        for (const std::string& group : groups) fields.push_back({{"group", group}});
        std::vector<Consumers::NewCredential> credentials;
        for (const auto& of_one : fields) credentials.push_back({{}, "acls", of_one});
        consumers.add({}, username, "", {}, credentials);
    }
    enum class As { credential, anonymous, nobody, only_credential };
    std::string outcome(As as, std::string_view username, std::span<const std::string_view> found = {}) {
        auto made = exchange("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/plain\r\n\r\n");
        const Consumer* consumer = consumers.find(username);
        if (as == As::credential) identify(*made, consumer, "id");
        if (as == As::only_credential) identify(*made, nullptr, "id");
        if (as == As::anonymous) stay_anonymous(*made, *consumer);
        made->identity.groups = found;
        if (run(*made) == Verdict::answered) {
            EXPECT_FALSE(made->client_headers.has(http::Known::www_authenticate));
            std::string text(made->response_text);
            return std::to_string(made->response.status) + " " + text.substr(0, text.find('\n'));
        }
        return "go on " + std::string(made->request.headers.first("X-Consumer-Groups")) + "/" +
               std::string(made->request.headers.first("X-Authenticated-Groups"));
    }
};

constexpr std::string_view cannot = "403 You cannot consume this service";
constexpr std::string_view found_groups[] = {"staff", "x"};

TEST_F(AclTest, AllowLetsOnlyItsGroupsPass) {
    use("acl", "allow: [staff, admins]");
    EXPECT_EQ(outcome(As::credential, "alice"), "go on admins, staff/");
    EXPECT_EQ(outcome(As::credential, "bob"), cannot);
    EXPECT_EQ(outcome(As::credential, "carol"), cannot);
    EXPECT_EQ(outcome(As::anonymous, "alice"), "go on admins, staff/");
    EXPECT_EQ(outcome(As::anonymous, "carol"), "401 Unauthorized");
    EXPECT_EQ(outcome(As::nobody, ""), "401 Unauthorized");
    EXPECT_EQ(outcome(As::only_credential, ""), cannot);
}

TEST_F(AclTest, DenyLetsAllOthersPass) {
    use("acl", "deny: [guests]");
    EXPECT_EQ(outcome(As::credential, "alice"), "go on admins, staff/");
    EXPECT_EQ(outcome(As::credential, "bob"), cannot);
    EXPECT_EQ(outcome(As::credential, "carol"), "go on /");
    EXPECT_EQ(outcome(As::anonymous, "bob"), cannot);
    EXPECT_EQ(outcome(As::nobody, ""), "401 Unauthorized");
    EXPECT_EQ(outcome(As::only_credential, ""), cannot);
}

TEST_F(AclTest, GroupsThatAPluginFoundCountWhereNoCredentialSaysWho) {
    use("acl", "allow: [staff]");
    EXPECT_EQ(outcome(As::nobody, "", found_groups), "go on /staff, x");
    EXPECT_EQ(outcome(As::only_credential, "", found_groups), "go on /staff, x");
    EXPECT_EQ(outcome(As::anonymous, "bob", found_groups), "go on /staff, x");
    EXPECT_EQ(outcome(As::credential, "bob", found_groups), cannot);
    use("acl", "{allow: [staff], always_use_authenticated_groups: true}");
    EXPECT_EQ(outcome(As::credential, "bob", found_groups), "go on /staff, x");
    EXPECT_EQ(outcome(As::credential, "alice"), "go on admins, staff/");
    use("acl", "deny: [staff]");
    EXPECT_EQ(outcome(As::nobody, "", found_groups), cannot);
}

TEST_F(AclTest, MayKeepTheGroupsToItself) {
    use("acl", "{allow: [staff], hide_groups_header: true}");
    EXPECT_EQ(outcome(As::credential, "alice"), "go on /");
}

TEST_F(AclTest, GroupsAreComparedWhole) {
    use("acl", "allow: [admin, Admins, 'admins, staff']");
    EXPECT_EQ(outcome(As::credential, "alice"), cannot);
}

TEST_F(AclTest, ItsSettingsAreChecked) {
    EXPECT_NE(try_use("acl", "{}").find("exactly one of these fields must be non-empty: 'config.allow', 'config.deny'"),
              std::string::npos);
    EXPECT_NE(try_use("acl", "{allow: [a], deny: [b]}").find("exactly one of these fields"), std::string::npos);
}

}  // namespace
}  // namespace plugin
