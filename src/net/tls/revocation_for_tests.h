// What an authority says about a certificate, made on the spot, for tests; and what is done to bytes of anybody.
#pragma once

#include <openssl/ocsp.h>
#include <openssl/x509.h>

#include <ctime>
#include <string>

#include "net/tls/certificate_for_tests.h"
#include "net/tls/revocation.h"

namespace net::tls {

struct OcspWish {
    int status = V_OCSP_CERTSTATUS_GOOD;
    long from_s = -60;
    long until_s = 300;  // 0: it says nothing of an end
    const Certificate* signer = nullptr;
    const Certificate* about = nullptr;
};

// DER. `signer` is the issuer unless there is another.
inline std::string ocsp_answer(const Certificate& certificate, const Certificate& issuer, const OcspWish& wish = {}) {
    OCSP_BASICRESP* basic = OCSP_BASICRESP_new();
    const Certificate& about = wish.about != nullptr ? *wish.about : certificate;
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), about.get(), issuer.get());
    ASN1_TIME* from = X509_gmtime_adj(nullptr, wish.from_s);
    ASN1_TIME* until = wish.until_s == 0 ? nullptr : X509_gmtime_adj(nullptr, wish.until_s);
    ASN1_TIME* revoked = X509_gmtime_adj(nullptr, -100);
    bool is_revoked = wish.status == V_OCSP_CERTSTATUS_REVOKED;
    OCSP_basic_add1_status(basic, id, wish.status, 0, is_revoked ? revoked : nullptr, from, until);
    const Certificate& signer = wish.signer != nullptr ? *wish.signer : issuer;
    ensure(OCSP_basic_sign(basic, signer.get(), signer.key(), EVP_sha256(), nullptr, 0) == 1);
    OCSP_RESPONSE* response = OCSP_response_create(OCSP_RESPONSE_STATUS_SUCCESSFUL, basic);
    unsigned char* bytes = nullptr;
    int size = i2d_OCSP_RESPONSE(response, &bytes);
    std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    OCSP_RESPONSE_free(response);
    OCSP_BASICRESP_free(basic);
    OCSP_CERTID_free(id);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    ASN1_TIME_free(revoked);
    return out;
}

// DER, of `issuer`, with what it has taken back.
inline std::string revocation_list(const Certificate& issuer, const std::vector<const Certificate*>& revoked,
                                   long from_s = -60, long until_s = 300, const Certificate* signer = nullptr) {
    X509_CRL* list = X509_CRL_new();
    X509_CRL_set_version(list, 1);
    X509_CRL_set_issuer_name(list, X509_get_subject_name(issuer.get()));
    ASN1_TIME* from = X509_gmtime_adj(nullptr, from_s);
    ASN1_TIME* until = X509_gmtime_adj(nullptr, until_s);
    X509_CRL_set1_lastUpdate(list, from);
    X509_CRL_set1_nextUpdate(list, until);
    for (const Certificate* each : revoked) {
        X509_REVOKED* entry = X509_REVOKED_new();
        X509_REVOKED_set_serialNumber(entry, X509_get_serialNumber(each->get()));
        X509_REVOKED_set_revocationDate(entry, from);
        X509_CRL_add0_revoked(list, entry);
    }
    X509_CRL_sort(list);
    ensure(X509_CRL_sign(list, (signer != nullptr ? *signer : issuer).key(), EVP_sha256()) > 0);
    unsigned char* bytes = nullptr;
    int size = i2d_X509_CRL(list, &bytes);
    std::string out(reinterpret_cast<char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    X509_CRL_free(list);
    ASN1_TIME_free(from);
    ASN1_TIME_free(until);
    return out;
}

// Bytes that nobody has signed for us: whatever they are, nobody is good because of them.
inline void check_hostile(std::string_view bytes) {
    static const Certificate issuer = Certificate::authority("issuer");
    static const Certificate certificate = issuer.sign("certificate", "");
    auto question = OcspQuestion::about(certificate.get(), issuer.get(), OcspQuestion::Nonce::none);
    ensure(question.ok());
    ensure(question->read(bytes).standing == Standing::unknown);
    if (auto list = RevocationList::parse(bytes)) {
        (void)(*list)->is_of(issuer.get());
        ensure((*list)->about(certificate.get(), issuer.get(), std::time(nullptr)).standing == Standing::unknown);
    }
    const auto* at = reinterpret_cast<const unsigned char*>(bytes.data());
    X509* read = d2i_X509(nullptr, &at, static_cast<long>(bytes.size()));
    if (read == nullptr) return;
    CertificateNames names = names_of(read);
    for (char c : names.subject + names.common_name) ensure(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    for (const std::string& name : names.alternatives)
        for (char c : name) ensure(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
    ensure(ocsp_sources(read).size() <= most_sources && crl_sources(read).size() <= most_sources);
    X509_free(read);
}

}  // namespace net::tls
