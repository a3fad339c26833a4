#include "net/tls/client_rules.h"

#include <algorithm>

namespace net::tls {

namespace {

constexpr std::size_t longest_name = 255;  // RFC 1035 2.3.4; no pattern is longer

std::string keyed(ClientRules::Kind kind, std::string_view name) {
    std::string out(1, static_cast<char>('0' + static_cast<int>(kind)));
    out += name;
    return out;
}

void add_to(std::vector<std::uint32_t>& uses, std::uint32_t use) {
    if (auto place = std::lower_bound(uses.begin(), uses.end(), use); place == uses.end() || *place != use)
        uses.insert(place, use);
}

}  // namespace

std::uint32_t ClientRules::add(std::vector<std::string> authorities) {
    authorities_.push_back(std::move(authorities));
    return static_cast<std::uint32_t>(authorities_.size() - 1);
}

void ClientRules::cover(std::uint32_t use, Kind kind, const std::string& name) {
    add_to(by_name_[keyed(kind, name)], use);
}

void ClientRules::cover_all(std::uint32_t use) { add_to(all_, use); }

std::vector<std::uint32_t> ClientRules::covering(std::string_view asked) const {
    Uses out = all_;
    if (by_name_.empty()) return out;
    if (asked.ends_with('.')) asked.remove_suffix(1);
    if (asked.empty() || asked.size() > longest_name) return out;
    std::string name(asked);
    for (char& letter : name)
        if (letter >= 'A' && letter <= 'Z') letter = static_cast<char>(letter - 'A' + 'a');
    auto take = [&](Kind kind, std::string_view part) {
        if (auto found = by_name_.find(keyed(kind, part)); found != by_name_.end())
            for (std::uint32_t use : found->second) add_to(out, use);
    };
    take(Kind::exact, name);
    for (std::size_t dot = name.find('.'); dot != name.npos; dot = name.find('.', dot + 1)) {
        take(Kind::suffix, std::string_view(name).substr(dot));
        take(Kind::prefix, std::string_view(name).substr(0, dot + 1));
    }
    return out;
}

std::vector<std::string> ClientRules::authorities_of(const std::vector<std::uint32_t>& uses) const {
    std::vector<std::string> out;
    for (std::uint32_t use : uses) {
        if (authorities_[use].empty()) return {};
        for (const std::string& name : authorities_[use])
            if (std::find(out.begin(), out.end(), name) == out.end()) out.push_back(name);
    }
    return out;
}

}  // namespace net::tls
