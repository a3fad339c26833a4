// The worst that one send can be made to carry still fits it.
#include "net/assembler.h"

#include <gtest/gtest.h>

#include <string>

#include "gateway/body_relay.h"

namespace gateway {
namespace {

std::string chunk(std::size_t size) {
    char prefix[32];
    std::snprintf(prefix, sizeof prefix, "%zx\r\n", size);
    return prefix + std::string(size, 'x') + "\r\n";
}

net::Slice slice_of(net::BufferPool& buffers, std::string_view text) {
    net::Draft draft(buffers.at_least(text.size()));
    draft.append(text);
    return std::move(draft).finish();
}

// Chunks whose sizes leave the drafts with just too little room each time, then trailers that need one of their own.
TEST(Assembler, ChunksAndTrailersMadeToFillItDoNotOverflowIt) {
    for (std::size_t last : {4029u, 4030u, 4031u, 4040u, 4064u, 4080u}) {
        for (int large = 4; large <= 7; ++large) {
            net::BufferPool buffers;
            http1::Limits limits;
            std::string body;
            for (int i = 0; i < large; ++i) body += chunk(4097);
            body += chunk(4096) + chunk(last) + chunk(4097) + "0\r\nX-T: " + std::string(8100, 't') + "\r\n\r\n";
            BodyRelay relay;
            relay.start(http::BodyFraming::chunked, 0, limits, http::BodyFraming::chunked, TrailerChoice::pass);
            net::Assembler out(buffers);
            net::Slice input = slice_of(buffers, body);
            std::size_t sends = 0;
            while (!relay.is_done() || out.bytes() != 0) {
                ASSERT_TRUE(relay.feed(input, out));
                ASSERT_LE(out.finish().size(), net::Pieces::most);
                out.finish().clear();
                ASSERT_LT(++sends, 100u);
            }
        }
    }
}

}  // namespace
}  // namespace gateway
