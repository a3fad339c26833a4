#include "net/dns/srv_reply.h"

#include <gtest/gtest.h>

#include "base/random.h"
#include "net/dns/lying_server_for_tests.h"

namespace net::dns {

namespace {
const std::string query = number(7) + std::string("\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00", 10) +
                          wire_name("web.test") + number(33) + number(1);

Answer parsed(const std::string& bytes) {
    return parse_srv_reply({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()});
}
std::string text(const Answer& answer) {
    if (answer.kind == Answer::Kind::failed) return "failed";
    if (answer.kind == Answer::Kind::nothing) return "nothing";
    std::string out = std::to_string(answer.ttl.count()) + "s";
    for (const ServiceRecord& each : answer.services)
        out += " " + each.host + ":" + std::to_string(each.port) + "/" + std::to_string(each.priority) + "*" +
               std::to_string(each.weight);
    return out;
}
}  // namespace

TEST(SrvReply, RecordsAndTheLeastTimeToLive) {
    EXPECT_EQ(text(parsed(reply(query, good,
                                {srv_record(asked_name, "N1.test", 80, 1, 2, 100'000),
                                 srv_record(asked_name, "n2.test", 65'535, 65'535, 65'535, 70'000)}))),
              "70000s n1.test:80/1*2 n2.test:65535/65535*65535");
    EXPECT_EQ(text(parsed(reply(query, good,
                                {cname_record(asked_name, wire_name("real.test")),
                                 srv_record(wire_name("real.test"), "n1.test", 80, 0, 0, 100),
                                 a_record(wire_name("n1.test"), "10.0.0.1", 5)}))),
              "60s n1.test:80/0*0");
    EXPECT_EQ(text(parsed(reply(query, good, {srv_record(asked_name, "n1.test", 80, 0, 0, 0xffffffff)}))),
              "0s n1.test:80/0*0");
}

TEST(SrvReply, RecordsThatSayNothing) {
    EXPECT_EQ(text(parsed(reply(query, good, {}))), "nothing");
    EXPECT_EQ(text(parsed(reply(query, good, {a_record(asked_name, "10.0.0.1")}))), "nothing");
    EXPECT_EQ(text(parsed(reply(query, good, {srv_record(asked_name, "", 0)}))), "nothing");  // RFC 2782: "."
    EXPECT_EQ(text(parsed(reply(query, good, {srv_record(asked_name, "Web.test", 80)}))), "nothing");
    EXPECT_EQ(text(parsed(
                  reply(query, good, {srv_record(asked_name, "web.test", 80), srv_record(asked_name, "n1.test", 81)}))),
              "60s web.test:80/0*1 n1.test:81/0*1");
    EXPECT_EQ(text(parsed(reply(query, good, {srv_record(asked_name, "bad name", 80)}))), "nothing");
}

TEST(SrvReply, AnythingCutShortIsBroken) {
    std::string whole =
        reply(query, good, {srv_record(asked_name, "n1.test", 80), srv_record(asked_name, "n2.test", 81)});
    EXPECT_NE(text(parsed(whole)), "failed");
    for (std::size_t size = 0; size < whole.size(); ++size)
        EXPECT_EQ(text(parsed(whole.substr(0, size))), "failed") << size;
    std::string longer_name = reply(query, good, {srv_record(asked_name, "n1.test", 80)});
    longer_name[longer_name.size() - 16] = 14;  // the record ends within its host
    EXPECT_EQ(text(parsed(longer_name)), "failed");
}

TEST(SrvReply, AnyBytes) {
    base::Random random(3);
    std::string whole = reply(query, good,
                              {cname_record(asked_name, wire_name("real.test")), srv_record(asked_name, "n1.test", 80),
                               srv_record(asked_name, "n2.test", 81)});
    for (int i = 0; i < 20'000; ++i) {
        std::string bytes = whole.substr(0, random.below(static_cast<std::uint32_t>(whole.size() + 1)));
        for (std::uint32_t flips = random.below(6); flips > 0 && !bytes.empty(); --flips)
            bytes[random.below(static_cast<std::uint32_t>(bytes.size()))] = static_cast<char>(random.next());
        Answer answer = parsed(bytes);
        EXPECT_EQ(answer.kind == Answer::Kind::found, !answer.services.empty());
    }
}

}  // namespace net::dns
