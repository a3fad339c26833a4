// CredentialIndex: finds the credential of one kind that has a given value (an API key, a username) among a million, in
// about one miss of the cache and 72 bytes each. Built when a configuration is compiled and shared by all uses of a
// plugin in it; const then, and read by all cores.
//
// What a client sends is hashed with a seed that nobody outside knows, and a candidate is compared in constant time, so
// that neither long chains nor timing can be had by choosing keys.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "plugin/type.h"

namespace plugin {

class CredentialIndex {
  public:
    // The one of this configuration; `consumers` must outlive it. Of two credentials with one value the first counts
    // (the dialect refuses documents with two).
    static std::shared_ptr<const CredentialIndex> of(const Setup& setup, std::string_view kind, std::string_view field);

    CredentialIndex(const Consumers& consumers, std::string_view kind, std::string_view field, std::uint64_t seed);

    // nullptr: nobody has it. An empty value is nobody's.
    [[nodiscard]] const Credential* find(std::string_view value) const;
    [[nodiscard]] const Credentials& credentials() const { return credentials_; }
    [[nodiscard]] std::size_t place(const Credential& credential) const {
        return static_cast<std::size_t>(&credential - credentials_.all.data());
    }
    [[nodiscard]] const Consumer& consumer_of(const Credential& credential) const {
        return consumers_[credential.consumer];
    }
    [[nodiscard]] std::size_t memory_bytes() const {
        return slots_.capacity() * sizeof(Slot) + entries_.capacity() * sizeof(Entry);
    }

  private:
    // A credential's number plus one, and above it bits of the hash, as many as there is room for, so that what only
    // lies in the way is passed over unread; 0: free. Small, so that all of a million stay near the core.
    using Slot = std::uint32_t;
    // What a look-up compares: in one line of the cache, where Credential would lead through three.
    struct alignas(64) Entry {
        static constexpr std::uint16_t elsewhere = 0xffff;  // the value is longer, and read where it is
        Index consumer = none;
        std::uint16_t size = 0;
        std::array<char, 58> value{};
    };
    [[nodiscard]] std::string_view value_of(const Credential& credential) const {
        return place_ < credential.values.size() ? credential.values[place_] : std::string_view();
    }
    [[nodiscard]] Slot tag_of(std::uint64_t hash) const { return static_cast<Slot>(hash >> 32) & ~number_mask_; }
    [[nodiscard]] bool is_same(Index credential, std::string_view value) const;
    void insert(Index credential);

    const Consumers& consumers_;
    const Credentials& credentials_;
    std::size_t place_;  // of the field
    std::uint64_t seed_;
    Slot number_mask_;
    std::size_t slot_mask_;
    std::vector<Slot> slots_;     // a power of two, at most half full
    std::vector<Entry> entries_;  // as Credentials::all
};

}  // namespace plugin
