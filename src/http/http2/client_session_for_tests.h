// A ClientSession with everything around it in memory: what the unit tests and the fuzz target of this folder drive.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nghttp2/nghttp2.h>

#include "http/http1/parse.h"
#include "http/http2/client_session.h"
#include "http/http2/session_for_tests.h"

namespace http2 {

class ClientWorld {
  public:
    explicit ClientWorld(Limits with = upstream_limits({})) : limits(with), session(limits, buffers) {}

    TestStream& request(std::string_view head, bool has_body, bool sends = true) {
        streams.push_back(std::make_unique<TestStream>(0));
        ensure(session.send_request(*streams.back(), head, "http", has_body));
        if (sends && !has_body) frames();
        return *streams.back();
    }
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
            frames();
        }
        return is_sound;
    }
    void look() {
        std::vector<Event> events = std::move(session.events());
        session.events().clear();
        for (Event& event : events) {
            if (event.kind == Event::Kind::ping_answered) ++pings_answered;
            if (event.stream == nullptr) continue;
            auto& stream = static_cast<TestStream&>(*event.stream);
            ensure(!stream.was_closed, stream.number());
            switch (event.kind) {
                case Event::Kind::head:
                    stream.fault = event.head.fault;
                    if (stream.fault == http1::Fault::none) stream.head += event.head.text.text();
                    break;
                case Event::Kind::data:
                    stream.body += event.bytes.text();
                    session.consume(stream.number(), event.bytes.size());
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
                    fates[&stream] = event.fate;
                    break;
                default:
                    break;
            }
        }
    }
    // What it sends, kept in all_frames too.
    std::vector<Frame> frames() {
        TextSink sink;
        session.pull(sink);
        look();
        rest += sink.text;
        if (rest.starts_with(preface)) rest.erase(0, preface.size());
        std::vector<Frame> out = take_frames(rest);
        all_frames.insert(all_frames.end(), out.begin(), out.end());
        return out;
    }
    // Fields, data and the end of streams so far.
    std::string described_output() {
        frames();
        std::string out;
        nghttp2_hd_inflater* inflater = nullptr;
        ensure(nghttp2_hd_inflate_new(&inflater) == 0);
        for (const Frame& each : all_frames) {
            if (each.type == FrameType::headers) {
                const auto* at = reinterpret_cast<const std::uint8_t*>(each.payload.data());
                std::size_t left = each.payload.size();
                for (int flags = 0; (flags & NGHTTP2_HD_INFLATE_FINAL) == 0;) {
                    nghttp2_nv nv;
                    ssize_t used = nghttp2_hd_inflate_hd2(inflater, &nv, &flags, at, left, 1);
                    ensure(used >= 0);
                    at += used;
                    left -= static_cast<std::size_t>(used);
                    if ((flags & NGHTTP2_HD_INFLATE_EMIT) != 0)
                        out += std::string(reinterpret_cast<const char*>(nv.name), nv.namelen) + "=" +
                               std::string(reinterpret_cast<const char*>(nv.value), nv.valuelen) + "\n";
                }
                nghttp2_hd_inflate_end_headers(inflater);
                out += "--\n";
            } else if (each.type == FrameType::data && !each.payload.empty()) {
                out += each.payload + "\n";
            }
            bool ends = each.type == FrameType::headers || each.type == FrameType::data;
            if (ends && (each.flags & end_stream) != 0) out += "end\n";
        }
        nghttp2_hd_inflate_del(inflater);
        return out;
    }

    Limits limits;
    net::BufferPool buffers;
    std::vector<std::unique_ptr<TestStream>> streams;
    std::map<TestStream*, Fate> fates;
    std::vector<Frame> all_frames;
    net::Instant now = 1000;
    std::string rest;
    std::size_t most_memory = 0;
    int pings_answered = 0;
    ClientSession session;
};

// Any bytes as what a server says to three requests: the same answers however they are split, and nothing beyond the
// limits.
inline void check_client_session(std::string_view bytes, std::size_t step) {
    auto run = [&](ClientWorld& world, std::size_t size) {
        for (const char* method : {"GET", "HEAD", "POST"})
            world.request(std::string(method) + " / HTTP/1.1\r\nHost: a\r\n\r\n", false);
        world.receive(bytes, size);
        world.frames();
        std::string out;
        for (const auto& stream : world.streams) {
            out += stream->head + "|" + stream->body + "|" + stream->trailers + (stream->has_ended ? " ended\n" : "\n");
            std::string_view head = stream->head;
            while (!head.empty()) {
                std::size_t end = head.find("\r\n\r\n") + 4;
                http::ResponseHead parsed;
                http1::Limits wider = world.limits.message;
                wider.response_head += 64;
                // Whether it is good is the parser's to say; it must be one head, and no more.
                (void)http1::parse_response_head(head.substr(0, end), wider, http::Method::get, parsed);
                ensure(!parsed.headers.has(http::Known::transfer_encoding), stream->head);
                head.remove_prefix(end);
            }
        }
        ensure(world.most_memory < 2 * 1024 * 1024, world.most_memory);
        return out;
    };
    ClientWorld whole;
    ClientWorld split;
    std::string a = run(whole, bytes.size() + 1);
    std::string b = run(split, step);
    if (whole.session.is_over() || split.session.is_over()) return;
    ensure(a == b, a, b);
}

}  // namespace http2
