// Session: one HTTP/2 connection without its socket (RFC 9113, on nghttp2), as far as it is the same on both sides:
// bytes in, events out; frames out whenever the socket takes more. It starts nothing and waits for nothing. A hostile
// other side runs into the Limits, each of which ends the stream or the connection. ServerSession and ClientSession are
// the two kinds there are.
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

// A stream as its session knows it: its body on the way out, and what belongs to it. Lives until its Event::closed has
// been seen, or the session is gone.
class SessionStream {
  public:
    explicit SessionStream(std::int32_t number) : number_(number) {}
    virtual ~SessionStream() = default;

    // Body bytes that may be sent now.
    [[nodiscard]] virtual std::size_t output_size() const = 0;
    // The next of them, in order; called while pull() runs.
    virtual void take_output(std::size_t size, ByteSink& sink) = 0;

    // 0: it has none yet.
    [[nodiscard]] std::int32_t number() const { return number_; }
    // RST_STREAM came or went, or END_STREAM both ways: nothing more can be sent or will arrive.
    [[nodiscard]] bool is_closed() const { return is_closed_; }
    // Its first frame went out: the other side may have seen it.
    [[nodiscard]] bool is_on_its_way() const { return is_on_its_way_; }

  protected:
    // The session is gone, without a word about this stream.
    void abandon() { is_closed_ = true; }

  private:
    friend class Session;
    friend class ServerSession;
    friend class ClientSession;
    friend struct OutputReader;
    std::int32_t number_;
    std::uint8_t interim_heads_ = 0;  // received
    bool is_closed_ = false;
    bool has_head_ = false;    // sent
    bool has_answer_ = false;  // the final head was received
    bool is_on_its_way_ = false;
    bool output_ended_ = false;  // what output_size() says is all there will be
    bool is_deferred_ = false;
    bool is_reset_by_us_ = false;
    bool is_malformed_ = false;  // nghttp2 has ended it for a mistake of the other side
    std::string trailers_;       // field lines
};

// How a stream ended, as far as another attempt depends on it.
enum class Fate : std::uint8_t {
    served,       // in order, or by us
    unprocessed,  // the other side has not looked at it (RFC 9113 8.7)
    reset,        // the other side gave up
    malformed,    // the other side broke the protocol
};

struct Event {
    enum class Kind : std::uint8_t {
        head,           // of a message, or of an interim answer; `head`
        data,           // `bytes`
        trailers,       // `head`; `ended` follows
        ended,          // the message is whole
        closed,         // the last one of a stream; `code` and `fate` say why
        ping_answered,  // no stream
        settings,       // the other side's have changed; no stream
        going_away,     // GOAWAY has come; no stream
    };
    Kind kind;
    SessionStream* stream = nullptr;
    ReceivedHead head;
    net::Slice bytes;
    ErrorCode code = ErrorCode::no_error;
    Fate fate = Fate::served;
};

class Session {
  public:
    // What of the connection's history an operator may want to know.
    struct Statistics {
        std::uint32_t streams = 0;
        std::uint32_t resets = 0;        // charged to Limits::resets
        std::uint32_t refused = 0;       // streams beyond a limit
        const char* why_calm = nullptr;  // the limit that ended the connection
    };

    Session(const Session&) = delete;

    // Takes all of `input` in. False: the connection is beyond repair; pull what there is, send it and close.
    bool receive(const net::Slice& input, net::Instant now);
    // What came of it, in order; to be moved from and cleared before the next receive().
    [[nodiscard]] std::vector<Event>& events() { return events_; }

    // Puts frames into `sink` until there are none or it is full.
    void pull(ByteSink& sink);
    [[nodiscard]] bool wants_to_send() const;
    // A GOAWAY is out or in and no stream is left: close once all is sent.
    [[nodiscard]] bool is_over() const;

    // ---- a stream's body
    // output_size() has grown.
    void resume(SessionStream& stream);
    // What output_size() says now is the rest of the body. `trailers`: field lines to follow it.
    void end_output(SessionStream& stream, std::string trailers = {});
    void reset(SessionStream& stream, ErrorCode code);
    // That many bytes of the stream's data have been used: the other side may send as many more.
    void consume(std::int32_t stream, std::size_t size);

    // At once.
    void terminate(ErrorCode code);

    [[nodiscard]] const Statistics& statistics() const { return statistics_; }
    [[nodiscard]] bool is_reading_head() const { return builder_.has_value(); }
    // Memory that grows with what the other side sends, here and not yet handed on.
    [[nodiscard]] std::size_t memory() const;

  protected:
    enum class Side : std::uint8_t { server, client };
    struct Callbacks;

    Session(Side side, const Limits& limits, net::BufferPool& buffers);
    ~Session();
    static const nghttp2_session_callbacks* callbacks();

    // A header block begins: what it is; nothing if nobody wants it. `is_first`: of its stream.
    virtual std::optional<HeadBuilder::Kind> begin_head(std::int32_t number, SessionStream* stream, bool is_first) = 0;
    virtual void finish_head(SessionStream& stream, Event& event) = 0;
    virtual void stream_ended(SessionStream& stream, Event& event) = 0;
    virtual void frame_refused() {}  // by nghttp2
    virtual void frame_sent(std::uint8_t type, bool ends_stream, std::int32_t number, SessionStream* stream) = 0;
    // Of a frame whose stream nghttp2 may no longer know, before nghttp2 reads it.
    virtual void check_frame(std::int32_t /*number*/) {}
    virtual void reset_received(std::int32_t /*number*/) {}

    void calm_down(const char* why);

    const Limits& limits_;
    net::BufferPool& buffers_;
    nghttp2_session* session_ = nullptr;
    std::vector<Event> events_;
    net::Instant now_ = 0;
    Budget window_updates_;
    Statistics statistics_;
    std::int32_t last_stream_ = 0;  // of a server: the highest number that the client has used
    bool has_settings_ = false;     // of the other side
    bool is_lost_ = false;

  private:
    bool feed(std::string_view bytes);
    void look_at_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t length, std::int32_t stream,
                       bool is_of_known_stream);

    const Side side_;
    std::optional<HeadBuilder> builder_;
    std::int32_t builder_stream_ = 0;
    std::uint32_t continuations_ = 0;
    std::array<std::uint8_t, 9> frame_head_{};  // of the frame under way, as far as it is there
    std::size_t frame_head_size_ = 0;
    std::uint32_t skipped_ = 0;  // bytes to come of its payload; of a server, first of the preface
    const net::Slice* input_ = nullptr;
    ByteSink* sink_ = nullptr;
    Budget idle_frames_;
};

}  // namespace http2
