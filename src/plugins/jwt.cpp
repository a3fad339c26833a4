// jwt: only requests with a token that one of the consumers' keys has signed (kong.md 4.3, RFC 7515, RFC 7519).
#include <array>
#include <atomic>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text_hash.h"
#include "crypto/base64.h"
#include "crypto/jws.h"
#include "crypto/verification_key.h"
#include "http/cookie.h"
#include "http/query.h"
#include "plugin/authentication.h"

namespace plugin {

namespace {

// One jwt_secret, ready to verify.
struct TokenKey {
    const Consumer* consumer = nullptr;
    crypto::Algorithm algorithm = crypto::Algorithm::hs256;
    std::optional<crypto::VerificationKey> key;
};

// All of a configuration, by what the token's key claim says. Immutable; shared by all uses of the plugin.
struct TokenKeys {
    std::uint64_t generation = 0;  // never the same again: what was verified by other keys is not taken over
    std::unordered_map<std::string, TokenKey, base::TextHash, std::equal_to<>> by_name;
    std::string faults;
};

std::optional<std::string> decoded_secret(std::string_view secret) {
    std::string text(secret);
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return crypto::decode_base64(text, crypto::Padding::optional);
}

std::shared_ptr<TokenKeys> make_keys(const Consumers& consumers, bool secret_is_base64) {
    static std::atomic<std::uint64_t> generations{0};
    auto out = std::make_shared<TokenKeys>();
    out->generation = ++generations;
    const Credentials& credentials = consumers.of_kind("jwt_secrets");
    for (const Credential& credential : credentials.all) {
        TokenKey key;
        key.consumer = &consumers[credential.consumer];
        auto algorithm = crypto::algorithm(credentials.value(credential, "algorithm"));
        if (!algorithm) continue;  // the dialect has checked it
        key.algorithm = *algorithm;
        std::string why;
        if (crypto::is_symmetric(*algorithm)) {
            std::string_view secret = credentials.value(credential, "secret");
            std::optional<std::string> decoded = secret_is_base64 ? decoded_secret(secret) : std::string(secret);
            auto made = crypto::VerificationKey::from_secret(decoded.value_or(""), *algorithm);
            if (decoded && made)
                key.key = std::move(*made);
            else
                why = decoded ? made.error().detail : "the secret is not base64, and secret_is_base64 is set";
        } else if (std::string_view pem = credentials.value(credential, "rsa_public_key"); !pem.empty()) {
            auto made = crypto::VerificationKey::from_pem(pem, *algorithm);
            if (made)
                key.key = std::move(*made);
            else
                why = made.error().detail;
        }
        if (!why.empty())
            out->faults += (out->faults.empty() ? "" : "; ") + std::string("the jwt_secret ") + credential.id.text() +
                           " of consumer " + std::string(key.consumer->username) + " cannot be used: " + why;
        out->by_name.emplace(std::string(credentials.value(credential, "key")), std::move(key));
    }
    return out;
}

// Signatures that were found right, by the whole token and the key: checking one of RSA again costs tens of
// microseconds. One core's. What a token says is looked at every time; only the arithmetic is spared.
class VerifiedTokens {
  public:
    static constexpr std::size_t most_bytes = 4 * 1024 * 1024;
    static constexpr std::size_t entry_cost = 128;  // of the table, about

    [[nodiscard]] bool has(std::string_view token, std::uint64_t generation, const TokenKey* key) const {
        auto found = tokens_.find(token);
        return found != tokens_.end() && found->second.generation == generation && found->second.key == key;
    }
    void add(std::string_view token, std::uint64_t generation, const TokenKey* key) {
        if (token.size() > most_bytes / 16) return;
        // Full: all anew. What is in use is back with its next request.
        if (bytes_ + token.size() + entry_cost > most_bytes) {
            tokens_.clear();
            bytes_ = 0;
        }
        auto [place, is_new] = tokens_.insert_or_assign(std::string(token), Entry{generation, key});
        if (is_new) bytes_ += token.size() + entry_cost;
    }

  private:
    struct Entry {
        std::uint64_t generation;
        const TokenKey* key;
    };
    std::unordered_map<std::string, Entry, base::TextHash, std::equal_to<>> tokens_;
    std::size_t bytes_ = 0;
};

// "Bearer TOKEN"; empty if it is something else.
std::string_view bearer(std::string_view value) {
    auto skip_blanks = [&value] {
        while (!value.empty() && (value.front() == ' ' || value.front() == '\t')) value.remove_prefix(1);
    };
    skip_blanks();
    if (!value.starts_with("Bearer") && !value.starts_with("bearer")) return {};
    value.remove_prefix(6);
    if (value.empty() || (value.front() != ' ' && value.front() != '\t')) return {};
    skip_blanks();
    return value;
}

}  // namespace

struct Jwt {
    static constexpr std::string_view name = "jwt";
    static constexpr int priority = 1450;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets requests pass that carry a JSON Web Token signed with a key of a consumer (`jwt_secrets`): HS, RS, ES, "
        "PS "
        "and EdDSA. The upstream is told who it is.";
    static constexpr std::string_view example = R"(config:
  claims_to_verify: [exp]
  key_claim_name: iss
)";

    struct Config {
        schema::Set<std::string> uri_param_names{"jwt"};
        schema::Set<std::string> cookie_names;
        schema::Set<std::string> header_names{"authorization"};
        std::string key_claim_name = "iss";
        bool secret_is_base64 = false;
        schema::Set<std::string> claims_to_verify;
        double maximum_expiration = 0;
        std::optional<std::string> anonymous;
        bool run_on_preflight = true;
        std::optional<std::string> realm;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("uri_param_names", &Config::uri_param_names, "Query arguments that may carry the token."),
                field("cookie_names", &Config::cookie_names, "Cookies that may carry the token."),
                field("header_names", &Config::header_names, "Headers that may carry the token, as `Bearer TOKEN`."),
                field("key_claim_name", &Config::key_claim_name,
                      "The claim, or else header member, that names the key of the jwt_secret."),
                field("secret_is_base64", &Config::secret_is_base64, "Secrets are base64 of the real ones."),
                field("claims_to_verify", &Config::claims_to_verify, "Times that must be there and right.")
                    .one_of("exp", "nbf"),
                field("maximum_expiration", &Config::maximum_expiration,
                      "Longest time in seconds that a token may still live; 0: any. Needs exp in claims_to_verify.")
                    .between(0, 31'536'000),
                field("anonymous", &Config::anonymous,
                      "Consumer (id or username) as which requests without a right token go on."),
                field("run_on_preflight", &Config::run_on_preflight, "Ask OPTIONS requests for a token too."),
                field("realm", &Config::realm, "Named in WWW-Authenticate."));
        }
        void check(schema::Checks& checks) const {
            bool has_exp = std::find(claims_to_verify.begin(), claims_to_verify.end(), "exp") != claims_to_verify.end();
            if (maximum_expiration > 0 && !has_exp) {
                checks.entity("failed conditional validation given value of field 'config.maximum_expiration'");
                checks.field("claims_to_verify", "expected to contain: exp");
            }
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        anonymous_.prepare(config.anonymous, setup);
        for (const std::string& claim : config.claims_to_verify) (claim == "exp" ? checks_exp_ : checks_nbf_) = true;
        no_token_ = challenge("Bearer", config.realm);
        bad_token_ = no_token_ + (config.realm && !config.realm->empty() ? "," : "") + " error=\"invalid_token\"";
        // The same consumers and the same reading of secrets are the same keys.
        auto address = reinterpret_cast<std::uintptr_t>(&setup.consumers);
        std::string key = std::to_string(address) + (config.secret_is_base64 ? "/base64" : "/plain");
        keys_ = setup.shared.state<TokenKeys>(key, [&] { return make_keys(setup.consumers, config.secret_is_base64); });
        if (!keys_->faults.empty()) return base::Error::us(base::Code::invalid, keys_->faults);
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        if (!config.run_on_preflight && exchange.request.method == http::Method::options) return Verdict::go_on;
        if (anonymous_.skips(exchange)) return Verdict::go_on;
        std::string_view token;
        bool has_several = find_token(exchange, token);
        Verdict verdict = has_several     ? refuse_token(exchange, "Multiple tokens provided")
                          : token.empty() ? refuse_missing(exchange)
                                          : check(exchange, token);
        if (verdict == Verdict::answered && anonymous_.is_set()) {
            exchange.client_headers.remove(http::Known::www_authenticate);
            return anonymous_.admit(exchange);
        }
        return verdict;
    }

  private:
    // True: there are different ones.
    bool find_token(Exchange& exchange, std::string_view& token) const {
        bool differs = false;
        auto take = [&](std::string_view found) {
            if (found.empty()) return;
            if (token.empty())
                token = found;
            else if (token != found)
                differs = true;
        };
        const http::RequestHead& request = exchange.request;
        if (request.has_query && !request.query.empty()) {
            http::QueryArguments arguments(request.query);
            http::QueryArgument argument;
            while (arguments.next(argument)) {
                std::string_view called = http::decode_argument(argument.name, exchange.arena);
                for (const std::string& name : config.uri_param_names)
                    if (called == name) take(http::decode_argument(argument.value, exchange.arena));
            }
        }
        for (const std::string& name : config.cookie_names) http::each_cookie(request.headers, name, take);
        for (const std::string& name : config.header_names) take(bearer(request.headers.first(name)));
        return differs;
    }

    Verdict check(Exchange& exchange, std::string_view text) const {
        base::Arena& arena = exchange.arena;
        auto token = crypto::Token::parse(text, arena);
        if (!token) return refuse_token(exchange, arena.join("Bad token; ", token.error().detail));
        auto claims = token->claims(arena);
        if (!claims) return refuse_token(exchange, "Bad token; invalid claims");

        const std::string& claim = config.key_claim_name;
        const crypto::Value* named = claims->find(claim);
        if (named == nullptr) named = token->header().find(claim);
        if (named == nullptr || named->is(crypto::Value::Kind::null))
            return refuse_token(exchange, arena.join("No mandatory '", claim, "' in claims"));
        if (!named->is(crypto::Value::Kind::string) || named->text.empty())
            return refuse_token(exchange, arena.join("Invalid '", claim, "' in claims"));
        auto found = keys_->by_name.find(named->text);
        if (found == keys_->by_name.end())
            return refuse_token(exchange, arena.join("No credentials found for given '", claim, "'"));
        const TokenKey& key = found->second;
        // Never what the token says: the credential decides how it is verified (RFC 8725 3.1).
        if (token->algorithm() != key.algorithm) return refuse_token(exchange, "Invalid algorithm");
        if (!key.key) return refuse_token(exchange, "Invalid key/secret");
        if (!is_signed(exchange, text, *token, key)) return refuse_token(exchange, "Invalid signature");
        if (std::string_view faults = faults_of(exchange, *claims); !faults.empty()) {
            exchange.client_headers.set(http::Known::www_authenticate, bad_token_);
            return reply_json(exchange, 401, faults);
        }
        identify(exchange, key.consumer, found->first);
        return Verdict::go_on;
    }

    bool is_signed(Exchange& exchange, std::string_view text, const crypto::Token& token, const TokenKey& key) const {
        if (crypto::is_symmetric(key.algorithm))
            return key.key->verify(key.algorithm, token.signed_text(), token.signature());
        auto& verified = exchange.worker.state<VerifiedTokens>("", [] { return std::make_unique<VerifiedTokens>(); });
        if (verified.has(text, keys_->generation, &key)) return true;
        if (!key.key->verify(key.algorithm, token.signed_text(), token.signature())) return false;
        verified.add(text, keys_->generation, &key);
        return true;
    }

    // Kong's map of what is wrong with the times, as JSON; empty if nothing is. No leeway.
    std::string_view faults_of(Exchange& exchange, const crypto::Object& claims) const {
        if (!checks_exp_ && !checks_nbf_) return {};
        double now = static_cast<double>(exchange.worker.loop.wall_now() / 1000);
        std::string_view exp, nbf;
        if (checks_exp_) {
            std::optional<double> at = claims.number("exp");
            if (!at)
                exp = "must be a number";
            else if (*at <= now)
                exp = "token expired";
            else if (config.maximum_expiration > 0 && *at - now > config.maximum_expiration)
                exp = "exceeds maximum allowed expiration";
        }
        if (checks_nbf_) {
            std::optional<double> at = claims.number("nbf");
            if (!at)
                nbf = "must be a number";
            else if (*at > now)
                nbf = "token not valid yet";
        }
        if (exp.empty() && nbf.empty()) return {};
        return exchange.arena.join("{", exp.empty() ? "" : "\"exp\":\"", exp, exp.empty() ? "" : "\"",
                                   exp.empty() || nbf.empty() ? "" : ",", nbf.empty() ? "" : "\"nbf\":\"", nbf,
                                   nbf.empty() ? "" : "\"", "}");
    }

    Verdict refuse_missing(Exchange& exchange) const {
        exchange.client_headers.set(http::Known::www_authenticate, no_token_);
        return reply_message(exchange, 401, "Unauthorized");
    }
    Verdict refuse_token(Exchange& exchange, std::string_view message) const {
        exchange.client_headers.set(http::Known::www_authenticate, bad_token_);
        return reply_message(exchange, 401, message);
    }

    Anonymous anonymous_;
    bool checks_exp_ = false;
    bool checks_nbf_ = false;
    std::string no_token_;
    std::string bad_token_;
    std::shared_ptr<TokenKeys> keys_;
};
REGISTER_PLUGIN(Jwt);

}  // namespace plugin
