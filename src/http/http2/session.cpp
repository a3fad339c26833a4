#include "http/http2/session.h"

#include <nghttp2/nghttp2.h>

#include <algorithm>
#include <cstdio>

#include "base/ensure.h"
#include "http/headers.h"

namespace http2 {

namespace {

constexpr std::uint64_t left_out = http::bit(http::Known::connection) | http::bit(http::Known::keep_alive) |
                                   http::bit(http::Known::proxy_connection) |
                                   http::bit(http::Known::transfer_encoding) | http::bit(http::Known::upgrade) |
                                   http::bit(http::Known::http2_settings);

nghttp2_nv field(std::string_view name, std::string_view value) {
    auto bytes = [](std::string_view text) {
        return const_cast<std::uint8_t*>(reinterpret_cast<const std::uint8_t*>(text.data()));
    };
    return {bytes(name), bytes(value), name.size(), value.size(), NGHTTP2_NV_FLAG_NONE};
}

// Field lines as nghttp2 wants them; it copies them, in lower case. Kept per thread: the room is used again and again.
std::vector<nghttp2_nv>& fields_of(std::string_view lines, std::string_view status) {
    static thread_local std::vector<nghttp2_nv> fields;
    fields.clear();
    if (!status.empty()) fields.push_back(field(":status", status));
    while (!lines.empty()) {
        std::size_t end = lines.find("\r\n");
        std::string_view line = lines.substr(0, end);
        lines = end == lines.npos ? std::string_view() : lines.substr(end + 2);
        std::size_t colon = line.find(':');
        if (colon == line.npos) break;
        std::string_view name = line.substr(0, colon);
        std::string_view value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        if ((http::bit(http::recognise(name)) & left_out) != 0) continue;
        fields.push_back(field(name, value));
    }
    return fields;
}

// "HTTP/1.1 200 OK\r\n..." -> fields with :status.
std::vector<nghttp2_nv>& fields_of_head(std::string_view head, int status, char (&digits)[4]) {
    if (status != 0)
        std::snprintf(digits, sizeof digits, "%03d", status % 1000);
    else
        head.substr(9, 3).copy(digits, 3);
    std::size_t line_end = head.find("\r\n");
    return fields_of(head.substr(line_end + 2), {digits, 3});
}

struct OptionsDeleter {
    void operator()(nghttp2_option* options) const { nghttp2_option_del(options); }
};
struct CallbacksDeleter {
    void operator()(nghttp2_session_callbacks* callbacks) const { nghttp2_session_callbacks_del(callbacks); }
};

}  // namespace

// nghttp2 calls these from within receive() and pull(). None of them calls back into the gateway but open(): what
// happened waits as an event until nghttp2 is at rest.
struct ServerSession::Callbacks {
    static ServerSession& self(void* user) { return *static_cast<ServerSession*>(user); }
    static ServedStream* stream_of(nghttp2_session* session, std::int32_t id) {
        return id == 0 ? nullptr : static_cast<ServedStream*>(nghttp2_session_get_stream_user_data(session, id));
    }

    static int begin_headers(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
        ServerSession& session = self(user);
        std::int32_t id = frame->hd.stream_id;
        session.builder_.reset();
        if (session.is_lost_) return 0;
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
            ServedStream* stream = session.owner_.open(id);
            if (stream == nullptr) {
                ++session.statistics_.refused;
                nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM);
                return 0;
            }
            ++session.statistics_.streams;
            nghttp2_session_set_stream_user_data(nghttp2, id, stream);
        } else if (stream_of(nghttp2, id) == nullptr) {
            return 0;
        }
        session.builder_.emplace(
            frame->headers.cat == NGHTTP2_HCAT_REQUEST ? HeadBuilder::Kind::request : HeadBuilder::Kind::trailers,
            session.limits_.message, session.buffers_);
        session.builder_stream_ = id;
        return 0;
    }

    static int header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name, std::size_t name_size,
                      const std::uint8_t* value, std::size_t value_size, std::uint8_t, void* user) {
        ServerSession& session = self(user);
        if (session.builder_ && session.builder_stream_ == frame->hd.stream_id)
            session.builder_->add({reinterpret_cast<const char*>(name), name_size},
                                  {reinterpret_cast<const char*>(value), value_size});
        return 0;
    }

    // nghttp2 would leave such a field out and go on; two readers could then disagree about the request.
    static int invalid_header(nghttp2_session*, const nghttp2_frame*, const std::uint8_t*, std::size_t,
                              const std::uint8_t*, std::size_t, std::uint8_t, void*) {
        return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }

    static int frame_received(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
        ServerSession& session = self(user);
        if (session.is_lost_) return 0;
        bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
        ServedStream* stream = stream_of(nghttp2, frame->hd.stream_id);
        if (frame->hd.type == NGHTTP2_PING && (frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) {
            session.events_.push_back({.kind = Event::Kind::shutdown_seen});
        } else if (frame->hd.type == NGHTTP2_HEADERS && stream != nullptr && session.builder_) {
            bool is_request = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
            Event event{.kind = is_request ? Event::Kind::head : Event::Kind::trailers, .stream = stream};
            event.head = session.builder_->finish();
            event.head.is_whole = is_last;
            session.builder_.reset();
            session.events_.push_back(std::move(event));
        }
        if (is_last && stream != nullptr && (frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA))
            session.events_.push_back({.kind = Event::Kind::ended, .stream = stream});
        return 0;
    }

    static int data(nghttp2_session* nghttp2, std::uint8_t, std::int32_t id, const std::uint8_t* bytes,
                    std::size_t size, void* user) {
        ServerSession& session = self(user);
        ServedStream* stream = stream_of(nghttp2, id);
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
        ServerSession& session = self(user);
        if (session.builder_stream_ == id) session.builder_.reset();
        ServedStream* stream = stream_of(nghttp2, id);
        if (stream == nullptr) return 0;
        bool was_served = code == NGHTTP2_NO_ERROR && stream->output_ended_;
        stream->is_closed_ = true;
        session.events_.push_back(
            {.kind = Event::Kind::closed, .stream = stream, .code = static_cast<ErrorCode>(code)});
        if (was_served)
            session.resets_.earn(1);
        else if (!stream->is_reset_by_us_)
            session.charge_reset();
        return 0;
    }

    // What nghttp2 refuses by itself (streams over the limit before our SETTINGS are acknowledged) never becomes a
    // stream.
    static int invalid_frame(nghttp2_session*, const nghttp2_frame*, int, void* user) {
        self(user).charge_reset();
        return 0;
    }

    static int frame_sent(nghttp2_session* nghttp2, const nghttp2_frame* frame, void* user) {
        ServerSession& session = self(user);
        if (frame->hd.type == NGHTTP2_DATA) session.window_updates_.earn(4);
        if (frame->hd.type == NGHTTP2_RST_STREAM) session.has_reset(frame->hd.stream_id);
        bool is_last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0 &&
                       (frame->hd.type == NGHTTP2_DATA || frame->hd.type == NGHTTP2_HEADERS);
        if (!is_last || nghttp2_session_get_stream_remote_close(nghttp2, frame->hd.stream_id) != 0) return 0;
        ServedStream* stream = stream_of(nghttp2, frame->hd.stream_id);
        if (stream == nullptr || session.is_lost_) return 0;
        // RFC 9113 8.1: the answer is whole, the rest of the request is of no use.
        stream->output_ended_ = true;
        stream->is_reset_by_us_ = true;
        nghttp2_submit_rst_stream(nghttp2, NGHTTP2_FLAG_NONE, frame->hd.stream_id, NGHTTP2_NO_ERROR);
        return 0;
    }

    static ssize_t read_output(nghttp2_session* nghttp2, std::int32_t id, std::uint8_t*, std::size_t room,
                               std::uint32_t* flags, nghttp2_data_source* source, void*) {
        auto& stream = *static_cast<ServedStream*>(source->ptr);
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
                std::vector<nghttp2_nv>& fields = fields_of(stream.trailers_, {});
                if (!fields.empty() && nghttp2_submit_trailer(nghttp2, id, fields.data(), fields.size()) == 0)
                    *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
                stream.trailers_.clear();
            }
        }
        return static_cast<ssize_t>(size);
    }

    static int send_data(nghttp2_session*, nghttp2_frame*, const std::uint8_t* header, std::size_t size,
                         nghttp2_data_source* source, void* user) {
        ServerSession& session = self(user);
        if (session.sink_->is_full()) return NGHTTP2_ERR_WOULDBLOCK;
        // Of a frame that was put off once: its stream may have been given up since. nghttp2 then resets it.
        if (size > static_cast<ServedStream*>(source->ptr)->output_size()) return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
        constexpr std::size_t header_size = 9;
        session.sink_->copy({reinterpret_cast<const char*>(header), header_size});
        if (size > 0) static_cast<ServedStream*>(source->ptr)->take_output(size, *session.sink_);
        return 0;
    }

    static ssize_t send(nghttp2_session*, const std::uint8_t* bytes, std::size_t size, int, void* user) {
        ByteSink& sink = *self(user).sink_;
        if (sink.is_full()) return NGHTTP2_ERR_WOULDBLOCK;
        sink.copy({reinterpret_cast<const char*>(bytes), size});
        return static_cast<ssize_t>(size);
    }

    static const nghttp2_session_callbacks* all() {
        static const auto callbacks = [] {
            nghttp2_session_callbacks* made = nullptr;
            ensure(nghttp2_session_callbacks_new(&made) == 0);
            nghttp2_session_callbacks_set_on_begin_headers_callback(made, begin_headers);
            nghttp2_session_callbacks_set_on_header_callback(made, header);
            nghttp2_session_callbacks_set_on_invalid_header_callback(made, invalid_header);
            nghttp2_session_callbacks_set_on_frame_recv_callback(made, frame_received);
            nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, invalid_frame);
            nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, data);
            nghttp2_session_callbacks_set_on_stream_close_callback(made, stream_closed);
            nghttp2_session_callbacks_set_on_frame_send_callback(made, frame_sent);
            nghttp2_session_callbacks_set_send_data_callback(made, send_data);
            nghttp2_session_callbacks_set_send_callback(made, send);
            return std::unique_ptr<nghttp2_session_callbacks, CallbacksDeleter>(made);
        }();
        return callbacks.get();
    }
};

ServerSession::ServerSession(const Limits& limits, net::BufferPool& buffers, StreamOwner& owner)
    : limits_(limits),
      buffers_(buffers),
      owner_(owner),
      resets_(limits.resets),
      idle_frames_(limits.idle_frames),
      window_updates_(limits.window_updates) {
    nghttp2_option* made = nullptr;
    ensure(nghttp2_option_new(&made) == 0);
    std::unique_ptr<nghttp2_option, OptionsDeleter> options(made);
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_no_closed_streams(made, 1);
    nghttp2_option_set_max_outbound_ack(made, limits.queued_answers);
    nghttp2_option_set_max_continuations(made, limits.continuations);
    nghttp2_option_set_server_fallback_rfc7540_priorities(made, 1);  // for clients that do not know RFC 9218
    nghttp2_option_set_builtin_recv_extension_type(made, NGHTTP2_PRIORITY_UPDATE);
    ensure(nghttp2_session_server_new2(&session_, Callbacks::all(), this, made) == 0);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits.concurrent_streams},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits.stream_window)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE,
         static_cast<std::uint32_t>(limits.message.header_bytes + limits.message.request_line)},
        {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},  // RFC 8441
        {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},    // RFC 9218
    };
    ensure(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, limits.connection_window);
}

ServerSession::~ServerSession() { nghttp2_session_del(session_); }

bool ServerSession::receive(const net::Slice& input, net::Instant now) {
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
        bool is_of_known_stream = (head[3] == NGHTTP2_DATA || head[3] == NGHTTP2_HEADERS) && stream != 0 &&
                                  static_cast<std::int32_t>(stream) <= last_stream_;
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

bool ServerSession::feed(std::string_view bytes) {
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
void ServerSession::look_at_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t length, std::int32_t stream,
                                  bool is_of_known_stream) {
    // nghttp2 would have to keep closed streams to know them, and an idle connection should cost little.
    if (is_of_known_stream && nghttp2_session_find_stream(session_, stream) == nullptr && !may_still_send(stream))
        terminate(ErrorCode::stream_closed);
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
            std::replace(reset_.begin(), reset_.end(), stream, std::int32_t{0});  // now it has closed it too
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

void ServerSession::calm_down(const char* why) {
    if (is_lost_) return;
    statistics_.why_calm = why;
    is_lost_ = true;
    builder_.reset();
    nghttp2_session_terminate_session(session_, NGHTTP2_ENHANCE_YOUR_CALM);
}

void ServerSession::has_reset(std::int32_t stream) {
    std::int32_t& place = reset_[resets_sent_++ % remembered];
    doubtful_ = std::max(doubtful_, place);
    place = stream;
}

bool ServerSession::may_still_send(std::int32_t stream) const {
    return stream <= doubtful_ || std::find(reset_.begin(), reset_.end(), stream) != reset_.end();
}

void ServerSession::pull(ByteSink& sink) {
    sink_ = &sink;
    int result = nghttp2_session_send(session_);
    sink_ = nullptr;
    if (result != 0) is_lost_ = true;
}

bool ServerSession::wants_to_send() const { return nghttp2_session_want_write(session_) != 0; }

bool ServerSession::is_over() const {
    return (is_lost_ || nghttp2_session_want_read(session_) == 0) && nghttp2_session_want_write(session_) == 0;
}

bool ServerSession::send_interim(ServedStream& stream, std::string_view text) {
    if (stream.is_closed_ || stream.has_head_) return false;
    char digits[4];
    std::vector<nghttp2_nv>& fields = fields_of_head(text, 0, digits);
    return nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.number_, nullptr, fields.data(), fields.size(),
                                  nullptr) == 0;
}

bool ServerSession::send_head(ServedStream& stream, std::string_view text, int status, bool has_body) {
    if (stream.is_closed_ || stream.has_head_) return false;
    char digits[4];
    std::vector<nghttp2_nv>& fields = fields_of_head(text, status, digits);
    nghttp2_data_provider body{};
    body.source.ptr = &stream;
    body.read_callback = Callbacks::read_output;
    stream.has_head_ = nghttp2_submit_response(session_, stream.number_, fields.data(), fields.size(),
                                               has_body ? &body : nullptr) == 0;
    if (stream.has_head_ && !has_body) stream.output_ended_ = true;
    return stream.has_head_;
}

void ServerSession::resume(ServedStream& stream) {
    if (!stream.is_deferred_ || stream.is_closed_) return;
    stream.is_deferred_ = false;
    nghttp2_session_resume_data(session_, stream.number_);
}

void ServerSession::end_output(ServedStream& stream, std::string trailers) {
    if (stream.output_ended_) return;
    stream.output_ended_ = true;
    stream.trailers_ = std::move(trailers);
    resume(stream);
}

void ServerSession::reset(ServedStream& stream, ErrorCode code) {
    if (stream.is_closed_ || stream.is_reset_by_us_) return;
    stream.is_reset_by_us_ = true;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.number_, static_cast<std::uint32_t>(code));
}

void ServerSession::charge_reset() {
    ++statistics_.resets;
    if (!resets_.take(now_)) calm_down("resets");
}

void ServerSession::consume(std::int32_t stream, std::size_t size) {
    if (size > 0 && !is_lost_) nghttp2_session_consume(session_, stream, size);
}

void ServerSession::begin_shutdown() {
    if (is_lost_) return;
    nghttp2_submit_shutdown_notice(session_);
    nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void ServerSession::finish_shutdown() {
    if (is_lost_) return;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, nghttp2_session_get_last_proc_stream_id(session_),
                          NGHTTP2_NO_ERROR, nullptr, 0);
}

void ServerSession::terminate(ErrorCode code) {
    nghttp2_session_terminate_session(session_, static_cast<std::uint32_t>(code));
}

std::size_t ServerSession::memory() const {
    return (builder_ ? builder_->memory() : 0) + events_.capacity() * sizeof(Event);
}

}  // namespace http2
