// mtls-auth: only clients whose certificate one of the named authorities has signed (Kong's enterprise plugin of that
// name). The handshake asks for a certificate and takes any; here it is verified, against this use's authorities alone,
// and the consumer found that it stands for. What was found out is kept for a while, by core and use.
#include <algorithm>
#include <chrono>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "crypto/base64.h"
#include "crypto/hash.h"
#include "net/tls/client_authorities.h"
#include "net/tls/layer.h"
#include "observe/log.h"
#include "plugin/authentication.h"
#include "plugin/revocations.h"

namespace plugin {

namespace {

using net::tls::CertificateNames;
using net::tls::PeerChain;

constexpr std::size_t most_remembered = 4096;  // chains, a core and use; beyond it all are verified anew
// How long a chain that does not hold is remembered: who has been given an authority since must not wait long.
constexpr std::chrono::milliseconds longest_refusal{5'000};

constexpr std::string_view no_certificate = "No required TLS certificate was sent";
constexpr std::string_view not_verified = "TLS certificate failed verification";

// Consumers by what a certificate may call them. Of one configuration; const, all cores read it.
class NamedConsumers {
  public:
    explicit NamedConsumers(const Consumers& consumers) : mapped_(consumers.of_kind("mtls_auth_credentials")) {
        for (Index i = 0; i < consumers.size(); ++i) {
            const Consumer& consumer = consumers[i];
            if (!consumer.username.empty()) by_username_.emplace(consumer.username, &consumer);
            if (!consumer.custom_id.empty()) by_custom_id_.emplace(consumer.custom_id, &consumer);
        }
        for (const Credential& credential : mapped_.all) {
            Mapped mapped{&credential, {}, Authority::any};
            if (std::string_view text = mapped_.value(credential, "ca_certificate"); !text.empty()) {
                base::Result<base::Uuid> id = base::Uuid::parse(text);
                mapped.kind = id ? Authority::one : Authority::unreadable;
                if (id) mapped.authority = *id;
            }
            by_subject_.emplace(mapped_.value(credential, "subject_name"), mapped);
        }
    }
    [[nodiscard]] const Consumer* by_username(std::string_view name) const { return at(by_username_, name); }
    [[nodiscard]] const Consumer* by_custom_id(std::string_view name) const { return at(by_custom_id_, name); }
    // `authority` null: one for whatever authority.
    [[nodiscard]] const Credential* mapped(std::string_view name, const base::Uuid* authority) const {
        Authority wanted = authority == nullptr ? Authority::any : Authority::one;
        auto [from, to] = by_subject_.equal_range(name);
        for (; from != to; ++from)
            if (from->second.kind == wanted && (authority == nullptr || from->second.authority == *authority))
                return from->second.credential;
        return nullptr;
    }

  private:
    enum class Authority : std::uint8_t { any, one, unreadable };
    struct Mapped {
        const Credential* credential;
        base::Uuid authority;
        Authority kind;
    };
    using ByName = std::unordered_map<std::string_view, const Consumer*>;
    static const Consumer* at(const ByName& names, std::string_view name) {
        auto found = names.find(name);
        return found == names.end() ? nullptr : found->second;
    }
    const Credentials& mapped_;
    ByName by_username_;
    ByName by_custom_id_;
    std::unordered_multimap<std::string_view, Mapped> by_subject_;
};

// What a chain was found to be worth.
struct Finding {
    std::int64_t until_ms = 0;  // wall clock
    bool holds = false;
    const Consumer* consumer = nullptr;
    std::string credential;   // X-Credential-Identifier
    std::string certificate;  // its SHA-256, in hexadecimal
    std::string group;        // without a look-up of consumers
    std::string subject;
    std::string alternatives;
    std::string client_cert;  // fields that are handed over, ready
    std::string client_cert_chain;
};

class Findings {
  public:
    [[nodiscard]] const Finding* find(const std::string& chain, std::int64_t now_ms) const {
        auto found = by_chain_.find(chain);
        return found == by_chain_.end() || found->second->until_ms <= now_ms ? nullptr : found->second.get();
    }
    const Finding& keep(const std::string& chain, Finding finding) {
        if (by_chain_.size() >= most_remembered) by_chain_.clear();
        std::unique_ptr<Finding>& place = by_chain_[chain];
        place = std::make_unique<Finding>(std::move(finding));
        return *place;
    }

  private:
    std::unordered_map<std::string, std::unique_ptr<Finding>> by_chain_;
};

// A comma of a name's own as %2C: who is told the names takes them apart.
std::string joined(const std::vector<std::string>& parts) {
    std::string out;
    for (const std::string& part : parts) {
        if (!out.empty()) out += ", ";
        for (char c : part) {
            if (c == ',')
                out += "%2C";
            else
                out += c;
        }
    }
    return out;
}

// PEM in the form of nginx's $ssl_client_escaped_cert: what is not unreserved (RFC 3986 2.3) as %XX.
std::string escaped_pem(std::string_view der) {
    std::string pem = "-----BEGIN CERTIFICATE-----\n";
    std::string text = crypto::base64(der);
    constexpr std::size_t line = 64;
    for (std::size_t at = 0; at < text.size(); at += line) pem += text.substr(at, line) + "\n";
    pem += "-----END CERTIFICATE-----\n";
    std::string out;
    for (char c : pem) {
        constexpr std::string_view digits = "0123456789ABCDEF";
        if (http::character::is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~') {
            out += c;
        } else {
            out += '%';
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[static_cast<unsigned char>(c) & 15];
        }
    }
    return out;
}

// A Byte Sequence of RFC 8941 3.3.5.
std::string byte_sequence(std::string_view der) { return ":" + crypto::base64(der) + ":"; }

}  // namespace

struct MtlsAuth {
    static constexpr std::string_view name = "mtls-auth";
    static constexpr int priority = 1600;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets clients pass that show a TLS certificate of one of the authorities `ca_certificates`, and finds the "
        "consumer that it stands for. The upstream is told who it is.";
    static constexpr std::string_view example = R"(config:
  ca_certificates: [3c5a1a6e-6a9f-4f0e-9d2b-7b3a5f1c2d4e]
  revocation_check_mode: SKIP
)";

    struct Config {
        std::vector<base::Uuid> ca_certificates;
        bool skip_consumer_lookup = false;
        std::optional<std::string> anonymous;
        std::vector<std::string> consumer_by{"username", "custom_id"};
        std::optional<std::string> default_consumer;
        std::string authenticated_group_by = "CN";
        std::string revocation_check_mode = "IGNORE_CA_ERROR";
        std::vector<std::string> crls;
        std::chrono::milliseconds http_timeout{30'000};
        std::chrono::milliseconds cert_cache_ttl{60'000};
        std::chrono::duration<double> cache_ttl{60};
        bool allow_partial_chain = false;
        std::optional<std::string> http_proxy_host;
        std::optional<int> http_proxy_port;
        bool send_ca_dn = false;
        std::string forward_certificate = "none";

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("ca_certificates", &Config::ca_certificates,
                      "Ids of the `ca_certificates` that may have signed a client's certificate.")
                    .required(),
                field("skip_consumer_lookup", &Config::skip_consumer_lookup,
                      "Any good certificate passes, without a consumer; the upstream is told X-Client-Cert-Dn and "
                      "X-Client-Cert-San."),
                field("anonymous", &Config::anonymous,
                      "Consumer (id or username) as which requests without a good certificate go on."),
                field("consumer_by", &Config::consumer_by,
                      "What of a consumer may be the certificate's name, where no `mtls_auth_credentials` has it.")
                    .one_of("username", "custom_id"),
                field("default_consumer", &Config::default_consumer,
                      "Consumer (id or username) of good certificates that stand for none."),
                field("authenticated_group_by", &Config::authenticated_group_by,
                      "With `skip_consumer_lookup`: what of the subject is the group that `acl` sees.")
                    .one_of("CN", "DN"),
                field(
                    "revocation_check_mode", &Config::revocation_check_mode,
                    "Whether certificates that were taken back are refused: not asked (SKIP), if their authority says "
                    "so (IGNORE_CA_ERROR), or unless it says that they are good (STRICT).")
                    .one_of("SKIP", "IGNORE_CA_ERROR", "STRICT"),
                field("crls", &Config::crls,
                      "Revocation lists beside those that certificates name: paths of files, or URLs. Read anew after "
                      "`cert_cache_ttl`."),
                field("http_timeout", &Config::http_timeout, "For an answer of an authority.").between(1, 600'000),
                field("cert_cache_ttl", &Config::cert_cache_ttl,
                      "How long an authority's answer is believed, if it ends no earlier.")
                    .at_least(0),
                field("cache_ttl", &Config::cache_ttl,
                      "Seconds for which a certificate that was verified is not verified again.")
                    .between(0, 86'400),
                field("allow_partial_chain", &Config::allow_partial_chain,
                      "Authorities that have not signed themselves are trusted too."),
                field("http_proxy_host", &Config::http_proxy_host, "Proxy on the way to authorities."),
                field("http_proxy_port", &Config::http_proxy_port, "Its port.").between(0, 65'535),
                field("send_ca_dn", &Config::send_ca_dn,
                      "Tell clients the names of the authorities, so that they choose the right certificate."),
                field("forward_certificate", &Config::forward_certificate,
                      "Hand the verified certificate on: `rfc9440` as Client-Cert and Client-Cert-Chain (RFC 9440), "
                      "`pem` as X-Client-Cert, percent-encoded.")
                    .one_of("none", "rfc9440", "pem"));
        }
        void check(schema::Checks& checks) const {
            if (ca_certificates.empty() && !checks.failed("ca_certificates"))
                checks.field("ca_certificates", "at least one is required");
            if (http_proxy_host.has_value() != http_proxy_port.has_value())
                checks.entity(
                    "all or none of these fields must be set: 'config.http_proxy_host', "
                    "'config.http_proxy_port'");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        anonymous_.prepare(config.anonymous, setup);
        if (config.default_consumer && !config.default_consumer->empty()) {
            default_ = setup.consumers.find(*config.default_consumer);
            if (default_ == nullptr)
                return base::Error::us(base::Code::invalid, "no consumer " + *config.default_consumer);
        }
        std::vector<std::string> texts;
        for (const base::Uuid& id : config.ca_certificates) {
            auto found = std::find_if(setup.authorities.begin(), setup.authorities.end(),
                                      [&](const CertificateAuthority& each) { return each.id == id; });
            if (found == setup.authorities.end())
                return base::Error::us(base::Code::invalid, "no ca_certificate " + id.text());
            texts.emplace_back(found->pem);
        }
        using Anchor = net::tls::ClientAuthorities::Anchor;
        TRY(authorities,
            net::tls::ClientAuthorities::make(texts, config.allow_partial_chain ? Anchor::any_listed : Anchor::root));
        authorities_ = std::move(authorities);
        consumers_ = &setup.consumers;
        named_ = setup.shared.state<NamedConsumers>(setup.consumers_key("mtls-auth"),
                                                    [&] { return std::make_shared<NamedConsumers>(setup.consumers); });
        if (config.revocation_check_mode != "SKIP") {
            std::string proxy;
            if (config.http_proxy_host)
                proxy = "http://" + *config.http_proxy_host + ":" + std::to_string(*config.http_proxy_port);
            ways_ = std::make_shared<const Revocations::Ways>(
                Revocations::Ways{config.crls, config.http_timeout, config.cert_cache_ttl, std::move(proxy)});
            revocations_ = setup.shared.state<Revocations>("", [] { return std::make_shared<Revocations>(); });
        }
        findings_ = std::make_unique<std::vector<Findings>>(setup.cores);
        return {};
    }

    [[nodiscard]] std::vector<std::string> asks_for_certificates() const {
        return config.send_ca_dn ? authorities_->names() : std::vector<std::string>();
    }
    [[nodiscard]] std::vector<std::string_view> owns_headers() const {
        std::vector<std::string_view> out;
        if (config.skip_consumer_lookup) out = {"x-client-cert-dn", "x-client-cert-san"};
        if (config.forward_certificate == "rfc9440") out.insert(out.end(), {"client-cert", "client-cert-chain"});
        if (config.forward_certificate == "pem") out.push_back("x-client-cert");
        return out;
    }

    Verdict on_request(Exchange& exchange) const {
        if (anonymous_.skips(exchange)) return Verdict::go_on;
        const PeerChain* chain = exchange.client.tls == nullptr ? nullptr : exchange.client.tls->peer_chain();
        if (chain == nullptr) return anonymous_.refuse_or_admit(exchange, 401, no_certificate, {});
        std::int64_t now_ms = exchange.worker.loop.wall_now();
        Findings& known = (*findings_)[exchange.worker.index];
        if (const Finding* finding = known.find(chain->fingerprint(), now_ms)) return act(exchange, *finding);
        if (revocations_ != nullptr) return Verdict::wait;
        net::tls::ClientProof proof = authorities_->prove(*chain, now_ms / 1000);
        return act(exchange, known.keep(chain->fingerprint(), weigh(*chain, proof, now_ms)));
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        const PeerChain& chain = *exchange.client.tls->peer_chain();
        net::tls::ClientProof proof = authorities_->prove(chain, exchange.worker.loop.wall_now() / 1000);
        // That long, what the authorities say is believed.
        std::int64_t until_ms = exchange.worker.loop.wall_now() + config.cert_cache_ttl.count();
        for (std::size_t i = 0; i + 1 < proof.chain.size() && proof.holds(); ++i) {
            const x509_st* certificate = proof.chain[i].get();
            const x509_st* issuer = proof.chain[i + 1].get();
            std::optional<Revocations::Said> said =
                revocations_->known(Revocations::key_of(certificate, issuer, *ways_));
            if (!said) said = co_await revocations_->ask(exchange.worker.loop, certificate, issuer, ways_);
            until_ms = std::min<std::int64_t>(until_ms, exchange.worker.loop.wall_now() + said->lasts.count());
            take(*said, certificate, i == 0, proof);
        }
        // An authority of the list itself: nobody says whether that was taken back.
        if (is_strict() && proof.holds() && proof.chain.size() == 1) proof.fault = "nobody answers for it";
        Findings& known = (*findings_)[exchange.worker.index];
        Finding finding = weigh(chain, proof, exchange.worker.loop.wall_now());
        finding.until_ms = std::min(finding.until_ms, until_ms);
        co_return act(exchange, known.keep(chain.fingerprint(), std::move(finding)));
    }

  private:
    [[nodiscard]] bool is_strict() const { return config.revocation_check_mode == "STRICT"; }
    // STRICT: of the client's own certificate its authority must say that it is good; of the others, if it says
    // anything.
    void take(const net::tls::Ruling& ruling, const x509_st* certificate, bool is_own,
              net::tls::ClientProof& proof) const {
        if (ruling.standing == net::tls::Standing::revoked) proof.fault = "it was taken back";
        if (ruling.standing != net::tls::Standing::unknown) return;
        if (is_strict() && (is_own || net::tls::names_who_to_ask(certificate)))
            proof.fault = "it is not known whether it was taken back: " + ruling.fault;
    }

    // Views in the exchange must not point into a finding, which goes when there are too many.
    Verdict act(Exchange& exchange, const Finding& finding) const {
        if (!finding.holds) return anonymous_.refuse_or_admit(exchange, 401, not_verified, {});
        base::Arena& arena = exchange.arena;
        http::Headers& headers = exchange.request.headers;
        identify(exchange, finding.consumer, arena.copy(finding.credential));
        exchange.identity.certificate = arena.copy(finding.certificate);
        if (config.skip_consumer_lookup) {
            if (!finding.group.empty()) {
                auto* groups = new (arena.allocate(sizeof(std::string_view), alignof(std::string_view)))
                    std::string_view(arena.copy(finding.group));
                exchange.identity.groups = {groups, 1};
            }
            tell(headers, "X-Client-Cert-Dn", arena.copy(finding.subject));
            tell(headers, "X-Client-Cert-San", arena.copy(finding.alternatives));
        }
        if (config.forward_certificate == "rfc9440") {
            tell(headers, "Client-Cert", arena.copy(finding.client_cert));
            tell(headers, "Client-Cert-Chain", arena.copy(finding.client_cert_chain));
        } else if (config.forward_certificate == "pem") {
            tell(headers, "X-Client-Cert", arena.copy(finding.client_cert));
        }
        return Verdict::go_on;
    }
    static void tell(http::Headers& headers, std::string_view name, std::string_view value) {
        if (value.empty())
            headers.remove(name);
        else
            headers.set(name, value);
    }

    [[nodiscard]] Finding weigh(const PeerChain& chain, const net::tls::ClientProof& proof, std::int64_t now_ms) const {
        Finding out;
        std::int64_t lasts = std::chrono::duration_cast<std::chrono::milliseconds>(config.cache_ttl).count();
        out.until_ms = now_ms + std::min<std::int64_t>(lasts, longest_refusal.count());
        CertificateNames names = net::tls::names_of(chain.leaf());
        if (!proof.holds()) {
            log_refusal(names, proof.fault);
            return out;
        }
        out.subject = names.subject;
        out.alternatives = joined(names.alternatives);
        std::string leaf = net::tls::encoded(chain.leaf());
        out.certificate = crypto::hex(crypto::digest(crypto::Hash::sha256, leaf).view());
        if (config.skip_consumer_lookup) {
            out.group = config.authenticated_group_by == "DN" ? names.subject : names.common_name;
            out.credential = out.group.empty() ? out.certificate : out.group;
        } else {
            find_consumer(names, proof, out);
            if (out.consumer == nullptr) {
                log_refusal(names, "it stands for no consumer");
                return out;
            }
        }
        if (config.forward_certificate == "rfc9440") {
            out.client_cert = byte_sequence(leaf);
            // RFC 9440 2.3: the others as they were verified; whoever trusts them knows the last one.
            for (std::size_t i = 1; i + 1 < proof.chain.size(); ++i)
                out.client_cert_chain += (i == 1 ? "" : ", ") + byte_sequence(net::tls::encoded(proof.chain[i].get()));
        } else if (config.forward_certificate == "pem") {
            out.client_cert = escaped_pem(leaf);
        }
        out.holds = true;
        out.until_ms = std::min(now_ms + lasts, proof.until_s * 1000);
        return out;
    }

    // Kong: what was mapped for one of the authorities, then for any, then consumers by name; in each the alternative
    // names before the common name.
    void find_consumer(const CertificateNames& names, const net::tls::ClientProof& proof, Finding& out) const {
        std::vector<std::string> all = names.alternatives;
        if (!names.common_name.empty()) all.push_back(names.common_name);
        auto take = [&](const Credential* credential) {
            if (credential == nullptr) return false;
            out.consumer = &(*consumers_)[credential->consumer];
            out.credential = credential->id.text();
            return true;
        };
        for (const std::string& each : all)
            for (std::size_t authority : proof.authorities)
                if (take(named_->mapped(each, &config.ca_certificates[authority]))) return;
        for (const std::string& each : all)
            if (take(named_->mapped(each, nullptr))) return;
        for (const std::string& each : all) {
            for (const std::string& by : config.consumer_by) {
                const Consumer* consumer = by == "username" ? named_->by_username(each) : named_->by_custom_id(each);
                if (consumer == nullptr) continue;
                out.consumer = consumer;
                out.credential = consumer->id.text();
                return;
            }
        }
        out.consumer = default_;
        if (default_ != nullptr) out.credential = default_->id.text();
    }

    static void log_refusal(const CertificateNames& names, std::string_view why) {
        observe::log(observe::Level::info, "mtls-auth", "a client's certificate is refused",
                     {{"subject", names.subject}, {"reason", why}});
    }

    Anonymous anonymous_;
    const Consumer* default_ = nullptr;
    std::shared_ptr<const net::tls::ClientAuthorities> authorities_;  // in the order of ca_certificates
    const Consumers* consumers_ = nullptr;
    std::shared_ptr<const NamedConsumers> named_;
    std::shared_ptr<const Revocations::Ways> ways_;
    std::shared_ptr<Revocations> revocations_;         // null: nobody is asked
    std::unique_ptr<std::vector<Findings>> findings_;  // by core, each touched by that core alone
};
REGISTER_PLUGIN(MtlsAuth);

}  // namespace plugin
