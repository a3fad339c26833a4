// A ServerSession with everything around it in memory: what the unit tests and the fuzz target of this folder drive.
#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ensure.h"
#include "http/http2/frames_for_tests.h"
#include "http/http2/server_session.h"

namespace http2 {

struct TestStream final : SessionStream {
    using SessionStream::SessionStream;
    [[nodiscard]] std::size_t output_size() const override { return output.size(); }
    void take_output(std::size_t size, ByteSink& sink) override {
        sink.copy(std::string_view(output).substr(0, size));
        output.erase(0, size);
    }
    std::string output;
    std::string head;
    http1::Fault fault = http1::Fault::none;
    http::RequestHead request;
    net::Slice head_bytes;
    std::string body;
    std::string trailers;
    bool has_ended = false;
    bool was_closed = false;
    ErrorCode code = ErrorCode::no_error;
};

struct TextSink final : ByteSink {
    [[nodiscard]] bool is_full() const override { return text.size() >= most; }
    void copy(std::string_view bytes) override { text += bytes; }
    void add(net::Slice piece) override { text += piece.text(); }
    std::string text;
    std::size_t most = std::size_t{1} << 40;
};

class SessionWorld : public StreamOwner {
  public:
    explicit SessionWorld(Limits with = {}) : limits(with), session(limits, buffers, *this) {}

    SessionStream* open(std::int32_t number) override {
        auto stream = std::make_unique<TestStream>(number);
        TestStream* out = stream.get();
        ensure(streams.emplace(number, std::move(stream)).second, number);
        return out;
    }

    // Gives the session these bytes, at most `step` at a time, and looks at the events.
    bool receive(std::string_view bytes, std::size_t step = 16384) {
        bool is_sound = true;
        while (!bytes.empty() && is_sound) {
            std::string_view part = bytes.substr(0, step);
            bytes.remove_prefix(part.size());
            net::Draft draft(buffers.at_least(part.size()));
            draft.append(part);
            net::Slice slice = std::move(draft).finish();
            is_sound = session.receive(slice, now);
            most_memory = std::max(most_memory, session.memory());
            look();
            if (answers_at_once) answer_all();
            sent += pulled();
            look();
        }
        return is_sound;
    }
    void look() {
        std::vector<Event> events = std::move(session.events());
        session.events().clear();
        for (Event& event : events) {
            if (event.stream == nullptr) {
                ++shutdowns_seen;
                continue;
            }
            auto& stream = static_cast<TestStream&>(*event.stream);
            ensure(!stream.was_closed, stream.number());
            switch (event.kind) {
                case Event::Kind::head:
                    stream.head_bytes = event.head.text;
                    stream.head = event.head.text.text();
                    stream.fault = read_request_head(event.head, limits.message, stream.request);
                    heads.push_back(&stream);
                    break;
                case Event::Kind::data:
                    stream.body += event.bytes.text();
                    if (consumes) session.consume(stream.number(), event.bytes.size());
                    break;
                case Event::Kind::trailers: {
                    http::Headers fields;
                    stream.fault = read_trailers(event.head, limits.message, fields);
                    for (const http::Header& field : fields)
                        stream.trailers.append(field.name).append(":").append(field.value).append("\n");
                    break;
                }
                case Event::Kind::ended:
                    stream.has_ended = true;
                    break;
                case Event::Kind::closed:
                    stream.was_closed = true;
                    stream.code = event.code;
                    break;
                case Event::Kind::ping_answered:
                case Event::Kind::settings:
                case Event::Kind::going_away:
                    break;
            }
        }
    }
    void answer_all() {
        for (TestStream* stream : heads)
            if (!stream->was_closed) answer(*stream, "ok");
        heads.clear();
    }
    void answer(TestStream& stream, std::string_view body, std::string trailers = {}) {
        if (!session.send_head(stream, "HTTP/1.1 200 OK\r\nServer: x\r\nConnection: close\r\n\r\n", 0, true)) return;
        stream.output += body;
        session.end_output(stream, std::move(trailers));
    }
    std::string pulled() {
        TextSink sink;
        session.pull(sink);
        return std::move(sink.text);
    }
    // The session's frames so far.
    std::vector<Frame> frames() {
        sent += pulled();
        look();
        return take_frames(sent);
    }
    TestStream& stream(std::int32_t number) { return *streams.at(number); }

    Limits limits;
    net::BufferPool buffers;
    std::map<std::int32_t, std::unique_ptr<TestStream>> streams;
    std::vector<TestStream*> heads;
    net::Instant now = 1000;
    std::string sent;
    std::size_t most_memory = 0;
    int shutdowns_seen = 0;
    bool answers_at_once = false;
    bool consumes = true;
    ServerSession session;
};

// Any bytes behind a preface: the same requests however they are split, and nothing beyond the limits.
inline void check_session(std::string_view bytes, std::size_t step) {
    auto run = [&](SessionWorld& world, std::size_t size) {
        world.receive(hello());
        world.receive(bytes, size);
        std::string out;
        for (auto& [number, stream] : world.streams) {
            out += std::to_string(number) + " " + std::string(http1::name(stream->fault)) + " " +
                   stream->head.substr(0, stream->head.find("sec-websocket-key")) + "|" + stream->body + "|" +
                   stream->trailers + (stream->has_ended ? " ended\n" : "\n");
            if (!stream->head.empty() && stream->fault == http1::Fault::none) {
                const http::RequestHead& head = stream->request;
                ensure(head.headers.size() <= world.limits.message.header_count + 5, head.headers.size());
                ensure(!head.headers.has(http::Known::transfer_encoding), stream->head);
                ensure(head.headers.count(http::Known::host) <= 1, stream->head);
                if (head.framing == http::BodyFraming::length)
                    ensure(stream->body.size() <= head.content_length, stream->body.size());
            }
        }
        ensure(world.most_memory < 2 * 1024 * 1024, world.most_memory);
        return out;
    };
    SessionWorld whole;
    SessionWorld split;
    std::string a = run(whole, bytes.size() + 1);
    std::string b = run(split, step);
    // A connection that ends in the middle says no more, and how much it had said depends on the pieces.
    if (whole.session.is_over() || split.session.is_over()) return;
    ensure(a == b, a, b);
}

}  // namespace http2
