// Type: one plugin as the rest of the program sees it: its name, its settings, its phases. REGISTER_PLUGIN derives it
// from the plugin's struct; a phase that the struct does not have is a null pointer here and costs nothing.
//
//     struct RequestSizeLimiting {
//         static constexpr std::string_view name = "request-size-limiting";
//         static constexpr int priority = 951;             // Kong's: higher ones run first in every phase
//         static constexpr std::string_view summary = "Refuses ...";
//         static constexpr std::string_view example = R"(config: {allowed_payload_size: 8})";
//         struct Config { ... static constexpr auto fields() ... };
//         Config config;
//         Result<void> prepare(const Setup& setup);        // once, when the configuration is compiled
//         Verdict on_request(Exchange& exchange) const;
//     };
//     REGISTER_PLUGIN(RequestSizeLimiting);
//
// docs/writing-a-plugin.md has the whole list of phases and optional members.
#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/task.h"
#include "plugin/exchange.h"
#include "schema/field.h"

namespace plugin {

// An older name of a setting: {"redis_host", "redis.host"}.
struct Alias {
    std::string_view old_name;
    std::string_view path;  // of at most two parts
};

// What a plugin is bound to; nil = to everything of that kind.
struct Scope {
    base::Uuid route;
    base::Uuid service;
    base::Uuid consumer;
    base::Uuid consumer_group;
};

// A certificate authority of the configuration (`ca_certificates`).
struct CertificateAuthority {
    base::Uuid id;
    std::string_view pem;
};

// What a plugin finds when a configuration is compiled, on the control thread.
struct Setup {
    const Consumers& consumers;  // lives as long as the plugin does
    Shared& shared;
    unsigned cores = 1;  // Worker::index is below it
    base::Uuid id;       // of this use of the plugin; the same over reloads
    Scope scope;
    std::int64_t loaded_at = 0;  // milliseconds since 1970
    // For what a plugin sends itself; they outlive it.
    net::dns::Resolver* resolver = nullptr;
    const net::dns::Overrides* overrides = nullptr;
    std::span<const CertificateAuthority> authorities = {};  // only while prepare() runs
    // Stable text for states that must survive a reload: what the use is bound to and its id.
    [[nodiscard]] std::string state_key() const { return id.text(); }
    // For states made of this configuration's consumers, shared by the uses of a plugin. The address is theirs alone
    // while a plugin holds such a state: a snapshot's plugins go before its consumers.
    [[nodiscard]] std::string consumers_key(std::string_view more) const {
        return std::to_string(reinterpret_cast<std::uintptr_t>(&consumers)) + '/' + std::string(more);
    }
};

// How a try at an endpoint is to go on.
enum class Attempt : std::uint8_t { go, skip };

struct Type {
    std::string_view name;
    int priority = 0;
    std::string_view summary;
    std::string_view example;  // the plugin's mapping in YAML, without its name; shown on its page and tried by a test
    std::span<const Alias> aliases;
    bool is_for_consumers = true;  // false: may not be bound to a consumer or a group
    const schema::Record* config = nullptr;

    // A fresh plugin with these settings; nullptr if there are problems (reported to `reader`).
    std::shared_ptr<void> (*make)(const schema::Node& config, schema::Reader& reader) = nullptr;
    base::Result<void> (*prepare)(void* plugin, const Setup& setup) = nullptr;
    // After prepare(): on_request answers every CORS preflight, so that one may come to a route without OPTIONS.
    bool (*answers_preflights)(const void* plugin) = nullptr;
    // After prepare(): clients of its routes are asked for a certificate in the handshake; the names (DER) of the
    // authorities that they are told, empty: none.
    std::vector<std::string> (*asks_for_certificates)(const void* plugin) = nullptr;
    // After prepare(): headers that nobody but this plugin may say to an upstream: no request of a client keeps one,
    // whatever its route. In lower case, with '-'.
    std::vector<std::string_view> (*owns_headers)(const void* plugin) = nullptr;

    // ---- phases, in the order of a request
    Verdict (*on_request)(const void* plugin, Exchange& exchange) = nullptr;
    base::Task<Verdict> (*wait_request)(const void* plugin, Exchange& exchange) = nullptr;
    Attempt (*on_upstream_request)(const void* plugin, Exchange& exchange) = nullptr;
    void (*on_upstream_failure)(const void* plugin, Exchange& exchange, const base::Error& error) = nullptr;
    void (*on_upstream_response)(const void* plugin, Exchange& exchange) = nullptr;
    bool (*on_no_answer)(const void* plugin, Exchange& exchange, const base::Error& error) = nullptr;
    void (*on_response)(const void* plugin, Exchange& exchange) = nullptr;
    void (*on_response_body)(const void* plugin, Exchange& exchange) = nullptr;
    void (*on_log)(const void* plugin, Exchange& exchange) = nullptr;
};

namespace detail {

template <typename P>
Type type_of() {
    Type type;
    type.name = P::name;
    type.priority = P::priority;
    type.summary = P::summary;
    type.example = P::example;
    if constexpr (requires { P::aliases; }) type.aliases = P::aliases;
    if constexpr (requires { P::is_for_consumers; }) type.is_for_consumers = P::is_for_consumers;
    type.config = &schema::record_of<typename P::Config>();
    type.make = [](const schema::Node& config, schema::Reader& reader) -> std::shared_ptr<void> {
        auto plugin = std::make_shared<P>();
        if (!schema::record_of<typename P::Config>().read(&plugin->config, config, reader)) return nullptr;
        return plugin;
    };
    if constexpr (requires(P& plugin, const Setup& setup) { plugin.prepare(setup); })
        type.prepare = [](void* plugin, const Setup& setup) -> base::Result<void> {
            return static_cast<P*>(plugin)->prepare(setup);
        };
    if constexpr (requires(const P& plugin) { plugin.answers_preflights(); })
        type.answers_preflights = [](const void* plugin) {
            return static_cast<const P*>(plugin)->answers_preflights();
        };
    if constexpr (requires(const P& plugin) { plugin.asks_for_certificates(); })
        type.asks_for_certificates = [](const void* plugin) {
            return static_cast<const P*>(plugin)->asks_for_certificates();
        };
    if constexpr (requires(const P& plugin) { plugin.owns_headers(); })
        type.owns_headers = [](const void* plugin) { return static_cast<const P*>(plugin)->owns_headers(); };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.on_request(exchange); })
        type.on_request = [](const void* plugin, Exchange& exchange) {
            return static_cast<const P*>(plugin)->on_request(exchange);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.wait_request(exchange); })
        type.wait_request = [](const void* plugin, Exchange& exchange) {
            return static_cast<const P*>(plugin)->wait_request(exchange);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.on_upstream_request(exchange); })
        type.on_upstream_request = [](const void* plugin, Exchange& exchange) {
            return static_cast<const P*>(plugin)->on_upstream_request(exchange);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange, const base::Error& error) {
                      plugin.on_upstream_failure(exchange, error);
                  })
        type.on_upstream_failure = [](const void* plugin, Exchange& exchange, const base::Error& error) {
            static_cast<const P*>(plugin)->on_upstream_failure(exchange, error);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.on_upstream_response(exchange); })
        type.on_upstream_response = [](const void* plugin, Exchange& exchange) {
            static_cast<const P*>(plugin)->on_upstream_response(exchange);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange, const base::Error& error) {
                      plugin.on_no_answer(exchange, error);
                  })
        type.on_no_answer = [](const void* plugin, Exchange& exchange, const base::Error& error) {
            return static_cast<const P*>(plugin)->on_no_answer(exchange, error);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.on_response(exchange); })
        type.on_response = [](const void* plugin, Exchange& exchange) {
            static_cast<const P*>(plugin)->on_response(exchange);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.on_response_body(exchange); })
        type.on_response_body = [](const void* plugin, Exchange& exchange) {
            static_cast<const P*>(plugin)->on_response_body(exchange);
        };
    if constexpr (requires(const P& plugin, Exchange& exchange) { plugin.on_log(exchange); })
        type.on_log = [](const void* plugin, Exchange& exchange) { static_cast<const P*>(plugin)->on_log(exchange); };
    return type;
}

}  // namespace detail

// Only through REGISTER_PLUGIN.
struct Registered {
    explicit Registered(Type (*make)());
};

#define REGISTER_PLUGIN(P) \
    [[maybe_unused]] static const ::plugin::Registered registered_##P(&::plugin::detail::type_of<P>)

// All plugins of this program, highest priority first.
[[nodiscard]] std::span<const Type> types();
[[nodiscard]] const Type* find_type(std::string_view name);

// The plugin's reference page (docs/plugins/NAME.md).
[[nodiscard]] std::string page(const Type& type);

}  // namespace plugin
