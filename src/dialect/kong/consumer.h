// consumer, consumer_group and the credentials that plugins own (contract 1.5).
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "dialect/kong/common.h"

namespace kong {

struct Consumer {
    static constexpr std::string_view title = "consumer";
    static constexpr std::string_view description = "Somebody who calls, known by credentials.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::optional<std::string> username;
    std::optional<std::string> custom_id;
    std::optional<std::int32_t> type;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(id_field<Consumer>(), created_field<Consumer>(), updated_field<Consumer>(),
                              field("username", &Consumer::username, "Unique name."),
                              field("custom_id", &Consumer::custom_id, "Its unique name in another system."),
                              field("type", &Consumer::type, "0 = a consumer; kept for tools."),
                              tags_field<Consumer>());
    }
    void check(schema::Checks& checks) const;
};

struct ConsumerGroup {
    static constexpr std::string_view title = "consumer_group";
    static constexpr std::string_view description = "Consumers that share plugins.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string name;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        return schema::fields(id_field<ConsumerGroup>(), created_field<ConsumerGroup>(), updated_field<ConsumerGroup>(),
                              schema::field("name", &ConsumerGroup::name, "Unique name.").required(),
                              tags_field<ConsumerGroup>());
    }
};

struct Acl {
    static constexpr std::string_view title = "acl";
    static constexpr std::string_view description = "A group a consumer is in, for the acl plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string group;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        return schema::fields(id_field<Acl>(), created_field<Acl>(), updated_field<Acl>(),
                              schema::field("consumer", &Acl::consumer, "Whose it is."),
                              schema::field("group", &Acl::group, "Name of the group.").required(), tags_field<Acl>());
    }
};

struct KeyauthCredential {
    static constexpr std::string_view title = "keyauth_credential";
    static constexpr std::string_view description = "A key for the key-auth plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string key;
    std::optional<std::int64_t> ttl;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<KeyauthCredential>(), created_field<KeyauthCredential>(), updated_field<KeyauthCredential>(),
            field("consumer", &KeyauthCredential::consumer, "Whose it is."),
            field("key", &KeyauthCredential::key, "Unique key; made up if absent.").secret().referenceable(),
            field("ttl", &KeyauthCredential::ttl, "Seconds until it ends.").between(0, 100000000),
            tags_field<KeyauthCredential>());
    }
};

struct BasicauthCredential {
    static constexpr std::string_view title = "basicauth_credential";
    static constexpr std::string_view description = "A user for the basic-auth plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string username;
    std::string password;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<BasicauthCredential>(), created_field<BasicauthCredential>(), updated_field<BasicauthCredential>(),
            field("consumer", &BasicauthCredential::consumer, "Whose it is."),
            field("username", &BasicauthCredential::username, "Unique name.").required(),
            field("password", &BasicauthCredential::password, "In clear, or hashed under `_transform: false`.")
                .required()
                .secret()
                .referenceable(),
            tags_field<BasicauthCredential>());
    }
};

struct HmacauthCredential {
    static constexpr std::string_view title = "hmacauth_credential";
    static constexpr std::string_view description = "A user for the hmac-auth plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string username;
    std::string secret;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(id_field<HmacauthCredential>(), created_field<HmacauthCredential>(),
                              updated_field<HmacauthCredential>(),
                              field("consumer", &HmacauthCredential::consumer, "Whose it is."),
                              field("username", &HmacauthCredential::username, "Unique name.").required(),
                              field("secret", &HmacauthCredential::secret, "Key of the HMAC; made up if absent.")
                                  .secret()
                                  .referenceable(),
                              tags_field<HmacauthCredential>());
    }
};

struct JwtSecret {
    static constexpr std::string_view title = "jwt_secret";
    static constexpr std::string_view description = "A key for the jwt plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string key;
    std::string secret;
    std::optional<std::string> rsa_public_key;
    std::string algorithm = "HS256";
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<JwtSecret>(), created_field<JwtSecret>(), updated_field<JwtSecret>(),
            field("consumer", &JwtSecret::consumer, "Whose it is."),
            field("key", &JwtSecret::key, "Unique; what the token's key claim says; made up if absent."),
            field("secret", &JwtSecret::secret, "Key of the HS algorithms; made up if absent.")
                .secret()
                .referenceable(),
            field("rsa_public_key", &JwtSecret::rsa_public_key, "Public key in PEM form, of any kind.").referenceable(),
            field("algorithm", &JwtSecret::algorithm, "How tokens are signed.")
                .one_of("HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256",
                        "PS384", "PS512", "EdDSA"),
            tags_field<JwtSecret>());
    }
    void check(schema::Checks& checks) const;
};

struct Oauth2Credential {
    static constexpr std::string_view title = "oauth2_credential";
    static constexpr std::string_view description = "A client for the oauth2 plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string name;
    std::string client_id;
    std::string client_secret;
    bool hash_secret = false;
    std::vector<std::string> redirect_uris;
    std::string client_type = "confidential";
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Oauth2Credential>(), created_field<Oauth2Credential>(), updated_field<Oauth2Credential>(),
            field("consumer", &Oauth2Credential::consumer, "Whose it is."),
            field("name", &Oauth2Credential::name, "Name of the client.").required(),
            field("client_id", &Oauth2Credential::client_id, "Unique; made up if absent."),
            field("client_secret", &Oauth2Credential::client_secret, "Made up if absent.").secret().referenceable(),
            field("hash_secret", &Oauth2Credential::hash_secret, "Whether the secret is kept hashed."),
            field("redirect_uris", &Oauth2Credential::redirect_uris, "Absolute URIs without fragment.")
                .matches(redirect_uri_format),
            field("client_type", &Oauth2Credential::client_type, "Kind of client.").one_of("confidential", "public"),
            tags_field<Oauth2Credential>());
    }
};

struct MtlsAuthCredential {
    static constexpr std::string_view title = "mtls_auth_credential";
    static constexpr std::string_view description = "A certificate subject for the mtls-auth plugin.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    Reference consumer;
    std::string subject_name;
    Reference ca_certificate;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<MtlsAuthCredential>(), created_field<MtlsAuthCredential>(), updated_field<MtlsAuthCredential>(),
            field("consumer", &MtlsAuthCredential::consumer, "Whose it is."),
            field("subject_name", &MtlsAuthCredential::subject_name, "Name in the certificate.").required(),
            field("ca_certificate", &MtlsAuthCredential::ca_certificate, "Its issuer."),
            tags_field<MtlsAuthCredential>());
    }
};

}  // namespace kong
