#include "net/tls/client_authorities.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <ctime>
#include <limits>
#include <new>

#include "net/tls/pem.h"

namespace net::tls {

namespace {

using Verification = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;

std::int64_t end_of(const X509* certificate) {
    std::tm time{};
    if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &time) != 1) return 0;
    return ::timegm(&time);
}

}  // namespace

void FreeCertificate::operator()(X509* certificate) const { X509_free(certificate); }

CertificatePointer shared(const X509* certificate) {
    auto* counted = const_cast<X509*>(certificate);  // OpenSSL counts in it
    X509_up_ref(counted);
    return CertificatePointer(counted);
}

ClientAuthorities::~ClientAuthorities() { X509_STORE_free(store_); }

base::Result<std::shared_ptr<const ClientAuthorities>> ClientAuthorities::make(
    const std::vector<std::string>& certificates, Anchor anchor) {
    ERR_clear_error();
    std::shared_ptr<ClientAuthorities> out(new ClientAuthorities);
    out->anchor_ = anchor;
    out->store_ = X509_STORE_new();
    if (out->store_ == nullptr) return failed("authorities");
    for (const std::string& text : certificates) {
        Bio from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        CertificatePointer listed(PEM_read_bio_X509(from.get(), nullptr, nullptr, nullptr));
        if (!listed || X509_STORE_add_cert(out->store_, listed.get()) != 1) return failed("authority");
        unsigned char* bytes = nullptr;
        int size = i2d_X509_NAME(X509_get_subject_name(listed.get()), &bytes);
        if (size < 0) return failed("authority");
        out->names_.emplace_back(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
        OPENSSL_free(bytes);
        out->listed_.push_back(std::move(listed));
    }
    return std::shared_ptr<const ClientAuthorities>(std::move(out));
}

ClientProof ClientAuthorities::prove(const PeerChain& shown, std::int64_t now_s) const {
    ClientProof out;
    out.fault = "cannot be verified";
    if (shown.size() > PeerChain::most_certificates) {
        out.fault = "too many certificates";
        return out;
    }
    ERR_clear_error();
    Verification verification(X509_STORE_CTX_new());
    if (!verification || X509_STORE_CTX_init(verification.get(), store_, shown.leaf(), shown.others()) != 1) return out;
    X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(verification.get());
    X509_VERIFY_PARAM_set_depth(rules, most_between);
    X509_VERIFY_PARAM_set_auth_level(rules, security_level);
    X509_VERIFY_PARAM_set_time(rules, static_cast<time_t>(now_s));
    // Looking for the authorities of the list first: a chain that the client has padded with others still ends there.
    unsigned long flags = X509_V_FLAG_TRUSTED_FIRST;
    if (anchor_ == Anchor::any_listed) flags |= X509_V_FLAG_PARTIAL_CHAIN;
    bool is_set = X509_VERIFY_PARAM_set_flags(rules, flags) == 1 &&
                  X509_VERIFY_PARAM_set_purpose(rules, X509_PURPOSE_SSL_CLIENT) == 1 &&
                  X509_VERIFY_PARAM_set_trust(rules, X509_TRUST_SSL_CLIENT) == 1;
    if (!is_set) return out;
    int verdict = X509_verify_cert(verification.get());
    int error = X509_STORE_CTX_get_error(verification.get());
    ERR_clear_error();
    if (verdict != 1 || error != X509_V_OK) {
        out.fault = X509_verify_cert_error_string(error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error);
        return out;
    }
    STACK_OF(X509)* chain = X509_STORE_CTX_get0_chain(verification.get());
    out.until_s = std::numeric_limits<std::int64_t>::max();
    for (int i = 0; i < sk_X509_num(chain); ++i) {
        X509* each = sk_X509_value(chain, i);
        out.chain.push_back(shared(each));
        out.until_s = std::min(out.until_s, end_of(each));
        for (std::size_t place = 0; place < listed_.size(); ++place)
            if (X509_cmp(listed_[place].get(), each) == 0) out.authorities.push_back(place);
    }
    if (out.authorities.empty()) return out;  // cannot be: the store holds nothing else
    out.fault.clear();
    return out;
}

}  // namespace net::tls
