#include "crypto/jws.h"

#include "crypto/base64.h"

namespace crypto {
namespace {

base::Error refused(const char* why) { return base::Error::client(base::Code::malformed, why); }

}  // namespace

base::Result<Token> Token::parse(std::string_view compact, base::Arena& arena) {
    if (compact.size() > longest) return base::Error::client(base::Code::too_large, "too large");
    std::size_t first = compact.find('.');
    if (first == std::string_view::npos) return refused("invalid JSON");
    std::size_t second = compact.find('.', first + 1);
    if (second == std::string_view::npos || compact.find('.', second + 1) != std::string_view::npos) {
        return refused("invalid JSON");
    }
    Token token;
    token.signed_text_ = compact.substr(0, second);
    auto header = decode_base64url(compact.substr(0, first), arena);
    auto payload = decode_base64url(compact.substr(first + 1, second - first - 1), arena);
    if (!header || !payload) return refused("invalid JSON");
    token.payload_ = *payload;
    TRY(members, Object::parse(*header, arena, Object::Unique::everywhere));
    token.header_ = members;
    auto name = members.string("alg");
    auto known = name ? crypto::algorithm(*name) : std::nullopt;
    if (!known) return refused("invalid alg");
    token.algorithm_ = *known;
    if (members.has("crit")) return refused("invalid crit");
    auto signature = decode_base64url(compact.substr(second + 1), arena);
    if (!signature) return refused("invalid signature");
    token.signature_ = *signature;
    return token;
}

base::Result<Object> Token::claims(base::Arena& arena) const {
    auto members = Object::parse(payload_, arena, Object::Unique::here);
    if (!members) return refused("invalid claims");
    return members;
}

}  // namespace crypto
