#include "upstream/discovery/source_spec.h"

namespace upstream {

std::string_view name(SourceType type) {
    switch (type) {
        case SourceType::consul:
            return "consul";
        case SourceType::file:
            return "file";
        case SourceType::http:
            return "http";
    }
    return "unknown";
}

std::string SourceSpec::key() const {
    std::string out(name(type));
    auto add = [&out](std::string_view part) { out.append(1, '\0').append(std::to_string(part.size())).append(part); };
    for (const std::string* part : {&place, &token, &service, &datacenter, &name_space, &partition}) add(*part);
    for (const std::string& tag : tags) add(tag);
    add(std::to_string(interval.count()) + "/" + std::to_string(wait.count()) + (passing_only ? "/passing" : ""));
    return out;
}

std::string SourceSpec::text() const {
    std::string out = std::string(name(type)) + " " + place.substr(0, place.find_first_of("?#"));
    return service.empty() ? out : out + " " + service;
}

}  // namespace upstream
