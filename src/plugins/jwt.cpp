// jwt: only requests with a token that one of the consumers' keys has signed (kong.md 4.3, RFC 7515, RFC 7519), or one
// of the keys that an issuer publishes (beyond Kong).
#include <array>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/text_hash.h"
#include "crypto/base64.h"
#include "crypto/jws.h"
#include "crypto/verification_key.h"
#include "http/cookie.h"
#include "http/query.h"
#include "net/fetch.h"
#include "plugin/authentication.h"
#include "plugin/key_source.h"

namespace plugin {

namespace {

// One jwt_secret, ready to verify.
struct TokenKey {
    const Consumer* consumer = nullptr;
    crypto::Algorithm algorithm = crypto::Algorithm::hs256;
    std::optional<crypto::VerificationKey> key;
};

// What uses of the plugin with the same settings trust. Keys of consumers are immutable, those of the issuer change.
struct Trust {
    std::uint64_t generation = 0;  // never the same again: what was found right by another trust is not taken over
    std::unordered_map<std::string, TokenKey, base::TextHash, std::equal_to<>> by_name;
    std::string faults;
    std::shared_ptr<KeySource> issuer_keys;  // may be null
};

using NamedKey = std::pair<const std::string, TokenKey>;

std::optional<std::string> decoded_secret(std::string_view secret) {
    std::string text(secret);
    for (char& c : text) c = c == '-' ? '+' : c == '_' ? '/' : c;
    return crypto::decode_base64(text, crypto::Padding::optional);
}

std::shared_ptr<Trust> make_trust(const Consumers& consumers, bool secret_is_base64) {
    auto out = std::make_shared<Trust>();
    out->generation = next_generation();
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

// When a token is good, as it says itself; looked at with every request.
struct Times {
    std::optional<double> exp;
    std::optional<double> nbf;
};

// Tokens that were found rightly signed and made for us, by their whole text, with what else is asked of them: neither
// are they read again nor is a signature computed, of which one of RSA costs tens of microseconds. One core's.
class KnownTokens {
  public:
    static constexpr std::size_t most_bytes = 16 * 1024 * 1024;
    static constexpr std::size_t longest = most_bytes / 256;
    static constexpr std::size_t entry_cost = 200;  // of the table, about

    struct Known {
        std::uint64_t trust = 0;        // its generation
        std::uint64_t published = 0;    // generation of the issuer's keys; 0: a consumer's key
        const NamedKey* key = nullptr;  // that consumer's; alive while the trust is
        std::string subject;            // of a token of the issuer
        Times times;
    };
    // What is known of it by this trust; nullptr: nothing.
    [[nodiscard]] const Known* find(std::string_view token, const Trust& trust) const {
        if (token.size() > longest) return nullptr;
        auto found = tokens_.find(token);
        if (found == tokens_.end() || found->second.trust != trust.generation) return nullptr;
        std::uint64_t published = found->second.published;
        return published == 0 || published == trust.issuer_keys->generation() ? &found->second : nullptr;
    }
    void add(std::string_view token, const Known& known) {
        if (token.size() > longest) return;
        // Full: all anew. What is in use is back with its next request.
        if (bytes_ + token.size() + entry_cost > most_bytes) {
            tokens_.clear();
            bytes_ = 0;
        }
        auto [place, is_new] = tokens_.insert_or_assign(std::string(token), known);
        if (is_new) bytes_ += token.size() + entry_cost;
    }

  private:
    std::unordered_map<std::string, Known, base::TextHash, std::equal_to<>> tokens_;
    std::size_t bytes_ = 0;
};

// As X-Credential-Identifier, which names who calls wherever that is asked.
bool is_fit_for_a_header(std::string_view subject) {
    constexpr std::size_t longest_subject = 256;
    auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; };
    return !subject.empty() && subject.size() <= longest_subject &&
           std::none_of(subject.begin(), subject.end(), is_control);
}

constexpr schema::Format url_format{"a URL", [](std::string_view text) { return net::fault_of_url(text); }};

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
        std::optional<std::string> jwks_uri;
        std::optional<std::string> issuer;
        schema::Set<std::string> audience;
        schema::Set<std::string> scopes;

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
                field("realm", &Config::realm, "Named in WWW-Authenticate."),
                field(
                    "jwks_uri", &Config::jwks_uri,
                    "Where an issuer publishes its keys (a JWK Set). Tokens that they have signed pass without a "
                    "consumer, named by their `sub`. Kept, renewed as Cache-Control says, and asked for at most every "
                    "2 seconds for key ids that nobody knows, whose tokens wait for it. Beyond Kong.")
                    .matches(url_format),
                field("issuer", &Config::issuer, "What `iss` must be, of every token. Beyond Kong."),
                field("audience", &Config::audience, "Of which `aud` must name one. Beyond Kong."),
                field("scopes", &Config::scopes,
                      "All of which `scope` or `scp` must name; else 403 (RFC 6750 3.1). Beyond Kong."));
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
        std::string error = no_token_ + (config.realm && !config.realm->empty() ? "," : "") + " error=";
        bad_token_ = error + "\"invalid_token\"";
        bad_scope_ = error + "\"insufficient_scope\"";
        std::shared_ptr<KeySource> source;
        if (config.jwks_uri)
            source = setup.shared.state<KeySource>(*config.jwks_uri,
                                                   [&] { return std::make_shared<KeySource>(*config.jwks_uri); });
        trust_ = setup.shared.state<Trust>(setup.consumers_key(trust_key()), [&] {
            auto made = make_trust(setup.consumers, config.secret_is_base64);
            made->issuer_keys = std::move(source);
            return made;
        });
        if (!trust_->faults.empty()) return base::Error::us(base::Code::invalid, trust_->faults);
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        if (!config.run_on_preflight && exchange.request.method == http::Method::options) return Verdict::go_on;
        if (anonymous_.skips(exchange)) return Verdict::go_on;
        std::string_view token;
        bool has_several = find_token(exchange, token);
        Verdict verdict = has_several     ? refuse_token(exchange, "Multiple tokens provided")
                          : token.empty() ? refuse_missing(exchange)
                                          : check(exchange, token, Missing::fetched);
        if (verdict == Verdict::wait) exchange.make_note<Waiting>(token);
        return or_anonymous(exchange, verdict);
    }

    // The token names a key of the issuer that nobody knows yet.
    base::Task<Verdict> wait_request(Exchange& exchange) const {
        std::string_view token = exchange.note<Waiting>()->token;
        std::string_view key_id;
        if (auto read = crypto::Token::parse(token, exchange.arena)) key_id = read->key_id().value_or("");
        co_await trust_->issuer_keys->renewed(exchange.worker.loop, key_id);
        co_return or_anonymous(exchange, check(exchange, token, Missing::refused));
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
        for (const std::string& name : config.header_names) {
            differs = differs || request.headers.count(name) > 1;  // the upstream might read another one
            take(bearer(request.headers.first(name)));
        }
        return differs;
    }

    struct Waiting {
        std::string_view token;
    };
    // What is done about a key of the issuer that is not known.
    enum class Missing : std::uint8_t { fetched, refused };

    // All settings that decide which tokens are good, apart from time.
    [[nodiscard]] std::string trust_key() const {
        std::string key = config.secret_is_base64 ? "jwt/base64" : "jwt/plain";
        auto add = [&key](std::string_view text) {
            key += '\0' + std::to_string(text.size()) + ':' + std::string(text);
        };
        add(config.key_claim_name);
        add(config.jwks_uri.value_or(""));
        add(config.issuer.value_or(""));
        for (const schema::Set<std::string>* set : {&config.audience, &config.scopes}) {
            add(std::to_string(set->size()));
            for (const std::string& each : *set) add(each);
        }
        return key;
    }

    Verdict or_anonymous(Exchange& exchange, Verdict verdict) const {
        if (verdict != Verdict::answered || !anonymous_.is_set()) return verdict;
        exchange.client_headers.remove(http::Known::www_authenticate);
        return anonymous_.admit(exchange);
    }

    Verdict check(Exchange& exchange, std::string_view text, Missing missing) const {
        auto& tokens = exchange.worker.only<KnownTokens>([] { return std::make_unique<KnownTokens>(); });
        if (const KnownTokens::Known* known = tokens.find(text, *trust_)) return admit_in_time(exchange, *known);

        base::Arena& arena = exchange.arena;
        auto token = crypto::Token::parse(text, arena);
        if (!token) return refuse_token(exchange, arena.join("Bad token; ", token.error().detail));
        auto claims = token->claims(arena);
        if (!claims) return refuse_token(exchange, "Bad token; invalid claims");

        KnownTokens::Known known;
        known.trust = trust_->generation;
        std::string_view fault;
        known.key = find_consumers_key(*token, *claims, arena, fault);
        const crypto::VerificationKey* key = nullptr;
        std::shared_ptr<const KeySource::Keys> published;
        if (known.key != nullptr) {
            // Never what the token says: the credential decides how it is verified (RFC 8725 3.1).
            if (token->algorithm() != known.key->second.algorithm) return refuse_token(exchange, "Invalid algorithm");
            if (!known.key->second.key) return refuse_token(exchange, "Invalid key/secret");
            key = &*known.key->second.key;
        } else if (trust_->issuer_keys != nullptr && !crypto::is_symmetric(token->algorithm())) {
            published = trust_->issuer_keys->keys();
            if (published) {
                auto id = token->key_id();
                key = id ? published->set.find(*id, token->algorithm()) : published->set.find_only(token->algorithm());
                known.published = published->generation;
            }
            if (key == nullptr && missing == Missing::fetched) return Verdict::wait;
            if (!published) return refuse(exchange, 503, "The issuer's keys are not known");
            if (key == nullptr) return refuse_token(exchange, "No credentials found for given 'kid'");
            known.subject = claims->string("sub").value_or("");
            if (!is_fit_for_a_header(known.subject)) return refuse_token(exchange, "Invalid 'sub' in claims");
        } else {
            return refuse_token(exchange, fault);
        }
        if (!key->verify(token->algorithm(), token->signed_text(), token->signature()))
            return refuse_token(exchange, "Invalid signature");
        if (config.issuer && claims->string("iss") != *config.issuer)
            return refuse_token(exchange, "Invalid 'iss' in claims");
        if (!is_for_us(*claims, arena)) return refuse_token(exchange, "Invalid 'aud' in claims");
        if (!has_scopes(*claims, arena)) return refuse_scope(exchange);
        known.times = {claims->number("exp"), claims->number("nbf")};
        tokens.add(text, known);
        return admit_in_time(exchange, known);
    }

    // nullptr: none, and `fault` is Kong's word for it.
    const NamedKey* find_consumers_key(const crypto::Token& token, const crypto::Object& claims, base::Arena& arena,
                                       std::string_view& fault) const {
        const std::string& claim = config.key_claim_name;
        const crypto::Value* named = claims.find(claim);
        if (named == nullptr) named = token.header().find(claim);
        if (named == nullptr || named->is(crypto::Value::Kind::null)) {
            fault = arena.join("No mandatory '", claim, "' in claims");
        } else if (!named->is(crypto::Value::Kind::string) || named->text.empty()) {
            fault = arena.join("Invalid '", claim, "' in claims");
        } else {
            auto found = trust_->by_name.find(named->text);
            if (found != trust_->by_name.end()) return &*found;
            fault = arena.join("No credentials found for given '", claim, "'");
        }
        return nullptr;
    }

    // A claim that is a text or a list of texts (RFC 7519 4.1.3).
    template <typename Visit>
    static void each_text(const crypto::Object& claims, std::string_view name, base::Arena& arena, Visit&& visit) {
        const crypto::Value* value = claims.find(name);
        if (value == nullptr) return;
        if (value->is(crypto::Value::Kind::string)) visit(value->text);
        if (!value->is(crypto::Value::Kind::array)) return;
        crypto::Elements elements(*value, arena);
        while (auto element = elements.next())
            if (element->is(crypto::Value::Kind::string)) visit(element->text);
    }
    [[nodiscard]] bool is_for_us(const crypto::Object& claims, base::Arena& arena) const {
        bool found = config.audience.empty();
        each_text(claims, "aud", arena, [&](std::string_view text) {
            found = found || std::find(config.audience.begin(), config.audience.end(), text) != config.audience.end();
        });
        return found;
    }
    // RFC 8693 4.2: words between blanks; some issuers write a list, some call it scp.
    [[nodiscard]] bool has_scopes(const crypto::Object& claims, base::Arena& arena) const {
        for (const std::string& wanted : config.scopes) {
            bool found = false;
            auto look = [&](std::string_view text) {
                while (!text.empty()) {
                    std::size_t end = std::min(text.find(' '), text.size());
                    found = found || text.substr(0, end) == wanted;
                    text.remove_prefix(std::min(end + 1, text.size()));
                }
            };
            each_text(claims, "scope", arena, look);
            each_text(claims, "scp", arena, look);
            if (!found) return false;
        }
        return true;
    }

    Verdict admit_in_time(Exchange& exchange, const KnownTokens::Known& known) const {
        if (std::string_view faults = faults_of(exchange, known.times, known.published != 0); !faults.empty()) {
            exchange.client_headers.set(http::Known::www_authenticate, bad_token_);
            return reply_json(exchange, 401, faults);
        }
        if (known.key != nullptr)
            identify(exchange, known.key->second.consumer, known.key->first);
        else
            identify(exchange, nullptr, exchange.arena.copy(known.subject));
        return Verdict::go_on;
    }

    // Kong's map of what is wrong with the times, as JSON; empty if nothing is. No leeway.
    // Of an issuer's token they are looked at wherever they are there (RFC 7519 4.1.4), else as Kong does on demand.
    std::string_view faults_of(Exchange& exchange, const Times& times, bool is_published) const {
        bool checks_exp = checks_exp_ || (is_published && times.exp);
        bool checks_nbf = checks_nbf_ || (is_published && times.nbf);
        if (!checks_exp && !checks_nbf) return {};
        double now = static_cast<double>(exchange.worker.loop.wall_now() / 1000);
        std::string_view exp, nbf;
        if (checks_exp) {
            if (!times.exp)
                exp = "must be a number";
            else if (*times.exp <= now)
                exp = "token expired";
            else if (config.maximum_expiration > 0 && *times.exp - now > config.maximum_expiration)
                exp = "exceeds maximum allowed expiration";
        }
        if (checks_nbf) {
            if (!times.nbf)
                nbf = "must be a number";
            else if (*times.nbf > now)
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
    Verdict refuse_scope(Exchange& exchange) const {
        exchange.client_headers.set(http::Known::www_authenticate, bad_scope_);
        return reply_message(exchange, 403, "You cannot consume this service");
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
    std::string bad_scope_;
    std::shared_ptr<Trust> trust_;
};
REGISTER_PLUGIN(Jwt);

}  // namespace plugin
