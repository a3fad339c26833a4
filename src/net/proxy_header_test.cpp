#include "net/proxy_header.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "net/proxy_header_checks_for_tests.h"

namespace net {
namespace {

using State = ProxyHeader::State;
using namespace std::string_view_literals;

// "source destination", "-" without addresses, "more", "malformed".
std::string said(std::string_view bytes) {
    check_proxy_header(bytes);
    ProxyHeader header = read_proxy_header(bytes);
    if (header.state == State::more) return "more";
    if (header.state == State::malformed) return "malformed";
    if (!header.addresses) return "-";
    return header.addresses->source.text() + " " + header.addresses->destination.text();
}

constexpr std::string_view mark = "\r\n\r\n\0\r\nQUIT\n"sv;

std::string binary(std::string_view behind) { return std::string(mark) + std::string(behind); }

TEST(ProxyHeaderTest, ReadsLines) {
    EXPECT_EQ(said("PROXY TCP4 10.0.0.1 10.0.0.2 1 65535\r\nGET /"), "10.0.0.1:1 10.0.0.2:65535");
    EXPECT_EQ(read_proxy_header("PROXY TCP4 10.0.0.1 10.0.0.2 1 65535\r\nGET /").size, 38u);
    EXPECT_EQ(said("PROXY TCP6 ::1 2001:db8::2 80 0\r\n"), "[::1]:80 [2001:db8::2]:0");
    EXPECT_EQ(said("PROXY TCP6 ::ffff:10.0.0.1 ::ffff:10.0.0.2 1 2\r\n"), "10.0.0.1:1 10.0.0.2:2");
    EXPECT_EQ(said("PROXY UNKNOWN\r\n"), "-");
    EXPECT_EQ(said("PROXY UNKNOWN ffff::1 whatever 1 2\r\n"), "-");
    EXPECT_EQ(said(""), "more");
    EXPECT_EQ(said("PRO"), "more");
    EXPECT_EQ(said("PROXY TCP4 10.0.0.1 10.0.0.2 1 65535\r"), "more");
}

TEST(ProxyHeaderTest, RefusesOtherLines) {
    for (std::string_view line :
         {"GET / HTTP/1.1\r\n"sv, "proxy TCP4 10.0.0.1 10.0.0.2 1 2\r\n"sv, "PROXY TCP4 10.0.0.1 10.0.0.2 1 2\n"sv,
          "PROXY TCP4  10.0.0.1 10.0.0.2 1 2\r\n"sv, "PROXY TCP4 10.0.0.1 10.0.0.2 1\r\n"sv,
          "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 3\r\n"sv, "PROXY TCP4 10.0.0.1 10.0.0.2 1 2 \r\n"sv,
          "PROXY TCP4 10.0.0.1 10.0.0.2 01 2\r\n"sv, "PROXY TCP4 10.0.0.1 10.0.0.2 1 65536\r\n"sv,
          "PROXY TCP4 10.0.0.1 10.0.0.2 -1 2\r\n"sv, "PROXY TCP4 ::1 ::1 1 2\r\n"sv,
          "PROXY TCP6 10.0.0.1 ::1 1 2\r\n"sv, "PROXY TCP4 10.0.0 10.0.0.2 1 2\r\n"sv,
          "PROXY UDP4 10.0.0.1 10.0.0.2 1 2\r\n"sv, "PROXY \r\n"sv, "PROXY TCP4 10.0.0.1\0 10.0.0.2 1 2\r\n"sv})
        EXPECT_EQ(said(line), "malformed") << line;
    EXPECT_EQ(said("PROXY UNKNOWN 1\n2\r\n"), "malformed");
    EXPECT_EQ(said("PROXY UNKNOWN " + std::string(91, 'x') + "\r\n"), "-");
    EXPECT_EQ(said("PROXY UNKNOWN " + std::string(92, 'x') + "\r\n"), "malformed");
    EXPECT_EQ(said("PROXY UNKNOWN " + std::string(200, 'x')), "malformed");
}

TEST(ProxyHeaderTest, ReadsTheBinaryForm) {
    EXPECT_EQ(said(binary("\x21\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\xff\xffGET"sv)),
              "10.0.0.1:1 10.0.0.2:65535");
    // With what may stand behind the addresses.
    EXPECT_EQ(said(binary("\x21\x11\x00\x10\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\xff\xff\x04\x00\x01xGET"sv)),
              "10.0.0.1:1 10.0.0.2:65535");
    std::string six = binary("\x21\x21\x00\x24"sv) + std::string(15, '\0') + "\x01" + std::string(15, '\0') + "\x02";
    EXPECT_EQ(said(six), "more");
    EXPECT_EQ(said(six + std::string("\x00\x50\x00\x51"sv)), "[::1]:80 [::2]:81");
    EXPECT_EQ(said(binary("\x20\x00\x00\x00"sv)), "-");
    EXPECT_EQ(said(binary("\x20\x11\x00\x0c\x0a\x00\x00\x01\x0a\x00\x00\x02\x00\x01\xff\xff"sv)), "-");
    EXPECT_EQ(said(binary("\x21\x00\x00\x03xyz"sv)), "-");
    EXPECT_EQ(said(binary("\x21\x31\x00\xd8"sv) + std::string(216, 'p')), "-");
    EXPECT_EQ(said(mark), "more");
    EXPECT_EQ(said(mark.substr(0, 5)), "more");
}

TEST(ProxyHeaderTest, RefusesOtherBinaryForms) {
    EXPECT_EQ(said(binary("\x11\x11\x00\x0c\x0a\x00\x00\x01"sv)), "malformed");  // another version
    EXPECT_EQ(said(binary("\x22\x11\x00\x0c\x0a\x00\x00\x01"sv)), "malformed");  // another command
    EXPECT_EQ(said(binary("\x21\x12\x00\x0c\x0a\x00\x00\x01"sv)), "malformed");  // UDP
    EXPECT_EQ(said(binary("\x21\x41\x00\x0c\x0a\x00\x00\x01"sv)), "malformed");  // another family
    EXPECT_EQ(said(binary("\x21\x11\x00\x0b\x0a\x00\x00\x01"sv)), "malformed");  // too short for its addresses
    EXPECT_EQ(said(binary("\x21\x21\x00\x0c\x0a\x00\x00\x01"sv)), "malformed");
    EXPECT_EQ(said(binary("\x21\x11\xff\xff\x0a\x00\x00\x01"sv)), "malformed");  // no end in sight
    EXPECT_EQ(said("\r\n\r\nGET"), "malformed");
}

TEST(ProxyHeaderTest, WritesWhatItReads) {
    ProxiedAddresses four{SocketAddress::parse("10.0.0.1:1").value(), SocketAddress::parse("10.0.0.2:80").value()};
    ProxiedAddresses mixed{SocketAddress::parse("10.0.0.1:1").value(), SocketAddress::parse("[::1]:80").value()};
    EXPECT_EQ(write_proxy_header(ProxyVersion::v1, four), "PROXY TCP4 10.0.0.1 10.0.0.2 1 80\r\n");
    EXPECT_EQ(write_proxy_header(ProxyVersion::v1, mixed), "PROXY UNKNOWN\r\n");
    EXPECT_EQ(write_proxy_header(ProxyVersion::v2, {}), binary("\x20\x00\x00\x00"sv));
    EXPECT_EQ(said(write_proxy_header(ProxyVersion::v2, four)), "10.0.0.1:1 10.0.0.2:80");
    EXPECT_EQ(said(write_proxy_header(ProxyVersion::v2, mixed)), "-");
}

TEST(ProxyHeaderSeeds, AreReadWithoutHarm) {
    std::filesystem::path folder = std::filesystem::path(CARDEA_SOURCE_DIR) / "tests/fuzz/proxy_header_fuzz";
    int count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        std::ifstream file(entry.path(), std::ios::binary);
        check_proxy_header(std::string(std::istreambuf_iterator<char>(file), {}));
        ++count;
    }
    EXPECT_GE(count, 4);
}

}  // namespace
}  // namespace net
