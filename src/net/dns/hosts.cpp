#include "net/dns/hosts.h"

#include <algorithm>

#include "net/dns/names.h"
#include "net/dns/records.h"

namespace net::dns {

namespace {
std::string_view next_word(std::string_view& line) {
    auto is_blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
    auto begin = std::find_if_not(line.begin(), line.end(), is_blank);
    auto end = std::find_if(begin, line.end(), is_blank);
    std::string_view word(begin, end);
    line = std::string_view(end, line.end());
    return word;
}
}  // namespace

Hosts Hosts::parse(std::string_view text) {
    Hosts out;
    while (!text.empty()) {
        std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        line = line.substr(0, line.find('#'));
        auto address = IpAddress::parse(next_word(line));
        if (!address) continue;  // also link-local addresses with a zone, which nobody could connect to without it
        for (std::string_view name = next_word(line); !name.empty(); name = next_word(line)) {
            if (!is_host_name(name)) continue;
            auto& addresses = out.names_[normal_name(name)];
            if (addresses.size() < most_addresses) addresses.push_back(*address);
        }
    }
    return out;
}

const std::vector<IpAddress>* Hosts::find(std::string_view name) const {
    if (name.ends_with('.')) name.remove_suffix(1);
    auto found = names_.find(std::string(name));
    return found == names_.end() ? nullptr : &found->second;
}

}  // namespace net::dns
