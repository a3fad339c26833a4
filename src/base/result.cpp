#include "base/result.h"

namespace base {

std::string_view name(Code code) {
    switch (code) {
        case Code::closed:
            return "closed";
        case Code::reset:
            return "reset";
        case Code::refused:
            return "refused";
        case Code::timed_out:
            return "timed out";
        case Code::cancelled:
            return "cancelled";
        case Code::too_large:
            return "too large";
        case Code::malformed:
            return "malformed";
        case Code::unresolved:
            return "unresolved";
        case Code::resolver_failed:
            return "resolver failed";
        case Code::no_endpoint:
            return "no endpoint";
        case Code::exhausted:
            return "exhausted";
        case Code::invalid:
            return "invalid";
        case Code::unsupported:
            return "unsupported";
        case Code::internal:
            return "internal";
    }
    return "unknown";
}

std::string_view name(Source source) {
    switch (source) {
        case Source::client:
            return "client";
        case Source::upstream:
            return "upstream";
        case Source::us:
            return "us";
    }
    return "unknown";
}

}  // namespace base
