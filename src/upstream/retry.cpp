#include "upstream/retry.h"

#include <algorithm>
#include <array>

namespace upstream {

bool Attempts::worth_retrying(const base::Error& error, bool idempotent, const Progress& progress) {
    // The client's fault and our own do not go away at another target; a response that has begun cannot be taken back.
    if (error.source != base::Source::upstream || progress.response_started || !progress.body_replayable) return false;
    switch (error.retry) {
        case base::Retry::never:
            return false;
        case base::Retry::idempotent:
            return idempotent || !progress.request_sent;
        case base::Retry::always:
            return true;
    }
    return false;
}

bool is_idempotent(std::string_view method) {
    static constexpr std::array<std::string_view, 13> methods = {"GET",   "HEAD",     "OPTIONS", "PUT",       "DELETE",
                                                                 "TRACE", "PROPFIND", "COPY",    "PROPPATCH", "MKCOL",
                                                                 "MOVE",  "UNLOCK",   "SEARCH"};
    return std::find(methods.begin(), methods.end(), method) != methods.end();
}

}  // namespace upstream
