// Tokens from anybody: parsing never fails otherwise than by refusing, and what is parsed has the parts that it says.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/ensure.h"
#include "crypto/jws.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    std::string_view text(reinterpret_cast<const char*>(data), size);
    base::Arena arena;
    auto token = crypto::Token::parse(text, arena);
    if (!token) return 0;
    ensure(text.starts_with(token->signed_text()));
    ensure(token->header().string("alg") == crypto::name(token->algorithm()));
    ensure(!token->header().has("crit"));
    if (auto claims = token->claims(arena)) (void)claims->number("exp");
    return 0;
}
