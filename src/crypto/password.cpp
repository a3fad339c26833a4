#include "crypto/password.h"

#include <crypt.h>
#include <fmt/format.h>
#include <openssl/crypto.h>

#include <algorithm>
#include <charconv>
#include <memory>

#include "crypto/base64.h"
#include "crypto/hmac.h"
#include "crypto/openssl.h"

namespace crypto {
namespace {

using base::Code;
using base::Error;
using base::Result;

constexpr std::string_view crypt_digits = "./0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
constexpr std::string_view pbkdf2_mark = "$pbkdf2-sha256$";

Error refused(std::string_view why) { return Error::us(Code::invalid, std::string(why)); }

bool has_only_crypt_digits(std::string_view text) {
    return text.find_first_not_of(crypt_digits) == std::string_view::npos;
}

std::optional<unsigned> whole_number(std::string_view text) {
    unsigned out = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    if (error != std::errc() || end != text.data() + text.size() || text.empty()) return std::nullopt;
    return out;
}

// Up to the next '$', which goes too.
std::string_view take_field(std::string_view& rest) {
    std::size_t end = std::min(rest.find('$'), rest.size());
    std::string_view field = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    return field;
}

// $2b$NN$ and 22 digits of salt, 31 of hash
Result<void> check_bcrypt(std::string_view text) {
    std::string_view rest = text.substr(4);
    auto cost = whole_number(take_field(rest));
    if (!cost || text.size() != 60 || rest.size() != 53 || !has_only_crypt_digits(rest)) {
        return refused("not a whole bcrypt hash");
    }
    if (*cost < 4 || *cost > PasswordHash::highest_bcrypt_cost) {
        return refused(fmt::format("a bcrypt hash with a cost outside 4 to {}", PasswordHash::highest_bcrypt_cost));
    }
    return base::success();
}

// $6$ [rounds=N$] salt $ hash
Result<void> check_sha_crypt(std::string_view text, std::size_t hash_size) {
    std::string_view rest = text.substr(3);
    if (constexpr std::string_view mark = "rounds="; rest.starts_with(mark)) {
        rest.remove_prefix(mark.size());
        auto rounds = whole_number(take_field(rest));
        if (!rounds || *rounds < 1000 || *rounds > PasswordHash::most_sha_crypt_rounds) {
            return refused(
                fmt::format("a SHA-crypt hash with rounds outside 1000 to {}", PasswordHash::most_sha_crypt_rounds));
        }
    }
    std::string_view salt = take_field(rest);
    if (salt.empty() || salt.size() > 16 || rest.size() != hash_size || !has_only_crypt_digits(rest)) {
        return refused("not a whole SHA-crypt hash");
    }
    return base::success();
}

// $y$ flavour, log2 N, r $ salt $ hash; the two numbers as single digits, as libxcrypt writes them
Result<void> check_yescrypt(std::string_view text) {
    std::string_view rest = text.substr(3);
    std::string_view cost = take_field(rest);
    std::string_view salt = take_field(rest);
    if (cost.size() != 3 || cost[0] != 'j' || !has_only_crypt_digits(cost) || salt.empty() || rest.size() != 43 ||
        !has_only_crypt_digits(rest)) {
        return refused("not a whole yescrypt hash with the usual parameters");
    }
    std::size_t log_n = crypt_digits.find(cost[1]) + 1;
    std::size_t r = crypt_digits.find(cost[2]) + 1;
    if (log_n > 20 || (128 * r << log_n) > PasswordHash::most_yescrypt_memory) {
        return refused("a yescrypt hash that takes more than 64 MiB");
    }
    return base::success();
}

// passlib's base64: no padding, '.' for '+'
std::optional<std::string> decode_adapted(std::string_view text) {
    std::string standard(text);
    std::replace(standard.begin(), standard.end(), '.', '+');
    return decode_base64(standard, Padding::forbidden);
}

}  // namespace

bool PasswordHash::is_meant(std::string_view text) {
    for (std::string_view mark : {"$2a$", "$2b$", "$2y$", "$5$", "$6$", "$y$", "$pbkdf2-"}) {
        if (text.starts_with(mark)) return true;
    }
    return false;
}

Result<PasswordHash> PasswordHash::parse(std::string_view text) {
    if (text.find('\0') != std::string_view::npos) return refused("not a password hash");
    if (text.starts_with("$pbkdf2-")) return parse_pbkdf2(text);
    if (text.starts_with("$2a$") || text.starts_with("$2b$") || text.starts_with("$2y$")) {
        TRY_VOID(check_bcrypt(text));
    } else if (text.starts_with("$5$")) {
        TRY_VOID(check_sha_crypt(text, 43));
    } else if (text.starts_with("$6$")) {
        TRY_VOID(check_sha_crypt(text, 86));
    } else if (text.starts_with("$y$")) {
        TRY_VOID(check_yescrypt(text));
    } else {
        return refused("not a password hash");
    }
    PasswordHash out;
    out.crypt_text_ = text;
    return out;
}

Result<PasswordHash> PasswordHash::parse_pbkdf2(std::string_view text) {
    if (!text.starts_with(pbkdf2_mark)) return refused("a PBKDF2 hash over another digest than SHA-256");
    std::string_view rest = text.substr(pbkdf2_mark.size());
    auto rounds = whole_number(take_field(rest));
    auto salt = decode_adapted(take_field(rest));
    auto key = decode_adapted(rest);
    if (!rounds || !salt || !key || salt->empty() || key->size() != 32) return refused("not a whole PBKDF2 hash");
    if (*rounds < fewest_pbkdf2_rounds || *rounds > most_pbkdf2_rounds) {
        return refused(
            fmt::format("a PBKDF2 hash with rounds outside {} to {}", fewest_pbkdf2_rounds, most_pbkdf2_rounds));
    }
    PasswordHash out;
    out.pbkdf2_ = Pbkdf2{*rounds, std::move(*salt), std::move(*key)};
    return out;
}

bool PasswordHash::verify(std::string_view password) const {
    if (password.size() > longest_password) return false;
    // crypt(3) ends a password at its first NUL, and HMAC fills a short key with NULs: "a\0" would be as good as "a".
    if (password.find('\0') != std::string_view::npos) return false;
    if (pbkdf2_) {
        unsigned char key[32];
        if (PKCS5_PBKDF2_HMAC(password.data(), static_cast<int>(password.size()), bytes_of(pbkdf2_->salt),
                              static_cast<int>(pbkdf2_->salt.size()), static_cast<int>(pbkdf2_->rounds),
                              evp_digest(Hash::sha256), sizeof key, key) != 1) {
            return false;
        }
        return equal_in_constant_time({reinterpret_cast<const char*>(key), sizeof key}, pbkdf2_->key);
    }
    std::string ended(password);
    auto scratch = std::make_unique<crypt_data>();  // 32 KiB, and each thread needs its own
    const char* made = crypt_r(ended.c_str(), crypt_text_.c_str(), scratch.get());
    bool same = made != nullptr && equal_in_constant_time(made, crypt_text_);
    OPENSSL_cleanse(ended.data(), ended.size());
    OPENSSL_cleanse(scratch.get(), sizeof *scratch);
    return same;
}

}  // namespace crypto
