// What Kong's authentication plugins share (kong.md 4.2): the anonymous consumer that a request goes on as when no
// credential is right, and the order in which several such plugins on one route try.
#pragma once

#include <optional>
#include <string>

#include "http/characters.h"
#include "plugin/identity.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

class Anonymous {
  public:
    // `name`: the consumer's id or username; absent or empty: requests without a right credential are refused.
    void prepare(const std::optional<std::string>& name, const Setup& setup) {
        if (!name || name->empty()) return;
        is_set_ = true;
        consumer_ = setup.consumers.find(*name);
        missing_ = "anonymous consumer " + *name + " is configured but doesn't exist";
    }
    // Another plugin has found out who it is, and this one is only an alternative to it.
    [[nodiscard]] bool skips(const Exchange& exchange) const { return is_set_ && exchange.identity.is_authenticated; }
    [[nodiscard]] bool is_set() const { return is_set_; }
    // In the place of a refusal.
    [[nodiscard]] Verdict admit(Exchange& exchange) const {
        if (consumer_ == nullptr) return refuse(exchange, 500, missing_);
        stay_anonymous(exchange, *consumer_);
        return Verdict::go_on;
    }

    // No right credential: on as the anonymous consumer, or the refusal, which names the way to authenticate. `message`
    // and `challenge` live as long as the exchange.
    [[nodiscard]] Verdict refuse_or_admit(Exchange& exchange, int status, std::string_view message,
                                          std::string_view challenge) const {
        if (is_set_) return admit(exchange);
        if (status == 401 && !challenge.empty()) exchange.client_headers.set(http::Known::www_authenticate, challenge);
        return refuse(exchange, status, message);
    }

  private:
    bool is_set_ = false;
    const Consumer* consumer_ = nullptr;
    std::string missing_;
};

// `scheme`, `scheme realm="r"`: the value of WWW-Authenticate.
[[nodiscard]] inline std::string challenge(std::string_view scheme, const std::optional<std::string>& realm) {
    std::string out(scheme);
    if (realm && !realm->empty()) out += " realm=\"" + *realm + "\"";
    return out;
}

// What stands behind the scheme in an Authorization field, without blanks around it; nothing if it is another one.
// Schemes have no case (RFC 9110 11.1); as in Kong, a blank behind them may be missing.
[[nodiscard]] inline std::optional<std::string_view> after_scheme(std::string_view field, std::string_view scheme) {
    field = http::trim(field);
    if (!http::equals_ignore_case(field.substr(0, scheme.size()), scheme)) return {};
    return http::trim(field.substr(scheme.size()));
}

// A setting that names a header.
inline constexpr schema::Format header_name_format{
    "^[a-zA-Z0-9-_]+$", [](std::string_view text) {
        for (char c : text) {
            if (!http::character::is_alphanumeric(c) && c != '-' && c != '_')
                return "bad header name '" + std::string(text) +
                       "', allowed characters are A-Z, a-z, 0-9, '_', and '-'";
        }
        return std::string();
    }};

}  // namespace plugin
