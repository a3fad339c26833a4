#include "http/http2/server_session.h"

#include <gtest/gtest.h>
#include <nghttp2/nghttp2.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "http/http2/session_for_tests.h"

namespace http2 {
namespace {

using http1::Fault;

// The fields of a header block that the session has sent.
std::string decoded(const std::string& payload, nghttp2_hd_inflater* inflater) {
    std::string out;
    auto* at = reinterpret_cast<const std::uint8_t*>(payload.data());
    std::size_t left = payload.size();
    while (true) {
        nghttp2_nv field;
        int flags = 0;
        ssize_t used = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, left, 1);
        if (used < 0) return "broken";
        at += used;
        left -= static_cast<std::size_t>(used);
        if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
            out.append(reinterpret_cast<char*>(field.name), field.namelen)
                .append("=")
                .append(reinterpret_cast<char*>(field.value), field.valuelen)
                .append("\n");
        if ((flags & NGHTTP2_HD_INFLATE_FINAL) != 0) break;
    }
    nghttp2_hd_inflate_end_headers(inflater);
    return out;
}

const Frame* find(const std::vector<Frame>& frames, FrameType type, std::uint32_t stream) {
    for (const Frame& frame : frames)
        if (frame.type == type && frame.stream == stream) return &frame;
    return nullptr;
}

// The code of the GOAWAY among what was sent; -1 if there is none.
int goaway_code(SessionWorld& world) {
    auto frames = world.frames();
    const Frame* goaway = find(frames, FrameType::goaway, 0);
    return goaway == nullptr ? -1 : static_cast<int>(goaway->word(4));
}
constexpr int calm = 11;

TEST(Http2Session, RequestIsTheSameHeadAsInHttp1) {
    SessionWorld world;
    ASSERT_TRUE(world.receive(hello() + get(1, "/a?b=c", {{"cookie", "x=1"}, {"accept", "*/*"}, {"cookie", "y=2"}})));
    TestStream& stream = world.stream(1);
    EXPECT_EQ(stream.fault, Fault::none);
    EXPECT_EQ(stream.head, "GET /a?b=c HTTP/1.1\r\nhost: a.test\r\naccept: */*\r\ncookie: x=1; y=2\r\n\r\n");
    EXPECT_EQ(stream.request.host, "a.test");
    EXPECT_EQ(stream.request.raw_path, "/a");
    EXPECT_EQ(stream.request.query, "b=c");
    EXPECT_EQ(stream.request.major_version, 2);
    EXPECT_EQ(stream.request.framing, http::BodyFraming::none);
    EXPECT_TRUE(stream.has_ended);
}

TEST(Http2Session, BodyTrailersAndAnswer) {
    SessionWorld world;
    Fields post = get_fields();
    post[0].second = "POST";
    ASSERT_TRUE(
        world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(post)) +
                      frame(FrameType::data, 0, 1, "hel") + frame(FrameType::data, 0, 1, "lo") +
                      frame(FrameType::headers, end_headers | end_stream, 1, block({{"x-sum", "1"}, {"via", "9"}}))));
    TestStream& stream = world.stream(1);
    EXPECT_EQ(stream.request.framing, http::BodyFraming::chunked);
    EXPECT_EQ(stream.body, "hello");
    EXPECT_EQ(stream.trailers, "x-sum:1\n");
    EXPECT_TRUE(stream.has_ended);
    EXPECT_TRUE(world.session.send_interim(stream, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"));
    world.answer(stream, "answer", "Grpc-Status: 0\r\n");
    auto frames = world.frames();
    nghttp2_hd_inflater* inflater = nullptr;
    ASSERT_EQ(nghttp2_hd_inflate_new(&inflater), 0);
    std::string heads;
    std::string body;
    for (const Frame& frame : frames) {
        if (frame.type == FrameType::headers) heads += decoded(frame.payload, inflater) + "--\n";
        if (frame.type == FrameType::data) body += frame.payload;
    }
    nghttp2_hd_inflate_del(inflater);
    EXPECT_EQ(heads, ":status=103\nlink=</a>\n--\n:status=200\nserver=x\n--\ngrpc-status=0\n--\n");
    EXPECT_EQ(body, "answer");
    EXPECT_TRUE(stream.was_closed);
    EXPECT_EQ(world.session.statistics().resets, 0U);
}

TEST(Http2Session, AnEarlyAnswerStopsTheRequestWithNoError) {
    SessionWorld world;
    Fields post = get_fields();
    post[0].second = "POST";
    world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(post)));
    world.answer(world.stream(1), "no");
    auto frames = world.frames();
    const Frame* reset = find(frames, FrameType::rst_stream, 1);
    ASSERT_NE(reset, nullptr);
    EXPECT_EQ(reset->word(0), 0U);
    EXPECT_EQ(find(frames, FrameType::data, 1)->flags & end_stream, end_stream);
    EXPECT_EQ(world.session.statistics().resets, 0U);
}

TEST(Http2Session, ExtendedConnectIsAWebSocketHandshake) {
    SessionWorld world;
    Fields fields{{":method", "CONNECT"},    {":protocol", "websocket"}, {":scheme", "http"},
                  {":path", "/chat"},        {":authority", "a.test"},   {"sec-websocket-version", "13"},
                  {"sec-websocket-key", "x"}};
    world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(fields)));
    const http::RequestHead& request = world.stream(1).request;
    EXPECT_EQ(world.stream(1).fault, Fault::none);
    EXPECT_EQ(request.method_token, "GET");
    EXPECT_TRUE(request.upgrade);
    EXPECT_EQ(request.upgrade_protocol, "websocket");
    EXPECT_EQ(request.headers.count(http::Known::sec_websocket_key), 1U);
    EXPECT_EQ(request.headers.first(http::Known::sec_websocket_key).size(), 24U);
    EXPECT_EQ(request.framing, http::BodyFraming::none);
}

// What is malformed is answered as in HTTP/1 or ends the stream; it never becomes a request.
TEST(Http2Session, OddFieldsAreNeverARequest) {
    Fields no_authority{{":method", "GET"}, {":scheme", "http"}, {":path", "/"}};
    Fields with_path = get_fields();
    auto path = [](std::string_view text) { return get_fields(text); };
    auto with = [](std::string name, std::string value) {
        return get_fields("/", {{std::move(name), std::move(value)}});
    };
    auto method = [](std::string text) {
        Fields out = get_fields();
        out[0].second = std::move(text);
        return out;
    };
    auto twice = [](std::size_t which) {
        Fields out = get_fields();
        out.insert(out.begin(), out[which]);
        return out;
    };
    auto authority = [](std::string text) {
        Fields out = get_fields();
        out[3].second = std::move(text);
        return out;
    };
    Fields late = get_fields();
    late.emplace_back("x", "y");
    std::swap(late[3], late.back());
    const std::pair<const char*, Fields> cases[] = {
        {"upper-case name", with("X-A", "b")},
        {"CR LF in a value", with("x", "a\r\nb: c")},
        {"LF in a value", with("x", "a\nb")},
        {"NUL in a value", with("x", std::string("a\0b", 3))},
        {"blank before a value", with("x", " a")},
        {"blank behind a value", with("x", "a\t")},
        {"space in a name", with("a b", "c")},
        {"colon in a name", with("a:b", "c")},
        {"CR LF in a name", with("a\r\nb", "c")},
        {"empty name", with("", "c")},
        {"connection", with("connection", "close")},
        {"keep-alive", with("keep-alive", "5")},
        {"proxy-connection", with("proxy-connection", "x")},
        {"transfer-encoding", with("transfer-encoding", "chunked")},
        {"upgrade", with("upgrade", "h2c")},
        {"te other than trailers", with("te", "gzip")},
        {"two lengths", get_fields("/", {{"content-length", "0"}, {"content-length", "0"}})},
        {"odd length", with("content-length", "+1")},
        {"length without a body", with("content-length", "1")},
        {"disguised length", with("content_length", "1")},
        {"Host against :authority", with("host", "b.test")},
        {"no host at all", no_authority},
        {"two Hosts", get_fields("/", {{"host", "a.test"}, {"host", "a.test"}})},
        {"space in :path", path("/a b")},
        {"CR LF in :path", path("/a HTTP/1.1\r\nx: y")},
        {"fragment in :path", path("/a#b")},
        {"absolute :path", path("http://a.test/")},
        {"empty :path", path("")},
        {"star for GET", path("*")},
        {"space in :method", method("GET /x HTTP/1.1\r\nA:")},
        {"empty :method", method("")},
        {"userinfo in :authority", authority("u@a.test")},
        {"CR LF in :authority", authority("a.test\r\nx: y")},
        {"slash in :authority", authority("a.test/x")},
        {"two :path", twice(2)},
        {"two :method", twice(0)},
        {"two :authority", twice(3)},
        {"pseudo-field behind a field", late},
        {"unknown pseudo-field", with(":x", "y")},
        {":status", with(":status", "200")},
        {"CONNECT with a path", method("CONNECT")},
    };
    for (const auto& [about, fields] : cases) {
        SessionWorld world;
        world.receive(hello() + frame(FrameType::headers, end_headers | end_stream, 1, block(fields)));
        TestStream& stream = world.stream(1);
        bool is_refused = stream.was_closed || (!stream.head.empty() && stream.fault != Fault::none);
        EXPECT_TRUE(is_refused) << about << "\n" << stream.head;
        EXPECT_EQ(stream.head.find("x: y"), std::string::npos) << about;
        // The others go on.
        world.receive(get(3));
        EXPECT_EQ(world.stream(3).fault, Fault::none) << about;
        EXPECT_FALSE(world.stream(3).head.empty()) << about;
    }
}

TEST(Http2Session, ContentLengthIsHeld) {
    for (std::string_view body : {"12", "1234"}) {
        SessionWorld world;
        Fields post = get_fields("/", {{"content-length", "3"}});
        post[0].second = "POST";
        world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(post)) +
                      frame(FrameType::data, end_stream, 1, body));
        EXPECT_TRUE(world.stream(1).was_closed) << body;
        EXPECT_EQ(world.stream(1).code, ErrorCode::protocol_error);
        EXPECT_FALSE(world.stream(1).has_ended);
    }
}

TEST(Http2Session, HeadLimits) {
    struct Case {
        const char* about;
        Fields fields;
        Fault fault;
    };
    Limits limits;
    limits.message.header_count = 10;
    limits.message.header_bytes = 4000;
    limits.message.header_line = 1000;
    limits.message.request_line = 500;
    Fields crumbs;
    for (int i = 0; i < 11; ++i) crumbs.emplace_back("cookie", "a=b");
    Fields large;
    for (int i = 0; i < 9; ++i) large.emplace_back("x", std::string(600, 'x'));
    Fields joined;
    for (int i = 0; i < 3; ++i) joined.emplace_back("cookie", std::string(400, 'c'));
    Case cases[] = {
        {"cookie crumbs are fields", get_fields("/", crumbs), Fault::too_many_headers},
        {"all fields", get_fields("/", large), Fault::headers_too_large},
        {"one field", get_fields("/", {{"x", std::string(1000, 'x')}}), Fault::header_line_too_long},
        {"a cookie of crumbs", get_fields("/", joined), Fault::header_line_too_long},
        {"path", get_fields("/" + std::string(500, 'x')), Fault::request_line_too_long},
        {"authority",
         {{":method", "GET"}, {":scheme", "http"}, {":path", "/"}, {":authority", std::string(600, 'a')}},
         Fault::request_line_too_long},
    };
    for (const Case& one : cases) {
        SessionWorld world(limits);
        world.receive(hello() + frame(FrameType::headers, end_headers | end_stream, 1, block(one.fields)) + get(3));
        EXPECT_EQ(world.stream(1).fault, one.fault) << one.about << http1::name(world.stream(1).fault);
        EXPECT_EQ(world.stream(3).fault, Fault::none) << one.about;
    }
}

// What a client sends on a stream that it has closed is an error; on one that we have reset it is merely late.
TEST(Http2Session, FramesOnClosedStreams) {
    Fields post = get_fields();
    post[0].second = "POST";
    for (bool by_us : {false, true}) {
        SessionWorld world;
        world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(post)));
        if (by_us) world.answer(world.stream(1), "no");
        world.frames();
        world.receive(by_us ? std::string() : rst_stream(1));
        world.receive(frame(FrameType::data, 0, 1, "late") + get(3));
        EXPECT_EQ(world.streams.contains(3), by_us);
        EXPECT_EQ(world.session.is_over(), !by_us);
        EXPECT_EQ(goaway_code(world), by_us ? -1 : 5);
    }
}

// ---- attacks: each ends in bounded memory and a client that is told to calm down

// One table entry of 4000 bytes, then references of one byte each.
TEST(Http2SessionAttack, HpackBomb) {
    SessionWorld world;
    std::string entry = std::string(1, '\x40') + hpack_length(1) + "x" + hpack_length(3900) + std::string(3900, 'v');
    std::string bomb(12'000, '\xbe');  // index 62: the newest entry
    world.receive(hello());
    for (std::uint32_t stream = 1; stream < 40; stream += 2) {
        std::string fields = block(get_fields()) + (stream == 1 ? entry : std::string()) + bomb;
        ASSERT_TRUE(world.receive(frame(FrameType::headers, end_headers | end_stream, stream, fields)));
        EXPECT_EQ(world.stream(static_cast<std::int32_t>(stream)).fault, Fault::headers_too_large);
        world.answers_at_once = true;
    }
    EXPECT_LT(world.most_memory, 128U * 1024);  // 47 MB a request otherwise
}

TEST(Http2SessionAttack, CookieBomb) {
    SessionWorld world;
    std::string entry = std::string(1, '\x40') + hpack_length(6) + "cookie" + hpack_length(0);
    world.receive(hello());
    world.receive(frame(FrameType::headers, end_headers | end_stream, 1,
                        block(get_fields()) + entry + std::string(14'000, '\xbe')));
    EXPECT_EQ(world.stream(1).fault, Fault::too_many_headers);
    EXPECT_LT(world.most_memory, 128U * 1024);
}

TEST(Http2SessionAttack, RapidReset) {
    SessionWorld world;
    world.receive(hello());
    std::uint32_t stream = 1;
    bool is_sound = true;
    for (; is_sound && stream < 100'000; stream += 2) is_sound = world.receive(get(stream) + rst_stream(stream));
    EXPECT_FALSE(is_sound);
    EXPECT_LE(world.session.statistics().streams, world.limits.resets.burst + 1);
    EXPECT_STREQ(world.session.statistics().why_calm, "resets");
    EXPECT_EQ(goaway_code(world), calm);
    for (auto& [number, each] : world.streams) EXPECT_TRUE(each->was_closed) << number;
}

TEST(Http2SessionAttack, SessionStreamsEarnResets) {
    SessionWorld world;
    world.answers_at_once = true;
    world.receive(hello());
    for (std::uint32_t stream = 1; stream < 8'000; stream += 4)
        ASSERT_TRUE(world.receive(get(stream)) && world.receive(get(stream + 2) + rst_stream(stream + 2)));
}

TEST(Http2SessionAttack, MadeYouReset) {
    SessionWorld world;
    world.receive(hello());
    bool is_sound = true;
    for (std::uint32_t stream = 1; is_sound && stream < 100'000; stream += 2)
        is_sound = world.receive(get(stream) + frame(FrameType::window_update, 0, stream, number(0x7fffffff, 4)));
    EXPECT_FALSE(is_sound);
    EXPECT_LE(world.session.statistics().streams, world.limits.resets.burst + 2);
}

TEST(Http2SessionAttack, ContinuationFlood) {
    SessionWorld world;
    world.receive(hello() + frame(FrameType::headers, end_stream, 1, block(get_fields())));
    int sent = 0;
    while (sent < 1000 && world.receive(frame(FrameType::continuation, 0, 1, literal("x", "y")))) ++sent;
    EXPECT_LE(sent, 8);
    EXPECT_LT(world.most_memory, 64U * 1024);
    EXPECT_EQ(goaway_code(world), calm);
}

TEST(Http2SessionAttack, FloodsOfFramesThatCarryNothing) {
    Fields post = get_fields();
    post[0].second = "POST";
    const std::pair<const char*, std::string> floods[] = {
        {"settings", frame(FrameType::settings, 0, 0)},
        {"settings acknowledged", frame(FrameType::settings, acknowledge, 0)},
        {"ping", frame(FrameType::ping, 0, 0, "12345678")},
        {"empty data", frame(FrameType::data, 0, 1)},
        {"priority", frame(FrameType::priority, 0, 5, number(0, 4) + "x")},
        {"unknown", frame(static_cast<FrameType>(0xbb), 0, 0, "x")},
        {"late data", rst_stream(1) + frame(FrameType::data, 0, 1)},
        {"priority update", frame(FrameType::priority_update, 0, 0, number(1, 4) + "u=1")},
    };
    for (const auto& [about, flood] : floods) {
        SessionWorld world;
        world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(post)));
        int sent = 0;
        while (sent < 10'000 && world.receive(flood) && !world.session.is_over()) ++sent;
        EXPECT_LE(sent, 1000) << about << sent;
        EXPECT_LT(world.most_memory, 64U * 1024) << about;
    }
}

TEST(Http2SessionAttack, WindowUpdateFlood) {
    SessionWorld world;
    world.receive(hello());
    int sent = 0;
    while (sent < 100'000 && world.receive(frame(FrameType::window_update, 0, 0, number(1, 4)))) ++sent;
    EXPECT_LE(sent, 4000);
}

// A client that sends PINGs and takes no answers.
TEST(Http2SessionAttack, AnswersThatNobodyTakesAreBounded) {
    SessionWorld world;
    net::Slice input;
    net::Draft draft(world.buffers.large());
    draft.append(hello());
    for (int i = 0; i < 900; ++i) draft.append(frame(FrameType::ping, 0, 0, "12345678"));
    EXPECT_FALSE(world.session.receive(std::move(draft).finish(), 1));
    EXPECT_STREQ(world.session.statistics().why_calm, "queued_answers");
}

TEST(Http2SessionAttack, TooManyStreams) {
    SessionWorld world;
    std::string all = hello();
    for (std::uint32_t stream = 1; stream < 1000; stream += 2) all += get(stream);
    world.receive(all);
    std::size_t open = 0;
    for (auto& [number, stream] : world.streams) open += stream->was_closed ? 0 : 1;
    EXPECT_EQ(open, world.limits.concurrent_streams);
}

// Without WINDOW_UPDATE the client may send what was granted and no more.
TEST(Http2SessionAttack, BodiesThatNobodyTakesStayInTheWindow) {
    SessionWorld world;
    world.consumes = false;
    Fields post = get_fields();
    post[0].second = "POST";
    world.receive(hello() + frame(FrameType::headers, end_headers, 1, block(post)));
    int sent = 0;
    while (sent < 100 && !world.stream(1).was_closed) {
        world.receive(frame(FrameType::data, 0, 1, std::string(8192, 'x')));
        ++sent;
    }
    EXPECT_EQ(world.stream(1).body.size(), static_cast<std::size_t>(world.limits.stream_window));
}

TEST(Http2Session, ShutdownInTwoSteps) {
    SessionWorld world;
    world.receive(hello() + get(1));
    world.frames();
    world.session.begin_shutdown();
    auto frames = world.frames();
    ASSERT_NE(find(frames, FrameType::goaway, 0), nullptr);
    EXPECT_EQ(find(frames, FrameType::goaway, 0)->word(0), 0x7fffffffU);
    ASSERT_NE(find(frames, FrameType::ping, 0), nullptr);
    world.receive(get(3) + frame(FrameType::ping, acknowledge, 0, find(frames, FrameType::ping, 0)->payload));
    EXPECT_EQ(world.shutdowns_seen, 1);
    world.session.finish_shutdown();
    frames = world.frames();
    ASSERT_NE(find(frames, FrameType::goaway, 0), nullptr);
    EXPECT_EQ(find(frames, FrameType::goaway, 0)->word(0), 3U);
    EXPECT_FALSE(world.session.is_over());
    world.answer_all();
    world.frames();
    EXPECT_TRUE(world.session.is_over());
}

TEST(Http2Session, FuzzSeeds) {
    std::size_t seen = 0;
    for (const auto& entry : std::filesystem::directory_iterator(CARDEA_SOURCE_DIR "/tests/fuzz/http2_session_fuzz")) {
        std::ifstream file(entry.path(), std::ios::binary);
        std::stringstream text;
        text << file.rdbuf();
        std::string bytes = text.str();
        ASSERT_FALSE(bytes.empty());
        check_session(std::string_view(bytes).substr(1), static_cast<std::uint8_t>(bytes[0]) + std::size_t{1});
        ++seen;
    }
    EXPECT_GE(seen, 4U);
}

}  // namespace
}  // namespace http2
