#include "http/http1/body.h"

#include <algorithm>

#include "http/characters.h"
#include "http/http1/fields.h"
#include "http/http1/trailers.h"

namespace http1 {

void BodyDecoder::start(http::BodyFraming framing, std::uint64_t content_length, const Limits& limits) {
    limits_ = &limits;
    framing_ = framing;
    remaining_ = framing == http::BodyFraming::length ? content_length : 0;
    received_ = 0;
    line_bytes_ = extension_bytes_ = 0;
    trailers_.reset();
    fault_ = Fault::none;
    state_ = State::more;
    phase_ = framing == http::BodyFraming::chunked ? Phase::size_first_digit : Phase::content;
    bool is_empty = framing == http::BodyFraming::length && content_length == 0;
    if (framing == http::BodyFraming::none || is_empty) finish();
}

BodyDecoder::Step BodyDecoder::feed(std::string_view bytes) {
    Step step;
    std::size_t at = 0;
    while (at < bytes.size() && state_ == State::more) {
        if (phase_ != Phase::content && phase_ != Phase::chunk_content) {
            read_byte(bytes[at++]);
        } else if (step.piece.empty()) {
            at += take_content(bytes.substr(at), step);
        } else {
            break;  // the next piece is for the next call
        }
    }
    step.consumed = at;
    step.state = state_;
    return step;
}

BodyDecoder::State BodyDecoder::end_of_input() {
    if (state_ != State::more) return state_;
    if (framing_ == http::BodyFraming::until_close) {
        finish();
    } else {
        fail(Fault::incomplete_body);
    }
    return state_;
}

const http::Headers& BodyDecoder::trailers() const {
    static const http::Headers none;
    return trailers_ == nullptr ? none : trailers_->fields;
}

std::size_t BodyDecoder::take_content(std::string_view bytes, Step& step) {
    if (framing_ == http::BodyFraming::until_close) {
        step.piece = bytes;
        received_ += bytes.size();
        return bytes.size();
    }
    step.piece = bytes.substr(0, std::min<std::uint64_t>(remaining_, bytes.size()));
    received_ += step.piece.size();
    remaining_ -= step.piece.size();
    if (remaining_ == 0) {
        if (phase_ == Phase::content) {
            finish();
        } else {
            phase_ = Phase::chunk_carriage_return;
        }
    }
    return step.piece.size();
}

void BodyDecoder::read_byte(char c) {
    switch (phase_) {
        case Phase::size_first_digit:
        case Phase::size:
        case Phase::size_blank:
            return read_size(c);
        case Phase::size_line_feed:
            if (c != '\n') return fail(Fault::bare_cr);
            return end_size_line();
        case Phase::chunk_carriage_return:
            return expect(c, '\r', Phase::chunk_line_feed, Fault::bad_chunk_end);
        case Phase::chunk_line_feed:
            return expect(c, '\n', Phase::size_first_digit, Fault::bad_chunk_end);
        case Phase::trailer_section:
            return begin_trailer(c);
        case Phase::last_line_feed:
            if (c != '\n') return fail(Fault::bad_chunk_end);
            return finish();
        case Phase::trailer_fields:
            return read_trailer(c);
        default:
            return read_extension(c);
    }
}

// chunk-size [ chunk-ext ] CRLF (RFC 9112 7.1), up to the extension.
void BodyDecoder::read_size(char c) {
    if (++line_bytes_ > limits_->chunk_line) return fail(Fault::chunk_line_too_long);
    int digit = http::hex_value(c);
    if (digit >= 0 && phase_ != Phase::size_blank) {
        if (remaining_ >= std::uint64_t{1} << 59) return fail(Fault::bad_chunk_size);
        remaining_ = remaining_ * 16 + static_cast<std::uint64_t>(digit);
        phase_ = Phase::size;
        return;
    }
    if (phase_ == Phase::size_first_digit) return fail(Fault::bad_chunk_size);
    if (c == ';') {
        phase_ = Phase::extension_start;
    } else if (c == ' ' || c == '\t') {
        phase_ = Phase::size_blank;  // BWS, which only an extension may follow
    } else if (c == '\r' && phase_ == Phase::size) {
        phase_ = Phase::size_line_feed;
    } else {
        fail(c == '\n' ? Fault::bare_lf : Fault::bad_chunk_size);
    }
}

// *( BWS ";" BWS name [ BWS "=" BWS ( token / quoted-string ) ] ) CRLF (RFC 9112 7.1.1). Meaning nothing to us, they
// are dropped; they are read strictly so that nobody can see the end of the line elsewhere.
void BodyDecoder::read_extension(char c) {
    if (++line_bytes_ > limits_->chunk_line) return fail(Fault::chunk_line_too_long);
    if (++extension_bytes_ > limits_->chunk_extensions) return fail(Fault::chunk_extensions_too_large);
    bool blank = c == ' ' || c == '\t';
    bool token = http::is(c, http::character::token);
    switch (phase_) {
        case Phase::extension_start:
            if (token) phase_ = Phase::extension_name;
            if (token || blank) return;
            break;
        case Phase::extension_name:
        case Phase::extension_name_blank:
            if (token && phase_ == Phase::extension_name) return;
            if (blank) phase_ = Phase::extension_name_blank;
            if (c == '=') phase_ = Phase::extension_value_start;
            if (c == ';') phase_ = Phase::extension_start;
            if (c == '\r' && phase_ == Phase::extension_name) phase_ = Phase::size_line_feed;
            if (blank || c == '=' || c == ';' || phase_ == Phase::size_line_feed) return;
            break;
        case Phase::extension_value_start:
            if (token) phase_ = Phase::extension_value;
            if (c == '"') phase_ = Phase::extension_quoted;
            if (token || blank || c == '"') return;
            break;
        case Phase::extension_quoted:
            if (c == '"') phase_ = Phase::extension_value_end;
            if (c == '\\') phase_ = Phase::extension_quoted_pair;
            if (http::is(c, http::character::field_value)) return;
            break;
        case Phase::extension_quoted_pair:
            phase_ = Phase::extension_quoted;
            if (http::is(c, http::character::field_value)) return;
            break;
        case Phase::extension_value:
        case Phase::extension_value_end:
        case Phase::extension_value_blank:
            if (token && phase_ == Phase::extension_value) return;
            if (c == '\r' && phase_ != Phase::extension_value_blank) {
                phase_ = Phase::size_line_feed;
                return;
            }
            if (blank) phase_ = Phase::extension_value_blank;
            if (c == ';') phase_ = Phase::extension_start;
            if (blank || c == ';') return;
            break;
        default:
            break;
    }
    fail(c == '\n' ? Fault::bare_lf : Fault::bad_chunk_extension);
}

void BodyDecoder::end_size_line() {
    line_bytes_ = 0;
    phase_ = remaining_ == 0 ? Phase::trailer_section : Phase::chunk_content;
}

void BodyDecoder::begin_trailer(char c) {
    if (c == '\r') {
        phase_ = Phase::last_line_feed;
        return;
    }
    phase_ = Phase::trailer_fields;
    trailers_ = std::make_unique<Trailers>();
    read_trailer(c);
}

// The section is kept as it comes and read in one go behind its empty line.
void BodyDecoder::read_trailer(char c) {
    std::string& bytes = trailers_->bytes;
    if (bytes.size() == limits_->trailer_bytes) return fail(Fault::trailers_too_large);
    bytes.push_back(c);
    if (c != '\n') return;
    if (!bytes.ends_with("\r\n")) return fail(Fault::bare_lf);
    if (bytes.ends_with("\r\n\r\n")) finish_trailers();
}

void BodyDecoder::finish_trailers() {
    http::Headers& fields = trailers_->fields;
    std::uint64_t repeated = 0;
    Fault fault = parse_fields(
        trailers_->bytes, {limits_->trailer_bytes, limits_->trailer_count, Fault::too_many_trailers}, fields, repeated);
    if (fault != Fault::none) {
        fields.reset();
        return fail(fault);
    }
    // RFC 9110 6.5.1: they must not be merged into the header section, and here they are not even passed on.
    fields.remove_if([](const http::Header& field) { return !is_allowed_in_trailers(field); });
    finish();
}

void BodyDecoder::expect(char c, char wanted, Phase next, Fault otherwise) {
    if (c != wanted) return fail(otherwise);
    phase_ = next;
}

void BodyDecoder::fail(Fault fault) {
    fault_ = fault;
    state_ = State::error;
}

void BodyDecoder::finish() {
    phase_ = Phase::finished;
    state_ = State::done;
}

}  // namespace http1
