#include "net/tls/revocation.h"

#include <openssl/err.h>
#include <openssl/ocsp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <utility>

#include "net/tls/pem.h"

namespace net::tls {

namespace {

using Verification = std::unique_ptr<X509_STORE_CTX, Freed<X509_STORE_CTX_free>>;
using Store = std::unique_ptr<X509_STORE, Freed<X509_STORE_free>>;
using Response = std::unique_ptr<OCSP_RESPONSE, Freed<OCSP_RESPONSE_free>>;
using BasicResponse = std::unique_ptr<OCSP_BASICRESP, Freed<OCSP_BASICRESP_free>>;
using CertificateId = std::unique_ptr<OCSP_CERTID, Freed<OCSP_CERTID_free>>;

// A stack that owns nothing.
struct FreeStack {
    void operator()(STACK_OF(X509) * stack) const { sk_X509_free(stack); }
    void operator()(STACK_OF(X509_CRL) * stack) const { sk_X509_CRL_free(stack); }
};

std::int64_t seconds_of(const ASN1_TIME* time) {
    std::tm parts{};
    return time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1 ? 0 : ::timegm(&parts);
}

void add_source(std::vector<std::string>& sources, const ASN1_STRING* text) {
    std::string_view url(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                         static_cast<std::size_t>(ASN1_STRING_length(text)));
    if (sources.size() < most_sources && is_web(url)) sources.emplace_back(url);
}

// What is trusted: one authority alone.
Store only(X509* issuer) {
    Store out(X509_STORE_new());
    if (!out || X509_STORE_add_cert(out.get(), issuer) != 1) return nullptr;
    X509_STORE_set_flags(out.get(), X509_V_FLAG_PARTIAL_CHAIN);
    return out;
}

Ruling unknown(std::string why) {
    ERR_clear_error();
    return {Standing::unknown, 0, std::move(why)};
}

}  // namespace

bool is_web(std::string_view url) {
    auto begins = [&](std::string_view scheme) {
        return url.size() > scheme.size() && std::equal(scheme.begin(), scheme.end(), url.begin(), [](char a, char b) {
                   return a == ((b >= 'A' && b <= 'Z') ? b + 32 : b);
               });
    };
    constexpr std::size_t longest = 2048;
    return url.size() <= longest && (begins("http://") || begins("https://")) &&
           std::all_of(url.begin(), url.end(), [](char c) { return c > 0x20 && c < 0x7f; });
}

std::vector<std::string> ocsp_sources(const X509* certificate) {
    std::vector<std::string> out;
    using Access = std::unique_ptr<AUTHORITY_INFO_ACCESS, Freed<AUTHORITY_INFO_ACCESS_free>>;
    Access access(
        static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(certificate, NID_info_access, nullptr, nullptr)));
    for (int i = 0; access && i < sk_ACCESS_DESCRIPTION_num(access.get()); ++i) {
        const ACCESS_DESCRIPTION* one = sk_ACCESS_DESCRIPTION_value(access.get(), i);
        if (OBJ_obj2nid(one->method) == NID_ad_OCSP && one->location->type == GEN_URI)
            add_source(out, one->location->d.uniformResourceIdentifier);
    }
    return out;
}

std::vector<std::string> crl_sources(const X509* certificate) {
    std::vector<std::string> out;
    using Points = std::unique_ptr<CRL_DIST_POINTS, Freed<CRL_DIST_POINTS_free>>;
    Points points(
        static_cast<CRL_DIST_POINTS*>(X509_get_ext_d2i(certificate, NID_crl_distribution_points, nullptr, nullptr)));
    for (int i = 0; points && i < sk_DIST_POINT_num(points.get()); ++i) {
        const DIST_POINT* point = sk_DIST_POINT_value(points.get(), i);
        if (point->distpoint == nullptr || point->distpoint->type != 0) continue;
        GENERAL_NAMES* names = point->distpoint->name.fullname;
        for (int j = 0; j < sk_GENERAL_NAME_num(names); ++j) {
            const GENERAL_NAME* name = sk_GENERAL_NAME_value(names, j);
            if (name->type == GEN_URI) add_source(out, name->d.uniformResourceIdentifier);
        }
    }
    return out;
}

bool names_who_to_ask(const X509* certificate) {
    if (X509_get_ext_by_NID(certificate, NID_crl_distribution_points, -1) >= 0) return true;
    if (X509_get_ext_by_NID(certificate, NID_info_access, -1) < 0) return false;
    using Access = std::unique_ptr<AUTHORITY_INFO_ACCESS, Freed<AUTHORITY_INFO_ACCESS_free>>;
    Access access(
        static_cast<AUTHORITY_INFO_ACCESS*>(X509_get_ext_d2i(certificate, NID_info_access, nullptr, nullptr)));
    for (int i = 0; access && i < sk_ACCESS_DESCRIPTION_num(access.get()); ++i)
        if (OBJ_obj2nid(sk_ACCESS_DESCRIPTION_value(access.get(), i)->method) == NID_ad_OCSP) return true;
    return !access;  // unreadable; else it says only where the issuer's certificate is
}

// ---- OCSP

OcspQuestion::OcspQuestion(OcspQuestion&& other) noexcept
    : request_(std::exchange(other.request_, nullptr)),
      certificate_(std::move(other.certificate_)),
      issuer_(std::move(other.issuer_)),
      bytes_(std::move(other.bytes_)) {}

OcspQuestion::~OcspQuestion() { OCSP_REQUEST_free(request_); }

base::Result<OcspQuestion> OcspQuestion::about(X509* certificate, X509* issuer, Nonce nonce) {
    ERR_clear_error();
    OcspQuestion out;
    out.certificate_ = shared(certificate);
    out.issuer_ = shared(issuer);
    out.request_ = OCSP_REQUEST_new();
    // SHA-1 names the certificate, as all responders know it (RFC 5019 2.1.1); nothing is secured by it.
    OCSP_CERTID* id = OCSP_cert_to_id(EVP_sha1(), certificate, issuer);
    if (out.request_ == nullptr || id == nullptr || OCSP_request_add0_id(out.request_, id) == nullptr)
        return failed("OCSP request");
    if (nonce == Nonce::fresh && OCSP_request_add1_nonce(out.request_, nullptr, 16) != 1) return failed("OCSP request");
    unsigned char* bytes = nullptr;
    int size = i2d_OCSP_REQUEST(out.request_, &bytes);
    if (size <= 0) return failed("OCSP request");
    out.bytes_.assign(reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size));
    OPENSSL_free(bytes);
    return out;
}

Ruling OcspQuestion::read(std::string_view answer) const {
    ERR_clear_error();
    if (answer.size() > most_answer) return unknown("the OCSP answer is too large");
    const auto* bytes = reinterpret_cast<const unsigned char*>(answer.data());
    Response response(d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(answer.size())));
    if (!response) return unknown("no OCSP answer");
    int status = OCSP_response_status(response.get());
    if (status != OCSP_RESPONSE_STATUS_SUCCESSFUL)
        return unknown(std::string("OCSP: ") + OCSP_response_status_str(status));
    BasicResponse basic(OCSP_response_get1_basic(response.get()));
    if (!basic) return unknown("no basic OCSP answer");
    // Without one: the answer was made in advance, and its validity says how old it may be.
    if (OCSP_check_nonce(request_, basic.get()) == 0) return unknown("the OCSP answer is to another question");
    Store store = only(issuer_.get());
    std::unique_ptr<STACK_OF(X509), FreeStack> certificates(sk_X509_new_null());
    if (!store || !certificates || sk_X509_push(certificates.get(), issuer_.get()) == 0) return unknown("OCSP");
    // The authority itself, or whom it has authorised to answer (RFC 6960 4.2.2.2); nobody else.
    if (OCSP_basic_verify(basic.get(), certificates.get(), store.get(), OCSP_NOEXPLICIT) != 1)
        return unknown("the OCSP answer is not signed by the authority");
    CertificateId id(OCSP_cert_to_id(EVP_sha1(), certificate_.get(), issuer_.get()));
    int standing = 0;
    int reason = 0;
    ASN1_GENERALIZEDTIME* revoked = nullptr;
    ASN1_GENERALIZEDTIME* from = nullptr;
    ASN1_GENERALIZEDTIME* until = nullptr;
    if (!id || OCSP_resp_find_status(basic.get(), id.get(), &standing, &reason, &revoked, &from, &until) != 1)
        return unknown("the OCSP answer is about another certificate");
    if (OCSP_check_validity(from, until, skew_s, until == nullptr ? longest_silence_s : -1) != 1)
        return unknown("the OCSP answer is too old, or of the future");
    Ruling out;
    out.until_s = seconds_of(until);
    if (standing == V_OCSP_CERTSTATUS_GOOD)
        out.standing = Standing::good;
    else if (standing == V_OCSP_CERTSTATUS_REVOKED)
        out.standing = Standing::revoked;
    else
        out.fault = "the authority does not know the certificate";
    return out;
}

// ---- lists

base::Result<std::shared_ptr<const RevocationList>> RevocationList::parse(std::string_view text) {
    ERR_clear_error();
    if (text.size() > most_bytes) return base::Error::us(base::Code::too_large, "the CRL is too large");
    X509_CRL* list = nullptr;
    if (text.starts_with("-----BEGIN")) {
        Bio from(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
        list = PEM_read_bio_X509_CRL(from.get(), nullptr, nullptr, nullptr);
    } else {
        const auto* bytes = reinterpret_cast<const unsigned char*>(text.data());
        list = d2i_X509_CRL(nullptr, &bytes, static_cast<long>(text.size()));
    }
    if (list == nullptr) return failed("CRL");
    std::shared_ptr<RevocationList> out(new RevocationList(list));
    if (X509_CRL_get_ext_by_NID(list, NID_delta_crl, -1) >= 0)
        return base::Error::us(base::Code::invalid, "the CRL lists changes only");
    out->until_s_ = seconds_of(X509_CRL_get0_nextUpdate(list));
    out->size_ = text.size();
    return std::shared_ptr<const RevocationList>(std::move(out));
}

RevocationList::~RevocationList() { X509_CRL_free(list_); }

bool RevocationList::is_of(const X509* issuer) const {
    return X509_NAME_cmp(X509_CRL_get_issuer(list_), X509_get_subject_name(issuer)) == 0;
}

// OpenSSL's own check of one step of a chain: signature, times, usage of the key, scope, critical extensions.
Ruling RevocationList::about(X509* certificate, X509* issuer, std::int64_t now_s) const {
    ERR_clear_error();
    Store store = only(issuer);
    Verification verification(X509_STORE_CTX_new());
    std::unique_ptr<STACK_OF(X509_CRL), FreeStack> lists(sk_X509_CRL_new_null());
    if (!store || !verification || !lists || sk_X509_CRL_push(lists.get(), list_) == 0 ||
        X509_STORE_CTX_init(verification.get(), store.get(), certificate, nullptr) != 1)
        return unknown("CRL");
    X509_STORE_CTX_set0_crls(verification.get(), lists.get());
    X509_VERIFY_PARAM* rules = X509_STORE_CTX_get0_param(verification.get());
    X509_VERIFY_PARAM_set_flags(rules, X509_V_FLAG_PARTIAL_CHAIN | X509_V_FLAG_CRL_CHECK);
    X509_VERIFY_PARAM_set_time(rules, static_cast<time_t>(now_s));
    int verdict = X509_verify_cert(verification.get());
    int error = X509_STORE_CTX_get_error(verification.get());
    ERR_clear_error();
    if (verdict == 1 && error == X509_V_OK) return {Standing::good, until_s_, {}};
    if (error == X509_V_ERR_CERT_REVOKED) return {Standing::revoked, until_s_, {}};
    return unknown(X509_verify_cert_error_string(error == X509_V_OK ? X509_V_ERR_UNSPECIFIED : error));
}

}  // namespace net::tls
