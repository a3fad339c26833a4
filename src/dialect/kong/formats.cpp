#include "dialect/kong/formats.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <fmt/format.h>
#include <pcre2.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "net/address.h"
#include "net/fetch.h"

namespace kong {
namespace {

constexpr std::string_view digits = "0123456789";

bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }
bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_alphanumeric(char c) { return is_alpha(c) || is_digit(c); }
bool is_high(char c) { return static_cast<unsigned char>(c) >= 0x80; }
int hex_value(char c) {
    if (is_digit(c)) return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}
std::string invalid_value(std::string_view text) { return fmt::format("invalid value: {}", text); }

// RFC 3629: no overlong forms, surrogates or values past U+10FFFF.
bool is_utf8(std::string_view text) {
    for (std::size_t i = 0; i < text.size();) {
        auto first = static_cast<unsigned char>(text[i]);
        std::size_t length = first < 0x80                    ? 1
                             : first >= 0xC2 && first < 0xE0 ? 2
                             : first >= 0xE0 && first < 0xF0 ? 3
                             : first >= 0xF0 && first < 0xF5 ? 4
                                                             : 0;
        if (length == 0 || i + length > text.size()) return false;
        for (std::size_t j = 1; j < length; ++j) {
            if ((static_cast<unsigned char>(text[i + j]) & 0xC0) != 0x80) return false;
        }
        auto second = length > 1 ? static_cast<unsigned char>(text[i + 1]) : 0;
        if ((first == 0xE0 && second < 0xA0) || (first == 0xED && second > 0x9F) || (first == 0xF0 && second < 0x90) ||
            (first == 0xF4 && second > 0x8F)) {
            return false;
        }
        i += length;
    }
    return true;
}

std::string name_fault(std::string_view text) {
    if (!is_utf8(text)) return fmt::format("invalid value '{}': not valid UTF-8", text);
    for (char c : text) {
        if (!is_alphanumeric(c) && !is_high(c) && std::string_view(".-_~").find(c) == std::string_view::npos) {
            return fmt::format(
                "invalid value '{}': the only accepted ascii characters are alphanumerics or ., -, _, and ~", text);
        }
    }
    return {};
}

std::string tag_fault(std::string_view text) {
    bool good = is_utf8(text) && std::none_of(text.begin(), text.end(), [](char c) {
                    return !is_high(c) && (c < 0x20 || c == 0x7f || c == ',' || c == '/');
                });
    if (good) return {};
    return fmt::format("invalid tag '{}': expected printable ascii (except `,` and `/`) or valid utf-8 sequences",
                       text);
}

bool is_address(std::string_view text) {
    if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
    return net::IpAddress::parse(text).ok();
}

std::string host_fault(std::string_view text) {
    HostPort parts;
    if (!split_host_port(text, parts)) return invalid_value(text);
    return parts.has_port ? std::string("must not have a port") : std::string();
}
std::string host_port_fault(std::string_view text) {
    HostPort parts;
    return split_host_port(text, parts) ? std::string() : invalid_value(text);
}

// The part that is left of a wildcard host once its wildcard label is gone.
std::string wildcard_fault(std::string_view text, bool port_allowed) {
    std::size_t stars = static_cast<std::size_t>(std::count(text.begin(), text.end(), '*'));
    if (stars > 1) return "invalid wildcard: must have at most one wildcard";
    std::string plain(text);
    if (stars == 1) {
        std::string_view name = text.substr(0, text.find(':'));
        bool leftmost = name.starts_with("*.") && name.size() > 2;
        bool rightmost = name.ends_with(".*") && name.size() > 2;
        if (!leftmost && !rightmost) return "invalid wildcard: must be placed at leftmost or rightmost label";
        plain[plain.find('*')] = 'a';
    }
    HostPort parts;
    if (!split_host_port(plain, parts)) return invalid_value(text);
    if (stars == 1 && is_address(parts.host)) return invalid_value(text);
    return parts.has_port && !port_allowed ? std::string("must not have a port") : std::string();
}

std::string percent_fault(std::string_view text) {
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '%') continue;
        bool good = i + 2 < text.size() && hex_value(text[i + 1]) >= 0 && hex_value(text[i + 2]) >= 0;
        if (!good) return fmt::format("invalid url-encoded value: '{}'", text.substr(i, 3));
        i += 2;
    }
    return {};
}

std::string path_fault(std::string_view text) {
    if (!text.starts_with('/')) return "should start with: /";
    if (text.find("//") != std::string_view::npos) return "must not have empty segments";
    constexpr std::string_view marks = "/-._~%!$&'()*+,;=:@";
    for (char c : text) {
        if (!is_alphanumeric(c) && marks.find(c) == std::string_view::npos) {
            return fmt::format("invalid path: '{}' (characters outside of the reserved list of RFC 3986 found)", text);
        }
    }
    return percent_fault(text);
}

std::string route_path_fault(std::string_view text) {
    if (text.starts_with("~/")) {
        std::string fault = regex_fault(text.substr(1));
        return fault.empty() ? fault : fmt::format("invalid regex: '{}' (PCRE returned: {})", text.substr(1), fault);
    }
    if (!text.starts_with('/')) return "should start with: / (fixed path) or ~/ (regex path)";
    if (is_forgotten_regex(text)) return {};
    if (text.find("//") != std::string_view::npos) return "must not have empty segments";
    if (std::string fault = percent_fault(text); !fault.empty()) return fault;
    std::string normal = normalized_path(text);
    return normal == text ? std::string() : fmt::format("non-normalized path, consider use '{}' instead", normal);
}

bool is_token(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
        return is_alphanumeric(c) || std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
    });
}
std::string method_fault(std::string_view text) {
    bool good = !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
    return good ? std::string() : invalid_value(text);
}
std::string header_name_fault(std::string_view text) {
    return is_token(text)
               ? std::string()
               : fmt::format("bad header name '{}', allowed characters are A-Z, a-z, 0-9, '_', and '-'", text);
}
std::string route_header_fault(std::string_view text) {
    std::string lower(text);
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
    if (lower == "host") return "cannot contain 'host' header, which must be specified in the 'hosts' attribute";
    return header_name_fault(text);
}
std::string cookie_name_fault(std::string_view text) {
    return is_token(text)
               ? std::string()
               : fmt::format("bad cookie name '{}', allowed characters are A-Z, a-z, 0-9, '_', and '-'", text);
}
std::string ip_or_cidr_fault(std::string_view text) {
    return net::Cidr::parse(text).ok() ? std::string() : fmt::format("invalid ip or cidr range: '{}'", text);
}

std::string upstream_name_fault(std::string_view text) {
    HostPort parts;
    if (!split_host_port(text, parts)) return fmt::format("Invalid name ('{}'); must be a valid hostname", text);
    if (is_address(parts.host)) return fmt::format("Invalid name ('{}'); no ip addresses allowed", text);
    if (parts.has_port) return fmt::format("Invalid name ('{}'); no port allowed", text);
    return {};
}

std::string vault_prefix_fault(std::string_view text) {
    bool shaped = !text.empty() && text.front() >= 'a' && text.front() <= 'z' &&
                  std::all_of(text.begin(), text.end(),
                              [](char c) { return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-'; }) &&
                  is_alphanumeric(text.back());
    if (!shaped) return invalid_value(text);
    for (std::string_view kind : {"env", "aws", "gcp", "azure", "hcv", "conjur"}) {
        if (text == kind) return "must not be one of: env, aws, gcp, azure, hcv, conjur";
    }
    return {};
}

std::string redirect_uri_fault(std::string_view text) {
    std::size_t colon = text.find("://");
    bool absolute = colon != std::string_view::npos && colon > 0 && text.size() > colon + 3;
    if (!absolute) return fmt::format("cannot parse '{}'", text);
    if (text.find('#') != std::string_view::npos) return fmt::format("fragment not allowed in '{}'", text);
    return {};
}

// gen-delims and sub-delims of RFC 3986 2.2, and the percent sign itself: they stay encoded.
bool is_reserved(unsigned char c) {
    return std::string_view("!#$%&'()*+,/:;=?@[]").find(static_cast<char>(c)) != std::string_view::npos;
}

}  // namespace

constinit const schema::Format name_format{R"(^[\p{L}\p{N}._~-]+$)", name_fault};
constinit const schema::Format tag_format{"^[^,/]+$", tag_fault};
constinit const schema::Format host_format{"", host_fault};
constinit const schema::Format host_port_format{"", host_port_fault};
constinit const schema::Format wildcard_host_format{"",
                                                    [](std::string_view text) { return wildcard_fault(text, true); }};
constinit const schema::Format server_name_format{"",
                                                  [](std::string_view text) { return wildcard_fault(text, false); }};
constinit const schema::Format path_format{"^/", path_fault};
constinit const schema::Format route_path_format{"^~?/", route_path_fault};
constinit const schema::Format method_format{"^[A-Z]+$", method_fault};
constinit const schema::Format header_name_format{"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", header_name_fault};
constinit const schema::Format route_header_format{"^(?![Hh][Oo][Ss][Tt]$)", route_header_fault};
constinit const schema::Format cookie_name_format{"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", cookie_name_fault};
constinit const schema::Format ip_or_cidr_format{"", ip_or_cidr_fault};
constinit const schema::Format upstream_name_format{"", upstream_name_fault};
constinit const schema::Format vault_prefix_format{"^[a-z]([a-z0-9-]*[a-z0-9])?$", vault_prefix_fault};
constinit const schema::Format http_url_format{"", [](std::string_view text) { return net::fault_of_url(text); }};
constinit const schema::Format header_value_format{"^[\\x20-\\x7e]*$", [](std::string_view text) {
                                                       bool is_plain = std::ranges::all_of(
                                                           text, [](char c) { return c >= ' ' && c <= '~'; });
                                                       return std::string(is_plain ? "" : "must be printable ASCII");
                                                   }};
constinit const schema::Format redirect_uri_format{"^[a-zA-Z][a-zA-Z0-9+.-]*://[^#]+$", redirect_uri_fault};

bool is_host_name(std::string_view text) {
    constexpr std::size_t longest = 253;
    if (text.ends_with('.')) text.remove_suffix(1);
    if (text.empty() || text.size() > longest) return false;
    char before = '.';
    for (char c : text) {
        if (c == '.' ? before == '.' : !is_alphanumeric(c) && c != '-' && c != '_') return false;
        before = c;
    }
    return before != '.' && text.front() != '-' && text.back() != '-';
}

bool split_host_port(std::string_view text, HostPort& out) {
    out = {};
    std::string_view host = text;
    std::string_view port;
    if (text.starts_with('[')) {
        std::size_t end = text.find(']');
        if (end == std::string_view::npos) return false;
        host = text.substr(1, end - 1);
        std::string_view rest = text.substr(end + 1);
        if (!net::IpAddress::parse(host).ok() || host.find(':') == std::string_view::npos) return false;
        if (!rest.empty() && rest.front() != ':') return false;
        out.has_port = !rest.empty();
        port = rest.empty() ? rest : rest.substr(1);
    } else if (net::IpAddress::parse(text).ok()) {
        out.host = text;
        return true;
    } else {
        std::size_t colon = text.find(':');
        host = text.substr(0, colon);
        out.has_port = colon != std::string_view::npos;
        port = out.has_port ? text.substr(colon + 1) : std::string_view();
        // A name of digits and dots only that is no address is a mistyped one.
        bool numeric = host.find_first_not_of("0123456789.") == std::string_view::npos;
        if (numeric ? !net::IpAddress::parse(host).ok() : !is_host_name(host)) return false;
    }
    if (out.has_port) {
        constexpr unsigned largest = 65535;
        if (port.empty() || port.size() > 5 || port.find_first_not_of(digits) != std::string_view::npos) return false;
        std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (out.port > largest) return false;
    }
    out.host = host;
    return true;
}

std::string normalized_path(std::string_view path) {
    std::string decoded;
    for (std::size_t i = 0; i < path.size(); ++i) {
        int high = path[i] == '%' && i + 2 < path.size() ? hex_value(path[i + 1]) : -1;
        int low = high >= 0 ? hex_value(path[i + 2]) : -1;
        if (low < 0) {
            decoded += path[i];
            continue;
        }
        auto byte = static_cast<unsigned char>(high * 16 + low);
        if (is_reserved(byte)) {
            decoded += fmt::format("%{:02X}", byte);
        } else {
            decoded += static_cast<char>(byte);
        }
        i += 2;
    }
    // RFC 3986 5.2.4, with empty segments merged.
    std::string out;
    std::string_view rest = decoded;
    bool directory = false;
    while (!rest.empty()) {
        std::size_t slash = rest.find('/');
        std::string_view segment = rest.substr(0, slash);
        bool last = slash == std::string_view::npos;
        rest = last ? std::string_view() : rest.substr(slash + 1);
        directory = !last;
        if (segment.empty()) continue;
        if (segment == "." || segment == "..") {
            if (segment == ".." && !out.empty()) out.erase(out.rfind('/'));
            directory = true;
            continue;
        }
        out += '/';
        out += segment;
    }
    if (directory || out.empty()) out += '/';
    return out;
}

std::string regex_fault(std::string_view pattern) {
    int code = 0;
    PCRE2_SIZE offset = 0;
    std::unique_ptr<pcre2_code, decltype(&pcre2_code_free)> compiled(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), 0, &code, &offset, nullptr),
        pcre2_code_free);
    if (compiled) return {};
    unsigned char message[256] = {};
    pcre2_get_error_message(code, message, sizeof message);
    std::string out =
        fmt::format("pcre2_compile() failed: {} in \"{}\"", reinterpret_cast<const char*>(message), pattern);
    if (offset < pattern.size()) out += fmt::format(" at \"{}\"", pattern.substr(offset));
    return out;
}

bool is_legacy_regex(std::string_view path) {
    return std::any_of(path.begin(), path.end(), [](char c) {
        return !is_alphanumeric(c) && std::string_view("._~/%-").find(c) == std::string_view::npos;
    });
}

bool is_forgotten_regex(std::string_view path) {
    bool marked = path.find_first_of("\\()[]|^") != std::string_view::npos || path.ends_with('$') ||
                  path.find(".*") != std::string_view::npos || path.find(".+") != std::string_view::npos;
    return marked && path.starts_with('/') && regex_fault(path).empty();
}

}  // namespace kong
