#include "net/tls/server_certificates.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <new>
#include <span>

#include "net/tls/context.h"
#include "net/tls/peer_chain.h"
#include "net/tls/pem.h"
#include "net/tls/ticket_keys.h"

namespace net::tls {

namespace {

using base::Code;
using base::Error;

constexpr long session_life_s = 3 * 3600;  // as long as a ticket can be opened

// Forward secrecy and authenticated encryption only.
constexpr const char* ciphers_of_tls12 =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:"
    "ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";

constexpr unsigned char http1_only[] = "\x08http/1.1";
constexpr unsigned char http2_first[] = "\x02h2\x08http/1.1";

// A session is taken up again only where it was made: among clients who are asked nothing, or by the same name.
constexpr unsigned char unasked[] = "cardea";

// Verified is a certificate by whoever asked for it, against the authorities that are its own. Here it only must come
// with its key.
int take_any(X509_STORE_CTX*, void*) { return 1; }

std::string normal(std::string_view name) {
    if (name.ends_with('.')) name.remove_suffix(1);
    std::string out(name);
    for (char& letter : out)
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    return out;
}

int choose_protocol(SSL* session, const unsigned char** out, unsigned char* out_size, const unsigned char* offered,
                    unsigned offered_size, void*) {
    bool has_http2 = SSL_get_app_data(session) != nullptr;
    const unsigned char* ours = has_http2 ? http2_first : http1_only;
    unsigned size = static_cast<unsigned>(has_http2 ? sizeof http2_first : sizeof http1_only) - 1;
    unsigned char* chosen = nullptr;
    if (SSL_select_next_proto(&chosen, out_size, ours, size, offered, offered_size) != OPENSSL_NPN_NEGOTIATED)
        return SSL_TLSEXT_ERR_ALERT_FATAL;  // RFC 7301 3.2
    *out = chosen;
    return SSL_TLSEXT_ERR_OK;
}

base::Result<std::shared_ptr<SSL_CTX>> context_for(const ServerRules& rules, const std::vector<Identity>& identities) {
    ERR_clear_error();
    std::shared_ptr<SSL_CTX> out(SSL_CTX_new(TLS_server_method()), Freed<SSL_CTX_free>{});
    if (!out) return failed("TLS");
    SSL_CTX* context = out.get();
    bool has_tls12 = rules.has_tls12 && rules.suite != CipherSuite::modern;
    SSL_CTX_set_min_proto_version(context, has_tls12 ? TLS1_2_VERSION : TLS1_3_VERSION);
    SSL_CTX_set_max_proto_version(context, rules.has_tls13 ? TLS1_3_VERSION : TLS1_2_VERSION);
    const char* ciphers = rules.suite == CipherSuite::custom ? rules.ciphers.c_str() : ciphers_of_tls12;
    if (SSL_CTX_set_cipher_list(context, ciphers) != 1) return failed("ssl_ciphers");
    SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                                     SSL_OP_PRIORITIZE_CHACHA);
    SSL_CTX_set_mode(context,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_timeout(context, session_life_s);
    SSL_CTX_set_num_tickets(context, 1);
    SSL_CTX_set_session_id_context(context, unasked, sizeof unasked - 1);
    use_ticket_keys(context);
    keep_chains_in_tickets(context);
    SSL_CTX_set_max_cert_list(context, PeerChain::most_bytes);
    SSL_CTX_set_cert_verify_callback(context, &take_any, nullptr);
    SSL_CTX_set_alpn_select_cb(context, &choose_protocol, nullptr);
    for (const Identity& identity : identities) TRY_VOID(show(context, identity));
    return out;
}

}  // namespace

namespace {

// RFC 6066 3: a list of one name. Anything else OpenSSL refuses by itself.
std::string_view name_in_hello(SSL* session) {
    const unsigned char* bytes = nullptr;
    std::size_t size = 0;
    if (SSL_client_hello_get0_ext(session, TLSEXT_TYPE_server_name, &bytes, &size) != 1) return {};
    constexpr std::size_t before_name = 5;
    if (size <= before_name || bytes[2] != TLSEXT_NAMETYPE_host_name) return {};
    std::size_t length = static_cast<std::size_t>(bytes[3]) << 8 | bytes[4];
    if (length != size - before_name) return {};
    return {reinterpret_cast<const char*>(bytes) + before_name, length};
}

}  // namespace

// What a client's hello decides: the context that serves the name in it, and whether a certificate is asked for.
struct Choice {
    // Before a ticket is looked at, and again for a second hello (RFC 8446 4.1.4), which may name somebody else.
    static int ask(SSL* session, int*, void* certificates) {
        const ClientRules& clients = static_cast<const ServerCertificates*>(certificates)->clients_;
        std::string_view name = name_in_hello(session);
        std::vector<std::uint32_t> uses = clients.covering(name);
        SSL_set_verify(session, uses.empty() ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
        if (uses.empty()) {
            SSL_set0_CA_list(session, sk_X509_NAME_new_null());
            return SSL_set_session_id_context(session, unasked, sizeof unasked - 1) == 1 ? SSL_CLIENT_HELLO_SUCCESS
                                                                                         : SSL_CLIENT_HELLO_ERROR;
        }
        STACK_OF(X509_NAME)* told = sk_X509_NAME_new_null();
        for (const std::string& authority : clients.authorities_of(uses)) {
            const auto* bytes = reinterpret_cast<const unsigned char*>(authority.data());
            if (X509_NAME* one = d2i_X509_NAME(nullptr, &bytes, static_cast<long>(authority.size())); one != nullptr)
                sk_X509_NAME_push(told, one);
        }
        SSL_set0_CA_list(session, told);
        std::string place = fingerprint("clients of " + normal(name)).substr(0, SSL_MAX_SID_CTX_LENGTH);
        bool is_set = SSL_set_session_id_context(session, reinterpret_cast<const unsigned char*>(place.data()),
                                                 static_cast<unsigned>(place.size())) == 1;
        return is_set ? SSL_CLIENT_HELLO_SUCCESS : SSL_CLIENT_HELLO_ERROR;
    }
    static int choose(SSL* session, int*, void* certificates) {
        const char* name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
        SSL_CTX* chosen = static_cast<const ServerCertificates*>(certificates)->shown_for(name == nullptr ? "" : name);
        if (chosen != SSL_get_SSL_CTX(session)) SSL_set_SSL_CTX(session, chosen);
        return name == nullptr ? SSL_TLSEXT_ERR_NOACK : SSL_TLSEXT_ERR_OK;
    }
};

base::Result<std::shared_ptr<const ServerCertificates>> ServerCertificates::make(const ServerRules& rules,
                                                                                 const std::vector<Entry>& entries,
                                                                                 const std::vector<Identity>& fallback,
                                                                                 ClientRules clients,
                                                                                 std::shared_ptr<Staples> staples) {
    std::shared_ptr<ServerCertificates> out(new ServerCertificates);
    out->staples_ = std::move(staples);
    out->clients_ = std::move(clients);
    TRY(context, context_for(rules, fallback));
    out->fallback_ = std::move(context);
    out->staple(out->fallback_.get());
    SSL_CTX_set_tlsext_servername_callback(out->fallback_.get(), &Choice::choose);
    SSL_CTX_set_tlsext_servername_arg(out->fallback_.get(), out.get());
    if (!out->clients_.is_empty()) SSL_CTX_set_client_hello_cb(out->fallback_.get(), &Choice::ask, out.get());
    for (const Entry& entry : entries) {
        if (entry.names.empty()) continue;
        auto made = context_for(rules, entry.identities);
        if (!made)
            return Error::us(Code::invalid, fmt::format("certificate of {}: {}", entry.names[0], made.error().detail));
        out->staple(made->get());
        // A second hello, after HelloRetryRequest, comes to the context that the first one has chosen.
        if (!out->clients_.is_empty()) SSL_CTX_set_client_hello_cb(made->get(), &Choice::ask, out.get());
        for (const std::string& name : entry.names) out->by_name_.emplace(normal(name), *made);
    }
    return std::shared_ptr<const ServerCertificates>(std::move(out));
}

namespace {

// RFC 6066 8, RFC 8446 4.4.2.1. Called once it is known which certificate the client gets.
int show_staple(SSL* session, void* slots) {
    const X509* shown = SSL_get_certificate(session);
    for (const auto& slot : *static_cast<const std::vector<std::shared_ptr<const Staples::Slot>>*>(slots)) {
        if (!slot->is_of(shown)) continue;
        std::shared_ptr<const std::string> answer = slot->answer(std::time(nullptr));
        if (answer == nullptr) return SSL_TLSEXT_ERR_NOACK;
        void* copy = OPENSSL_memdup(answer->data(), answer->size());
        if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
        SSL_set_tlsext_status_ocsp_resp(session, copy, static_cast<long>(answer->size()));
        return SSL_TLSEXT_ERR_OK;
    }
    return SSL_TLSEXT_ERR_NOACK;
}

}  // namespace

void ServerCertificates::staple(ssl_ctx_st* context) {
    if (staples_ == nullptr) return;
    auto slots = std::make_unique<Stapled>();
    for (int more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST); more == 1;
         more = SSL_CTX_set_current_cert(context, SSL_CERT_SET_NEXT)) {
        X509* certificate = SSL_CTX_get0_certificate(context);
        STACK_OF(X509)* chain = nullptr;
        SSL_CTX_get0_chain_certs(context, &chain);
        // Without the issuer beside it there is nobody whose answer could be believed.
        if (certificate == nullptr || sk_X509_num(chain) < 1) continue;
        X509* issuer = sk_X509_value(chain, 0);
        if (X509_check_issued(issuer, certificate) != X509_V_OK) continue;
        if (auto slot = staples_->slot(certificate, issuer)) slots->push_back(std::move(slot));
    }
    SSL_CTX_set_current_cert(context, SSL_CERT_SET_FIRST);
    if (slots->empty()) return;
    SSL_CTX_set_tlsext_status_cb(context, &show_staple);
    SSL_CTX_set_tlsext_status_arg(context, slots.get());
    stapled_.push_back(std::move(slots));
}

// kong.md 3.8: exact, then `*.rest`, then `first.*`, then `*`.
ssl_ctx_st* ServerCertificates::shown_for(std::string_view asked) const {
    auto find = [&](const std::string& name) -> ssl_ctx_st* {
        auto found = by_name_.find(name);
        return found == by_name_.end() ? nullptr : found->second.get();
    };
    if (by_name_.empty()) return fallback_.get();
    std::string name = normal(asked);
    ssl_ctx_st* found = name.empty() ? nullptr : find(name);
    if (std::size_t dot = name.find('.'); found == nullptr && dot != name.npos) found = find("*" + name.substr(dot));
    if (std::size_t dot = name.rfind('.'); found == nullptr && dot != name.npos)
        found = find(name.substr(0, dot + 1) + "*");
    if (found == nullptr) found = find("*");
    return found != nullptr ? found : fallback_.get();
}

Session ServerCertificates::session(Offer offer) const {
    Session out(SSL_new(fallback_.get()));
    if (!out) throw std::bad_alloc();
    SSL_set_accept_state(out.get());
    static char offers_http2 = 0;
    SSL_set_app_data(out.get(), offer == Offer::http2_and_http1 ? &offers_http2 : nullptr);
    return out;
}

base::Result<Identity> make_self_signed() {
    constexpr long life_s = 20L * 365 * 24 * 3600;
    KeyPointer key(EVP_EC_gen("P-256"));
    X509Pointer made(X509_new());
    std::uint64_t serial = 0;
    if (!key || !made || RAND_bytes(reinterpret_cast<unsigned char*>(&serial), sizeof serial) != 1)
        return failed("self-signed certificate");
    X509_set_version(made.get(), X509_VERSION_3);
    ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.get()), serial >> 1);
    X509_gmtime_adj(X509_getm_notBefore(made.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(made.get()), life_s);
    X509_set_pubkey(made.get(), key.get());
    X509_NAME* name = X509_get_subject_name(made.get());
    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, reinterpret_cast<const unsigned char*>("localhost"), -1, -1,
                               0);
    X509_set_issuer_name(made.get(), name);
    auto extend = [&](int kind, const char* value) {
        std::unique_ptr<X509_EXTENSION, Freed<X509_EXTENSION_free>> extension(
            X509V3_EXT_conf_nid(nullptr, nullptr, kind, value));
        return extension && X509_add_ext(made.get(), extension.get(), -1) == 1;
    };
    bool is_made = extend(NID_subject_alt_name, "DNS:localhost,IP:127.0.0.1,IP:::1") &&
                   extend(NID_basic_constraints, "critical,CA:FALSE") &&
                   extend(NID_key_usage, "critical,digitalSignature") && extend(NID_ext_key_usage, "serverAuth") &&
                   X509_sign(made.get(), key.get(), EVP_sha256()) > 0;
    Bio certificate(BIO_new(BIO_s_mem()));
    Bio secret(BIO_new(BIO_s_secmem()));
    is_made = is_made && PEM_write_bio_X509(certificate.get(), made.get()) == 1 &&
              PEM_write_bio_PrivateKey(secret.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) == 1;
    if (!is_made) return failed("self-signed certificate");
    auto text_of = [](BIO* from) {
        char* text = nullptr;
        long size = BIO_get_mem_data(from, &text);
        return std::string(text, static_cast<std::size_t>(size));
    };
    return Identity{text_of(certificate.get()), text_of(secret.get())};
}

}  // namespace net::tls
