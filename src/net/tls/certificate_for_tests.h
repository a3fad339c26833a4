// Certificates made on the spot, for tests of TLS: an authority, and what it signs. Keys are P-256, and worth nothing.
#pragma once

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include <cstdio>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/ensure.h"
#include "net/tls/context.h"

namespace net::tls {

class Certificate {
  public:
    // Signed by itself, and able to sign.
    static Certificate authority(const std::string& name) { return Certificate(name, {}, nullptr, 0, 24 * 3600); }
    struct Wish {
        std::string names;  // as below
        long from_s = -3600;
        long until_s = 24 * 3600;
        bool is_authority = false;
        std::vector<std::pair<int, std::string>> extensions;  // NID_ext_key_usage, "clientAuth"
    };
    [[nodiscard]] Certificate sign(const std::string& name, const Wish& wish) const {
        return Certificate(name, wish.names, this, wish.from_s, wish.until_s, wish.is_authority, wish.extensions);
    }
    // `names` as in OpenSSL's configuration: "DNS:redis.example,IP:127.0.0.1".
    [[nodiscard]] Certificate sign(const std::string& name, const std::string& names, long from_s = -3600,
                                   long until_s = 24 * 3600) const {
        return Certificate(name, names, this, from_s, until_s);
    }

    [[nodiscard]] std::string certificate_text() const {
        return written([&](BIO* to) { return PEM_write_bio_X509(to, certificate_.get()); });
    }
    [[nodiscard]] std::string key_text() const {
        return written(
            [&](BIO* to) { return PEM_write_bio_PrivateKey(to, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }
    void write(const std::string& path, const std::string& key_path = {}) const {
        write_file(path, certificate_text());
        if (!key_path.empty()) write_file(key_path, key_text());
    }
    [[nodiscard]] X509* get() const { return certificate_.get(); }
    [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
    // A session of a server that shows this certificate.
    [[nodiscard]] Session server_session(int least_version = TLS1_2_VERSION, int most_version = TLS1_3_VERSION) const {
        SSL_CTX* context = SSL_CTX_new(TLS_server_method());
        ensure(SSL_CTX_use_certificate(context, certificate_.get()) == 1);
        ensure(SSL_CTX_use_PrivateKey(context, key_.get()) == 1);
        SSL_CTX_set_min_proto_version(context, least_version);
        SSL_CTX_set_max_proto_version(context, most_version);
        SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        Session out(SSL_new(context));
        SSL_CTX_free(context);
        SSL_set_accept_state(out.get());
        return out;
    }

  private:
    struct Free {
        void operator()(X509* certificate) const { X509_free(certificate); }
        void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
    };
    Certificate(const std::string& name, const std::string& names, const Certificate* signer, long from_s, long until_s,
                bool is_authority = false, const std::vector<std::pair<int, std::string>>& extensions = {})
        : key_(EVP_EC_gen("P-256")), certificate_(X509_new()) {
        static long serial = 1;
        X509* made = certificate_.get();
        X509_set_version(made, 2);
        ASN1_INTEGER_set(X509_get_serialNumber(made), serial++);
        X509_gmtime_adj(X509_getm_notBefore(made), from_s - 60);
        X509_gmtime_adj(X509_getm_notAfter(made), until_s);
        X509_set_pubkey(made, key_.get());
        X509_NAME_add_entry_by_txt(X509_get_subject_name(made), "CN", MBSTRING_ASC,
                                   reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
        const Certificate& by = signer != nullptr ? *signer : *this;
        X509_set_issuer_name(made, X509_get_subject_name(by.certificate_.get()));
        extend(NID_basic_constraints, signer == nullptr || is_authority ? "critical,CA:TRUE" : "critical,CA:FALSE");
        for (const auto& [kind, value] : extensions) extend(kind, value);
        if (!names.empty()) extend(NID_subject_alt_name, names);
        ensure(X509_sign(made, by.key_.get(), EVP_sha256()) > 0);
    }
    void extend(int kind, const std::string& value) {
        X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, nullptr, kind, value.c_str());
        ensure(extension != nullptr, value);
        X509_add_ext(certificate_.get(), extension, -1);
        X509_EXTENSION_free(extension);
    }
    template <typename Write>
    static std::string written(Write write) {
        BIO* to = BIO_new(BIO_s_mem());
        ensure(write(to) == 1);
        char* text = nullptr;
        long size = BIO_get_mem_data(to, &text);
        std::string out(text, static_cast<std::size_t>(size));
        BIO_free(to);
        return out;
    }
    static void write_file(const std::string& path, const std::string& text) {
        std::FILE* file = std::fopen(path.c_str(), "w");
        ensure(file != nullptr && std::fwrite(text.data(), 1, text.size(), file) == text.size(), path);
        std::fclose(file);
    }

    std::unique_ptr<EVP_PKEY, Free> key_;
    std::unique_ptr<X509, Free> certificate_;
};

}  // namespace net::tls
