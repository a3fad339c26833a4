// Host names as the resolver compares them: lower case, and what may be asked for at all. RFC 1035 2.3.4, RFC 6761 6.3.
#pragma once

#include <string>
#include <string_view>

namespace net::dns {

// Lower case (ASCII only: other bytes never form a host name). A final dot stays: it forbids search domains.
inline std::string normal_name(std::string_view name) {
    std::string out(name);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return out;
}

// Letters, digits, '-', '_' in labels of 1 to 63 bytes, 253 in all. Underscores occur in practice (Docker, SRV names).
inline bool is_host_name(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    if (name.empty() || name.size() > 253) return false;
    std::size_t label = 0;
    for (char c : name) {
        if (c == '.') {
            if (label == 0) return false;
            label = 0;
            continue;
        }
        bool allowed =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (!allowed || ++label > 63) return false;
    }
    return label > 0;
}

inline bool is_localhost(std::string_view name) {
    if (!name.empty() && name.back() == '.') name.remove_suffix(1);
    return name == "localhost" || name.ends_with(".localhost");
}

}  // namespace net::dns
