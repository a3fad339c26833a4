// What holds for the binary form of an entry made of any bytes: for the tests and the fuzz target.
#pragma once

#include <string>
#include <string_view>

#include "base/ensure.h"
#include "cache/entry.h"
#include "http/characters.h"

namespace cache {

inline void check_binary(std::string_view bytes) {
    base::Result<EntryPointer> read = read_binary(bytes);
    if (!read) return;
    const Entry& entry = **read;
    http::Headers headers;
    entry.append_headers(headers);
    ensure(headers.size() == entry.header_count());
    for (const http::Header& header : headers) {
        ensure(http::is_token(header.name) && http::recognise(header.name) == header.known, header.name);
        ensure(http::all_are(header.value, http::character::field_value));
    }
    ensure(entry.body().size() <= bytes.size() && entry.key().size() <= bytes.size());
    ensure(entry.footprint() >= entry.body().size() + entry.key().size());
    std::string again;
    write_binary(entry, again);
    ensure(again.size() == binary_size(entry), again.size());
    base::Result<EntryPointer> second = read_binary(again);
    ensure(second.ok());
    std::string third;
    write_binary(**second, third);
    ensure(third == again);
}

}  // namespace cache
