#include "plugin/credential_index.h"

#include <sys/mman.h>

#include <algorithm>
#include <bit>
#include <random>

#include "base/hash.h"
#include "crypto/hmac.h"

namespace plugin {

namespace {

// Large pages where the kernel gives them on demand: with small ones each look-up misses in the TLB as well.
template <typename T>
void make_room(std::vector<T>& table, std::size_t count) {
    constexpr std::uintptr_t page = 4096;
    table.reserve(count);
    std::uintptr_t start = (reinterpret_cast<std::uintptr_t>(table.data()) + page - 1) & ~(page - 1);
    std::uintptr_t end = reinterpret_cast<std::uintptr_t>(table.data() + count) & ~(page - 1);
    if (end > start) (void)::madvise(reinterpret_cast<void*>(start), end - start, MADV_HUGEPAGE);
    table.resize(count);
}

}  // namespace

std::shared_ptr<const CredentialIndex> CredentialIndex::of(const Setup& setup, std::string_view kind,
                                                           std::string_view field) {
    return setup.shared.state<CredentialIndex>(setup.consumers_key(kind), [&] {
        std::random_device device;
        std::uint64_t seed = std::uint64_t{device()} << 32 | device();
        return std::make_shared<CredentialIndex>(setup.consumers, kind, field, seed);
    });
}

CredentialIndex::CredentialIndex(const Consumers& consumers, std::string_view kind, std::string_view field,
                                 std::uint64_t seed)
    : consumers_(consumers),
      credentials_(consumers.of_kind(kind)),
      place_(credentials_.place(field)),
      seed_(seed),
      number_mask_(static_cast<Slot>(std::bit_ceil(credentials_.all.size() + 2) - 1)),
      slot_mask_(std::bit_ceil(2 * credentials_.all.size() + 1) - 1) {
    make_room(slots_, slot_mask_ + 1);
    make_room(entries_, credentials_.all.size());
    for (Index i = 0; i < credentials_.all.size(); ++i) insert(i);
}

void CredentialIndex::insert(Index credential) {
    std::string_view value = value_of(credentials_.all[credential]);
    if (value.empty() || find(value) != nullptr) return;
    Entry& entry = entries_[credential];
    entry.consumer = credentials_.all[credential].consumer;
    entry.size = value.size() <= entry.value.size() ? static_cast<std::uint16_t>(value.size()) : Entry::elsewhere;
    if (entry.size != Entry::elsewhere) std::copy(value.begin(), value.end(), entry.value.begin());
    std::uint64_t hash = base::hash64(value, seed_);
    std::size_t at = hash & slot_mask_;
    while (slots_[at] != 0) at = (at + 1) & slot_mask_;
    slots_[at] = tag_of(hash) | (credential + 1);
}

const Credential* CredentialIndex::find(std::string_view value) const {
    if (value.empty()) return nullptr;
    std::uint64_t hash = base::hash64(value, seed_);
    Slot tag = tag_of(hash);
    for (std::size_t at = hash & slot_mask_; slots_[at] != 0; at = (at + 1) & slot_mask_) {
        if ((slots_[at] & ~number_mask_) != tag) continue;
        Index candidate = (slots_[at] & number_mask_) - 1;
        __builtin_prefetch(&credentials_.all[candidate]);  // the caller's next step, beside the comparison
        if (is_same(candidate, value)) return &credentials_.all[candidate];
    }
    return nullptr;
}

bool CredentialIndex::is_same(Index credential, std::string_view value) const {
    const Entry& entry = entries_[credential];
    __builtin_prefetch(&consumers_[entry.consumer]);
    if (entry.size == Entry::elsewhere)
        return crypto::equal_in_constant_time(value_of(credentials_.all[credential]), value);
    return crypto::equal_in_constant_time({entry.value.data(), entry.size}, value);
}

}  // namespace plugin
