// ServerSession: one client's HTTP/2 connection without its socket (RFC 9113, on nghttp2): bytes in, events out;
// answers in, bytes out. It starts nothing and waits for nothing: the gateway gives it what arrived, looks at the
// events, and fetches what is to be sent whenever the socket takes more. Hostile clients run into the Limits, each of
// which ends the stream or the connection.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/http2/budget.h"
#include "http/http2/head_builder.h"
#include "http/http2/limits.h"
#include "net/buffer.h"
#include "net/time.h"

struct nghttp2_session;
struct nghttp2_session_callbacks;

namespace http2 {

// RFC 9113 7: those that we use.
enum class ErrorCode : std::uint32_t {
    no_error = 0,
    protocol_error = 1,
    internal_error = 2,
    stream_closed = 5,
    refused_stream = 7,
    cancel = 8,
    enhance_your_calm = 11,
};

// Where pull() puts the connection's bytes.
class ByteSink {
  public:
    [[nodiscard]] virtual bool is_full() const = 0;
    virtual void copy(std::string_view text) = 0;
    virtual void add(net::Slice piece) = 0;

  protected:
    ~ByteSink() = default;
};

// A stream's body on its way out, and what belongs to it. Made by StreamOwner::open, lives until its Event::closed has
// been seen.
class ServedStream {
  public:
    explicit ServedStream(std::int32_t number) : number_(number) {}
    virtual ~ServedStream() = default;

    // Body bytes that may be sent now.
    [[nodiscard]] virtual std::size_t output_size() const = 0;
    // The next of them, in order; called while pull() runs.
    virtual void take_output(std::size_t size, ByteSink& sink) = 0;

    [[nodiscard]] std::int32_t number() const { return number_; }
    // RST_STREAM came or went, or END_STREAM both ways: nothing more can be sent or will arrive.
    [[nodiscard]] bool is_closed() const { return is_closed_; }

  private:
    friend class ServerSession;
    std::int32_t number_;
    bool is_closed_ = false;
    bool has_head_ = false;
    bool output_ended_ = false;  // what output_size() says is all there will be
    bool is_deferred_ = false;
    bool is_reset_by_us_ = false;
    std::string trailers_;  // field lines
};

class StreamOwner {
  public:
    // A new stream; nullptr: it is refused.
    virtual ServedStream* open(std::int32_t number) = 0;

  protected:
    ~StreamOwner() = default;
};

struct Event {
    enum class Kind : std::uint8_t {
        head,           // of a request; `head`
        data,           // `bytes`
        trailers,       // `head`; `ended` follows
        ended,          // the request is whole
        closed,         // the last one of a stream; `code` says why
        shutdown_seen,  // the client has answered the PING behind begin_shutdown(); no stream
    };
    Kind kind;
    ServedStream* stream = nullptr;
    ReceivedHead head;
    net::Slice bytes;
    ErrorCode code = ErrorCode::no_error;
};

class ServerSession {
  public:
    // What of the connection's history an operator may want to know.
    struct Statistics {
        std::uint32_t streams = 0;
        std::uint32_t resets = 0;        // charged to Limits::resets
        std::uint32_t refused = 0;       // streams beyond a limit
        const char* why_calm = nullptr;  // the limit that ended the connection
    };

    ServerSession(const Limits& limits, net::BufferPool& buffers, StreamOwner& owner);
    ServerSession(const ServerSession&) = delete;
    ~ServerSession();

    // Takes all of `input` in. False: the connection is beyond repair; pull what there is, send it and close.
    bool receive(const net::Slice& input, net::Instant now);
    // What came of it, in order; to be moved from and cleared before the next receive().
    [[nodiscard]] std::vector<Event>& events() { return events_; }

    // Puts frames into `sink` until there are none or it is full.
    void pull(ByteSink& sink);
    [[nodiscard]] bool wants_to_send() const;
    // A GOAWAY is out or in and no stream is left: close once all is sent.
    [[nodiscard]] bool is_over() const;

    // ---- answers. `text` is an HTTP/1.1 head, whose connection fields are left out here. False: it cannot be sent.
    [[nodiscard]] bool send_interim(ServedStream& stream, std::string_view text);
    // `status`: in the place of the text's, if not 0. Without a body it is the end of the stream.
    [[nodiscard]] bool send_head(ServedStream& stream, std::string_view text, int status, bool has_body);
    // output_size() has grown.
    void resume(ServedStream& stream);
    // What output_size() says now is the rest of the body. `trailers`: field lines to follow it. If the request is not
    // whole by then, the client is told to stop (RFC 9113 8.1).
    void end_output(ServedStream& stream, std::string trailers = {});
    void reset(ServedStream& stream, ErrorCode code);
    // A stream that we reset for the client's mistake counts as one that it reset.
    void charge_reset();
    // That many bytes of the stream's data have been used: the client may send as many more.
    void consume(std::int32_t stream, std::size_t size);

    // ---- the end
    // Says that the end is near, and asks when that has been seen (RFC 9113 6.8: two steps, so that no request is
    // lost).
    void begin_shutdown();
    // No stream from now on; those under way are served to their end.
    void finish_shutdown();
    // At once.
    void terminate(ErrorCode code);

    [[nodiscard]] const Statistics& statistics() const { return statistics_; }
    [[nodiscard]] bool is_reading_head() const { return builder_.has_value(); }
    // Memory that grows with what a client sends, here and not yet handed on.
    [[nodiscard]] std::size_t memory() const;

  private:
    struct Callbacks;
    bool feed(std::string_view bytes);
    void look_at_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t length, std::int32_t stream,
                       bool is_of_known_stream);
    void calm_down(const char* why);
    void has_reset(std::int32_t stream);
    [[nodiscard]] bool may_still_send(std::int32_t stream) const;

    const Limits& limits_;
    net::BufferPool& buffers_;
    StreamOwner& owner_;
    nghttp2_session* session_ = nullptr;
    std::vector<Event> events_;
    std::optional<HeadBuilder> builder_;
    std::int32_t builder_stream_ = 0;
    std::uint32_t continuations_ = 0;
    std::array<std::uint8_t, 9> frame_head_{};  // of the frame under way, as far as it is there
    std::size_t frame_head_size_ = 0;
    std::uint32_t skipped_ = 24;  // bytes to come of its payload; first of the preface
    const net::Slice* input_ = nullptr;
    ByteSink* sink_ = nullptr;
    net::Instant now_ = 0;
    Budget resets_;
    Budget idle_frames_;
    Budget window_updates_;
    Statistics statistics_;
    // Streams that we have reset last: what the client sent before it knew is no mistake of its (RFC 9113 5.1). Of
    // those up to doubtful_ that is no longer known.
    static constexpr std::size_t remembered = 32;
    std::array<std::int32_t, remembered> reset_{};
    std::uint32_t resets_sent_ = 0;
    std::int32_t doubtful_ = 0;
    std::int32_t last_stream_ = 0;  // the highest number that the client has used
    bool is_lost_ = false;
};

}  // namespace http2
