// Heads written down in one line each, for the tests of this folder.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cache/cache_control.h"
#include "http/message.h"

namespace cache {

using Fields = std::vector<std::pair<std::string_view, std::string_view>>;

inline http::Headers headers_of(const Fields& fields) {
    http::Headers headers;
    for (auto [name, value] : fields) headers.add(name, value);
    return headers;
}

inline http::RequestHead request_of(const Fields& fields = {}, http::Method method = http::Method::get) {
    http::RequestHead head;
    head.method = method;
    head.headers = headers_of(fields);
    return head;
}

inline http::ResponseHead response_of(int status, const Fields& fields = {}) {
    http::ResponseHead head;
    head.status = status;
    head.headers = headers_of(fields);
    for (auto [name, value] : fields) {
        if (http::recognise(name) == http::Known::connection) (void)head.connection.add(value);
    }
    return head;
}

inline std::string text_of(const http::Headers& headers) {
    std::string out;
    for (const http::Header& header : headers) {
        out.append(header.name).append(": ").append(header.value).append("\n");
    }
    return out;
}

}  // namespace cache
