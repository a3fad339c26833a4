// Resolves the Location and Content-Location of a response against its request, as far as invalidation needs it
// (RFC 9111 4.4, RFC 3986 5.2): only what stays within the origin is of interest.
#include "base/arena.h"
#include "cache/policy.h"
#include "http/characters.h"
#include "http/path.h"

namespace cache {

namespace {

constexpr std::size_t longest_reference = 8192;

bool has_default_port(std::string_view scheme, std::string_view port) {
    return port.empty() || (http::equals_ignore_case(scheme, "http") && port == "80") ||
           (http::equals_ignore_case(scheme, "https") && port == "443");
}

// Host and port, the port empty where it is the scheme's own.
struct Authority {
    std::string_view host;
    std::string_view port;
};
Authority split(std::string_view authority, std::string_view scheme) {
    std::size_t bracket = authority.rfind(']');
    std::size_t colon = authority.rfind(':');
    bool has_port = colon != std::string_view::npos && (bracket == std::string_view::npos || colon > bracket);
    Authority out{authority.substr(0, has_port ? colon : authority.size()),
                  has_port ? authority.substr(colon + 1) : std::string_view()};
    if (has_default_port(scheme, out.port)) out.port = {};
    return out;
}
bool same_authority(std::string_view a, std::string_view b, std::string_view scheme) {
    Authority left = split(a, scheme);
    Authority right = split(b, scheme);
    return http::equals_ignore_case(left.host, right.host) && left.port == right.port;
}

bool begins_with_scheme(std::string_view reference, std::size_t& colon) {
    colon = reference.find(':');
    if (colon == std::string_view::npos || colon == 0 || !http::character::is_alphanumeric(reference[0])) return false;
    for (char c : reference.substr(0, colon)) {
        if (!http::character::is_alphanumeric(c) && c != '+' && c != '-' && c != '.') return false;
    }
    return true;
}

}  // namespace

std::optional<std::string> same_origin_target(std::string_view reference, std::string_view scheme,
                                              std::string_view authority, std::string_view path) {
    reference = http::trim(reference);
    if (reference.size() > longest_reference) return {};
    reference = reference.substr(0, reference.find('#'));
    std::size_t colon = 0;
    if (begins_with_scheme(reference, colon)) {
        if (!http::equals_ignore_case(reference.substr(0, colon), scheme)) return {};
        reference.remove_prefix(colon + 1);
        if (!reference.starts_with("//")) return {};
    }
    if (reference.starts_with("//")) {
        reference.remove_prefix(2);
        std::string_view given = reference.substr(0, reference.find_first_of("/?"));
        if (!same_authority(given, authority, scheme)) return {};
        reference.remove_prefix(given.size());
        if (reference.empty() || reference[0] == '?') path = "/";
        if (reference.empty()) return "/";
    }
    std::size_t question = reference.find('?');
    std::string raw(reference.substr(0, question));
    std::string query(question == std::string_view::npos ? std::string_view() : reference.substr(question));
    if (raw.empty()) {
        raw = path;
    } else if (raw[0] != '/') {
        raw.insert(0, path.substr(0, path.rfind('/') + 1));
    }
    base::Arena arena;
    http::NormalPath normal = http::normalise(raw, arena);
    if (!normal.ok()) return {};
    return std::string(normal.path) + query;
}

}  // namespace cache
