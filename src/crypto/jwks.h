// KeySet: the usable verification keys of a JWK Set (RFC 7517 5), as an issuer publishes it. What we cannot use, or
// must not, is left out and said (an issuer may add keys of kinds that we do not know); a document that is no key set
// is an error as a whole, so that the caller keeps the keys it has. Built off the request path; const and used from
// any thread then.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "crypto/json.h"
#include "crypto/verification_key.h"

namespace crypto {

struct KeySetRules {
    std::size_t largest_document = 512 * 1024;
    std::size_t most_keys = 128;
    // Symmetric keys (`oct`) do not belong into a document that anybody may read.
    enum class Secrets : std::uint8_t { refused, allowed } secrets = Secrets::refused;
    KeyRules keys;
};

class KeySet {
  public:
    static constexpr std::size_t longest_key_id = 512;

    static base::Result<KeySet> parse(std::string_view document, const KeySetRules& rules = {});

    // The key of that id that may be used with the algorithm. Without an id: the one key that may be, if it is the only
    // one (OpenID Connect Core 10.1: with more, a token must say which). Else null.
    [[nodiscard]] const VerificationKey* find(std::string_view key_id, Algorithm algorithm) const;
    [[nodiscard]] const VerificationKey* find_only(Algorithm algorithm) const;
    [[nodiscard]] std::size_t size() const { return keys_.size(); }
    // A line for each key that was left out: "key 3 (kid abc): an EC key on ...". Without any part of the key itself.
    [[nodiscard]] const std::vector<std::string>& left_out() const { return left_out_; }

  private:
    struct Entry {
        std::string key_id;  // may be empty
        VerificationKey key;
    };
    [[nodiscard]] bool has(std::string_view key_id, Algorithms algorithms) const;
    std::vector<Entry> keys_;
    std::vector<std::string> left_out_;
};

// One JWK (RFC 7517 4); `use` and `key_ops` must allow verification, and `alg`, if there, is the only algorithm.
[[nodiscard]] base::Result<VerificationKey> key_from_jwk(const Object& jwk, base::Arena& arena,
                                                         const KeySetRules& rules = {});

}  // namespace crypto
