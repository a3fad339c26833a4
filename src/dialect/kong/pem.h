// Whether PEM texts are what a field wants: certificates, keys, and that they belong together. OpenSSL behind a narrow
// face.
#pragma once

#include <string>

namespace kong {

[[nodiscard]] bool is_public_key(const std::string& pem);
// Empty, or the fault in Kong's words.
[[nodiscard]] std::string certificate_fault(const std::string& pem);
[[nodiscard]] std::string private_key_fault(const std::string& pem);
[[nodiscard]] bool belong_together(const std::string& certificate, const std::string& key);
[[nodiscard]] bool same_key_type(const std::string& certificate, const std::string& other);
[[nodiscard]] std::string ca_certificate_fault(const std::string& pem);
// Lower-case hexadecimal SHA-1, Kong's stored form of basic-auth passwords.
[[nodiscard]] std::string sha1_hex(const std::string& text);

}  // namespace kong
