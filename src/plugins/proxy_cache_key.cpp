#include "plugins/proxy_cache_key.h"

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "crypto/hash.h"
#include "http/characters.h"
#include "http/query.h"

namespace plugin {

namespace {

using http::Known;

std::string_view lower_case(std::string_view text, base::Arena& arena) {
    char* at = arena.bytes(text.size());
    std::transform(text.begin(), text.end(), at, [](char c) { return http::lower(c); });
    return {at, text.size()};
}

std::string_view digest_text(std::string_view text, base::Arena& arena) {
    crypto::Digest digest = crypto::digest(crypto::Hash::sha256, text);
    constexpr std::string_view digits = "0123456789abcdef";
    char* out = arena.bytes(64);
    for (std::size_t i = 0; i < 32; ++i) {
        auto byte = static_cast<unsigned char>(digest.view()[i]);
        out[2 * i] = digits[byte >> 4];
        out[2 * i + 1] = digits[byte & 15];
    }
    return {out, 64};
}

// Texts one behind the other so that no two rows of texts look the same: each with its length in front.
void append(std::string& out, std::string_view text) {
    char size[24];
    char* end = std::to_chars(size, size + sizeof size, text.size()).ptr;
    out.append(size, end);
    out.push_back(':');
    out += text;
}

struct Argument {
    http::QueryArgument raw;
    std::string_view name;  // decoded, as value
    std::string_view value;
};

// The arguments that tell requests apart, in the order of their names or of vary_query_params; those of one name as the
// client gave them.
std::vector<Argument> arguments_of(std::string_view query, const ProxyCacheConfig& config, base::Arena& arena) {
    std::vector<Argument> all;
    http::QueryArguments arguments(query);
    http::QueryArgument argument;
    while (arguments.next(argument))
        all.push_back(
            {argument, http::decode_argument(argument.name, arena), http::decode_argument(argument.value, arena)});
    std::stable_sort(all.begin(), all.end(), [](const Argument& a, const Argument& b) { return a.name < b.name; });
    if (config.vary_query_params.empty()) return all;
    std::vector<Argument> chosen;
    for (const std::string& wanted : config.vary_query_params)
        for (const Argument& one : all)
            if (one.name == wanted) chosen.push_back(one);
    return chosen;
}

// "a=1:b=2,3:c", Kong's form: the values of one name are sorted, too.
void append_shown(std::string& out, std::vector<Argument> arguments) {
    for (auto first = arguments.begin(); first != arguments.end();) {
        auto last = std::find_if(first, arguments.end(), [&](const Argument& one) { return one.name != first->name; });
        std::sort(first, last, [](const Argument& a, const Argument& b) { return a.value < b.value; });
        if (first != arguments.begin()) out.push_back(':');
        out += first->name;
        char before = '=';
        for (; first != last; ++first) {
            if (before == ',' || first->raw.has_value) out.push_back(before);
            before = ',';
            out += first->value;
        }
    }
}

// As they were spelled: what an upstream makes of another spelling is its own business.
void append_exact(std::string& out, const std::vector<Argument>& arguments) {
    for (const Argument& one : arguments) {
        append(out, one.raw.name);
        if (one.raw.has_value) append(out, one.raw.value);
        out.push_back('&');
    }
}

// Percent-encoding of what would end a part, so that a prefix of the resource is a prefix of a URL.
void append_readable(std::string& out, const std::vector<Argument>& arguments) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    auto add = [&out, digits](std::string_view text) {
        for (char c : text) {
            auto byte = static_cast<unsigned char>(c);
            if (byte > 0x20 && byte < 0x7f && c != '&' && c != '=' && c != '%') {
                out.push_back(c);
            } else {
                out.push_back('%');
                out.push_back(digits[byte >> 4]);
                out.push_back(digits[byte & 15]);
            }
        }
    };
    char before = '?';
    for (const Argument& one : arguments) {
        out.push_back(std::exchange(before, '&'));
        add(one.name);
        if (!one.raw.has_value) continue;
        out.push_back('=');
        add(one.value);
    }
}

void append_resource(std::string& out, Exchange& exchange, const ProxyCacheConfig& config, std::string_view path,
                     const std::vector<Argument>& arguments) {
    for (char c : exchange.client.forwarded_host) out.push_back(http::lower(c));
    std::uint16_t port = cache_port(exchange);
    if (port != 0) out += ':' + std::to_string(port);
    out += config.ignore_uri_case ? lower_case(path, exchange.arena) : path;
    append_readable(out, arguments);
}

// The upstream gets the credentials too, and may answer by what is in them: a token's subject, not only the consumer.
// Each part has a letter in front, so that no kind of identity looks like another one.
std::string_view identity_of(Exchange& exchange, const ProxyCacheConfig& config, bool& is_by_cookie) {
    static thread_local std::string out;
    out.clear();
    auto add = [](char kind, std::string_view part) {
        out.push_back(kind);
        append(out, part);
    };
    auto add_secrets = [&](char kind, Known header) {  // which have no place in a key
        exchange.request.headers.all(header,
                                     [&](std::string_view value) { add(kind, digest_text(value, exchange.arena)); });
    };
    const Identity& identity = exchange.identity;
    if (identity.consumer != nullptr) add('u', exchange.text(identity.consumer->id));
    if (config.identity == CacheIdentity::consumer && identity.consumer != nullptr) return exchange.arena.copy(out);
    if (!identity.credential.empty()) add('c', identity.credential);
    for (std::string_view group : identity.groups) add('g', group);
    if (!identity.certificate.empty()) add('x', identity.certificate);
    add_secrets('a', Known::authorization);
    std::size_t before = out.size();
    // A session is one, too; and a token may have come in a cookie.
    if (config.identify_by_cookie || identity.is_authenticated) add_secrets('k', Known::cookie);
    is_by_cookie = before == 0 && !identity.is_authenticated;
    return exchange.arena.copy(out);
}

}  // namespace

std::uint16_t cache_port(const Exchange& exchange) {
    const ClientSide& client = exchange.client;
    std::uint16_t port = client.is_trusted ? client.forwarded_port : exchange.request.port;
    return port == (client.scheme == "https" ? 443 : 80) ? 0 : port;
}

CacheKeys cache_keys(Exchange& exchange, const ProxyCacheConfig& config, std::string_view body) {
    base::Arena& arena = exchange.arena;
    const http::RequestHead& request = exchange.request;
    std::vector<Argument> arguments;
    if (!request.query.empty()) arguments = arguments_of(request.query, config, arena);
    CacheKeys keys;
    // By RFC 9111 HEAD is answered from what GET stored.
    std::string_view method = request.method_token;
    if (config.rfc9111 && request.method == http::Method::head) method = "GET";

    // Kong's text: the request line as it came, cut where the query begins.
    static thread_local std::string text;  // its memory is kept
    text.clear();
    if (exchange.identity.consumer != nullptr) {
        text += exchange.text(exchange.identity.consumer->id);
        text.push_back(':');
    }
    text += exchange.text(exchange.route->id);
    text.push_back('|');
    text += method;
    text.push_back('|');
    std::string_view target = request.target.substr(0, request.target.find('?'));
    text += method;
    text.push_back(' ');
    text += config.ignore_uri_case ? lower_case(target, arena) : target;
    if (target.size() == request.target.size()) text += request.minor_version == 0 ? " HTTP/1.0" : " HTTP/1.1";
    text.push_back('|');
    append_shown(text, arguments);
    text.push_back('|');
    bool is_first = true;
    for (const std::string& name : config.vary_headers) {
        if (!request.headers.has(name)) continue;
        if (!std::exchange(is_first, false)) text.push_back(':');
        text += name;
        char before = '=';
        request.headers.all(name, [&](std::string_view value) {
            text.push_back(std::exchange(before, ','));
            text += value;
        });
    }
    keys.shown = digest_text(text, arena);

    static thread_local std::string exact;
    exact.clear();
    append_resource(exact, exchange, config, exchange.path, arguments);
    keys.resource = arena.copy(exact);
    exact.clear();
    exact += keys.shown;
    append(exact, keys.resource);
    append(exact, lower_case(request.authority, arena));  // the upstream may get it, whatever a proxy says of the host
    append(exact, exchange.client.scheme);
    append(exact, exchange.text(exchange.route->id));
    append(exact, method);
    append(exact, exchange.upstream_path);
    append_exact(exact, arguments);
    for (const std::string& name : config.vary_headers) {
        exact.push_back(request.headers.has(name) ? '+' : '-');
        request.headers.all(name, [&](std::string_view value) { append(exact, value); });
    }
    if (!body.empty()) {
        exact.push_back('b');
        append(exact, digest_text(body, arena));
    }
    keys.shared = arena.copy(exact);
    std::string_view identity = identity_of(exchange, config, keys.is_own_by_cookie);
    if (!identity.empty()) keys.own = arena.join(keys.shared, "#", identity);
    return keys;
}

std::string_view cache_resource(Exchange& exchange, const ProxyCacheConfig& config, std::string_view path,
                                std::string_view query) {
    std::string out;
    append_resource(out, exchange, config, path, arguments_of(query, config, exchange.arena));
    return exchange.arena.copy(out);
}

}  // namespace plugin
