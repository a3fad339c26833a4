// hmac-auth: only requests that are signed with the secret of a consumer: over the headers that the client lists, in
// time, and on demand over the body (kong.md 4.6).
#include <array>
#include <cmath>
#include <string>
#include <vector>

#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "http/date.h"
#include "plugin/authentication.h"
#include "plugin/credential_index.h"

namespace plugin {

namespace {

constexpr std::size_t longest_signed_text = 64 * 1024;  // a list may name a large field again and again
constexpr std::size_t longest_body = 8 * 1024 * 1024;   // whose digest is checked; only of requests rightly signed

constexpr std::array<std::string_view, crypto::hash_count> algorithm_names{"hmac-sha1", "hmac-sha256", "hmac-sha384",
                                                                           "hmac-sha512"};

constexpr std::string_view not_valid = "HMAC signature cannot be verified";
constexpr std::string_view not_same = "HMAC signature does not match";
constexpr std::string_view no_date =
    "HMAC signature cannot be verified, a valid date or x-date header is required for HMAC Authentication";

// All users of a configuration with their keys. Immutable once made.
struct HmacUsers {
    std::shared_ptr<const CredentialIndex> by_name;
    std::size_t name = 0;               // place of the field
    std::vector<crypto::HmacKey> keys;  // one of each algorithm for each credential
    std::string faults;

    [[nodiscard]] const crypto::HmacKey& key(const Credential& credential, std::size_t algorithm) const {
        return keys[by_name->place(credential) * crypto::hash_count + algorithm];
    }
};

std::shared_ptr<HmacUsers> make_users(const Setup& setup, std::shared_ptr<const CredentialIndex> by_name) {
    auto out = std::make_shared<HmacUsers>();
    const Credentials& credentials = by_name->credentials();
    out->by_name = std::move(by_name);
    out->name = credentials.place("username");
    out->keys.reserve(credentials.all.size() * crypto::hash_count);
    for (const Credential& credential : credentials.all) {
        std::string_view secret = credentials.value(credential, "secret");
        if (secret.empty()) {
            out->faults += (out->faults.empty() ? "" : "; ") + std::string("the hmacauth_credential ") +
                           credential.id.text() + " of consumer " +
                           std::string(setup.consumers[credential.consumer].username) +
                           " cannot be used: its secret is empty";
            continue;
        }
        for (std::size_t i = 0; i < crypto::hash_count; ++i) {
            auto key = crypto::HmacKey::make(static_cast<crypto::Hash>(i), secret);
            if (key) out->keys.push_back(std::move(*key));
        }
    }
    return out;
}

// hmac username="u", algorithm="a", headers="h1 h2", signature="b64"
struct Claim {
    std::string_view username, algorithm, headers, signature;
};

// Nothing for another scheme, and for what has not this form: parameters that nobody knows or that come twice.
std::optional<Claim> read_claim(std::string_view field) {
    std::optional<std::string_view> rest = after_scheme(field, "hmac");
    if (!rest || rest->empty()) return {};
    Claim claim;
    while (!rest->empty()) {
        std::size_t equals = rest->find("=\"");
        if (equals == rest->npos) return {};
        std::string_view parameter = http::trim(rest->substr(0, equals));
        rest->remove_prefix(equals + 2);
        std::size_t end = rest->find('"');
        if (end == rest->npos) return {};
        std::string_view value = rest->substr(0, end);
        *rest = http::trim(rest->substr(end + 1));
        if (!rest->empty()) {
            if (rest->front() != ',') return {};
            *rest = http::trim(rest->substr(1));
            if (rest->empty()) return {};
        }
        std::string_view* place = parameter == "username"    ? &claim.username
                                  : parameter == "algorithm" ? &claim.algorithm
                                  : parameter == "headers"   ? &claim.headers
                                  : parameter == "signature" ? &claim.signature
                                                             : nullptr;
        if (place == nullptr || place->data() != nullptr) return {};
        *place = value;
    }
    return claim;
}

template <typename Visit>
void each_listed(std::string_view list, Visit&& visit) {
    while (!list.empty()) {
        std::size_t end = list.find(' ');
        if (end != 0) visit(list.substr(0, end));
        list = end == list.npos ? std::string_view() : list.substr(end + 1);
    }
}

bool lists(std::string_view list, std::string_view name) {
    bool found = false;
    each_listed(list, [&](std::string_view each) { found = found || http::equals_ignore_case(each, name); });
    return found;
}

}  // namespace

struct HmacAuth {
    static constexpr std::string_view name = "hmac-auth";
    static constexpr int priority = 1030;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets requests pass that are signed with the secret of a consumer (`hmacauth_credentials`), in "
        "Proxy-Authorization or Authorization. The upstream is told who it is.";
    static constexpr std::string_view example = R"(config:
  enforce_headers: [date, "@request-target", digest]
  algorithms: [hmac-sha256]
  validate_request_body: true
)";

    struct Config {
        bool hide_credentials = false;
        double clock_skew = 300;
        std::optional<std::string> anonymous;
        bool validate_request_body = false;
        std::vector<std::string> enforce_headers;
        std::vector<std::string> algorithms{"hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"};
        std::optional<std::string> realm;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("hide_credentials", &Config::hide_credentials, "Take the field out of what the upstream gets."),
                field("clock_skew", &Config::clock_skew, "Seconds that X-Date or Date may be off.").above(0),
                field("anonymous", &Config::anonymous,
                      "Consumer (id or username) as which requests without a right signature go on."),
                field(
                    "validate_request_body", &Config::validate_request_body,
                    "Compare the body (of at most 8 MiB) with Digest. Name `digest` in enforce_headers too, or nobody "
                    "vouches for the digest."),
                field("enforce_headers", &Config::enforce_headers,
                      "What clients must sign at least: header names, `request-line`, `@request-target`."),
                field("algorithms", &Config::algorithms, "Those that clients may use.")
                    .one_of("hmac-sha1", "hmac-sha256", "hmac-sha384", "hmac-sha512"),
                field("realm", &Config::realm, "Named in WWW-Authenticate."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        anonymous_.prepare(config.anonymous, setup);
        challenge_ = challenge("hmac", config.realm);
        consumers_ = &setup.consumers;
        for (std::size_t i = 0; i < algorithm_names.size(); ++i)
            allowed_[i] = std::find(config.algorithms.begin(), config.algorithms.end(), algorithm_names[i]) !=
                          config.algorithms.end();
        auto by_name = CredentialIndex::of(setup, "hmacauth_credentials", "username");
        users_ = setup.shared.state<HmacUsers>(setup.consumers_key("hmac-auth"),
                                               [&] { return make_users(setup, std::move(by_name)); });
        if (!users_->faults.empty()) return base::Error::us(base::Code::invalid, users_->faults);
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        if (anonymous_.skips(exchange)) return Verdict::go_on;
        const Credential* credential = nullptr;
        if (std::string_view fault = check(exchange, credential); !fault.empty()) return fail(exchange, fault);
        if (config.validate_request_body) {
            if (exchange.has_request_body()) {
                exchange.make_note<Signed>(credential);
                return Verdict::wait;
            }
            if (!is_digest_right(exchange, {})) return fail(exchange, not_same);
        }
        return accept(exchange, *credential);
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        auto body = co_await exchange.read_request_body(longest_body);
        if (!body && body.error().code == base::Code::too_large)
            co_return anonymous_.refuse_or_admit(exchange, 413, {}, {});
        if (!body)
            co_return reply_error(exchange, body.error().status != 0 ? body.error().status : 400, {},
                                  ErrorKind::server);
        if (!is_digest_right(exchange, *body)) co_return fail(exchange, not_same);
        co_return accept(exchange, *exchange.note<Signed>()->credential);
    }

  private:
    struct Signed {  // rightly; what remains is the body
        const Credential* credential = nullptr;
    };

    // Why not; empty: the signature is right, and of `credential`.
    std::string_view check(Exchange& exchange, const Credential*& credential) const {
        using http::Known;
        http::Headers& headers = exchange.request.headers;
        if (!headers.has(Known::authorization) && !headers.has(Known::proxy_authorization)) return "Unauthorized";
        bool is_x_date_right = is_date_right(exchange, headers.first("X-Date"));
        bool is_date_right_ = is_date_right(exchange, headers.first(Known::date));
        if (!is_x_date_right && !is_date_right_) return no_date;
        std::optional<Claim> claim = take_claim(exchange, Known::proxy_authorization);
        if (!claim) claim = take_claim(exchange, Known::authorization);
        if (!claim || claim->username.empty() || claim->signature.empty()) return not_valid;
        if (claim->headers.find_first_not_of(' ') == claim->headers.npos) return not_valid;  // over nothing: for ever
        for (const std::string& enforced : config.enforce_headers)
            if (!lists(claim->headers, enforced)) return not_valid;
        // A signed date must be right itself: a fresh one beside it would make an old request good for ever.
        bool signs_x_date = lists(claim->headers, "x-date");
        bool signs_date = lists(claim->headers, "date");
        if ((signs_x_date || signs_date) && !(signs_x_date && is_x_date_right) && !(signs_date && is_date_right_))
            return no_date;
        auto named = std::find(algorithm_names.begin(), algorithm_names.end(), claim->algorithm);
        auto algorithm = static_cast<std::size_t>(named - algorithm_names.begin());
        if (named == algorithm_names.end() || !allowed_[algorithm]) return not_valid;
        credential = users_->by_name->find(claim->username);
        if (credential == nullptr) return not_valid;
        std::string text;
        if (!write_signed_text(exchange, claim->headers, text)) return not_valid;
        auto signature = crypto::decode_base64(claim->signature, crypto::Padding::optional);
        if (!signature || !users_->key(*credential, algorithm).verify(text, *signature)) return not_same;
        return {};
    }

    [[nodiscard]] std::optional<Claim> take_claim(Exchange& exchange, http::Known field) const {
        http::Headers& headers = exchange.request.headers;
        // Two of them: the upstream might read the other one.
        if (headers.count(field) != 1) return {};
        std::optional<Claim> claim = read_claim(headers.first(field));
        if (config.hide_credentials && claim) headers.remove(field);
        return claim;
    }

    [[nodiscard]] bool is_date_right(Exchange& exchange, std::string_view date) const {
        std::optional<std::int64_t> at = http::parse_date(date);
        if (!at) return false;
        std::int64_t now = exchange.worker.loop.wall_now() / 1000;
        return std::abs(static_cast<double>(now - *at)) <= config.clock_skew;
    }

    // False: longer than it may be, or a listed header that comes twice, of which only one would be signed.
    static bool write_signed_text(Exchange& exchange, std::string_view list, std::string& text) {
        const http::RequestHead& request = exchange.request;
        // As it came: plugins may have changed request.query.
        std::size_t question = request.target.find('?');
        std::string_view query = question == request.target.npos ? "" : request.target.substr(question);
        bool is_right = true;
        each_listed(list, [&](std::string_view listed) {
            if (!is_right) return;
            if (!text.empty()) text += '\n';
            if (listed == "request-line") {
                text.append(request.method_token).append(" ").append(request.raw_path).append(query);
                text += request.major_version == 2 ? " HTTP/2" : request.minor_version == 0 ? " HTTP/1.0" : " HTTP/1.1";
            } else if (listed == "@request-target") {
                text.append(listed).append(": ");
                for (char c : request.method_token) text += http::lower(c);
                text.append(" ").append(request.raw_path).append(query);
            } else {
                is_right = request.headers.count(listed) <= 1;
                text.append(listed).append(":");
                if (request.headers.has(listed)) text.append(" ").append(request.headers.first(listed));
            }
            is_right = is_right && text.size() <= longest_signed_text;
        });
        return is_right;
    }

    static bool is_digest_right(Exchange& exchange, std::string_view body) {
        const http::Headers& headers = exchange.request.headers;
        if (!headers.has("Digest")) return body.empty();
        std::string digest = "SHA-256=" + crypto::base64(crypto::digest(crypto::Hash::sha256, body).view());
        return headers.count("Digest") == 1 && crypto::equal_in_constant_time(headers.first("Digest"), digest);
    }

    Verdict accept(Exchange& exchange, const Credential& credential) const {
        identify(exchange, &(*consumers_)[credential.consumer], credential.values[users_->name]);
        return Verdict::go_on;
    }
    Verdict fail(Exchange& exchange, std::string_view message) const {
        return anonymous_.refuse_or_admit(exchange, 401, message, challenge_);
    }

    Anonymous anonymous_;
    std::string challenge_;
    std::array<bool, crypto::hash_count> allowed_{};
    const Consumers* consumers_ = nullptr;
    std::shared_ptr<HmacUsers> users_;
};
REGISTER_PLUGIN(HmacAuth);

}  // namespace plugin
