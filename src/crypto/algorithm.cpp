#include "crypto/algorithm.h"

namespace crypto {
namespace {

constexpr std::string_view names[algorithm_count] = {"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256",
                                                     "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"};

}  // namespace

std::optional<Algorithm> algorithm(std::string_view name) {
    for (std::size_t i = 0; i < algorithm_count; ++i) {
        if (names[i] == name) return static_cast<Algorithm>(i);
    }
    return std::nullopt;
}

std::string_view name(Algorithm algorithm) { return names[static_cast<std::size_t>(algorithm)]; }

}  // namespace crypto
