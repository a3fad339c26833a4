// How the values of settings are written: sizes (8k), times (60, 90s, 1h30m), booleans, lists, listen addresses, port
// maps. Kong's and nginx's forms. Every reader says what it expected; the caller adds where the value came from.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "gateway/settings.h"

namespace command {

using View = std::string_view;
using Milliseconds = std::chrono::milliseconds;

// Bounds of a number, both allowed.
struct Range {
    std::uint64_t low = 0;
    std::uint64_t high = ~std::uint64_t{0};
};

View trimmed(View text);
std::string lower(View text);
// Comma separated, trimmed; an empty text is no item, an empty item is an item.
std::vector<View> list_items(View text);

base::Result<bool> read_boolean(View text);                       // on, off, true, false
base::Result<std::uint64_t> read_number(View text, Range range);  // decimal
base::Result<std::uint64_t> read_size(View text, Range range);    // bytes, or with k, m, g (1024)
// Seconds, or with ms, s, m, h, d, also several (1h30m). The range is in milliseconds.
base::Result<Milliseconds> read_time(View text, Range range);
base::Result<std::vector<gateway::ListenAddress>> read_listen(View text);
base::Result<std::vector<net::Cidr>> read_cidrs(View text);
base::Result<std::vector<std::pair<std::uint16_t, std::uint16_t>>> read_port_maps(View text);
base::Result<gateway::HeaderTokens> read_header_tokens(View text);

}  // namespace command
