// plugin: one configured plugin with its scope (contract 1.5). Its `config` is read by the plugin itself.
#pragma once

#include <optional>
#include <string>

#include "dialect/kong/common.h"

namespace kong {

struct Plugin {
    static constexpr std::string_view title = "plugin";
    static constexpr std::string_view description =
        "A plugin with its settings, for everything or for one service, route, consumer or a combination of them.";
    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::string name;
    std::optional<std::string> instance_name;
    Reference route;
    Reference service;
    Reference consumer;
    Reference consumer_group;
    const schema::Node* config = nullptr;
    schema::Set<std::string> protocols{"grpc", "grpcs", "http", "https"};
    bool enabled = true;
    const schema::Node* ordering = nullptr;
    std::optional<std::string> condition;
    const schema::Node* partials = nullptr;
    std::optional<std::string> shared_config;
    schema::Set<std::string> tags;
    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Plugin>(), created_field<Plugin>(), updated_field<Plugin>(),
            field("name", &Plugin::name, "Which plugin.").required(),
            field("instance_name", &Plugin::instance_name, "Unique name of this use.").matches(name_format),
            field("route", &Plugin::route, "Only on this route."),
            field("service", &Plugin::service, "Only on this service."),
            field("consumer", &Plugin::consumer, "Only for this consumer."),
            field("consumer_group", &Plugin::consumer_group, "Only for this group of consumers."),
            field("config", &Plugin::config, "The plugin's own settings."),
            field("protocols", &Plugin::protocols, "Protocols it runs on.")
                .count(1)
                .one_of("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp", "ws", "wss"),
            field("enabled", &Plugin::enabled, "False takes it out."),
            field("ordering", &Plugin::ordering, "Before or after which plugins it runs."),
            field("condition", &Plugin::condition, "When it runs."),
            field("partials", &Plugin::partials, "Shared parts of the settings."),
            field("_config", &Plugin::shared_config,
                  "Name of an entry of `_plugin_configs` that the settings are based on."),
            tags_field<Plugin>());
    }
};

}  // namespace kong
