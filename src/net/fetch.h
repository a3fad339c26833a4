// fetch: gets one document over HTTP or HTTPS, for what the gateway itself needs now and then (an issuer's keys).
// Blocks: for a thread that may wait, never a core's. Certificates are verified against the system's authorities.
#pragma once

#include <atomic>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace net {

// How one document is got.
struct FetchLimits {
    std::size_t bytes = 512 * 1024;  // of the document
    std::chrono::milliseconds connect{3000};
    std::chrono::milliseconds whole{5000};
    long redirects = 3;  // https never leads to http
    // With `post_type`: what is posted, in the place of a GET.
    std::string post;
    std::string post_type;
    std::string proxy;                     // "http://host:port"; empty: as the environment says (http_proxy)
    bool is_direct = false;                // by no proxy, whatever the environment says
    std::vector<std::string> fields = {};  // "Name: value"; they may be secret, so send them without redirects
};

struct Fetched {
    std::string body;
    std::string cache_control;  // the field's value; empty: none
};

// Ends early, as cancelled, once `stop` is true. An answer other than 200 is an error.
[[nodiscard]] base::Result<Fetched> fetch(const std::string& url, const std::atomic<bool>& stop,
                                          const FetchLimits& limits = {});

// What keeps fetch() from taking it, http or https with a host; empty: nothing.
[[nodiscard]] std::string fault_of_url(std::string_view url);

}  // namespace net
