// Golden files: tests/golden/kong/*.golden hold documents and what comes of them. CARDEA_REWRITE=1 rewrites the
// outcomes.
//
//     === file NAME          a document; several may follow each other
//     === environment        NAME=value lines
//     === plugins            those that count as served; settings known to plugins_for_tests.h are checked, not of
//     NAME!
//     === human | kong | json | document     an outcome
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <sstream>

#include "dialect/kong/check.h"
#include "dialect/kong/plugins_for_tests.h"

namespace kong {
namespace {

namespace fs = std::filesystem;

struct Section {
    std::string title;
    std::string body;
};

std::vector<Section> read_sections(const fs::path& path) {
    std::ifstream in(path);
    std::vector<Section> sections{{"", ""}};
    for (std::string line; std::getline(in, line);) {
        if (line.starts_with("=== ")) {
            sections.push_back({line.substr(4), ""});
        } else {
            sections.back().body += line + "\n";
        }
    }
    return sections;
}

std::string scope(const gateway::Document& document, const gateway::PluginUse& use) {
    std::string out;
    auto label = [&out](std::string_view kind, gateway::Index index, auto&& name) {
        if (index != gateway::none) out += fmt::format(" {}={}", kind, name(index));
    };
    label("service", use.service, [&](gateway::Index i) { return document.services[i].name; });
    label("route", use.route, [&](gateway::Index i) { return document.routes[i].name; });
    label("consumer", use.consumer, [&](gateway::Index i) { return document.consumers[i].username; });
    label("group", use.consumer_group, [&](gateway::Index i) { return document.consumer_groups[i].name; });
    return out;
}

std::string content(const schema::Node* node) {
    if (node == nullptr) return "-";
    switch (node->kind()) {
        case schema::Kind::null:
            return "null";
        case schema::Kind::boolean:
            return node->as_boolean() ? "true" : "false";
        case schema::Kind::integer:
            return fmt::format("{}", node->as_integer());
        case schema::Kind::number:
            return fmt::format("{}", node->as_number());
        case schema::Kind::text:
            return schema::json_quoted(node->text());
        case schema::Kind::list: {
            std::string out = "[";
            for (const schema::Node& item : node->items()) out += (out.size() > 1 ? ", " : "") + content(&item);
            return out + "]";
        }
        case schema::Kind::map: {
            std::string out = "{";
            for (const schema::Member& member : node->members()) {
                out += fmt::format("{}{}: {}", out.size() > 1 ? ", " : "", member.key.text(), content(&member.value));
            }
            return out + "}";
        }
    }
    return {};
}

std::string rule_text(const route::Rule& rule) {
    std::string out = fmt::format("  rule {:#018x}", rule.priority);
    auto list = [&out](std::string_view name, const std::vector<std::string>& values) {
        if (!values.empty()) out += fmt::format(" {}=[{}]", name, fmt::join(values, " "));
    };
    list("methods", rule.methods);
    std::vector<std::string> hosts;
    for (const route::HostPattern& host : rule.hosts)
        hosts.push_back(host.text + (host.port != 0 ? fmt::format(":{}", host.port) : ""));
    list("hosts", hosts);
    list("prefixes", rule.prefixes);
    list("regexes", rule.regexes);
    for (const route::HeaderCondition& header : rule.headers) {
        list("header " + header.name, header.values);
        list("header~ " + header.name, header.regexes);
    }
    return out + "\n";
}

std::string hash_text(const gateway::HashInput& input) {
    return fmt::format("{}:{}", static_cast<int>(input.on), input.name);
}

std::string describe(const gateway::Document& document) {
    std::string out;
    auto tags = [](const gateway::Tags& given) {
        return given.empty() ? std::string() : fmt::format(" tags={}", fmt::join(given, ","));
    };
    for (const gateway::Service& service : document.services) {
        out += fmt::format("service {} {} {}://{}:{}{} retries={} timeouts={}/{}/{}{}{}\n", service.id.text(),
                           service.name, gateway::name(service.protocol), service.host, service.port, service.path,
                           service.retries, service.connect_timeout.count(), service.write_timeout.count(),
                           service.read_timeout.count(), service.enabled ? "" : " disabled", tags(service.tags));
    }
    for (const gateway::Route& route : document.routes) {
        out += fmt::format("route {} {} -> {}{}{}{} {}{}\n", route.id.text(), route.name,
                           route.service == gateway::none ? "-" : document.services[route.service].name,
                           route.strip_path ? " strip" : "", route.preserve_host ? " preserve" : "",
                           route.path_handling == gateway::PathHandling::v1 ? " v1" : "",
                           route.https_redirect_status_code, tags(route.tags));
        for (const route::Rule& rule : route.rules) out += rule_text(rule);
    }
    for (const gateway::Upstream& upstream : document.upstreams) {
        out += fmt::format("upstream {} {} algorithm={} hash={} fallback={} slots={} host={}{}\n", upstream.id.text(),
                           upstream.name, static_cast<int>(upstream.algorithm), hash_text(upstream.hash),
                           hash_text(upstream.fallback), upstream.slots, upstream.host_header, tags(upstream.tags));
        for (const gateway::Target& target : upstream.targets) {
            out += fmt::format("  target {} {}:{} weight={}{}\n", target.id.text(), target.host, target.port,
                               target.weight, tags(target.tags));
        }
    }
    for (const gateway::Consumer& consumer : document.consumers) {
        out += fmt::format("consumer {} {} {}{}", consumer.id.text(), consumer.username, consumer.custom_id,
                           tags(consumer.tags));
        for (gateway::Index group : consumer.groups)
            out += fmt::format(" group={}", document.consumer_groups[group].name);
        out += "\n";
        for (const gateway::Credential& credential : consumer.credentials) {
            out += fmt::format("  {} {}", credential.kind, credential.id.text());
            for (const auto& [name, value] : credential.fields)
                out += fmt::format(" {}={}", name, value.substr(0, value.find('\n')));
            out += tags(credential.tags) + "\n";
        }
    }
    for (const gateway::PluginUse& use : document.plugins) {
        out += fmt::format("plugin {} {}{}{} {}{}\n", use.id.text(), use.name, scope(document, use),
                           use.enabled ? "" : " disabled", content(use.config), tags(use.tags));
    }
    return out;
}

struct Input {
    std::vector<schema::SourceFile> files;
    std::map<std::string, std::string, std::less<>> variables;
    LoadOptions options;
};

Input input_of(const std::vector<Section>& sections) {
    Input input;
    for (const Section& section : sections) {
        std::istringstream lines(section.body);
        if (section.title.starts_with("file ")) {
            input.files.push_back({.name = section.title.substr(5), .bytes = section.body});
        } else if (section.title == "environment") {
            for (std::string line; std::getline(lines, line);) {
                std::string value = line.substr(line.find('=') + 1);
                for (std::size_t at = value.find("\\n"); at != std::string::npos; at = value.find("\\n"))
                    value.replace(at, 2, "\n");
                input.variables[line.substr(0, line.find('='))] = value;
            }
        } else if (section.title == "plugins") {
            static std::vector<std::string> names;  // PluginType keeps views
            names.reserve(1000);
            for (std::string line; std::getline(lines, line);) {
                const schema::Record* config = nullptr;
                bool unchecked = line.ends_with('!');
                if (unchecked) line.pop_back();
                for (const PluginType& known : for_tests::plugins()) {
                    if (known.name == line && !unchecked) config = known.config;
                }
                names.push_back(line);
                input.options.served.plugins.push_back({names.back(), config});
            }
        }
    }
    input.options.environment = [variables = input.variables](std::string_view name) -> std::optional<std::string> {
        auto at = variables.find(name);
        return at == variables.end() ? std::nullopt : std::optional(at->second);
    };
    input.options.random = [count = std::uint64_t{0}]() mutable { return count++; };
    return input;
}

std::string outcome(const std::vector<Section>& sections, const std::string& title) {
    Input input = input_of(sections);
    if (title == "document") return describe(load(input.files, input.options).document);
    CheckFormat format = title == "kong" ? CheckFormat::kong : title == "json" ? CheckFormat::json : CheckFormat::human;
    std::string out;
    int code = check(input.files, input.options, format, out);
    return fmt::format("{}exit {}\n", out, code);
}

bool is_outcome(std::string_view title) {
    return title == "human" || title == "kong" || title == "json" || title == "document";
}

TEST(Golden, DocumentsSayWhatTheirFilesSay) {
    bool rewrite = std::getenv("CARDEA_REWRITE") != nullptr;
    std::vector<fs::path> paths;
    for (const auto& entry : fs::directory_iterator(CARDEA_SOURCE_DIR "/tests/golden/kong")) {
        if (entry.path().extension() == ".golden") paths.push_back(entry.path());
    }
    ASSERT_GE(paths.size(), 10u);
    std::sort(paths.begin(), paths.end());
    for (const fs::path& path : paths) {
        SCOPED_TRACE(path.filename().string());
        std::vector<Section> sections = read_sections(path);
        int outcomes = 0;
        for (Section& section : sections) {
            if (!is_outcome(section.title)) continue;
            ++outcomes;
            std::string got = outcome(sections, section.title);
            if (!rewrite) EXPECT_EQ(got, section.body) << section.title;
            section.body = got;
        }
        EXPECT_GT(outcomes, 0);
        if (!rewrite) continue;
        std::ofstream out(path);
        for (const Section& section : sections)
            out << (section.title.empty() ? "" : "=== " + section.title + "\n") << section.body;
    }
}

}  // namespace
}  // namespace kong
