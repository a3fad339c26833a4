#include "http/http2/output.h"

#include <algorithm>
#include <cstring>

namespace http2 {

void AssemblerSink::copy(std::string_view text) {
    while (!text.empty()) {
        std::span<char> room = into_.room(1);
        std::size_t size = std::min(text.size(), room.size());
        std::memcpy(room.data(), text.data(), size);
        into_.grew(size);
        text.remove_prefix(size);
    }
}

void AssemblerSink::add(net::Slice piece) {
    if (piece.size() <= copied_up_to) return copy(piece.text());
    into_.add(std::move(piece));
}

// Whoever is told may go on at once, and give up this stream or another.
void Output::tell() {
    for (std::size_t i = 0; i < taken_.size(); ++i)  // NOLINT: forget() may run meanwhile
        if (BodyCarrier* stream = taken_[i]) stream->tell_sent();
    taken_.clear();
}

void Output::forget(BodyCarrier& stream) {
    std::replace(taken_.begin(), taken_.end(), &stream, static_cast<BodyCarrier*>(nullptr));
}

}  // namespace http2
