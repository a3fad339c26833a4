#include "plugin/identity.h"

#include <algorithm>
#include <array>

#include "http/characters.h"
#include "http/path.h"

namespace plugin {

namespace {

constexpr std::array<std::string_view, 4> claimed{"x-consumer-", "x-credential-", "x-anonymous-", "x-authenticated-"};

// Names come from documents and certificates: they may hold what no field may.
void set_or_remove(Exchange& exchange, std::string_view name, std::string_view value) {
    http::Headers& headers = exchange.request.headers;
    if (value.empty())
        headers.remove(name);
    else
        headers.set(name, http::escape_value(value, exchange.arena));
}

void tell_consumer(Exchange& exchange, const Consumer* consumer) {
    set_or_remove(exchange, "X-Consumer-ID", consumer == nullptr ? "" : exchange.text(consumer->id));
    set_or_remove(exchange, "X-Consumer-Custom-ID", consumer == nullptr ? "" : consumer->custom_id);
    set_or_remove(exchange, "X-Consumer-Username", consumer == nullptr ? "" : consumer->username);
}

}  // namespace

bool is_claimed_identity(std::string_view name) {
    if (name.size() < 11 || (name[0] | 0x20) != 'x' || (name[1] != '-' && name[1] != '_')) return false;
    char first = static_cast<char>(name[2] | 0x20);
    if (first != 'c' && first != 'a') return false;
    for (std::string_view prefix : claimed) {
        if (name.size() < prefix.size()) continue;
        bool is_same = true;
        for (std::size_t i = 0; i < prefix.size() && is_same; ++i) {
            char c = name[i] == '_' ? '-' : name[i];
            if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
            is_same = c == prefix[i];
        }
        if (is_same) return true;
    }
    return false;
}

void remove_claimed_identity(http::Headers& headers) {
    bool has_any = false;
    for (const http::Header& header : headers)
        has_any = has_any || (header.known == http::Known::none && is_claimed_identity(header.name));
    if (has_any)
        headers.remove_if([](const http::Header& header) {
            return header.known == http::Known::none && is_claimed_identity(header.name);
        });
}

void remove_owned(http::Headers& headers, std::span<const std::string> names) {
    auto is_owned = [&](const http::Header& header) {
        return std::any_of(names.begin(), names.end(), [&](const std::string& name) {
            return header.name.size() == name.size() &&
                   std::equal(name.begin(), name.end(), header.name.begin(), [](char ours, char theirs) {
                       if (theirs >= 'A' && theirs <= 'Z') theirs = static_cast<char>(theirs | 0x20);
                       return ours == (theirs == '_' ? '-' : theirs);
                   });
        });
    };
    if (std::any_of(headers.begin(), headers.end(), is_owned)) headers.remove_if(is_owned);
}

void identify(Exchange& exchange, const Consumer* consumer, std::string_view identifier) {
    exchange.identity = {consumer, true, identifier, {}, exchange.identity.certificate};
    tell_consumer(exchange, consumer);
    set_or_remove(exchange, "X-Credential-Identifier", identifier);
    exchange.request.headers.remove("X-Anonymous-Consumer");
}

void stay_anonymous(Exchange& exchange, const Consumer& consumer) {
    exchange.identity = {&consumer, false, {}, {}, exchange.identity.certificate};
    tell_consumer(exchange, &consumer);
    exchange.request.headers.remove("X-Credential-Identifier");
    exchange.request.headers.set("X-Anonymous-Consumer", "true");
}

}  // namespace plugin
