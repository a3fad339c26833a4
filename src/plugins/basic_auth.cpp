// basic-auth: only requests with the name and password of a consumer (kong.md 4.5, RFC 7617). Passwords are kept as
// Kong does, as SHA-1 over password and consumer id; under `_transform: false` a document may have costlier hashes
// instead.
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>

#include "crypto/base64.h"
#include "crypto/hash.h"
#include "crypto/hmac.h"
#include "crypto/password.h"
#include "plugin/authentication.h"
#include "plugin/credential_index.h"
#include "plugin/password_checks.h"

namespace plugin {

namespace {

constexpr std::size_t longest_user_pass = 4096;

// The passwords of one configuration that are not kept as SHA-1, by credential. Const; all cores read it.
struct CostlyPasswords {
    std::unordered_map<const Credential*, crypto::PasswordHash> hashes;
    std::string faults;
};

bool is_sha1(std::string_view text) {
    return text.size() == 40 && text.find_first_not_of("0123456789abcdef") == text.npos;
}

std::shared_ptr<CostlyPasswords> costly_passwords(const Consumers& consumers, const Credentials& credentials) {
    auto out = std::make_shared<CostlyPasswords>();
    for (const Credential& credential : credentials.all) {
        std::string_view password = credentials.value(credential, "password");
        if (is_sha1(password)) continue;
        auto hash = crypto::PasswordHash::parse(password);
        if (hash) {
            out->hashes.emplace(&credential, std::move(*hash));
            continue;
        }
        out->faults += (out->faults.empty() ? "" : "; ") + std::string("the basicauth_credential ") +
                       credential.id.text() + " of consumer " + std::string(consumers[credential.consumer].username) +
                       " cannot be used: " + hash.error().detail;
    }
    return out;
}

struct UserPass {
    std::string_view user;
    std::string_view password;
};

// RFC 7617 2: "Basic" and base64 of user ":" password.
std::optional<UserPass> user_pass(std::string_view value, base::Arena& arena) {
    auto text = after_scheme(value, "basic");
    if (!text || text->size() > longest_user_pass) return std::nullopt;
    char* decoded = arena.bytes(crypto::decoded_bound(text->size()));
    auto size = crypto::decode_base64(*text, crypto::Padding::optional, decoded);
    std::string_view pair(decoded, size.value_or(0));
    std::size_t colon = pair.find(':');
    if (colon == pair.npos) return std::nullopt;
    return UserPass{pair.substr(0, colon), pair.substr(colon + 1)};
}

}  // namespace

struct BasicAuth {
    static constexpr std::string_view name = "basic-auth";
    static constexpr int priority = 1100;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets requests pass with the name and password of a consumer (`basicauth_credentials`). The upstream is told "
        "who "
        "it is. Under `_transform: false` passwords may also be hashes of bcrypt, SHA-crypt, yescrypt or PBKDF2; these "
        "are checked beside the request's core.";
    static constexpr std::string_view example = R"(config:
  hide_credentials: true
)";

    struct Config {
        std::optional<std::string> anonymous;
        bool hide_credentials = false;
        std::string realm = "service";

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("anonymous", &Config::anonymous,
                      "Consumer (id or username) as which requests without a right password go on."),
                field("hide_credentials", &Config::hide_credentials, "The upstream does not get the password."),
                field("realm", &Config::realm, "Named in WWW-Authenticate."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        anonymous_.prepare(config.anonymous, setup);
        challenge_ = challenge("Basic", config.realm);
        users_ = CredentialIndex::of(setup, "basicauth_credentials", "username");
        password_ = users_->credentials().place("password");
        costly_ = setup.shared.state<CostlyPasswords>(setup.consumers_key("basic-auth"), [&] {
            return costly_passwords(setup.consumers, users_->credentials());
        });
        if (!costly_->faults.empty()) return base::Error::us(base::Code::invalid, costly_->faults);
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        if (anonymous_.skips(exchange)) return Verdict::go_on;
        const Claim& claim = find(exchange);
        // A name that nobody has takes as long as one with a costly hash, so that the time does not tell which are
        // which.
        if (claim.credential == nullptr && !claim.password.empty() && !costly_->hashes.empty()) return Verdict::wait;
        if (claim.credential != nullptr && costly_->hashes.contains(claim.credential)) {
            bool is_known = checks(exchange).remembers(kept_password(*claim.credential), claim.password);
            return is_known ? admit(exchange, claim) : Verdict::wait;
        }
        // Kong: SHA-1 in hexadecimal over the password and, as salt, the consumer's id. The same work for users that
        // nobody has, so that the time does not tell their names.
        base::Uuid salt;
        std::string_view kept;
        if (claim.credential != nullptr) {
            salt = users_->consumer_of(*claim.credential).id;
            kept = kept_password(*claim.credential);
        }
        std::string given = crypto::hex(crypto::digest(crypto::Hash::sha1, claim.password, salt.text()).view());
        return crypto::equal_in_constant_time(given, kept) ? admit(exchange, claim) : refuse_password(exchange);
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        const Claim* claim = exchange.note<Claim>();
        PasswordChecks& running = checks(exchange);
        const Credential* sample = costly_->hashes.begin()->first;
        const Credential& credential = claim->credential != nullptr ? *claim->credential : *sample;
        std::string_view who = claim->credential != nullptr ? kept_password(credential) : std::string_view("nobody");
        if (running.is_full(who)) {
            exchange.client_headers.set(http::Known::retry_after, "1");
            co_return refuse(exchange, 503, "Too many passwords are being checked");
        }
        bool is_right = co_await running.check(costly_->hashes.at(&credential), who, claim->password);
        co_return is_right && claim->credential != nullptr ? admit(exchange, *claim) : refuse_password(exchange);
    }

  private:
    // Who a request says it is from; a note, so that it is the same before and after waiting.
    struct Claim {
        const Credential* credential = nullptr;  // none: nobody has that name
        std::string_view password;
    };

    const Claim& find(Exchange& exchange) const {
        Claim claim;
        for (http::Known header : {http::Known::proxy_authorization, http::Known::authorization}) {
            http::Headers& headers = exchange.request.headers;
            if (claim.credential != nullptr || !headers.has(header)) continue;
            // Two of them: the upstream might read the other one.
            std::string_view value = headers.count(header) == 1 ? headers.first(header) : std::string_view();
            if (auto given = user_pass(value, exchange.arena)) claim = {users_->find(given->user), given->password};
            if (config.hide_credentials) headers.remove(header);
        }
        return exchange.make_note<Claim>(claim);
    }
    Verdict admit(Exchange& exchange, const Claim& claim) const {
        const Credentials& credentials = users_->credentials();
        identify(exchange, &users_->consumer_of(*claim.credential), credentials.value(*claim.credential, "username"));
        return Verdict::go_on;
    }
    Verdict refuse_password(Exchange& exchange) const {
        return anonymous_.refuse_or_admit(exchange, 401, "Unauthorized", challenge_);
    }
    [[nodiscard]] std::string_view kept_password(const Credential& credential) const {
        return password_ < credential.values.size() ? credential.values[password_] : std::string_view();
    }
    static PasswordChecks& checks(Exchange& exchange) {
        net::Loop& loop = exchange.worker.loop;
        return exchange.worker.only<PasswordChecks>([&loop] { return std::make_unique<PasswordChecks>(loop); });
    }

    Anonymous anonymous_;
    std::string challenge_;
    std::shared_ptr<const CredentialIndex> users_;
    std::size_t password_ = 0;  // its place among a credential's values
    std::shared_ptr<CostlyPasswords> costly_;
};
REGISTER_PLUGIN(BasicAuth);

}  // namespace plugin
