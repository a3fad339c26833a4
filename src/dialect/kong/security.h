// certificate, sni, ca_certificate, vault, key_set and key (contract 1.5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialect/kong/common.h"

namespace kong {

struct Certificate {
    static constexpr std::string_view title = "certificate";
    static constexpr std::string_view description = "A certificate chain and its private key.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string cert;
    std::string key;
    std::optional<std::string> cert_alt;
    std::optional<std::string> key_alt;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Certificate>(), created_field<Certificate>(), updated_field<Certificate>(),
            field("cert", &Certificate::cert, "Certificate chain, PEM.").required().referenceable(),
            field("key", &Certificate::key, "Private key, PEM.").required().secret().referenceable(),
            field("cert_alt", &Certificate::cert_alt, "The same of another key type.").referenceable(),
            field("key_alt", &Certificate::key_alt, "The same of another key type.").secret().referenceable(),
            tags_field<Certificate>());
    }
    void check(schema::Checks& checks) const;
};

struct Sni {
    static constexpr std::string_view title = "sni";
    static constexpr std::string_view description = "A server name that a certificate is shown for.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string name;
    Reference certificate;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        return schema::fields(
            id_field<Sni>(), created_field<Sni>(), updated_field<Sni>(),
            schema::field("name", &Sni::name, "Unique server name; `*` may stand for the first or the last label.")
                .required()
                .matches(server_name_format),
            schema::field("certificate", &Sni::certificate, "The certificate."), tags_field<Sni>());
    }
};

struct CaCertificate {
    static constexpr std::string_view title = "ca_certificate";
    static constexpr std::string_view description = "A certificate authority that is trusted where it is named.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string cert;
    std::optional<std::string> cert_digest;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        return schema::fields(id_field<CaCertificate>(), created_field<CaCertificate>(), updated_field<CaCertificate>(),
                              schema::field("cert", &CaCertificate::cert, "One CA certificate, PEM.").required(),
                              schema::field("cert_digest", &CaCertificate::cert_digest, "SHA-256 of it; computed."),
                              tags_field<CaCertificate>());
    }
    void check(schema::Checks& checks) const;
};

struct Vault {
    static constexpr std::string_view title = "vault";
    static constexpr std::string_view description = "A named place of secrets that `{vault://prefix/...}` refers to.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string prefix;
    std::string name;
    std::optional<std::string> description_text;
    const schema::Node* config = nullptr;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Vault>(), created_field<Vault>(), updated_field<Vault>(),
            field("prefix", &Vault::prefix, "Unique name used in references.").required().matches(vault_prefix_format),
            field("name", &Vault::name, "Kind of vault; `env` is served.")
                .required()
                .one_of("env", "aws", "gcp", "azure", "hcv", "conjur"),
            field("description", &Vault::description_text, "For people."),
            field("config", &Vault::config, "For `env`: `prefix`, put in front of the variable's name."),
            tags_field<Vault>());
    }
};

struct KeySet {
    static constexpr std::string_view title = "key_set";
    static constexpr std::string_view description = "A named set of keys.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::optional<std::string> name;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        return schema::fields(id_field<KeySet>(), created_field<KeySet>(), updated_field<KeySet>(),
                              schema::field("name", &KeySet::name, "Unique name."), tags_field<KeySet>());
    }
};

struct PemKeys {
    std::optional<std::string> private_key;
    std::optional<std::string> public_key;
    static constexpr auto fields() {
        return schema::fields(schema::field("private_key", &PemKeys::private_key, "PEM.").secret().referenceable(),
                              schema::field("public_key", &PemKeys::public_key, "PEM.").referenceable());
    }
};

struct Key {
    static constexpr std::string_view title = "key";
    static constexpr std::string_view description = "A key as JWK or PEM.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::optional<std::string> name;
    std::string kid;
    Reference set;
    std::optional<std::string> jwk;
    std::optional<PemKeys> pem;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(id_field<Key>(), created_field<Key>(), updated_field<Key>(),
                              field("name", &Key::name, "Unique name."),
                              field("kid", &Key::kid, "Id of the key inside its set.").required(),
                              field("set", &Key::set, "The key set."),
                              field("jwk", &Key::jwk, "The key as JSON text.").secret().referenceable(),
                              field("pem", &Key::pem, "The key as PEM."), tags_field<Key>());
    }
    void check(schema::Checks& checks) const;
};

}  // namespace kong
