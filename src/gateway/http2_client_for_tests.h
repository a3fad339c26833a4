// An HTTP/2 client of a simulated world: frames by hand, answers collected by stream.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "gateway/client_for_tests.h"
#include "http/http2/frames_for_tests.h"

namespace gateway {

struct Http2Answer {
    std::string heads;  // the first byte of each header block: :status as HPACK's static table has it
    std::string body;
    bool has_ended = false;
    int reset = -1;  // its code
    [[nodiscard]] bool is_over() const { return has_ended || reset >= 0; }
    [[nodiscard]] int status() const {
        switch (heads.empty() ? 0 : static_cast<unsigned char>(heads.back())) {
            case 0x88:
                return 200;
            case 0x89:
                return 204;
            case 0x8b:
                return 304;
            case 0x8c:
                return 400;
            case 0x8d:
                return 404;
            case 0x8e:
                return 500;
            default:
                return -1;
        }
    }
};

class Http2Client {
  public:
    explicit Http2Client(World& world, std::string_view from = "192.0.2.7") : world_(world), peer_(world.client(from)) {
        peer_.on_input = [this](std::string_view bytes) { read(bytes); };
        peer_.send(http2::hello());
    }
    ~Http2Client() { peer_.close_now(); }

    Http2Client& send(std::string bytes) {
        peer_.send(std::move(bytes));
        return *this;
    }
    // Waits for the whole answer.
    const Http2Answer& answer(std::uint32_t stream, net::Milliseconds most = std::chrono::minutes(10)) {
        world_.run_until([&] { return answers[stream].is_over() || peer_.is_over(); }, most);
        return answers[stream];
    }
    bool is_closed(net::Milliseconds most = std::chrono::minutes(10)) {
        world_.run_until([this] { return peer_.is_over(); }, most);
        return peer_.is_over();
    }
    Peer& peer() { return peer_; }

    std::map<std::uint32_t, Http2Answer> answers;
    std::vector<std::pair<std::uint32_t, int>> goaways;  // last stream, code
    std::map<std::uint32_t, std::uint64_t> credit;       // WINDOW_UPDATE by stream
    std::size_t resets = 0;
    bool gives_credit = true;
    bool answers_pings = true;

  private:
    void read(std::string_view bytes) {
        using http2::FrameType;
        rest_ += bytes;
        for (const http2::Frame& frame : http2::take_frames(rest_)) {
            Http2Answer& answer = answers[frame.stream];
            bool ends = (frame.flags & http2::end_stream) != 0;
            switch (frame.type) {
                case FrameType::headers:
                    answer.heads += frame.payload.substr(0, 1);
                    answer.has_ended |= ends;
                    break;
                case FrameType::data:
                    EXPECT_FALSE(answer.is_over()) << frame.stream;
                    answer.body += frame.payload;
                    answer.has_ended |= ends;
                    if (!gives_credit || frame.payload.empty()) break;
                    for (std::uint32_t of : {std::uint32_t{0}, frame.stream})
                        peer_.send(
                            http2::frame(FrameType::window_update, 0, of, http2::number(frame.payload.size(), 4)));
                    break;
                case FrameType::rst_stream:
                    ++resets;
                    if (!answer.has_ended) answer.reset = static_cast<int>(frame.word(0));
                    break;
                case FrameType::window_update:
                    credit[frame.stream] += frame.word(0);
                    break;
                case FrameType::goaway:
                    goaways.emplace_back(frame.word(0) & 0x7fffffff, static_cast<int>(frame.word(4)));
                    break;
                case FrameType::settings:
                    if ((frame.flags & http2::acknowledge) == 0)
                        peer_.send(http2::frame(FrameType::settings, http2::acknowledge, 0));
                    break;
                case FrameType::ping:
                    if ((frame.flags & http2::acknowledge) == 0 && answers_pings)
                        peer_.send(http2::frame(FrameType::ping, http2::acknowledge, 0, frame.payload));
                    break;
                default:
                    break;
            }
        }
    }

    World& world_;
    Peer& peer_;
    std::string rest_;
};

}  // namespace gateway
