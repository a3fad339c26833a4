// ServerSession: one client's HTTP/2 connection; see Session. Its streams are requests that the StreamOwner opens.
#pragma once

#include "http/http2/session.h"

namespace http2 {

class StreamOwner {
  public:
    // A new stream; nullptr: it is refused.
    virtual SessionStream* open(std::int32_t number) = 0;

  protected:
    ~StreamOwner() = default;
};

class ServerSession final : public Session {
  public:
    ServerSession(const Limits& limits, net::BufferPool& buffers, StreamOwner& owner);

    // ---- answers. `text` is an HTTP/1.1 head, whose connection fields are left out here. False: it cannot be sent.
    [[nodiscard]] bool send_interim(SessionStream& stream, std::string_view text);
    // `status`: in the place of the text's, if not 0. Without a body it is the end of the stream. If the request is not
    // whole by the end of the answer, the client is told to stop (RFC 9113 8.1).
    [[nodiscard]] bool send_head(SessionStream& stream, std::string_view text, int status, bool has_body);
    // A stream that we reset for the client's mistake counts as one that it reset.
    void charge_reset();

    // ---- the end
    // Says that the end is near, and asks when that has been seen (RFC 9113 6.8: two steps, so that no request is
    // lost): Event::ping_answered.
    void begin_shutdown();
    // No stream from now on; those under way are served to their end.
    void finish_shutdown();

  private:
    std::optional<HeadBuilder::Kind> begin_head(std::int32_t number, SessionStream* stream, bool is_first) override;
    void finish_head(SessionStream&, Event&) override {}
    void stream_ended(SessionStream& stream, Event& event) override;
    void frame_refused() override { charge_reset(); }
    void frame_sent(std::uint8_t type, bool ends_stream, std::int32_t number, SessionStream* stream) override;
    void check_frame(std::int32_t number) override;
    void reset_received(std::int32_t number) override;
    void has_reset(std::int32_t stream);
    [[nodiscard]] bool may_still_send(std::int32_t stream) const;

    StreamOwner& owner_;
    Budget resets_;
    // Streams that we have reset last: what the client sent before it knew is no mistake of its (RFC 9113 5.1). Of
    // those up to doubtful_ that is no longer known.
    static constexpr std::size_t remembered = 32;
    std::array<std::int32_t, remembered> reset_{};
    std::uint32_t resets_sent_ = 0;
    std::int32_t doubtful_ = 0;
};

}  // namespace http2
