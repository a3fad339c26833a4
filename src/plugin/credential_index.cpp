#include "plugin/credential_index.h"

#include <bit>
#include <random>

#include "base/hash.h"
#include "crypto/hmac.h"

namespace plugin {

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
      mask_(std::bit_ceil(2 * credentials_.all.size() + 1) - 1),
      slots_(mask_ + 1) {
    for (Index i = 0; i < credentials_.all.size(); ++i) insert(i);
}

void CredentialIndex::insert(Index credential) {
    std::string_view value = value_of(credentials_.all[credential]);
    if (value.empty() || find(value) != nullptr) return;
    std::uint64_t hash = base::hash64(value, seed_);
    std::size_t at = hash & mask_;
    while (slots_[at].credential != none) at = (at + 1) & mask_;
    slots_[at] = {credential, static_cast<std::uint32_t>(hash >> 32)};
}

const Credential* CredentialIndex::find(std::string_view value) const {
    if (value.empty()) return nullptr;
    std::uint64_t hash = base::hash64(value, seed_);
    auto tag = static_cast<std::uint32_t>(hash >> 32);
    for (std::size_t at = hash & mask_; slots_[at].credential != none; at = (at + 1) & mask_) {
        if (slots_[at].tag != tag) continue;
        const Credential& candidate = credentials_.all[slots_[at].credential];
        if (crypto::equal_in_constant_time(value_of(candidate), value)) return &candidate;
    }
    return nullptr;
}

}  // namespace plugin
