// What both kinds of session hand to nghttp2: fields, and where the bytes of a body come from. For this folder's .cpp
// files only.
#pragma once

#include <nghttp2/nghttp2.h>

#include <memory>
#include <string_view>
#include <vector>

#include "http/http2/session.h"

namespace http2 {

[[nodiscard]] nghttp2_nv field(std::string_view name, std::string_view value);

// Appends HTTP/1.1 field lines, those that belong to a connection left out (RFC 9113 8.2.2); `skipped` too. nghttp2
// copies them, in lower case.
void add_fields(std::string_view lines, std::uint64_t skipped, std::vector<nghttp2_nv>& out);

// Kept per thread: the room is used again and again.
[[nodiscard]] std::vector<nghttp2_nv>& no_fields();

// nghttp2 asks a stream for its body.
struct OutputReader {
    static ssize_t read(nghttp2_session* nghttp2, std::int32_t id, std::uint8_t*, std::size_t room,
                        std::uint32_t* flags, nghttp2_data_source* source, void*);
};
[[nodiscard]] nghttp2_data_provider body_of(SessionStream& stream);

struct OptionsDeleter {
    void operator()(nghttp2_option* options) const { nghttp2_option_del(options); }
};
using Options = std::unique_ptr<nghttp2_option, OptionsDeleter>;
// Those that are the same on both sides.
[[nodiscard]] Options common_options(const Limits& limits);

}  // namespace http2
