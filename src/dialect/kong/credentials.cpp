// Credentials, vaults and the entities that are only checked (certificates, keys): their part of a load.
#include <fmt/format.h>

#include "dialect/kong/consumer.h"
#include "dialect/kong/loader.h"
#include "dialect/kong/security.h"

namespace kong {

using gateway::Index;
using schema::Kind;
using schema::Node;
using schema::Reader;

std::string Loader::made_up() {
    constexpr std::string_view alphabet = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    constexpr std::size_t length = 32;
    std::string out;
    if (!options_.random) return out;
    while (out.size() < length) out += alphabet[options_.random() % alphabet.size()];
    return out;
}

namespace {

using FieldTexts = std::vector<std::pair<std::string, std::string>>;

FieldTexts fields_of(const Acl& acl) { return {{"group", acl.group}}; }
FieldTexts fields_of(const KeyauthCredential& credential) {
    FieldTexts out{{"key", credential.key}};
    if (credential.ttl) out.emplace_back("ttl", std::to_string(*credential.ttl));
    if (credential.ttl && credential.created_at)
        out.emplace_back("created_at", std::to_string(static_cast<std::int64_t>(*credential.created_at)));
    return out;
}
FieldTexts fields_of(const BasicauthCredential& credential) {
    return {{"username", credential.username}, {"password", credential.password}};
}
FieldTexts fields_of(const HmacauthCredential& credential) {
    return {{"username", credential.username}, {"secret", credential.secret}};
}
FieldTexts fields_of(const JwtSecret& secret) {
    FieldTexts out{{"key", secret.key}, {"secret", secret.secret}, {"algorithm", secret.algorithm}};
    if (secret.rsa_public_key) out.emplace_back("rsa_public_key", *secret.rsa_public_key);
    return out;
}
FieldTexts fields_of(const Oauth2Credential& credential) {
    FieldTexts out{{"name", credential.name},
                   {"client_id", credential.client_id},
                   {"client_secret", credential.client_secret},
                   {"client_type", credential.client_type},
                   {"hash_secret", credential.hash_secret ? "true" : "false"}};
    for (const std::string& uri : credential.redirect_uris) out.emplace_back("redirect_uri", uri);
    return out;
}
FieldTexts fields_of(const MtlsAuthCredential& credential) {
    return {{"subject_name", credential.subject_name}, {"ca_certificate", credential.ca_certificate.text}};
}

// The field that is unique among all credentials of the kind.
template <typename Credential>
std::pair<std::string_view, std::string_view> unique_field(const Credential& credential) {
    if constexpr (requires { credential.username; }) return {"username", credential.username};
    if constexpr (requires { credential.client_id; }) return {"client_id", credential.client_id};
    if constexpr (requires { credential.key; }) return {"key", credential.key};
    return {};
}

}  // namespace

template <typename Entity>
Loader::Parent Loader::add_credential(File& file, EntityKind kind, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(kind);
    Entity credential;
    read(file, kind, node, credential);
    auto make_up = [&](std::string_view field, std::string& value) {
        const Node* given = node.find(field);
        if (value.empty() && (given == nullptr || given->is_null())) value = made_up();
    };
    if constexpr (requires { credential.key; }) make_up("key", credential.key);
    if constexpr (requires { credential.secret; }) make_up("secret", credential.secret);
    if constexpr (requires { credential.client_id; }) {
        make_up("client_id", credential.client_id);
        make_up("client_secret", credential.client_secret);
    }
    std::string key;
    if constexpr (requires { credential.username; }) {
        if (!credential.username.empty()) key = fmt::format("{}:*:{}", type.plural, credential.username);
    } else if constexpr (requires { credential.group; }) {
        std::string consumer = id_part(parent, EntityKind::consumer, credential.consumer);
        if (!consumer.empty() && !credential.group.empty())
            key = fmt::format("acls:*:{}:{}", consumer, credential.group);
    }
    auto index = static_cast<Index>(credentials_.size());
    auto [field, value] = unique_field(credential);
    LooseCredential out;
    out.credential.id = identify(type, credential.id, key, field == "username" && !key.empty(), node, parent, index);
    if (!value.empty()) declare(type, field, value, node, {index, out.credential.id, node.mark()});
    out.consumer = bind(type, type.parents[0], credential.consumer, node, parent, index, out.credential.id.text());
    out.credential.kind = type.plural;
    out.credential.fields = fields_of(credential);
    out.hash_password = kind == EntityKind::basicauth && file.transform;
    out.credential.tags = std::move(credential.tags);
    out.credential.mark = node.mark();
    base::Uuid id = out.credential.id;
    credentials_.push_back(std::move(out));
    return {&type, id, index};
}

template <typename Entity>
Loader::Parent Loader::add_plain(File& file, EntityKind kind, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(kind);
    Entity entity;
    read(file, kind, node, entity);
    std::string name;
    if constexpr (requires { std::string(entity.name); }) name = entity.name;
    if constexpr (requires { entity.name.value_or(""); }) name = entity.name.value_or("");
    Index index = counts_[kind]++;
    base::Uuid id = identify(type, entity.id, name, !name.empty(), node, parent, index);
    if (!name.empty()) declare(type, "name", name, node, {index, id, node.mark()});
    if constexpr (requires { entity.certificate; })
        (void)bind(type, type.parents[0], entity.certificate, node, parent, index, name);
    if constexpr (requires { entity.set; }) (void)bind(type, type.parents[0], entity.set, node, parent, index, name);
    gateway::Document& document = result_.document;
    if constexpr (std::is_same_v<Entity, Certificate>)
        document.certificates.push_back({id, std::move(entity.cert), std::move(entity.key),
                                         entity.cert_alt.value_or(""), entity.key_alt.value_or("")});
    if constexpr (std::is_same_v<Entity, Sni>)
        document.server_names.push_back({name, parent.type != nullptr ? parent.id : base::Uuid{}});
    if constexpr (std::is_same_v<Entity, CaCertificate>)
        document.ca_certificates.push_back({id, std::move(entity.cert)});
    return {&type, id, index};
}

template Loader::Parent Loader::add_credential<Acl>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_credential<KeyauthCredential>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_credential<BasicauthCredential>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_credential<HmacauthCredential>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_credential<JwtSecret>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_credential<Oauth2Credential>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_credential<MtlsAuthCredential>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_plain<Certificate>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_plain<Sni>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_plain<CaCertificate>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_plain<KeySet>(File&, EntityKind, const Node&, const Parent&);
template Loader::Parent Loader::add_plain<Key>(File&, EntityKind, const Node&, const Parent&);

Loader::Parent Loader::add_vault(File& file, const Node& node, const Parent& parent) {
    const EntityType& type = entity_type(EntityKind::vault);
    Vault vault;
    read(file, EntityKind::vault, node, vault);
    Index index = counts_[EntityKind::vault]++;
    std::string key = vault.prefix.empty() ? std::string() : fmt::format("vaults:*:{}", vault.prefix);
    base::Uuid id = identify(type, vault.id, key, !key.empty(), node, parent, index);
    if (!vault.prefix.empty()) declare(type, "prefix", vault.prefix, node, {index, id, node.mark()});
    if (vault.name == "env") {
        EnvironmentVault environment;
        if (vault.config != nullptr) {
            Reader::Under under(reader_, "config");
            if (const Node* prefix = vault.config->find("prefix"); prefix != nullptr && prefix->is(Kind::text))
                environment.variable_prefix = prefix->text();
            for (const schema::Member& member : vault.config->members()) {
                std::string_view name = member.key.text();
                if (name == "prefix" || name == "base64_decode") continue;
                Reader::Under field(reader_, name);
                reader_.problem(member.key.mark(), "unknown field");
            }
        }
        if (!vault.prefix.empty()) vaults_[vault.prefix] = environment;
    } else if (!vault.name.empty()) {
        Reader::Under under(reader_, "name");
        reader_.problem(
            node.find("name")->mark(),
            fmt::format("vaults of kind '{}' are not served by this version: what they hold would be missing",
                        vault.name),
            "use a vault of kind `env`");
    }
    return {&type, id, index};
}

}  // namespace kong
