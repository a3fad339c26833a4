#include "http/http2/server_session.h"

#include <algorithm>
#include <cstdio>

#include "base/ensure.h"
#include "http/http2/submit.h"

namespace http2 {

namespace {

// "HTTP/1.1 200 OK\r\n..." -> fields with :status.
std::vector<nghttp2_nv>& fields_of_head(std::string_view head, int status, char (&digits)[4]) {
    if (status != 0)
        std::snprintf(digits, sizeof digits, "%03d", status % 1000);
    else
        head.substr(9, 3).copy(digits, 3);
    std::vector<nghttp2_nv>& fields = no_fields();
    fields.push_back(field(":status", {digits, 3}));
    add_fields(head.substr(head.find("\r\n") + 2), 0, fields);
    return fields;
}

}  // namespace

ServerSession::ServerSession(const Limits& limits, net::BufferPool& buffers, StreamOwner& owner)
    : Session(Side::server, limits, buffers), owner_(owner), resets_(limits.resets) {
    Options options = common_options(limits);
    nghttp2_option_set_server_fallback_rfc7540_priorities(options.get(), 1);  // for clients that do not know RFC 9218
    nghttp2_option_set_builtin_recv_extension_type(options.get(), NGHTTP2_PRIORITY_UPDATE);
    ensure(nghttp2_session_server_new2(&session_, callbacks(), static_cast<Session*>(this), options.get()) == 0);
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

// ---- what happens

std::optional<HeadBuilder::Kind> ServerSession::begin_head(std::int32_t number, SessionStream* stream, bool is_first) {
    if (!is_first) {
        if (stream == nullptr) return {};
        return HeadBuilder::Kind::trailers;
    }
    SessionStream* opened = owner_.open(number);
    if (opened == nullptr) {
        ++statistics_.refused;
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, number, NGHTTP2_REFUSED_STREAM);
        return {};
    }
    ++statistics_.streams;
    nghttp2_session_set_stream_user_data(session_, number, opened);
    return HeadBuilder::Kind::request;
}

void ServerSession::stream_ended(SessionStream& stream, Event& event) {
    if (event.code == ErrorCode::no_error && stream.output_ended_)
        resets_.earn(1);
    else if (!stream.is_reset_by_us_)
        charge_reset();
}

void ServerSession::frame_sent(std::uint8_t type, bool ends_stream, std::int32_t number, SessionStream* stream) {
    if (type == NGHTTP2_RST_STREAM) has_reset(number);
    if (!ends_stream || nghttp2_session_get_stream_remote_close(session_, number) != 0) return;
    if (stream == nullptr || is_lost_) return;
    // RFC 9113 8.1: the answer is whole, the rest of the request is of no use.
    stream->output_ended_ = true;
    stream->is_reset_by_us_ = true;
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, number, NGHTTP2_NO_ERROR);
}

// nghttp2 would have to keep closed streams to know them, and an idle connection should cost little.
void ServerSession::check_frame(std::int32_t number) {
    if (nghttp2_session_find_stream(session_, number) == nullptr && !may_still_send(number))
        terminate(ErrorCode::stream_closed);
}

void ServerSession::reset_received(std::int32_t number) {
    std::replace(reset_.begin(), reset_.end(), number, std::int32_t{0});  // now it has closed it too
}

void ServerSession::has_reset(std::int32_t stream) {
    std::int32_t& place = reset_[resets_sent_++ % remembered];
    doubtful_ = std::max(doubtful_, place);
    place = stream;
}

bool ServerSession::may_still_send(std::int32_t stream) const {
    return stream <= doubtful_ || std::find(reset_.begin(), reset_.end(), stream) != reset_.end();
}

// ---- answers

bool ServerSession::send_interim(SessionStream& stream, std::string_view text) {
    if (stream.is_closed_ || stream.has_head_) return false;
    char digits[4];
    std::vector<nghttp2_nv>& fields = fields_of_head(text, 0, digits);
    return nghttp2_submit_headers(session_, NGHTTP2_FLAG_NONE, stream.number_, nullptr, fields.data(), fields.size(),
                                  nullptr) == 0;
}

bool ServerSession::send_head(SessionStream& stream, std::string_view text, int status, bool has_body) {
    if (stream.is_closed_ || stream.has_head_) return false;
    char digits[4];
    std::vector<nghttp2_nv>& fields = fields_of_head(text, status, digits);
    nghttp2_data_provider body = body_of(stream);
    stream.has_head_ = nghttp2_submit_response(session_, stream.number_, fields.data(), fields.size(),
                                               has_body ? &body : nullptr) == 0;
    if (stream.has_head_ && !has_body) stream.output_ended_ = true;
    return stream.has_head_;
}

void ServerSession::charge_reset() {
    ++statistics_.resets;
    if (!resets_.take(now_)) calm_down("resets");
}

// ---- the end

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

}  // namespace http2
