// load: Kong's declarative configuration, deck's dialect of it included, becomes our Document (contract, section 1).
// Every fault of every file is reported; with errors the document must not be used. Called by run, check and reload.
#pragma once

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

#include "dialect/kong/environment.h"
#include "gateway/document.h"
#include "plugin/type.h"
#include "schema/error.h"
#include "schema/record.h"
#include "schema/source.h"

namespace kong {

// A plugin that this program serves; its settings are checked against `config` if that is given.
struct PluginType {
    std::string_view name;
    const schema::Record* config = nullptr;
    std::span<const plugin::Alias> aliases = {};  // older names of its settings
    bool is_for_consumers = true;
};

// What this program serves. Whatever a document asks for beyond it is reported: an error where leaving it out would
// open something, else a warning.
struct Served {
    std::vector<PluginType> plugins;
    bool upstream_tls = false;  // services of protocol https, verification, client certificates
    bool certificates = false;  // certificates, snis and CA certificates
    bool health_checks = false;
    bool grpc = false;
    bool streams = false;   // tcp, tls, udp, tls_passthrough
    bool ordering = false;  // of plugins
};

struct LoadOptions {
    Environment environment;
    Served served;
    schema::Limits limits;
    // For the keys and secrets that Kong makes up where none is given; must not be guessable.
    std::function<std::uint64_t()> random;
};

struct LoadResult {
    gateway::Document document;
    schema::Problems problems;
    [[nodiscard]] bool ok() const { return !problems.has_errors(); }
};

[[nodiscard]] LoadResult load(std::vector<schema::SourceFile> sources, const LoadOptions& options);

}  // namespace kong
