// What holds for any bytes that are read as a token or a key set; used by the fuzz targets and by the tests that replay
// their seeds.
#pragma once

#include <string>
#include <string_view>

#include "base/ensure.h"
#include "crypto/base64.h"
#include "crypto/jwks.h"
#include "crypto/jws.h"

namespace crypto {

inline void check_object(std::string_view text, Object::Unique unique) {
    base::Arena arena;
    auto object = Object::parse(text, arena, unique);
    if (!object) return;
    for (std::string_view name : {"alg", "kid", "iss", "exp", "aud", "scope", ""}) {
        const Value* value = object->find(name);
        if (value == nullptr) continue;
        (void)value->number();
        Elements elements(*value, arena);
        std::size_t count = 0;
        while (elements.next()) ++count;
        ensure(count <= text.size(), count);
        if (unique == Object::Unique::everywhere && value->is(Value::Kind::object)) {
            ensure(Object::parse(value->text, arena, unique).ok());
        }
    }
    ensure(Object::parse(text, arena).ok());  // the less strict reading takes it too
}

inline void check_token(std::string_view compact) {
    base::Arena arena;
    auto token = Token::parse(compact, arena);
    if (!token) return;
    ensure(compact.size() <= Token::longest);
    ensure(std::string(token->signed_text()) + "." + base64url(token->signature()) == compact);
    ensure(token->header().string("alg") == name(token->algorithm()));
    ensure(!token->header().has("crit"));
    (void)token->claims(arena);
    static const auto key = VerificationKey::from_secret("nobody knows this", Algorithms::all());
    ensure(!key->verify(token->algorithm(), token->signed_text(), token->signature()));
}

// The first byte picks what is read: a bare header or payload, which a mutator reaches without base64 in its way, or a
// whole token.
inline void check_token_input(std::string_view input) {
    if (input.empty()) return;
    std::string_view text = input.substr(1);
    switch (input.front()) {
        case 'h':
            return check_object(text, Object::Unique::everywhere);
        case 'c':
            return check_object(text, Object::Unique::here);
        default:
            return check_token(text);
    }
}

inline void check_key_set(std::string_view text) {
    KeySetRules rules{.secrets = KeySetRules::Secrets::allowed};
    auto set = KeySet::parse(text, rules);
    if (!set) return;
    ensure(set->size() + set->left_out().size() <= rules.most_keys, set->size());
    for (std::size_t i = 0; i < algorithm_count; ++i) {
        auto algorithm = static_cast<Algorithm>(i);
        for (const VerificationKey* key : {set->find("k", algorithm), set->find_only(algorithm)}) {
            if (key == nullptr) continue;
            ensure(key->algorithms().has(algorithm));
            ensure(!key->verify(algorithm, "message", "not a signature"));
        }
    }
}

}  // namespace crypto
