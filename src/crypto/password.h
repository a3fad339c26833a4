// PasswordHash: a password kept as the output of a costly function, in the forms that htpasswd, mkpasswd and passlib
// write: bcrypt ($2b$, $2y$, $2a$), SHA-crypt ($5$, $6$), yescrypt ($y$) and PBKDF2 ($pbkdf2-sha256$). What one check
// may cost is bounded when the hash is read. A check takes milliseconds to a quarter of a second: never on a loop's
// thread. Const, and used from any thread at once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace crypto {

class PasswordHash {
  public:
    static constexpr unsigned highest_bcrypt_cost = 13;
    static constexpr unsigned most_sha_crypt_rounds = 500'000;
    static constexpr std::size_t most_yescrypt_memory = 64U << 20;
    static constexpr unsigned most_pbkdf2_rounds = 2'000'000;
    static constexpr unsigned fewest_pbkdf2_rounds = 1'000;
    static constexpr std::size_t longest_password = 512;  // crypt(3) takes no longer ones

    // Whether a text claims to be such a hash, by its first letters.
    [[nodiscard]] static bool is_meant(std::string_view text);
    // The error's detail never holds the text.
    static base::Result<PasswordHash> parse(std::string_view text);

    [[nodiscard]] bool verify(std::string_view password) const;

  private:
    struct Pbkdf2 {
        unsigned rounds = 0;
        std::string salt;
        std::string key;
    };
    PasswordHash() = default;
    static base::Result<PasswordHash> parse_pbkdf2(std::string_view text);
    std::string crypt_text_;  // for crypt(3), or empty
    std::optional<Pbkdf2> pbkdf2_;
};

}  // namespace crypto
