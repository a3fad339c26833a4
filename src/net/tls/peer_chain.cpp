#include "net/tls/peer_chain.h"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <array>
#include <new>
#include <optional>

#include "net/address.h"
#include "net/tls/pem.h"

namespace net::tls {

namespace {

// Nothing that could end a header field or a C string.
bool is_plain(std::string_view text) {
    for (char c : text)
        if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) return false;
    return !text.empty();
}

std::string text_of(const ASN1_STRING* string) {
    unsigned char* bytes = nullptr;
    int size = ASN1_STRING_to_UTF8(&bytes, string);
    if (size < 0) return {};
    std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return is_plain(out) ? out : std::string();
}

std::string address_of(const ASN1_OCTET_STRING* bytes) {
    const unsigned char* data = ASN1_STRING_get0_data(bytes);
    int size = ASN1_STRING_length(bytes);
    if (size == 4)
        return IpAddress::v4(static_cast<std::uint32_t>(data[0]) << 24 | static_cast<std::uint32_t>(data[1]) << 16 |
                             static_cast<std::uint32_t>(data[2]) << 8 | data[3])
            .text();
    if (size != 16) return {};
    std::array<std::uint8_t, 16> all;
    std::copy_n(data, all.size(), all.begin());
    return IpAddress::v6(all).text();
}

std::string subject_of(const X509* certificate) {
    Bio to(BIO_new(BIO_s_mem()));
    if (!to) throw std::bad_alloc();
    // Escapes what is no plain text, control characters too.
    if (X509_NAME_print_ex(to.get(), X509_get_subject_name(certificate), 0, XN_FLAG_RFC2253) < 0) return {};
    char* text = nullptr;
    long size = BIO_get_mem_data(to.get(), &text);
    std::string out(text, static_cast<std::size_t>(size));
    return is_plain(out) ? out : std::string();
}

// In a ticket: each certificate behind its size in three bytes (RFC 8446 4.4.2 has them so).
constexpr std::size_t size_bytes = 3;

std::optional<std::string> packed(STACK_OF(X509) * chain, const X509* leaf) {
    std::string out;
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        const X509* each = sk_X509_value(chain, i);
        if (i == 0 && X509_cmp(each, leaf) == 0) continue;
        std::string bytes = encoded(each);
        for (int shift = 16; shift >= 0; shift -= 8) out += static_cast<char>(bytes.size() >> shift & 0xff);
        out += bytes;
        if (out.size() > PeerChain::most_in_ticket) return {};
    }
    return out;
}

// Null: no such packing.
STACK_OF(X509) * unpacked(std::string_view bytes) {
    STACK_OF(X509)* out = sk_X509_new_null();
    if (out == nullptr) throw std::bad_alloc();
    while (!bytes.empty()) {
        std::size_t size = 0;
        for (std::size_t i = 0; i < size_bytes && i < bytes.size(); ++i)
            size = size << 8 | static_cast<unsigned char>(bytes[i]);
        if (bytes.size() < size_bytes || bytes.size() - size_bytes < size) break;
        const auto* from = reinterpret_cast<const unsigned char*>(bytes.data() + size_bytes);
        X509* each = d2i_X509(nullptr, &from, static_cast<long>(size));
        if (each == nullptr) break;
        sk_X509_push(out, each);
        bytes.remove_prefix(size_bytes + size);
    }
    if (bytes.empty()) return out;
    sk_X509_pop_free(out, X509_free);
    return nullptr;
}

// The first byte of what a ticket holds beside OpenSSL's: so that it is never empty where a chain was kept.
constexpr char chain_kept = 'c';

int make_ticket(SSL* session, void*) {
    SSL_SESSION* made = SSL_get_session(session);
    X509* leaf = made == nullptr ? nullptr : SSL_SESSION_get0_peer(made);
    if (leaf == nullptr || SSL_session_reused(session) == 1) return 1;  // who came back has it in there
    std::optional<std::string> chain = packed(SSL_get_peer_cert_chain(session), leaf);
    if (!chain) return 1;
    std::string data = chain_kept + *chain;
    return SSL_SESSION_set1_ticket_appdata(made, data.data(), data.size());
}

std::string_view kept_with(SSL_SESSION* session) {
    void* data = nullptr;
    std::size_t size = 0;
    if (SSL_SESSION_get0_ticket_appdata(session, &data, &size) != 1) return {};
    return {static_cast<const char*>(data), size};
}

SSL_TICKET_RETURN take_ticket(SSL*, SSL_SESSION* session, const unsigned char*, std::size_t, SSL_TICKET_STATUS status,
                              void*) {
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW) return SSL_TICKET_RETURN_IGNORE_RENEW;
    bool has_leaf = session != nullptr && SSL_SESSION_get0_peer(session) != nullptr;
    if (has_leaf && !kept_with(session).starts_with(chain_kept)) return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

}  // namespace

std::string encoded(const X509* certificate) {
    unsigned char* bytes = nullptr;
    int size = i2d_X509(certificate, &bytes);
    if (size < 0) throw std::bad_alloc();
    std::string out(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return out;
}

CertificateNames names_of(const X509* certificate) {
    CertificateNames out;
    out.subject = subject_of(certificate);
    X509_NAME* subject = X509_get_subject_name(certificate);
    int first = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
    // With several nobody knows which one is meant.
    if (first >= 0 && X509_NAME_get_index_by_NID(subject, NID_commonName, first) < 0)
        out.common_name = text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, first)));
    using Names = std::unique_ptr<GENERAL_NAMES, Freed<GENERAL_NAMES_free>>;
    Names names(static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
    for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()); ++i) {
        int kind = 0;
        void* value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names.get(), i), &kind);
        std::string text;
        if (kind == GEN_DNS || kind == GEN_EMAIL || kind == GEN_URI)
            text = text_of(static_cast<ASN1_STRING*>(value));
        else if (kind == GEN_IPADD)
            text = address_of(static_cast<ASN1_OCTET_STRING*>(value));
        if (!text.empty()) out.alternatives.push_back(std::move(text));
    }
    return out;
}

PeerChain::PeerChain(X509* leaf, STACK_OF(X509) * others) : leaf_(leaf), others_(others) {
    std::string all = encoded(leaf);
    for (int i = 0; i < sk_X509_num(others); ++i) all += encoded(sk_X509_value(others, i));
    fingerprint_.resize(EVP_MAX_MD_SIZE);
    unsigned size = 0;
    if (EVP_Digest(all.data(), all.size(), reinterpret_cast<unsigned char*>(fingerprint_.data()), &size, EVP_sha256(),
                   nullptr) != 1)
        throw std::bad_alloc();
    fingerprint_.resize(size);
}

PeerChain::~PeerChain() {
    X509_free(leaf_);
    sk_X509_pop_free(others_, X509_free);
}

std::unique_ptr<const PeerChain> PeerChain::of(const Session& session) {
    X509* leaf = SSL_get0_peer_certificate(session.get());
    if (leaf == nullptr) return nullptr;
    STACK_OF(X509)* others = nullptr;
    if (SSL_session_reused(session.get()) == 1) {
        std::string_view kept = kept_with(SSL_get_session(session.get()));
        if (kept.starts_with(chain_kept)) others = unpacked(kept.substr(1));
    } else if (STACK_OF(X509)* shown = SSL_get_peer_cert_chain(session.get()); shown != nullptr) {
        others = X509_chain_up_ref(shown);
    }
    if (others == nullptr) others = sk_X509_new_null();
    X509_up_ref(leaf);
    return std::unique_ptr<const PeerChain>(new PeerChain(leaf, others));
}

std::unique_ptr<const PeerChain> PeerChain::parse(std::string_view pem) {
    Bio text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
    X509* leaf = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr);
    if (leaf == nullptr) return nullptr;
    STACK_OF(X509)* others = sk_X509_new_null();
    while (X509* next = PEM_read_bio_X509(text.get(), nullptr, nullptr, nullptr)) sk_X509_push(others, next);
    return std::unique_ptr<const PeerChain>(new PeerChain(leaf, others));
}

std::size_t PeerChain::size() const { return 1 + static_cast<std::size_t>(sk_X509_num(others_)); }

void keep_chains_in_tickets(SSL_CTX* context) {
    SSL_CTX_set_session_ticket_cb(context, &make_ticket, &take_ticket, nullptr);
}

}  // namespace net::tls
