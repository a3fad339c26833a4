// Cookies of a request (RFC 6265 4.2.1): name=value pairs, over all Cookie fields.
#pragma once

#include <string_view>

#include "http/headers.h"

namespace http {

// Calls visit(value) for each cookie of that name (case-sensitive), in order; values as received.
template <typename Visit>
void each_cookie(const Headers& headers, std::string_view name, Visit&& visit) {
    headers.all(Known::cookie, [&](std::string_view line) {
        while (!line.empty()) {
            std::size_t end = line.find(';');
            std::string_view pair = line.substr(0, end);
            line = end == line.npos ? std::string_view() : line.substr(end + 1);
            while (!pair.empty() && (pair.front() == ' ' || pair.front() == '\t')) pair.remove_prefix(1);
            if (pair.size() > name.size() && pair.starts_with(name) && pair[name.size()] == '=')
                visit(pair.substr(name.size() + 1));
        }
    });
}

}  // namespace http
