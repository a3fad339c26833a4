#include "route/index.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace route {

std::uint32_t LiteralFilter::gram_at(const char* text) {
    std::uint32_t gram = 0;
    std::memcpy(&gram, text, gram_bytes);
    return gram;
}

std::size_t LiteralFilter::slot_of(std::uint32_t gram) const {
    std::size_t mask = slots_.size() - 1;
    std::size_t at = ((gram * std::uint64_t{0x9e3779b97f4a7c15}) >> 32) & mask;
    while (slots_[at].begin != slots_[at].end && slots_[at].gram != gram) at = (at + 1) & mask;
    return at;
}

LiteralFilter::LiteralFilter(std::vector<Keyed> candidates) {
    std::ranges::sort(candidates, [](const Keyed& a, const Keyed& b) {
        return a.gram != b.gram ? a.gram < b.gram : a.candidate < b.candidate;
    });
    std::size_t lists = 0;
    for (std::size_t i = 0; i < candidates.size(); ++i) lists += i == 0 || candidates[i].gram != candidates[i - 1].gram;
    slots_.resize(std::bit_ceil(lists * 2 + 1));
    candidates_.reserve(candidates.size());
    for (std::size_t i = 0; i < candidates.size();) {
        Slot slot{candidates[i].gram, static_cast<std::uint32_t>(i), 0};
        for (; i < candidates.size() && candidates[i].gram == slot.gram; ++i) {
            candidates_.push_back(candidates[i].candidate);
        }
        slot.end = static_cast<std::uint32_t>(i);
        slots_[slot_of(slot.gram)] = slot;
    }
}

void LiteralFilter::find(std::string_view text, std::vector<std::uint32_t>& lists) const {
    for (std::size_t i = 0; i + gram_bytes <= text.size(); ++i) {
        std::size_t slot = slot_of(gram_at(text.data() + i));
        if (slots_[slot].begin != slots_[slot].end) lists.push_back(static_cast<std::uint32_t>(slot));
    }
    // A hostile path repeats one literal thousands of times; its candidates are still tried once.
    std::ranges::sort(lists);
    lists.erase(std::ranges::unique(lists).begin(), lists.end());
}

LiteralFilter::List LiteralFilter::list(std::uint32_t number) const {
    const Slot& slot = slots_[number];
    return {candidates_.data() + slot.begin, candidates_.data() + slot.end};
}

std::size_t LiteralFilter::memory_bytes() const {
    return slots_.capacity() * sizeof(Slot) + candidates_.capacity() * sizeof(Candidate);
}

std::uint64_t Router::Index::method_bit(std::string_view method) const {
    std::size_t count = std::min(methods.size(), other_method);
    for (std::size_t i = 0; i < count; ++i) {
        if (methods[i] == method) return std::uint64_t{1} << i;
    }
    return std::uint64_t{1} << other_method;
}

std::size_t Router::Index::host_hash(HostPattern::Kind kind, std::string_view text) {
    return std::hash<std::string_view>{}(text) + static_cast<std::size_t>(kind);
}

std::uint32_t Router::Index::root_of(HostPattern::Kind kind, std::string_view text) const {
    std::size_t mask = host_slots.size() - 1;
    for (std::size_t at = host_hash(kind, text) & mask; host_slots[at] != 0; at = (at + 1) & mask) {
        const HostEntry& entry = hosts[host_slots[at] - 1];
        if (entry.kind == kind && text == std::string_view(host_texts).substr(entry.text, entry.length)) {
            return entry.root;
        }
    }
    return no_node;
}

const LiteralFilter& Router::Index::filter_of(std::uint32_t node) const {
    auto place = std::ranges::lower_bound(filters, node, {}, [](const auto& filter) { return filter.first; });
    ensure(place != filters.end() && place->first == node, node);
    return place->second;
}

std::size_t Router::Index::memory_bytes() const {
    auto bytes = [](const auto& items) { return items.capacity() * sizeof(items[0]); };
    std::size_t total = sizeof *this + bytes(rules) + bytes(methods) + conditions.memory_bytes() + bytes(hosts) +
                        bytes(host_slots) + host_texts.capacity() + bytes(nodes) + bytes(first_bytes) +
                        labels.capacity() + bytes(candidates) + bytes(filters);
    for (const auto& [node, filter] : filters) total += filter.memory_bytes();
    for (const Regex& regex : regexes) total += regex.memory_bytes();
    return total + (regexes.capacity() - regexes.size()) * sizeof(Regex);
}

}  // namespace route
