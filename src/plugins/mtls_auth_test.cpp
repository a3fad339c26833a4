#include "plugin/plugin_for_tests.h"

namespace plugin {
namespace {

class MtlsAuthTest : public PluginTest {
  protected:
    static constexpr std::string_view unknown = "{ca_certificates: [3c5a1a6e-6a9f-4f0e-9d2b-7b3a5f1c2d4e]}";
};

// What certificates do is held where there are handshakes: tests/blackbox/test_mtls.py.
TEST_F(MtlsAuthTest, NamesAuthoritiesOfTheDocument) {
    EXPECT_EQ(try_use("mtls-auth", unknown), "no ca_certificate 3c5a1a6e-6a9f-4f0e-9d2b-7b3a5f1c2d4e");
    EXPECT_NE(try_use("mtls-auth", "").find("required"), std::string::npos);
    EXPECT_NE(try_use("mtls-auth", "ca_certificates: []").find("at least one"), std::string::npos);
    EXPECT_NE(try_use("mtls-auth", "ca_certificates: [x]"), "");
    EXPECT_NE(
        try_use("mtls-auth", "{ca_certificates: [3c5a1a6e-6a9f-4f0e-9d2b-7b3a5f1c2d4e], revocation_check_mode: x}"),
        "");
    EXPECT_NE(try_use("mtls-auth", "{ca_certificates: [3c5a1a6e-6a9f-4f0e-9d2b-7b3a5f1c2d4e], http_proxy_host: a}")
                  .find("http_proxy_port"),
              std::string::npos);
}

}  // namespace
}  // namespace plugin
