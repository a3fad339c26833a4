#include "http/http2/session.h"

#include <algorithm>

#include "base/ensure.h"
#include "http/headers.h"
#include "http/http2/submit.h"

namespace http2 {

namespace {

constexpr std::uint64_t left_out = http::bit(http::Known::connection) | http::bit(http::Known::keep_alive) |
                                   http::bit(http::Known::proxy_connection) |
                                   http::bit(http::Known::transfer_encoding) | http::bit(http::Known::upgrade) |
                                   http::bit(http::Known::http2_settings);

struct CallbacksDeleter {
    void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

}  // namespace

nghttp2_nv field(std::string_view name, std::string_view value) {
    auto bytes = [](std::string_view text) {
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

void add_fields(std::string_view lines, std::uint64_t skipped, std::vector<nghttp2_nv>& out) {
    while (!lines.empty()) {
        std::size_t end = lines.find("\r\n");
        std::string_view line = lines.substr(0, end);
        lines = end == lines.npos ? std::string_view() : lines.substr(end + 2);
        std::size_t colon = line.find(':');
        if (colon == line.npos) break;
        std::string_view name = line.substr(0, colon);
        std::string_view value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if ((http::bit(http::recognise(name)) & (left_out | skipped)) != 0) continue;
        out.push_back(field(name, value));
    }
}

std::vector<nghttp2_nv>& no_fields() {
    static thread_local std::vector<nghttp2_nv> fields;
    fields.clear();
    return fields;
}

// nghttp2 calls these from within receive() and pull(). None of them calls back into the gateway but
// StreamOwner::open(): what happened waits as an event until nghttp2 is at rest.
struct Session::Callbacks {
    static Session& self(void* user) { return *static_cast<Session*>(user); }
    static SessionStream* stream_of(nghttp2_session* session, std::int32_t id) {
        return id == 0 ? nullptr : static_cast<SessionStream*>(nghttp2_session_get_stream_user_data(session, id));
    }

    static int begin_headers(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
        Session& session = self(user);
        std::int32_t id = frame->hd.stream_id;
        session.builder_.reset();
        if (session.is_lost_) return 0;
        bool is_first = frame->headers.cat != NGHTTP2_HCAT_HEADERS;
        auto kind = session.begin_head(id, stream_of(nghttp2, id), is_first);
        if (!kind) return 0;
        session.builder_.emplace(*kind, session.limits_.message, session.buffers_);
        session.builder_stream_ = id;
        return 0;
    }

    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
        Session& session = self(user);
        if (session.builder_ && session.builder_stream_ == frame->hd.stream_id)
            session.builder_->add({reinterpret_cast<const char*>(name), name_size},
                                  {reinterpret_cast<const char*>(value), value_size});
        return 0;
    }

    // nghttp2 would leave such a field out and go on; two readers could then disagree about the message.
    static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                              const std::uint8_t*, std::size_t, std::uint8_t, void*) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    static int frame_received(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
        Session& session = self(user);
        if (session.is_lost_) return 0;
        bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        bool is_answer = (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0;
        SessionStream* stream = stream_of(nghttp2, frame->hd.stream_id);
        switch (frame->hd.type) {
            case NGHTTP2_PING:
                if (is_answer) session.events_.push_back({.kind = Event::Kind::ping_answered});
                return 0;
            case NGHTTP2_SETTINGS:
                if (is_answer) return 0;
                session.has_settings_ = true;
                if (session.side_ == Side::client) session.events_.push_back({.kind = Event::Kind::settings});
                return 0;
            case NGHTTP2_GOAWAY:
                if (session.side_ == Side::client) session.events_.push_back({.kind = Event::Kind::going_away});
                return 0;
            case NGHTTP2_HEADERS:
                if (stream == nullptr || !session.builder_) break;
                {
                    bool is_trailers = session.builder_->kind() == HeadBuilder::Kind::trailers;
                    Event event{.kind = is_trailers ? Event::Kind::trailers : Event::Kind::head, .stream = stream};
                    event.head = session.builder_->finish();
                    event.head.is_whole = is_last;
                    session.builder_.reset();
                    session.finish_head(*stream, event);
                    session.events_.push_back(std::move(event));
                }
                break;
            case NGHTTP2_DATA:
                break;
            default:
                return 0;
        }
        if (is_last && stream != nullptr) session.events_.push_back({.kind = Event::Kind::ended, .stream = stream});
        return 0;
    }

    static int data(nghttp2_session* nghttp2, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                    std::size_t size, void* user) {
        Session& session = self(user);
        SessionStream* stream = stream_of(nghttp2, id);
        if (stream == nullptr || session.is_lost_) {
            nghttp2_session_consume(nghttp2, id, size);
            return 0;
        }
        const net::Slice& input = *session.input_;
        auto at = static_cast<std::size_t>(reinterpret_cast<const char*>(bytes) - input.data());
        ensure(at + size <= input.size(), at, size);
        session.events_.push_back({.kind = Event::Kind::data, .stream = stream, .bytes = input.part(at, size)});
        return 0;
    }

    static int stream_closed(nghttp2_session* nghttp2, std::int32_t id, std::uint32_t code, void* user) {
        Session& session = self(user);
        if (session.builder_stream_ == id) session.builder_.reset();
        SessionStream* stream = stream_of(nghttp2, id);
        if (stream == nullptr) return 0;
        stream->is_closed_ = true;
        Event event{.kind = Event::Kind::closed, .stream = stream, .code = static_cast<ErrorCode>(code)};
        session.stream_ended(*stream, event);
        session.events_.push_back(std::move(event));
        return 0;
    }

    static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
        self(user).frame_refused();
        return 0;
    }

    static int frame_sent(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
        Session& session = self(user);
        if (frame->hd.type == NGHTTP2_DATA) session.window_updates_.earn(4);
        bool ends_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
                           (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS);
        session.frame_sent(frame->hd.type, ends_stream, frame->hd.stream_id, stream_of(nghttp2, frame->hd.stream_id));
        return 0;
    }

    static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* header, std::size_t size,
                         nghttp2_data_source* source, void* user) {
        Session& session = self(user);
        if (session.sink_->is_full()) return NGHTTP2_ERR_WOULDBLOCK;
        auto& stream = *static_cast<SessionStream*>(source->ptr);
        // Of a frame that was put off once: its stream may have been given up since. nghttp2 then resets it.
        if (size > stream.output_size()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        constexpr std::size_t header_size = 9;
        session.sink_->copy({reinterpret_cast<const char*>(header), header_size});
        if (size > 0) stream.take_output(size, *session.sink_);
        return 0;
    }

    static ssize_t send(nghttp2_session*, const std::uint8_t* bytes, std::size_t size, int, void* user) {
        ByteSink& sink = *self(user).sink_;
        if (sink.is_full()) return NGHTTP2_ERR_WOULDBLOCK;
        sink.copy({reinterpret_cast<const char*>(bytes), size});
        return static_cast<ssize_t>(size);
    }
};

const nghttp2_session_callbacks* Session::callbacks() {
    static const auto callbacks = [] {
        nghttp2_session_callbacks* made = nullptr;
        ensure(nghttp2_session_callbacks_new(&made) == 0);
        nghttp2_session_callbacks_set_on_begin_headers_callback(made, Callbacks::begin_headers);
        nghttp2_session_callbacks_set_on_header_callback(made, Callbacks::header);
        nghttp2_session_callbacks_set_on_invalid_header_callback(made, Callbacks::invalid_header);
        nghttp2_session_callbacks_set_on_frame_recv_callback(made, Callbacks::frame_received);
        nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, Callbacks::invalid_frame);
        nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, Callbacks::data);
        nghttp2_session_callbacks_set_on_stream_close_callback(made, Callbacks::stream_closed);
        nghttp2_session_callbacks_set_on_frame_send_callback(made, Callbacks::frame_sent);
        nghttp2_session_callbacks_set_send_data_callback(made, Callbacks::send_data);
        nghttp2_session_callbacks_set_send_callback(made, Callbacks::send);
        return std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter>(made);
    }();
    return callbacks.get();
}

ssize_t OutputReader::read(nghttp2_session* nghttp2, std::int32_t id, std::uint8_t*, std::size_t room,
                           std::uint32_t* flags, nghttp2_data_source* source, void*) {
    auto& stream = *static_cast<SessionStream*>(source->ptr);
    std::size_t all = stream.output_size();
    std::size_t size = std::min(all, room);
    if (size == 0 && !stream.output_ended_) {
        stream.is_deferred_ = true;
        return NGHTTP2_ERR_DEFERRED;
    }
    *flags |= NGHTTP2_DATA_FLAG_NO_COPY;
    if (size == all && stream.output_ended_) {
        *flags |= NGHTTP2_DATA_FLAG_EOF;
        if (!stream.trailers_.empty()) {
            std::vector<nghttp2_nv>& fields = no_fields();
            add_fields(stream.trailers_, 0, fields);
            if (!fields.empty() && nghttp2_submit_trailer(nghttp2, id, fields.data(), fields.size()) == 0)
                *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
            stream.trailers_.clear();
        }
    }
    return static_cast<ssize_t>(size);
}

nghttp2_data_provider body_of(SessionStream& stream) {
    nghttp2_data_provider out{};
    out.source.ptr = &stream;
    out.read_callback = OutputReader::read;
    return out;
}

Options common_options(const Limits& limits) {
    nghttp2_option* made = nullptr;
    ensure(nghttp2_option_new(&made) == 0);
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_no_closed_streams(made, 1);
    nghttp2_option_set_max_outbound_ack(made, limits.queued_answers);
    nghttp2_option_set_max_continuations(made, limits.continuations);
    return Options(made);
}

Session::Session(Side side, const Limits& limits, net::BufferPool& buffers)
    : limits_(limits),
      buffers_(buffers),
      window_updates_(limits.window_updates),
      side_(side),
      skipped_(side == Side::server ? NGHTTP2_CLIENT_MAGIC_LEN : 0),
      idle_frames_(limits.idle_frames) {}

Session::~Session() { nghttp2_session_del(session_); }

bool Session::receive(const net::Slice& input, net::Instant now) {
    if (is_lost_) return false;
    now_ = now;
    input_ = &input;
    std::string_view bytes = input.text();
    std::size_t fed = 0;
    for (std::size_t at = 0; at < bytes.size() && !is_lost_;) {
        if (skipped_ > 0) {
            std::size_t size = std::min<std::size_t>(skipped_, bytes.size() - at);
            skipped_ -= static_cast<std::uint32_t>(size);
            at += size;
            continue;
        }
        frame_head_[frame_head_size_++] = static_cast<std::uint8_t>(bytes[at++]);
        if (frame_head_size_ < frame_head_.size()) continue;
        frame_head_size_ = 0;
        auto& head = frame_head_;
        skipped_ = static_cast<std::uint32_t>(head[0]) << 16 | static_cast<std::uint32_t>(head[1]) << 8 | head[2];
        std::uint32_t stream = static_cast<std::uint32_t>(head[5] & 0x7f) << 24 |
                               static_cast<std::uint32_t>(head[6]) << 16 | static_cast<std::uint32_t>(head[7]) << 8 |
                               head[8];
        bool is_of_known_stream = side_ == Side::server && (head[3] == NGHTTP2_DATA || head[3] == NGHTTP2_HEADERS) &&
                                  stream != 0 && static_cast<std::int32_t>(stream) <= last_stream_;
        // Whether its stream is still there shows once nghttp2 has read what came before.
        if (is_of_known_stream) {
            if (!feed(bytes.substr(fed, at - 1 - fed))) break;
            fed = at - 1;
        }
        look_at_frame(head[3], head[4], skipped_, static_cast<std::int32_t>(stream), is_of_known_stream);
    }
    if (!is_lost_) feed(bytes.substr(fed));
    if (!is_lost_ && nghttp2_session_get_outbound_queue_size(session_) > limits_.queued_frames)
        calm_down("queued_frames");
    input_ = nullptr;
    return !is_lost_;
}

bool Session::feed(std::string_view bytes) {
    if (bytes.empty()) return true;
    ssize_t read =
        nghttp2_session_mem_recv(session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    if (read >= 0) return !is_lost_;
    if (read == NGHTTP2_ERR_FLOODED)
        calm_down("queued_answers");
    else if (read == NGHTTP2_ERR_TOO_MANY_CONTINUATIONS)
        calm_down("continuations");
    else if (!is_lost_)
        terminate(ErrorCode::protocol_error);
    is_lost_ = true;
    return false;
}

// Of every frame, before nghttp2 sees it: nghttp2 does not tell of those that it ignores.
void Session::look_at_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t length, std::int32_t stream,
                            bool is_of_known_stream) {
    if (is_of_known_stream) check_frame(stream);
    switch (type) {
        case NGHTTP2_HEADERS:
            last_stream_ = std::max(last_stream_, stream);
            continuations_ = 0;
            return;
        case NGHTTP2_CONTINUATION:
            if (++continuations_ > limits_.continuations) calm_down("continuations");
            return;
        case NGHTTP2_DATA:
            if (length > 0 || (flags & NGHTTP2_FLAG_END_STREAM) != 0) return;
            break;
        case NGHTTP2_RST_STREAM:
            reset_received(stream);
            return;
        case NGHTTP2_GOAWAY:
            return;
        case NGHTTP2_WINDOW_UPDATE:
            if (!window_updates_.take(now_)) calm_down("window_updates");
            return;
        default:
            break;
    }
    if (!idle_frames_.take(now_)) calm_down("idle_frames");
}

void Session::calm_down(const char* why) {
    if (is_lost_) return;
    statistics_.why_calm = why;
    is_lost_ = true;
    builder_.reset();
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void Session::pull(ByteSink& sink) {
    sink_ = &sink;
    int result = nghttp2_session_send(session_);
    sink_ = nullptr;
    if (result != 0) is_lost_ = true;
}

bool Session::wants_to_send() const { return nghttp2_session_want_write(session_) != 0; }

bool Session::is_over() const {
    return (is_lost_ || nghttp2_session_want_read(session_) == 0) && nghttp2_session_want_write(session_) == 0;
}

void Session::resume(SessionStream& stream) {
    if (!stream.is_deferred_ || stream.is_closed_) return;
    stream.is_deferred_ = false;
    nghttp2_session_resume_data(session_, stream.number_);
}

void Session::end_output(SessionStream& stream, std::string trailers) {
    if (stream.output_ended_) return;
    stream.output_ended_ = true;
    stream.trailers_ = std::move(trailers);
    resume(stream);
}

void Session::reset(SessionStream& stream, ErrorCode code) {
    if (stream.is_closed_ || stream.is_reset_by_us_) return;
    stream.is_reset_by_us_ = true;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.number_, static_cast<std::uint32_t>(code));
}

void Session::consume(std::int32_t stream, std::size_t size) {
    if (size > 0 && !is_lost_) nghttp2_session_consume(session_, stream, size);
}

void Session::terminate(ErrorCode code) {
    nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code));
}

std::size_t Session::memory() const { return (builder_ ? builder_->memory() : 0) + events_.capacity() * sizeof(Event); }

}  // namespace http2
