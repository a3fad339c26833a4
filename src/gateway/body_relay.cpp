#include "gateway/body_relay.h"

#include <utility>

#include "gateway/heads.h"
#include "plugin/identity.h"

namespace gateway {

void BodyRelay::start(http::BodyFraming in, std::uint64_t length, const http1::Limits& limits, http::BodyFraming out,
                      TrailerChoice trailers) {
    decoder_.start(in, length, limits);
    out_ = out;
    trailers_ = trailers;
    ended_ = in == http::BodyFraming::none;
    capture_ = nullptr;
    filter_ = nullptr;
}

bool BodyRelay::feed(net::Slice& input, net::Assembler& out) {
    using State = http1::BodyDecoder::State;
    while (!input.empty() && !ended_ && !out.is_full()) {
        http1::BodyDecoder::Step step = decoder_.feed(input.text());
        if (step.state == State::error) return false;
        if (!step.piece.empty())
            add_content(input.part(static_cast<std::size_t>(step.piece.data() - input.data()), step.piece.size()), out);
        input.remove_prefix(step.consumed);
        if (step.state == State::done) add_end(out);
    }
    if (!ended_ && is_done()) add_end(out);  // an empty body of known length
    return true;
}

bool BodyRelay::end_of_input(net::Assembler& out) {
    if (decoder_.end_of_input() != http1::BodyDecoder::State::done) return false;
    if (!ended_) add_end(out);
    return true;
}

namespace {
void keep(std::string_view content, plugin::BodyCapture& capture) {
    if (capture.is_cut) return;
    if (capture.bytes.size() + content.size() <= capture.most) {
        capture.bytes += content;
        return;
    }
    capture.is_cut = true;
    capture.bytes = {};
}
}  // namespace

void BodyRelay::add_content(net::Slice content, net::Assembler& out) {
    if (capture_ != nullptr) keep(content.text(), *capture_);
    if (filter_ != nullptr) {
        filtered_.clear();
        filter_->take(content.text(), filtered_);
        return add_text(filtered_, out);
    }
    if (out_ != http::BodyFraming::chunked) return out.add(std::move(content));
    char prefix[http1::chunk_prefix_capacity];
    out.copy(http1::write_chunk_prefix(content.size(), prefix));
    out.add(std::move(content));
    out.copy(http1::chunk_end);
}

void BodyRelay::add_text(std::string_view text, net::Assembler& out) {
    if (text.empty()) return;  // in chunks, that would be the end
    if (out_ != http::BodyFraming::chunked) return out.copy(text);
    char prefix[http1::chunk_prefix_capacity];
    out.copy(http1::write_chunk_prefix(text.size(), prefix));
    out.copy(text);
    out.copy(http1::chunk_end);
}

http::Headers BodyRelay::sound_trailers() const {
    http::Headers out;
    // What only this gateway may say of a request is not said behind its body either.
    for (const http::Header& field : beside_ != nullptr ? *beside_ : decoder_.trailers())
        if (!plugin::is_claimed_identity(field.name) && !is_disguised(field.name)) out.add(field);
    if (!owned_.empty()) plugin::remove_owned(out, owned_);
    return out;
}

http::Headers BodyRelay::passed_trailers() const {
    return trailers_ == TrailerChoice::drop || filter_ != nullptr ? http::Headers() : sound_trailers();
}

std::string BodyRelay::trailer_lines() const {
    std::string out;
    for (const http::Header& field : passed_trailers())
        out.append(field.name).append(": ").append(field.value).append("\r\n");
    return out;
}

void BodyRelay::add_end(net::Assembler& out) {
    ended_ = true;
    if (filter_ != nullptr) {
        filtered_.clear();
        filter_->end(sound_trailers(), filtered_);
        add_text(filtered_, out);
    }
    if (out_ != http::BodyFraming::chunked) return;
    http::Headers trailers = passed_trailers();
    if (!trailers.empty()) {
        std::size_t size = http1::last_chunk_size(trailers);
        if (std::size_t written = http1::write_last_chunk(trailers, out.room(size)); written > 0)
            return out.grew(written);
    }
    out.copy(http1::last_chunk);
}

}  // namespace gateway
