#include "route/conditions.h"

#include <algorithm>

#include "route/host.h"

namespace route {
namespace {

constexpr char comparable(char c) { return c == '_' ? '-' : lower(c); }

bool accepts(const std::vector<EndpointCondition>& conditions, const net::SocketAddress& address) {
    return std::ranges::any_of(conditions, [&](const EndpointCondition& condition) {
        return (condition.port == 0 || condition.port == address.port) &&
               (!condition.block || condition.block->contains(address.ip));
    });
}

bool accepts(const std::vector<HostPattern>& patterns, std::string_view host, std::uint16_t port) {
    return std::ranges::any_of(patterns, [&](const HostPattern& pattern) {
        return (pattern.port == 0 || pattern.port == port) && accepts_name(pattern, host);
    });
}

template <typename T>
std::size_t bytes(const std::vector<T>& items) {
    return items.capacity() * sizeof(T);
}
std::size_t bytes(const std::string& text) { return text.capacity() > 15 ? text.capacity() + 1 : 0; }

}  // namespace

std::string comparable_header_name(std::string_view name) {
    std::string out(name);
    for (char& c : out) c = comparable(c);
    return out;
}

std::string_view HeaderValues::value_if(std::size_t place, std::string_view name, bool& is_named) const {
    std::string_view field;
    std::string_view value;
    fields_.at(fields_.fields, place, field, value);
    is_named = field.size() == name.size();
    for (std::size_t i = 0; is_named && i < name.size(); ++i) is_named = comparable(field[i]) == name[i];
    return value;
}

const HeaderValues::Slot* HeaderValues::slot(std::uint32_t id, std::string_view name) {
    for (std::size_t i = 0; i < used_; ++i) {
        if (slots_[i].id == id) return &slots_[i];
    }
    if (used_ == names_kept) return nullptr;
    Slot& slot = slots_[used_++];
    slot.id = id;
    slot.found = 0;
    for (std::size_t place = 0; place < fields_.count; ++place) {
        bool is_named = false;
        value_if(place, name, is_named);
        if (!is_named) continue;
        if (slot.found < places_kept) slot.places[slot.found] = static_cast<std::uint32_t>(place);
        ++slot.found;
    }
    return &slot;
}

template <typename Accept>
bool HeaderValues::any(std::uint32_t id, std::string_view name, Accept accept) {
    bool is_named = false;
    const Slot* known = slot(id, name);
    if (known != nullptr && known->found <= places_kept) {
        for (std::size_t i = 0; i < known->found; ++i) {
            if (accept(value_if(known->places[i], name, is_named))) return true;
        }
        return false;
    }
    for (std::size_t place = 0; place < fields_.count; ++place) {
        std::string_view value = value_if(place, name, is_named);
        if (is_named && accept(value)) return true;
    }
    return false;
}

std::uint32_t Conditions::name_id(std::string name) {
    auto [known, is_new] = name_ids_.try_emplace(name, static_cast<std::uint32_t>(names_.size()));
    if (is_new) names_.push_back(std::move(name));
    return known->second;
}

std::uint32_t Conditions::add(const Rule& rule, Keep keep, std::vector<std::string>& faults) {
    Test test;
    for (const HeaderCondition& condition : rule.headers) {
        HeaderTest header;
        header.name = name_id(comparable_header_name(condition.name));
        for (const std::string& value : condition.values) header.values.push_back(lower(value));
        for (const std::string& pattern : condition.regexes) {
            auto [known, is_new] = regex_ids_.try_emplace(pattern, static_cast<std::uint32_t>(regexes_.size()));
            header.regexes.push_back(known->second);
            if (!is_new) continue;
            auto regex = Regex::compile(pattern, Regex::Mode::search_caseless);
            if (!regex) {
                faults.push_back(fmt::format("route {}: header '{}': regex '{}': {}", rule.route, condition.name,
                                             pattern, regex.error().detail));
                continue;
            }
            regexes_.push_back(std::move(*regex));
        }
        header.values.shrink_to_fit();
        test.headers.push_back(std::move(header));
    }
    test.headers.shrink_to_fit();
    test.server_names = rule.server_names;
    test.sources = rule.sources;
    test.destinations = rule.destinations;
    if (keep.hosts) test.hosts = rule.hosts;
    if (keep.methods) test.methods = rule.methods;
    if (test.headers.empty() && test.server_names.empty() && test.sources.empty() && test.destinations.empty() &&
        test.hosts.empty() && test.methods.empty()) {
        return none;
    }
    tests_.push_back(std::move(test));
    return static_cast<std::uint32_t>(tests_.size() - 1);
}

void Conditions::finish() {
    tests_.shrink_to_fit();
    names_.shrink_to_fit();
    regexes_.shrink_to_fit();
    name_ids_ = {};
    regex_ids_ = {};
}

bool Conditions::accept_header(const HeaderTest& test, HeaderValues& headers, std::uint64_t& limited) const {
    return headers.any(test.name, names_[test.name], [&](std::string_view value) {
        for (const std::string& wanted : test.values) {
            if (equal_caseless(value, wanted)) return true;
        }
        for (std::uint32_t regex : test.regexes) {
            Regex::Outcome outcome = regexes_[regex].match(value, 0, nullptr);
            if (outcome == Regex::Outcome::matches) return true;
            if (outcome == Regex::Outcome::limited) ++limited;
        }
        return false;
    });
}

bool Conditions::accept(std::uint32_t number, const Query& query, std::string_view host, std::string_view server_name,
                        HeaderValues& headers, std::uint64_t& limited) const {
    const Test& test = tests_[number];
    if (!test.methods.empty() && std::ranges::find(test.methods, query.method) == test.methods.end()) return false;
    if (!test.hosts.empty() && !accepts(test.hosts, host, query.port)) return false;
    if (!test.sources.empty() && !accepts(test.sources, query.source)) return false;
    if (!test.destinations.empty() && !accepts(test.destinations, query.destination)) return false;
    if (query.tls && !test.server_names.empty() && !accepts(test.server_names, server_name, 0)) return false;
    return std::ranges::all_of(test.headers,
                               [&](const HeaderTest& header) { return accept_header(header, headers, limited); });
}

std::size_t Conditions::memory_bytes() const {
    std::size_t total = bytes(tests_) + bytes(names_) + bytes(regexes_);
    for (const std::string& name : names_) total += bytes(name);
    for (const Regex& regex : regexes_) total += regex.memory_bytes();
    for (const Test& test : tests_) {
        total += bytes(test.headers) + bytes(test.server_names) + bytes(test.sources) + bytes(test.destinations) +
                 bytes(test.hosts) + bytes(test.methods);
        for (const HeaderTest& header : test.headers) {
            total += bytes(header.values) + bytes(header.regexes);
            for (const std::string& value : header.values) total += bytes(value);
        }
        for (const HostPattern& host : test.hosts) total += bytes(host.text);
        for (const HostPattern& name : test.server_names) total += bytes(name.text);
    }
    return total;
}

}  // namespace route
