// Fuzzes what sources say: Consul's answers and lists of targets. What is taken must be usable. The first byte chooses.
#include <cstddef>
#include <cstdint>

#include "base/ensure.h"
#include "upstream/discovery/consul.h"
#include "upstream/discovery/target_list.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace upstream;
    if (size == 0) return 0;
    std::string text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    auto check = [](const std::vector<Target>& targets) {
        for (const Target& target : targets) {
            ensure(parse_target(target.host + ":" + std::to_string(target.port)).ok(), target.host);
            ensure(target.weight <= most_weight, target.weight);
        }
    };
    if (bytes[0] % 4 < 2) {
        auto found = consul::instances({200, std::move(text), {}}, bytes[0] % 4 == 0);
        if (found) check(found->targets);
    } else {
        auto list = parse_target_list(text, bytes[0] % 4 == 2 ? ListForm::yaml : ListForm::json, "list");
        if (list) check(*list);
    }
    return 0;
}
