// The shapes of text that Kong's fields share (contract 1.4), each with Kong's message. Used by the entities and
// plugins.
#pragma once

#include <string>
#include <string_view>

#include "schema/rules.h"

namespace kong {

// Letters, digits, `. - _ ~` and UTF-8 beyond ASCII.
extern const schema::Format name_format;
extern const schema::Format tag_format;
// A host name or an address, without a port.
extern const schema::Format host_format;
// The same with an optional port.
extern const schema::Format host_port_format;
// A host name or address with at most one `*`, as whole leftmost or rightmost label, and an optional port.
extern const schema::Format wildcard_host_format;
// A server name (TLS) with at most one `*` at an end.
extern const schema::Format server_name_format;
// `/...` of RFC 3986 without empty segments.
extern const schema::Format path_format;
// `/prefix` in its normal form, or `~/regex`.
extern const schema::Format route_path_format;
extern const schema::Format method_format;
extern const schema::Format header_name_format;
extern const schema::Format route_header_format;
extern const schema::Format cookie_name_format;
extern const schema::Format ip_or_cidr_format;
extern const schema::Format upstream_name_format;
extern const schema::Format vault_prefix_format;
extern const schema::Format redirect_uri_format;
extern const schema::Format http_url_format;      // that we fetch: http or https, no user in it
extern const schema::Format header_value_format;  // printable

// The normal form that the router compares: %XX of unreserved bytes decoded, others in upper case, dot segments and
// empty segments gone.
[[nodiscard]] std::string normalized_path(std::string_view path);
// Empty, or what PCRE2 says in nginx's words.
[[nodiscard]] std::string regex_fault(std::string_view pattern);
// True for a path that has characters outside Kong's plain set, the mark of a regex in documents before 3.0.
[[nodiscard]] bool is_legacy_regex(std::string_view path);
// True for a path without `~` that can only be meant as a regex: it has a group, a class, an escape or an anchor, and
// compiles.
[[nodiscard]] bool is_forgotten_regex(std::string_view path);
[[nodiscard]] bool is_host_name(std::string_view text);

// `a.b:80`, `[::1]:80`, `::1`; port 0 if there is none. False if it is none of these.
struct HostPort {
    std::string host;
    unsigned port = 0;
    bool has_port = false;
};
bool split_host_port(std::string_view text, HostPort& out);

}  // namespace kong
