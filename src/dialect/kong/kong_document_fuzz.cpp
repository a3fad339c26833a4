// Any bytes as a YAML and as a JSON document: reading must end, within its limits, with a document or with problems.
#include <cstddef>
#include <cstdint>

#include "dialect/kong/check.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    std::string text(reinterpret_cast<const char*>(bytes), size);
    kong::LoadOptions options;
    options.environment = [](std::string_view name) -> std::optional<std::string> {
        return name.size() % 2 == 0 ? std::optional<std::string>("{\"a\": \"b\"}") : std::nullopt;
    };
    options.random = [] { return std::uint64_t{7}; };
    // Small enough for a bomb to be found by its cost.
    options.limits = {.bytes = 1 << 16, .depth = 32, .nodes = 20000, .alias_nodes = 5000};
    for (const char* name : {"a.yaml", "a.json"}) {
        std::string out;
        (void)kong::check({{.name = name, .bytes = text}}, options, kong::CheckFormat::kong, out);
        (void)kong::check({{.name = name, .bytes = text}}, options, kong::CheckFormat::json, out);
    }
    return 0;
}
