#include "gateway/hash_input.h"

#include <algorithm>
#include <array>
#include <charconv>

#include "http/cookie.h"
#include "http/query.h"

namespace gateway {

namespace {

constexpr std::size_t most_values = 64;  // of one header or argument; more do not count

std::string_view cookie_value(const http::Headers& headers, std::string_view name) {
    std::string_view found;
    http::each_cookie(headers, name, [&](std::string_view value) {
        if (found.empty()) found = value;
    });
    return found;
}

std::string_view header_value(Transaction& transaction, std::string_view name) {
    std::array<std::string_view, most_values> values;
    std::size_t count = 0;
    transaction.request.headers.all(name, [&](std::string_view value) {
        if (count < values.size()) values[count++] = value;
    });
    return upstream::joined(std::span(values.data(), count), transaction.arena);
}

std::string_view argument_value(Transaction& transaction, std::string_view name) {
    std::array<std::string_view, most_values> values;
    std::size_t count = 0;
    http::QueryArguments arguments(transaction.request.query);
    http::QueryArgument argument;
    while (arguments.next(argument))
        if (count < values.size() && http::decode_argument(argument.name, transaction.arena) == name)
            values[count++] = http::decode_argument(argument.value, transaction.arena);
    return upstream::joined(std::span(values.data(), count), transaction.arena);
}

std::string_view capture_value(const Transaction& transaction, std::string_view name) {
    if (!transaction.match.by_regex) return {};
    std::size_t number = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
    if (error == std::errc() && end == name.data() + name.size()) return transaction.match.capture(number);
    return transaction.match.capture(name);
}

std::string_view value_of(Transaction& transaction, upstream::HashSource source, std::string_view name) {
    switch (source) {
        case upstream::HashSource::none:
            return {};
        case upstream::HashSource::consumer:
            if (const plugin::Consumer* consumer = transaction.identity.consumer)
                return transaction.arena.copy(consumer->id.text());
            return transaction.identity.credential;
        case upstream::HashSource::ip:
            return transaction.arena.copy(transaction.client.address.ip.text());
        case upstream::HashSource::header:
            return header_value(transaction, name);
        case upstream::HashSource::cookie:
            return cookie_value(transaction.request.headers, name);
        case upstream::HashSource::path:
            return transaction.path;
        case upstream::HashSource::query_arg:
            return argument_value(transaction, name);
        case upstream::HashSource::uri_capture:
            return capture_value(transaction, name);
    }
    return {};
}

// A UUID of version 4 (RFC 9562 5.4) out of a request id's worth of randomness.
std::string_view make_cookie_value(Transaction& transaction) {
    std::array<char, observe::request_id_size> random = transaction.core.request_ids.next();
    random[12] = '4';
    random[16] = "89ab"[static_cast<unsigned>(random[16]) % 4];
    std::string_view all(random.data(), random.size());
    return transaction.arena.join(all.substr(0, 8), "-", all.substr(8, 4), "-", all.substr(12, 4), "-",
                                  all.substr(16, 4), "-", all.substr(20));
}

}  // namespace

std::uint64_t hash_input(Transaction& transaction, const upstream::HashRule& rule) {
    std::string_view value = value_of(transaction, rule.on, rule.name);
    if (value.empty() && rule.on == upstream::HashSource::cookie) {
        if (transaction.pinning_cookie.empty()) {
            value = make_cookie_value(transaction);
            transaction.pinning_cookie = transaction.arena.copy(upstream::hash_cookie(rule, value));
        }
    }
    std::string_view fallback =
        value.empty() ? value_of(transaction, rule.fallback, rule.fallback_name) : std::string_view();
    return upstream::hash_key(value, fallback);
}

}  // namespace gateway
