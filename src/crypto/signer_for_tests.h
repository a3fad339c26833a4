// Makes keys and signs tokens, as an issuer does, for the tests of this folder and of the plugins that check tokens.
#pragma once

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include <string>
#include <string_view>

#include "base/ensure.h"
#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "crypto/openssl.h"

namespace crypto {

// A private key and what can be said of it.
class Signer {
  public:
    static Signer rsa(unsigned bits = 2048) { return Signer(EVP_RSA_gen(bits)); }
    static Signer ec(const char* curve) { return Signer(EVP_EC_gen(curve)); }
    static Signer edwards(const char* type) { return Signer(EVP_PKEY_Q_keygen(nullptr, nullptr, type)); }

    [[nodiscard]] EVP_PKEY* key() const { return key_.get(); }
    [[nodiscard]] std::string public_pem() const {
        return written([&](BIO* out) { return PEM_write_bio_PUBKEY(out, key_.get()); });
    }
    [[nodiscard]] std::string private_pem() const {
        return written(
            [&](BIO* out) { return PEM_write_bio_PrivateKey(out, key_.get(), nullptr, nullptr, 0, nullptr, nullptr); });
    }

    // The public key as a JWK; `more` are members in front, such as R"("kid":"a",)".
    [[nodiscard]] std::string jwk(std::string_view more = "") const {
        if (EVP_PKEY_is_a(key_.get(), "RSA") == 1) {
            return fmt::format(R"({{{}"kty":"RSA","n":"{}","e":"{}"}})", more, number(OSSL_PKEY_PARAM_RSA_N),
                               number(OSSL_PKEY_PARAM_RSA_E));
        }
        if (EVP_PKEY_is_a(key_.get(), "EC") == 1) {
            std::size_t size = coordinate_size();
            return fmt::format(R"({{{}"kty":"EC","crv":"{}","x":"{}","y":"{}"}})", more,
                               size == 32   ? "P-256"
                               : size == 48 ? "P-384"
                                            : "P-521",
                               number(OSSL_PKEY_PARAM_EC_PUB_X, size), number(OSSL_PKEY_PARAM_EC_PUB_Y, size));
        }
        std::string raw(64, '\0');
        std::size_t size = raw.size();
        ensure(EVP_PKEY_get_raw_public_key(key_.get(), reinterpret_cast<unsigned char*>(raw.data()), &size) == 1);
        raw.resize(size);
        return fmt::format(R"({{{}"kty":"OKP","crv":"{}","x":"{}"}})", more, size == 32 ? "Ed25519" : "Ed448",
                           base64url(raw));
    }

    // Raw, as in a JWS; an EC signature stays DER if `as_der`.
    [[nodiscard]] std::string sign(Algorithm algorithm, std::string_view message, bool as_der = false) const {
        Owned<EVP_MD_CTX, EVP_MD_CTX_free> state(EVP_MD_CTX_new());
        EVP_PKEY_CTX* parameters = nullptr;
        const EVP_MD* md = algorithm == Algorithm::eddsa ? nullptr : evp_digest(hash_of(algorithm));
        ensure(EVP_DigestSignInit(state.get(), &parameters, md, nullptr, key_.get()) == 1);
        if (algorithm >= Algorithm::ps256 && algorithm <= Algorithm::ps512) {
            ensure(EVP_PKEY_CTX_set_rsa_padding(parameters, RSA_PKCS1_PSS_PADDING) == 1);
            ensure(EVP_PKEY_CTX_set_rsa_pss_saltlen(parameters, RSA_PSS_SALTLEN_DIGEST) == 1);
        }
        std::string out(2048, '\0');
        std::size_t size = out.size();
        ensure(EVP_DigestSign(state.get(), reinterpret_cast<unsigned char*>(out.data()), &size, bytes_of(message),
                              message.size()) == 1);
        out.resize(size);
        if (as_der || EVP_PKEY_is_a(key_.get(), "EC") != 1) return out;
        const unsigned char* at = bytes_of(out);
        Owned<ECDSA_SIG, ECDSA_SIG_free> pair(d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(out.size())));
        ensure(pair != nullptr);
        return padded(ECDSA_SIG_get0_r(pair.get()), coordinate_size()) +
               padded(ECDSA_SIG_get0_s(pair.get()), coordinate_size());
    }

  private:
    explicit Signer(EVP_PKEY* key) : key_(key) { ensure(key != nullptr); }

    static std::string padded(const BIGNUM* value, std::size_t size) {
        std::string out(size, '\0');
        ensure(BN_bn2binpad(value, reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(size)) > 0);
        return out;
    }
    [[nodiscard]] std::size_t coordinate_size() const {
        return (static_cast<std::size_t>(EVP_PKEY_get_bits(key_.get())) + 7) / 8;
    }
    [[nodiscard]] std::string number(const char* name, std::size_t size = 0) const {
        BIGNUM* value = nullptr;
        ensure(EVP_PKEY_get_bn_param(key_.get(), name, &value) == 1);
        Owned<BIGNUM, BN_free> owner(value);
        return base64url(padded(value, size != 0 ? size : static_cast<std::size_t>(BN_num_bytes(value))));
    }
    template <typename Write>
    static std::string written(Write write) {
        Owned<BIO, BIO_free> out(BIO_new(BIO_s_mem()));
        ensure(write(out.get()) == 1);
        char* text = nullptr;
        long size = BIO_get_mem_data(out.get(), &text);
        return {text, static_cast<std::size_t>(size)};
    }
    Owned<EVP_PKEY, EVP_PKEY_free> key_;
};

inline std::string unsigned_token(std::string_view header, std::string_view payload) {
    return base64url(header) + "." + base64url(payload);
}
inline std::string signed_token(std::string_view header, std::string_view payload, const Signer& signer,
                                Algorithm algorithm) {
    std::string text = unsigned_token(header, payload);
    return text + "." + base64url(signer.sign(algorithm, text));
}
inline std::string signed_token(std::string_view header, std::string_view payload, std::string_view secret,
                                Hash hash = Hash::sha256) {
    std::string text = unsigned_token(header, payload);
    return text + "." + base64url(HmacKey::make(hash, secret)->sign(text).view());
}

}  // namespace crypto
