// What holds for a body of any bytes: for the tests and the fuzz target.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>

#include "base/ensure.h"
#include "http/http1/body.h"

namespace http1 {

struct ReadBody {
    std::string content;
    std::string trailers;
    std::size_t consumed = 0;
    BodyDecoder::State state = BodyDecoder::State::more;
    Fault fault = Fault::none;
    friend bool operator==(const ReadBody&, const ReadBody&) = default;
};

inline ReadBody read_body(std::string_view bytes, http::BodyFraming framing, std::uint64_t length, std::size_t step,
                          const Limits& limits = {}) {
    ReadBody out;
    BodyDecoder decoder;
    decoder.start(framing, length, limits);
    while (decoder.state() == BodyDecoder::State::more && out.consumed < bytes.size()) {
        std::string_view offered = bytes.substr(out.consumed, step);
        BodyDecoder::Step taken = decoder.feed(offered);
        ensure(taken.consumed <= offered.size() && taken.piece.size() <= taken.consumed, taken.consumed);
        ensure(taken.consumed > 0 && taken.state == decoder.state(), taken.consumed);
        out.content += taken.piece;
        out.consumed += taken.consumed;
    }
    ensure(decoder.received() == out.content.size(), decoder.received());
    out.state = decoder.state();
    out.fault = decoder.fault();
    for (const http::Header& field : decoder.trailers()) {
        out.trailers.append(field.name).append(":").append(field.value).append("\n");
    }
    return out;
}

inline void check_body(std::string_view bytes, http::BodyFraming framing, std::uint64_t length, std::size_t step) {
    ReadBody whole = read_body(bytes, framing, length, bytes.size() + 1);
    ReadBody split = read_body(bytes, framing, length, step);
    ReadBody single = read_body(bytes, framing, length, 1);
    ensure(whole == split && whole == single, whole.content, split.content, single.content, name(whole.fault));
    ensure(framing != http::BodyFraming::length || whole.content.size() <= length, whole.content.size());
}

}  // namespace http1
