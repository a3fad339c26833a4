// ClientSession: our HTTP/2 connection to one server; see Session. Its streams are requests of ours.
#pragma once

#include <limits>

#include "http/http2/session.h"

namespace http2 {

class ClientSession final : public Session {
  public:
    ClientSession(const Limits& limits, net::BufferPool& buffers);

    // How many streams may be open at a time: one until the server has said how many, then no more than our own limit.
    [[nodiscard]] std::size_t most_streams() const;
    // No GOAWAY has come or gone, and there are numbers left.
    [[nodiscard]] bool takes_requests() const;

    // A new stream. `text` is an HTTP/1.1 head, whose connection fields are left out here; Host becomes `:authority`.
    // Without a body it is the end of our side. False: it cannot be sent, and `stream` stays unknown.
    [[nodiscard]] bool send_request(SessionStream& stream, std::string_view text, std::string_view scheme,
                                    bool has_body);
    // Event::ping_answered says when the server has seen it.
    void ping();
    // Says farewell. Those under way are served to their end.
    void go_away();

  private:
    std::optional<HeadBuilder::Kind> begin_head(std::int32_t number, SessionStream* stream, bool is_first) override;
    void finish_head(SessionStream& stream, Event& event) override;
    void stream_ended(SessionStream& stream, Event& event) override;
    void frame_sent(std::uint8_t type, bool ends_stream, std::int32_t number, SessionStream* stream) override;

    bool is_leaving_ = false;
};

}  // namespace http2
