#include "dialect/kong/pem.h"

#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <memory>

namespace kong {
namespace {

template <auto Free>
struct Freed {
    template <typename T>
    void operator()(T* object) const {
        Free(object);
    }
};
using Text = std::unique_ptr<BIO, Freed<BIO_free>>;
using Certificate = std::unique_ptr<X509, Freed<X509_free>>;
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;

// A PEM with a passphrase must never make the program ask for one.
int no_passphrase(char*, int, int, void*) { return 0; }

Text open(const std::string& pem) { return Text(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size()))); }
Certificate certificate_of(const std::string& pem) {
    Text text = open(pem);
    return Certificate(PEM_read_bio_X509(text.get(), nullptr, no_passphrase, nullptr));
}
Key private_key_of(const std::string& pem) {
    Text text = open(pem);
    return Key(PEM_read_bio_PrivateKey(text.get(), nullptr, no_passphrase, nullptr));
}

}  // namespace

bool is_public_key(const std::string& pem) {
    Text text = open(pem);
    if (Key(PEM_read_bio_PUBKEY(text.get(), nullptr, no_passphrase, nullptr))) return true;
    return certificate_of(pem) != nullptr;
}
std::string certificate_fault(const std::string& pem) {
    return certificate_of(pem) ? std::string() : std::string("invalid certificate: cannot be read as PEM");
}
std::string private_key_fault(const std::string& pem) {
    return private_key_of(pem) ? std::string() : std::string("invalid key: cannot be read as PEM");
}
bool belong_together(const std::string& certificate, const std::string& key) {
    Certificate chain = certificate_of(certificate);
    Key secret = private_key_of(key);
    return chain && secret && X509_check_private_key(chain.get(), secret.get()) == 1;
}
bool same_key_type(const std::string& certificate, const std::string& other) {
    Certificate one = certificate_of(certificate);
    Certificate two = certificate_of(other);
    if (!one || !two) return false;
    EVP_PKEY* first = X509_get0_pubkey(one.get());
    EVP_PKEY* second = X509_get0_pubkey(two.get());
    return first != nullptr && second != nullptr && EVP_PKEY_get_base_id(first) == EVP_PKEY_get_base_id(second);
}
std::string ca_certificate_fault(const std::string& pem) {
    constexpr std::string_view head = "-----BEGIN ";
    std::size_t first = pem.find(head);
    if (first != std::string::npos && pem.find(head, first + 1) != std::string::npos) {
        return "please submit only one certificate at a time";
    }
    Certificate certificate = certificate_of(pem);
    if (!certificate) return "invalid certificate: cannot be read as PEM";
    if (X509_check_ca(certificate.get()) == 0) {
        return "certificate does not appear to be a CA because it does not have the \"CA\" basic constraint";
    }
    return {};
}
std::string sha1_hex(const std::string& text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned length = 0;
    EVP_Digest(text.data(), text.size(), digest, &length, EVP_sha1(), nullptr);
    std::string out;
    for (unsigned i = 0; i < length; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

}  // namespace kong
