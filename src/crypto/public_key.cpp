#include "crypto/public_key.h"

#include <fmt/format.h>
#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/decoder.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <array>
#include <optional>

#include "base/ensure.h"
#include "crypto/hash.h"
#include "crypto/openssl.h"

namespace crypto {
namespace {

using base::Code;
using base::Error;
using base::Result;

using Key = Owned<EVP_PKEY, EVP_PKEY_free>;
using KeyState = Owned<EVP_PKEY_CTX, EVP_PKEY_CTX_free>;
using DigestState = Owned<EVP_MD_CTX, EVP_MD_CTX_free>;
using Number = Owned<BIGNUM, BN_free>;
using Parameters = Owned<OSSL_PARAM, OSSL_PARAM_free>;
using ParameterBuilder = Owned<OSSL_PARAM_BLD, OSSL_PARAM_BLD_free>;

// What goes wrong in here is no news for whoever asks OpenSSL's error queue next (a TLS connection on this thread).
class QuietErrors {
  public:
    QuietErrors() { ERR_set_mark(); }
    ~QuietErrors() { ERR_pop_to_mark(); }
    QuietErrors(const QuietErrors&) = delete;
};

struct Curve {
    std::string_view jwk_name;
    const char* openssl_name;
    Algorithm algorithm;
    std::size_t size;  // of a coordinate and of half a signature
};
constexpr std::array<Curve, 3> curves = {{
    {"P-256", "prime256v1", Algorithm::es256, 32},
    {"P-384", "secp384r1", Algorithm::es384, 48},
    {"P-521", "secp521r1", Algorithm::es512, 66},
}};

constexpr Algorithms rsa_algorithms = Algorithms(Algorithm::rs256) | Algorithm::rs384 | Algorithm::rs512 |
                                      Algorithm::ps256 | Algorithm::ps384 | Algorithm::ps512;

Error refused(std::string_view why) { return Error::us(Code::invalid, std::string(why)); }

bool is_pss(Algorithm algorithm) { return algorithm >= Algorithm::ps256 && algorithm <= Algorithm::ps512; }

const Curve* curve_of(const EVP_PKEY* key) {
    std::array<char, 64> name{};
    std::size_t size = 0;
    if (EVP_PKEY_get_group_name(key, name.data(), name.size(), &size) != 1) return nullptr;
    for (const Curve& curve : curves) {
        if (std::string_view(name.data(), size) == curve.openssl_name) return &curve;
    }
    return nullptr;
}

// An even or tiny exponent makes anybody a signer, a huge one makes each verification dear.
Result<void> check_rsa(const EVP_PKEY* key, const KeyRules& rules) {
    auto bits = static_cast<unsigned>(EVP_PKEY_get_bits(key));
    if (bits < rules.smallest_rsa_bits) {
        return refused(fmt::format("an RSA key of {} bits, at least {} are wanted", bits, rules.smallest_rsa_bits));
    }
    if (bits > rules.largest_rsa_bits) {
        return refused(fmt::format("an RSA key of {} bits, at most {} are served", bits, rules.largest_rsa_bits));
    }
    BIGNUM* raw = nullptr;
    if (EVP_PKEY_get_bn_param(key, OSSL_PKEY_PARAM_RSA_E, &raw) != 1) return refused("an RSA key without exponent");
    Number exponent(raw);
    if (BN_is_odd(exponent.get()) == 0 || BN_num_bits(exponent.get()) < 2 || BN_num_bits(exponent.get()) > 64) {
        return refused("an RSA key whose exponent is no odd number from 3 to 2^64");
    }
    return base::success();
}

KeyState prepared(EVP_PKEY* key, Algorithm algorithm) {
    KeyState state(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
    if (state == nullptr || EVP_PKEY_verify_init(state.get()) != 1) return nullptr;
    const EVP_MD* digest = evp_digest(hash_of(algorithm));
    if (!rsa_algorithms.has(algorithm)) {
        return EVP_PKEY_CTX_set_signature_md(state.get(), digest) == 1 ? std::move(state) : nullptr;
    }
    int padding = is_pss(algorithm) ? RSA_PKCS1_PSS_PADDING : RSA_PKCS1_PADDING;
    if (EVP_PKEY_CTX_set_rsa_padding(state.get(), padding) != 1) return nullptr;
    if (EVP_PKEY_CTX_set_signature_md(state.get(), digest) != 1) return nullptr;
    if (!is_pss(algorithm)) return state;
    // RFC 7518 3.5: MGF1 with the same digest, and a salt of its size.
    if (EVP_PKEY_CTX_set_rsa_mgf1_md(state.get(), digest) != 1) return nullptr;
    if (EVP_PKEY_CTX_set_rsa_pss_saltlen(state.get(), RSA_PSS_SALTLEN_DIGEST) != 1) return nullptr;
    return state;
}

Key key_from(const char* type, OSSL_PARAM* parameters) {
    KeyState maker(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
    EVP_PKEY* key = nullptr;
    if (maker == nullptr || EVP_PKEY_fromdata_init(maker.get()) != 1) return nullptr;
    if (EVP_PKEY_fromdata(maker.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters) != 1) return nullptr;
    return Key(key);
}

Number number_of(std::string_view big_endian) {
    return Number(BN_bin2bn(bytes_of(big_endian), static_cast<int>(big_endian.size()), nullptr));
}

// r || s (RFC 7518 3.4) as OpenSSL wants it: ECDSA-Sig-Value in DER. Empty if it cannot be.
class EcSignature {
  public:
    explicit EcSignature(std::string_view raw) {
        Owned<ECDSA_SIG, ECDSA_SIG_free> pair(ECDSA_SIG_new());
        Number r = number_of(raw.substr(0, raw.size() / 2));
        Number s = number_of(raw.substr(raw.size() / 2));
        if (pair == nullptr || r == nullptr || s == nullptr) return;
        ECDSA_SIG_set0(pair.get(), r.release(), s.release());
        unsigned char* at = der_.data();
        if (int size = i2d_ECDSA_SIG(pair.get(), nullptr); size > 0 && static_cast<std::size_t>(size) <= der_.size()) {
            size_ = static_cast<std::size_t>(i2d_ECDSA_SIG(pair.get(), &at));
        }
    }
    [[nodiscard]] const unsigned char* data() const { return der_.data(); }
    [[nodiscard]] std::size_t size() const { return size_; }

  private:
    std::array<unsigned char, 160> der_{};  // P-521: two integers of at most 67 bytes, and their heads
    std::size_t size_ = 0;
};

}  // namespace

struct PublicKey::State {
    struct Prepared {
        Algorithm algorithm;
        KeyState state;  // never used itself, only copied
    };
    Key key;
    std::size_t signature_size = 0;  // 0: Edwards, whose own code checks it
    std::vector<Prepared> prepared;
};

PublicKey::PublicKey(std::unique_ptr<State> state, Algorithms algorithms)
    : state_(std::move(state)), algorithms_(algorithms) {}
PublicKey::PublicKey(PublicKey&&) noexcept = default;
PublicKey& PublicKey::operator=(PublicKey&&) noexcept = default;
PublicKey::~PublicKey() = default;

Result<PublicKey> PublicKey::make(std::unique_ptr<State> state, Algorithms wanted, const KeyRules& rules) {
    EVP_PKEY* key = state->key.get();
    Algorithms able;
    if (EVP_PKEY_is_a(key, "RSA") == 1) {
        TRY_VOID(check_rsa(key, rules));
        able = rsa_algorithms;
        state->signature_size = static_cast<std::size_t>(EVP_PKEY_get_size(key));
    } else if (EVP_PKEY_is_a(key, "EC") == 1) {
        const Curve* curve = curve_of(key);
        if (curve == nullptr) return refused("an EC key on another curve than P-256, P-384 or P-521");
        able = curve->algorithm;
        state->signature_size = 2 * curve->size;
    } else if (EVP_PKEY_is_a(key, "ED25519") == 1 || EVP_PKEY_is_a(key, "ED448") == 1) {
        able = Algorithm::eddsa;
    } else {
        return refused("a key of a kind that signs no JWS");
    }
    able = able & wanted;
    if (able.is_empty()) return refused("a key of another kind than its algorithm needs");
    for (std::size_t i = 0; i < algorithm_count; ++i) {
        auto algorithm = static_cast<Algorithm>(i);
        if (!able.has(algorithm) || algorithm == Algorithm::eddsa) continue;
        KeyState ready = prepared(key, algorithm);
        if (ready == nullptr) return refused("a key that OpenSSL does not verify with");
        state->prepared.push_back({algorithm, std::move(ready)});
    }
    return PublicKey(std::move(state), able);
}

Result<PublicKey> PublicKey::from_pem(std::string_view pem, Algorithms wanted, const KeyRules& rules) {
    QuietErrors quiet;
    if (pem.size() > largest_pem) return refused("a key of more than 32 KiB");
    if (pem.find("PRIVATE KEY-----") != std::string_view::npos) {
        return refused("a private key where the public one belongs");
    }
    EVP_PKEY* key = nullptr;
    Owned<OSSL_DECODER_CTX, OSSL_DECODER_CTX_free> decoder(
        OSSL_DECODER_CTX_new_for_pkey(&key, "PEM", nullptr, nullptr, EVP_PKEY_PUBLIC_KEY, nullptr, nullptr));
    const unsigned char* at = bytes_of(pem);
    std::size_t left = pem.size();
    if (decoder == nullptr || OSSL_DECODER_from_data(decoder.get(), &at, &left) != 1 || key == nullptr) {
        return refused("not a public key in PEM");
    }
    auto state = std::make_unique<State>();
    state->key.reset(key);
    return make(std::move(state), wanted, rules);
}

Result<PublicKey> PublicKey::from_rsa(std::string_view modulus, std::string_view exponent, Algorithms wanted,
                                      const KeyRules& rules) {
    QuietErrors quiet;
    if (modulus.empty() || modulus.size() > 2048 || exponent.empty() || exponent.size() > 2048) {
        return refused("an RSA key without usable numbers");
    }
    Number n = number_of(modulus);
    Number e = number_of(exponent);
    ParameterBuilder builder(OSSL_PARAM_BLD_new());
    ensure(n != nullptr && e != nullptr && builder != nullptr);
    ensure(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) == 1);
    ensure(OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) == 1);
    Parameters parameters(OSSL_PARAM_BLD_to_param(builder.get()));
    auto state = std::make_unique<State>();
    state->key = key_from("RSA", parameters.get());
    if (state->key == nullptr) return refused("numbers that are no RSA key");
    return make(std::move(state), wanted, rules);
}

Result<PublicKey> PublicKey::from_ec(std::string_view curve_name, std::string_view x, std::string_view y,
                                     Algorithms wanted) {
    QuietErrors quiet;
    const Curve* curve = nullptr;
    for (const Curve& candidate : curves) {
        if (candidate.jwk_name == curve_name) curve = &candidate;
    }
    if (curve == nullptr) return refused("an EC key on another curve than P-256, P-384 or P-521");
    if (x.size() != curve->size || y.size() != curve->size) return refused("coordinates of the wrong size");
    std::string point = "\x04";  // uncompressed (SEC 1 2.3.3)
    point += x;
    point += y;
    std::string group = curve->openssl_name;
    OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_PKEY_PARAM_GROUP_NAME, group.data(), group.size()),
        OSSL_PARAM_construct_octet_string(OSSL_PKEY_PARAM_PUB_KEY, point.data(), point.size()),
        OSSL_PARAM_construct_end(),
    };
    auto state = std::make_unique<State>();
    state->key = key_from("EC", parameters);  // OpenSSL refuses a point that is not on the curve
    if (state->key == nullptr) return refused("coordinates that are no point of the curve");
    return make(std::move(state), wanted, {});
}

Result<PublicKey> PublicKey::from_edwards(std::string_view curve, std::string_view x, Algorithms wanted) {
    QuietErrors quiet;
    const char* type = curve == "Ed25519" ? "ED25519" : curve == "Ed448" ? "ED448" : nullptr;
    if (type == nullptr) return refused("an Edwards key on another curve than Ed25519 or Ed448");
    auto state = std::make_unique<State>();
    state->key.reset(EVP_PKEY_new_raw_public_key_ex(nullptr, type, nullptr, bytes_of(x), x.size()));
    if (state->key == nullptr) return refused("an Edwards key of the wrong size");
    return make(std::move(state), wanted, {});
}

bool PublicKey::verify(Algorithm algorithm, std::string_view message, std::string_view signature) const {
    if (!algorithms_.has(algorithm)) return false;
    QuietErrors quiet;
    if (algorithm == Algorithm::eddsa) {
        DigestState state(EVP_MD_CTX_new());
        return state != nullptr &&
               EVP_DigestVerifyInit(state.get(), nullptr, nullptr, nullptr, state_->key.get()) == 1 &&
               EVP_DigestVerify(state.get(), bytes_of(signature), signature.size(), bytes_of(message),
                                message.size()) == 1;
    }
    // OpenSSL takes some shorter signatures; a JWS has the full size (RFC 7518 3.3 to 3.5 by RFC 8017 8.1.2, 8.2.2).
    if (signature.size() != state_->signature_size) return false;
    for (const State::Prepared& prepared : state_->prepared) {
        if (prepared.algorithm != algorithm) continue;
        KeyState state(EVP_PKEY_CTX_dup(prepared.state.get()));
        if (state == nullptr) return false;
        Digest hashed = digest(hash_of(algorithm), message);
        if (rsa_algorithms.has(algorithm)) {
            return EVP_PKEY_verify(state.get(), bytes_of(signature), signature.size(), hashed.data(), hashed.size()) ==
                   1;
        }
        EcSignature der(signature);
        return der.size() != 0 &&
               EVP_PKEY_verify(state.get(), der.data(), der.size(), hashed.data(), hashed.size()) == 1;
    }
    return false;
}

}  // namespace crypto
