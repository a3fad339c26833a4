// SourceSpec: where the targets of an upstream are asked for, besides those that the document lists. Sources of the
// same spec are one source: it is asked once, however many upstreams, workers and reloads there are.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace upstream {

enum class SourceType : std::uint8_t { consul, file, http };
[[nodiscard]] std::string_view name(SourceType type);

struct SourceSpec {
    SourceType type = SourceType::file;
    std::string place;                           // an agent's URL, a path, a URL
    std::string token;                           // secret
    std::chrono::milliseconds interval{30'000};  // http: between two questions
    // Of Consul.
    std::string service;
    std::vector<std::string> tags;
    std::string datacenter;
    std::string name_space;
    std::string partition;
    bool passing_only = true;
    std::chrono::milliseconds wait{60'000};  // how long it may hold a question back
    bool operator==(const SourceSpec&) const = default;

    // What makes two the same. It holds the token: for maps, never to be shown.
    [[nodiscard]] std::string key() const;
    // For people: the type and the place, nothing secret.
    [[nodiscard]] std::string text() const;
};

}  // namespace upstream
