#include "http/http2/client_session.h"

#include <algorithm>

#include "base/ensure.h"
#include "http/headers.h"
#include "http/http2/submit.h"

namespace http2 {

namespace {

struct RequestLine {
    std::string_view method;
    std::string_view target;
    std::string_view fields;
};

RequestLine read_line(std::string_view text) {
    std::size_t end = text.find("\r\n");
    std::string_view line = text.substr(0, end);
    std::size_t first = line.find(' ');
    std::size_t last = line.rfind(' ');
    return {line.substr(0, first), line.substr(first + 1, last - first - 1), text.substr(end + 2)};
}

std::string_view host_of(std::string_view fields) {
    while (!fields.empty()) {
        std::size_t end = fields.find("\r\n");
        std::string_view line = fields.substr(0, end);
        fields = end == fields.npos ? std::string_view() : fields.substr(end + 2);
        std::size_t colon = line.find(':');
        if (colon == line.npos) break;
        if (http::recognise(line.substr(0, colon)) != http::Known::host) continue;
        std::string_view value = line.substr(colon + 1);
        if (value.starts_with(' ')) value.remove_prefix(1);
        return value;
    }
    return {};
}

}  // namespace

ClientSession::ClientSession(const Limits& limits, net::BufferPool& buffers) : Session(Side::client, limits, buffers) {
    Options options = common_options(limits);
    ensure(nghttp2_session_client_new2(&session_, callbacks(), static_cast<Session*>(this), options.get()) == 0);
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, static_cast<std::uint32_t>(limits.stream_window)},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, static_cast<std::uint32_t>(limits.message.response_head)},
    };
    ensure(nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, settings, std::size(settings)) == 0);
    nghttp2_session_set_local_window_size(session_, NGHTTP2_FLAG_NONE, 0, limits.connection_window);
}

std::size_t ClientSession::most_streams() const {
    if (!has_settings_) return 1;
    std::uint32_t theirs = nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
    return std::min(theirs, limits_.concurrent_streams);
}

bool ClientSession::takes_requests() const {
    return !is_lost_ && !is_leaving_ && nghttp2_session_check_request_allowed(session_) != 0;
}

bool ClientSession::send_request(SessionStream& stream, std::string_view text, std::string_view scheme, bool has_body) {
    if (!takes_requests()) return false;
    RequestLine line = read_line(text);
    std::vector<nghttp2_nv>& fields = no_fields();
    fields.push_back(field(":method", line.method));
    fields.push_back(field(":scheme", scheme));
    fields.push_back(field(":authority", host_of(line.fields)));
    fields.push_back(field(":path", line.target));
    add_fields(line.fields, http::bit(http::Known::host), fields);
    nghttp2_data_provider body = body_of(stream);
    std::int32_t number =
        nghttp2_submit_request(session_, nullptr, fields.data(), fields.size(), has_body ? &body : nullptr, &stream);
    if (number < 0) return false;
    stream.number_ = number;
    stream.has_head_ = true;
    stream.output_ended_ = !has_body;
    ++statistics_.streams;
    return true;
}

void ClientSession::ping() {
    if (!is_lost_) nghttp2_submit_ping(session_, NGHTTP2_FLAG_NONE, nullptr);
}

void ClientSession::go_away() {
    if (is_lost_ || is_leaving_) return;
    is_leaving_ = true;
    nghttp2_submit_goaway(session_, NGHTTP2_FLAG_NONE, 0, NGHTTP2_NO_ERROR, nullptr, 0);
}

// ---- what happens

std::optional<HeadBuilder::Kind> ClientSession::begin_head(std::int32_t, SessionStream* stream, bool) {
    if (stream == nullptr || stream->is_reset_by_us_) return {};
    return stream->has_answer_ ? HeadBuilder::Kind::trailers : HeadBuilder::Kind::response;
}

void ClientSession::finish_head(SessionStream& stream, Event& event) {
    if (event.kind == Event::Kind::trailers) return;
    bool is_interim = event.head.status >= 100 && event.head.status < 200;
    stream.has_answer_ = !is_interim;
    if (is_interim && ++stream.interim_heads_ > limits_.interim_heads) {
        stream.is_malformed_ = true;
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.number_, NGHTTP2_ENHANCE_YOUR_CALM);
    } else if (event.head.fault != http1::Fault::none) {
        stream.is_malformed_ = true;
        nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, stream.number_, NGHTTP2_PROTOCOL_ERROR);
    }
}

void ClientSession::stream_ended(SessionStream& stream, Event& event) {
    if (stream.is_malformed_)
        event.fate = Fate::malformed;
    else if (!stream.is_on_its_way_ || (event.code == ErrorCode::refused_stream && !stream.is_reset_by_us_))
        event.fate = Fate::unprocessed;
    else if (event.code != ErrorCode::no_error && !stream.is_reset_by_us_)
        event.fate = Fate::reset;
}

void ClientSession::frame_sent(std::uint8_t type, bool, std::int32_t, SessionStream* stream) {
    if (stream == nullptr) return;
    if (type == NGHTTP2_HEADERS) stream->is_on_its_way_ = true;
    // nghttp2 gave it up: what arrived for it is no HTTP.
    if (type == NGHTTP2_RST_STREAM && !stream->is_reset_by_us_) stream->is_malformed_ = true;
}

}  // namespace http2
