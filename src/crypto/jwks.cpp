#include "crypto/jwks.h"

#include <fmt/format.h>

#include "crypto/base64.h"

namespace crypto {
namespace {

using base::Code;
using base::Error;
using base::Result;

Error refused(std::string_view why) { return Error::us(Code::invalid, std::string(why)); }

Result<std::string_view> bytes_member(const Object& jwk, std::string_view name, base::Arena& arena) {
    auto text = jwk.string(name);
    if (!text) return refused(fmt::format("no member {}", name));
    auto bytes = decode_base64url(*text, arena);
    if (!bytes || bytes->empty()) return refused(fmt::format("member {} is not base64url", name));
    return *bytes;
}

// RFC 7517 4.2, 4.3
Result<void> check_use(const Object& jwk, base::Arena& arena) {
    if (jwk.has("use") && jwk.string("use") != "sig") return refused("its use is not sig");
    const Value* operations = jwk.find("key_ops");
    if (operations == nullptr) return base::success();
    Elements elements(*operations, arena);
    while (auto element = elements.next()) {
        if (element->string() == "verify") return base::success();
    }
    return refused("its key_ops do not have verify");
}

Result<Algorithms> wanted_of(const Object& jwk) {
    if (!jwk.has("alg")) return Algorithms::all();
    auto name = jwk.string("alg");
    auto known = name ? algorithm(*name) : std::nullopt;
    if (!known) return refused("its alg is none that verifies a JWS");
    return Algorithms(*known);
}

Result<VerificationKey> secret_key(const Object& jwk, base::Arena& arena, Algorithms wanted) {
    TRY(secret, bytes_member(jwk, "k", arena));
    Algorithms able;
    for (Algorithm algorithm : {Algorithm::hs256, Algorithm::hs384, Algorithm::hs512}) {
        // RFC 7518 3.2: a key at least as large as the digest
        if (wanted.has(algorithm) && secret.size() >= digest_size(hash_of(algorithm))) able |= algorithm;
    }
    if (able.is_empty()) return refused("a secret shorter than its digest");
    return VerificationKey::from_secret(secret, able);
}

Result<PublicKey> public_key(const Object& jwk, std::string_view type, base::Arena& arena, Algorithms wanted,
                             const KeyRules& rules) {
    if (type == "RSA") {
        TRY(modulus, bytes_member(jwk, "n", arena));
        TRY(exponent, bytes_member(jwk, "e", arena));
        return PublicKey::from_rsa(modulus, exponent, wanted, rules);
    }
    auto curve = jwk.string("crv");
    if (!curve) return refused("no member crv");
    TRY(x, bytes_member(jwk, "x", arena));
    if (type == "OKP") return PublicKey::from_edwards(*curve, x, wanted);
    TRY(y, bytes_member(jwk, "y", arena));
    return PublicKey::from_ec(*curve, x, y, wanted);
}

}  // namespace

Result<VerificationKey> key_from_jwk(const Object& jwk, base::Arena& arena, const KeySetRules& rules) {
    TRY_VOID(check_use(jwk, arena));
    TRY(wanted, wanted_of(jwk));
    auto type = jwk.string("kty");
    if (type == "oct") {
        if (rules.secrets == KeySetRules::Secrets::refused) return refused("a symmetric key");
        return secret_key(jwk, arena, wanted);
    }
    if (type != "RSA" && type != "EC" && type != "OKP") return refused("its kty is not known");
    TRY(key, public_key(jwk, *type, arena, wanted, rules.keys));
    return VerificationKey(std::move(key));
}

Result<KeySet> KeySet::parse(std::string_view document, const KeySetRules& rules) {
    if (document.size() > rules.largest_document) return refused("a key set that is too large");
    base::Arena arena;
    auto top = Object::parse(document, arena);
    const Value* keys = top ? top->find("keys") : nullptr;
    if (keys == nullptr || !keys->is(Value::Kind::array)) return refused("no JSON object with an array `keys`");
    KeySet out;
    Elements elements(*keys, arena);
    std::size_t number = 0;
    while (auto element = elements.next()) {
        if (++number > rules.most_keys) return refused(fmt::format("a key set of more than {} keys", rules.most_keys));
        auto jwk = Object::parse(element->text, arena);
        std::string_view key_id = jwk ? jwk->string("kid").value_or("") : "";
        auto leave_out = [&](std::string_view why) {
            // The id is the issuer's text, and goes to a log: the log escapes it.
            out.left_out_.push_back(fmt::format("key {} (kid {}): {}", number, key_id.substr(0, 64), why));
        };
        if (!element->is(Value::Kind::object) || !jwk) {
            leave_out("not an object with each name once");
        } else if (key_id.size() > longest_key_id) {
            leave_out("its kid is too long");
        } else if (auto key = key_from_jwk(*jwk, arena, rules); !key) {
            leave_out(key.error().detail);
        } else if (out.has(key_id, key->algorithms())) {
            leave_out("its kid and algorithm come twice, and the first one counts");
        } else {
            out.keys_.push_back({std::string(key_id), std::move(*key)});
        }
    }
    return out;
}

bool KeySet::has(std::string_view key_id, Algorithms algorithms) const {
    if (key_id.empty()) return false;
    for (const Entry& entry : keys_) {
        if (entry.key_id == key_id && !(entry.key.algorithms() & algorithms).is_empty()) return true;
    }
    return false;
}

const VerificationKey* KeySet::find(std::string_view key_id, Algorithm algorithm) const {
    if (key_id.empty()) return nullptr;
    for (const Entry& entry : keys_) {
        if (entry.key_id == key_id && entry.key.algorithms().has(algorithm)) return &entry.key;
    }
    return nullptr;
}

const VerificationKey* KeySet::find_only(Algorithm algorithm) const {
    const VerificationKey* found = nullptr;
    for (const Entry& entry : keys_) {
        if (!entry.key.algorithms().has(algorithm)) continue;
        if (found != nullptr) return nullptr;
        found = &entry.key;
    }
    return found;
}

}  // namespace crypto
