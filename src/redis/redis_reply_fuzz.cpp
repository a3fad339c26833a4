// Fuzzes what a Redis may send: fed whole and in pieces it must give the same replies and the same verdict, and stay
// within its limits. The first byte chooses the size of the pieces.
#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/ensure.h"
#include "redis/reply_reader.h"

namespace {

struct Read {
    std::vector<redis::Reply> replies;
    bool is_broken = false;
};

redis::Limits limits() {
    redis::Limits out;
    out.reply_elements = 1'000;
    return out;
}

std::size_t elements_of(const redis::Reply& reply) {
    std::size_t out = reply.elements().size();
    for (const redis::Reply& element : reply.elements()) out += elements_of(element);
    return out;
}

Read read(std::string_view text, std::size_t piece) {
    Read out;
    redis::ReplyReader reader(limits());
    for (std::size_t at = 0; at < text.size() && !out.is_broken; at += piece) {
        reader.feed(text.substr(at, piece));
        while (true) {
            auto next = reader.next();
            out.is_broken = !next;
            if (!next || !*next) break;
            ensure(elements_of(**next) <= limits().reply_elements);
            if ((*next)->is_error()) ensure(redis::error_of((*next)->text()).detail.size() < 200);
            out.replies.push_back(std::move(**next));
        }
    }
    ensure(reader.held() <= text.size());
    return out;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    if (size == 0) return 0;
    std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    Read whole = read(text, std::max<std::size_t>(1, text.size()));
    Read pieces = read(text, 1 + bytes[0] % 32);
    ensure(whole.replies == pieces.replies);
    ensure(whole.is_broken == pieces.is_broken);
    return 0;
}
