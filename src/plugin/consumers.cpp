#include "plugin/consumers.h"

#include <algorithm>

namespace plugin {

namespace {
constexpr std::size_t text_block = 64 * 1024;
constexpr std::size_t value_block = 4096;
}  // namespace

std::size_t Credentials::place(std::string_view field) const {
    return static_cast<std::size_t>(std::find(fields.begin(), fields.end(), field) - fields.begin());
}

std::string_view Credentials::value(const Credential& credential, std::string_view field) const {
    std::size_t at = place(field);
    return at < credential.values.size() ? credential.values[at] : std::string_view();
}

std::string_view Consumers::keep(std::string_view text) {
    if (text.empty()) return {};
    if (texts_.empty() || texts_.back().capacity() - texts_.back().size() < text.size()) {
        texts_.emplace_back();
        texts_.back().reserve(std::max(text_block, text.size()));
    }
    std::string& block = texts_.back();
    std::size_t at = block.size();
    block.append(text);
    return std::string_view(block).substr(at);
}

Index Consumers::add(const base::Uuid& id, std::string_view username, std::string_view custom_id,
                     std::span<const Index> groups, std::span<const NewCredential> credentials) {
    auto index = static_cast<Index>(consumers_.size());
    Consumer consumer{id, index, keep(username), keep(custom_id), {}};
    if (!groups.empty()) {
        std::vector<Index>& own = groups_.emplace_back(groups.begin(), groups.end());
        std::sort(own.begin(), own.end(), [this](Index a, Index b) { return group_names_[a] < group_names_[b]; });
        consumer.groups = own;
    }
    consumers_.push_back(consumer);
    for (const NewCredential& credential : credentials) {
        auto kind = credentials_.find(credential.kind);
        if (kind == credentials_.end()) kind = credentials_.emplace(std::string(credential.kind), Credentials()).first;
        Credentials& table = kind->second;
        for (const auto& [field, value] : credential.fields)
            if (table.place(field) == table.fields.size()) table.fields.push_back(field);
        if (values_.empty() || values_.back().capacity() - values_.back().size() < table.fields.size()) {
            values_.emplace_back();
            values_.back().reserve(std::max(value_block, table.fields.size()));
        }
        std::vector<std::string_view>& block = values_.back();
        std::size_t at = block.size();
        block.resize(at + table.fields.size());
        for (const auto& [field, value] : credential.fields) block[at + table.place(field)] = keep(value);
        table.all.push_back({credential.id, index, std::span(block).subspan(at)});
    }
    return index;
}

void Consumers::seal() {
    consumers_.shrink_to_fit();
    for (auto& [kind, table] : credentials_) table.all.shrink_to_fit();
}

const Consumer* Consumers::find(std::string_view id_or_username) const {
    if (auto id = base::Uuid::parse(id_or_username))
        for (const Consumer& consumer : consumers_)
            if (consumer.id == *id) return &consumer;
    if (id_or_username.empty()) return nullptr;
    for (const Consumer& consumer : consumers_)
        if (consumer.username == id_or_username) return &consumer;
    return nullptr;
}

const Credentials& Consumers::of_kind(std::string_view kind) const {
    static const Credentials nobody;
    auto found = credentials_.find(kind);
    return found == credentials_.end() ? nobody : found->second;
}

std::size_t Consumers::memory_bytes() const {
    std::size_t total = consumers_.capacity() * sizeof(Consumer);
    for (const auto& [kind, table] : credentials_) total += table.all.capacity() * sizeof(Credential);
    for (const std::string& block : texts_) total += block.capacity();
    for (const auto& block : values_) total += block.capacity() * sizeof(std::string_view);
    for (const auto& block : groups_) total += block.capacity() * sizeof(Index) + sizeof block;
    return total;
}

}  // namespace plugin
