#include "dialect/kong/registry.h"

#include <algorithm>
#include <array>
#include <map>

#include "dialect/kong/consumer.h"
#include "dialect/kong/plugin.h"
#include "dialect/kong/route.h"
#include "dialect/kong/security.h"
#include "dialect/kong/service.h"
#include "dialect/kong/upstream.h"

namespace kong {
namespace {

template <typename Entity>
EntityType described(EntityKind kind, std::string_view plural, std::string_view key,
                     std::vector<ForeignKey> parents = {}) {
    return {.kind = kind,
            .plural = plural,
            .singular = Entity::title,
            .key = key,
            .record = &schema::record_of<Entity>,
            .description = Entity::description,
            .parents = std::move(parents)};
}

template <typename Credential>
EntityType credential(EntityKind kind, std::string_view plural, std::string_view plugin) {
    EntityType type = described<Credential>(kind, plural, {}, {{"consumer", EntityKind::consumer, true}});
    type.served_by = plugin;
    type.reason = "nothing reads them until that plugin is served";
    return type;
}

EntityType known_by_name(std::string_view plural, bool guards, std::string_view reason) {
    return {.kind = EntityKind::unread, .plural = plural, .singular = plural, .guards = guards, .reason = reason};
}

std::vector<EntityType> make_types() {
    using enum EntityKind;
    std::vector<EntityType> types{
        described<Vault>(vault, "vaults", "prefix"),
        described<Certificate>(certificate, "certificates", ""),
        described<Sni>(sni, "snis", "name", {{"certificate", certificate, true}}),
        described<CaCertificate>(ca_certificate, "ca_certificates", ""),
        described<Upstream>(upstream, "upstreams", "name", {{"client_certificate", certificate}}),
        described<Target>(target, "targets", "", {{"upstream", upstream, true}}),
        described<ConsumerGroup>(consumer_group, "consumer_groups", "name"),
        described<Consumer>(consumer, "consumers", "username"),
        credential<Acl>(acl, "acls", "acl"),
        credential<KeyauthCredential>(keyauth, "keyauth_credentials", "key-auth"),
        credential<BasicauthCredential>(basicauth, "basicauth_credentials", "basic-auth"),
        credential<HmacauthCredential>(hmacauth, "hmacauth_credentials", "hmac-auth"),
        credential<JwtSecret>(jwt, "jwt_secrets", "jwt"),
        credential<Oauth2Credential>(oauth2, "oauth2_credentials", "oauth2"),
        credential<MtlsAuthCredential>(mtls, "mtls_auth_credentials", "mtls-auth"),
        described<Service>(service, "services", "name", {{"client_certificate", certificate}}),
        described<Route>(route, "routes", "name", {{"service", service}}),
        described<Plugin>(
            plugin, "plugins", "",
            {{"service", service}, {"route", route}, {"consumer", consumer}, {"consumer_group", consumer_group}}),
        described<KeySet>(key_set, "key_sets", "name"),
        described<Key>(key, "keys", "name", {{"set", key_set}}),
    };
    for (EntityType& type : types) {
        if (type.kind == certificate || type.kind == sni || type.kind == ca_certificate) {
            type.guards = true;
            type.reason = "connections would be made or taken without the certificates that are asked for";
        } else if (type.kind == key || type.kind == key_set) {
            type.reason = "nothing reads them";
        }
    }
    constexpr std::string_view wasm = "a filter may refuse requests";
    constexpr std::string_view access = "it limits who may administer";
    constexpr std::string_view stored = "it is state that Kong keeps for itself";
    types.push_back(known_by_name("filter_chains", true, wasm));
    types.push_back(known_by_name("rbac_roles", true, access));
    types.push_back(known_by_name("rbac_endpoint_permissions", true, access));
    types.push_back(known_by_name("rbac_users", true, access));
    types.push_back(known_by_name("partials", false, "plugins that refer to them are listed by themselves"));
    types.push_back(known_by_name("workspaces", false, "there is one workspace"));
    types.push_back(known_by_name("licenses", false, "nothing here needs one"));
    types.push_back(known_by_name("custom_plugins", true, "its code may refuse requests"));
    for (std::string_view plural :
         {"parameters", "acme_storage", "oauth2_tokens", "oauth2_authorization_codes", "ratelimiting_metrics",
          "response_ratelimiting_metrics", "sessions", "keyauth_enc_credentials", "degraphql_routes",
          "graphql_ratelimiting_cost_decorations", "consumer_group_plugins", "files", "event_hooks", "document_objects",
          "custom_entities", "service_versions", "service_packages"}) {
        types.push_back(known_by_name(plural, false, stored));
    }
    return types;
}

constexpr std::array plugins{
    KnownPlugin{"acl", true},
    KnownPlugin{"acme", false},
    KnownPlugin{"ai-audit-log", false},
    KnownPlugin{"ai-aws-guardrails", true},
    KnownPlugin{"ai-azure-content-safety", true},
    KnownPlugin{"ai-gcp-model-armor", true},
    KnownPlugin{"ai-lakera-guard", true},
    KnownPlugin{"ai-llm-as-judge", false},
    KnownPlugin{"ai-mcp-oauth2", true},
    KnownPlugin{"ai-mcp-proxy", false},
    KnownPlugin{"ai-prompt-compressor", false},
    KnownPlugin{"ai-prompt-decorator", false},
    KnownPlugin{"ai-prompt-guard", true},
    KnownPlugin{"ai-prompt-template", false},
    KnownPlugin{"ai-proxy", false},
    KnownPlugin{"ai-proxy-advanced", false},
    KnownPlugin{"ai-rag-injector", false},
    KnownPlugin{"ai-rate-limiting-advanced", true},
    KnownPlugin{"ai-request-transformer", false},
    KnownPlugin{"ai-response-transformer", false},
    KnownPlugin{"ai-sanitizer", true},
    KnownPlugin{"ai-semantic-cache", false},
    KnownPlugin{"ai-semantic-prompt-guard", true},
    KnownPlugin{"ai-semantic-response-guard", true},
    KnownPlugin{"ace", true},
    KnownPlugin{"app-dynamics", false},
    KnownPlugin{"application-registration", true},
    KnownPlugin{"aws-lambda", false},
    KnownPlugin{"azure-functions", false},
    KnownPlugin{"basic-auth", true},
    KnownPlugin{"bot-detection", true},
    KnownPlugin{"canary", false},
    KnownPlugin{"circuit-breaker", false},
    KnownPlugin{"confluent", false},
    KnownPlugin{"confluent-consume", false},
    KnownPlugin{"correlation-id", false},
    KnownPlugin{"cors", false},
    KnownPlugin{"datadog", false},
    KnownPlugin{"datakit", false},
    KnownPlugin{"degraphql", false},
    KnownPlugin{"exit-transformer", false},
    KnownPlugin{"file-log", false},
    KnownPlugin{"forward-proxy", false},
    KnownPlugin{"graphql-proxy-cache-advanced", false},
    KnownPlugin{"graphql-rate-limiting-advanced", true},
    KnownPlugin{"grpc-gateway", false},
    KnownPlugin{"grpc-web", false},
    KnownPlugin{"header-cert-auth", true},
    KnownPlugin{"hmac-auth", true},
    KnownPlugin{"http-log", false},
    KnownPlugin{"injection-protection", true},
    KnownPlugin{"ip-restriction", true},
    KnownPlugin{"jq", false},
    KnownPlugin{"json-threat-protection", true},
    KnownPlugin{"jwe-decrypt", true},
    KnownPlugin{"jwt", true},
    KnownPlugin{"jwt-signer", true},
    KnownPlugin{"kafka-consume", false},
    KnownPlugin{"kafka-log", false},
    KnownPlugin{"kafka-upstream", false},
    KnownPlugin{"key-auth", true},
    KnownPlugin{"key-auth-enc", true},
    KnownPlugin{"ldap-auth", true},
    KnownPlugin{"ldap-auth-advanced", true},
    KnownPlugin{"loggly", false},
    KnownPlugin{"metering-and-billing", false},
    KnownPlugin{"mocking", false},
    KnownPlugin{"mtls-auth", true},
    KnownPlugin{"oas-validation", true},
    KnownPlugin{"oauth2", true},
    KnownPlugin{"oauth2-introspection", true},
    KnownPlugin{"opa", true},
    KnownPlugin{"openid-connect", true},
    KnownPlugin{"opentelemetry", false},
    KnownPlugin{"post-function", true},
    KnownPlugin{"pre-function", true},
    KnownPlugin{"prometheus", false},
    KnownPlugin{"proxy-cache", false},
    KnownPlugin{"proxy-cache-advanced", false},
    KnownPlugin{"rate-limiting", true},
    KnownPlugin{"rate-limiting-advanced", true},
    KnownPlugin{"redirect", false},
    KnownPlugin{"request-callout", true},
    KnownPlugin{"request-size-limiting", true},
    KnownPlugin{"request-termination", true},
    KnownPlugin{"request-transformer", false},
    KnownPlugin{"request-transformer-advanced", false},
    KnownPlugin{"request-validator", true},
    KnownPlugin{"response-ratelimiting", true},
    KnownPlugin{"response-transformer", false},
    KnownPlugin{"response-transformer-advanced", false},
    KnownPlugin{"route-by-header", false},
    KnownPlugin{"route-transformer-advanced", false},
    KnownPlugin{"saml", true},
    KnownPlugin{"service-protection", true},
    KnownPlugin{"session", true},
    KnownPlugin{"solace-consume", false},
    KnownPlugin{"solace-log", false},
    KnownPlugin{"solace-upstream", false},
    KnownPlugin{"standard-webhooks", true},
    KnownPlugin{"statsd", false},
    KnownPlugin{"statsd-advanced", false},
    KnownPlugin{"syslog", false},
    KnownPlugin{"tcp-log", false},
    KnownPlugin{"tls-handshake-modifier", true},
    KnownPlugin{"tls-metadata-headers", true},
    KnownPlugin{"udp-log", false},
    KnownPlugin{"upstream-oauth", true},
    KnownPlugin{"upstream-timeout", false},
    KnownPlugin{"vault-auth", true},
    KnownPlugin{"websocket-size-limit", true},
    KnownPlugin{"websocket-validator", true},
    KnownPlugin{"xml-threat-protection", true},
    KnownPlugin{"zipkin", false},
};

}  // namespace

std::span<const EntityType> entity_types() {
    static const std::vector<EntityType> types = make_types();
    return types;
}

const EntityType& entity_type(EntityKind kind) { return entity_types()[static_cast<std::size_t>(kind)]; }

const EntityType* find_entity(std::string_view plural_or_singular) {
    for (const EntityType& type : entity_types()) {
        if (type.plural == plural_or_singular || type.singular == plural_or_singular) return &type;
    }
    return nullptr;
}

const std::vector<std::string_view>& other_keys(EntityKind kind) {
    static const std::map<EntityKind, std::vector<std::string_view>> keys = [] {
        std::map<EntityKind, std::vector<std::string_view>> made;
        for (const EntityType& type : entity_types()) {
            made[type.kind].insert(made[type.kind].end(), {"_comment", "_ignore"});
            for (const ForeignKey& parent : type.parents) made[parent.parent].push_back(type.plural);
        }
        made[EntityKind::service].push_back("url");
        // deck: members of a group, written on either side.
        made[EntityKind::consumer].push_back("groups");
        made[EntityKind::consumer_group].push_back("consumers");
        return made;
    }();
    return keys.at(kind);
}

std::span<const KnownPlugin> known_plugins() { return plugins; }

const KnownPlugin* find_plugin(std::string_view name) {
    auto at =
        std::find_if(plugins.begin(), plugins.end(), [name](const KnownPlugin& plugin) { return plugin.name == name; });
    return at == plugins.end() ? nullptr : &*at;
}

}  // namespace kong
