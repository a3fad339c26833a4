// CacheStorage: where stored answers are, as proxy-cache sees it. One object serves all cores; what it is given of an
// exchange is on that exchange's core. An answer that was fetched before its resource was invalidated, or before
// anything was purged (Redis: everything), is never found again.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "plugin/exchange.h"
#include "plugins/proxy_cache_answer.h"

namespace plugin {

class CacheStorage {
  public:
    virtual ~CacheStorage() = default;

    // Those of one name hold the same answers.
    [[nodiscard]] virtual const std::string& name() const = 0;
    // Whether looking up has to wait: then wait_find() is to be used, else find().
    [[nodiscard]] virtual bool is_slow() const = 0;
    // What is stored under the first of `keys` that has an answer for this request. If there is none, but it is known
    // what the answers under the main key vary by, note.lookup_key becomes the key of the variant.
    [[nodiscard]] virtual cache::EntryPointer find(Exchange&, CacheNote&, std::span<const std::string_view>) {
        return {};
    }
    [[nodiscard]] virtual base::Task<cache::EntryPointer> wait_find(Exchange& exchange, CacheNote& note,
                                                                    std::vector<std::string_view> keys) {
        co_return find(exchange, note, keys);
    }
    // The upstream is about to be asked.
    virtual void begin_fetch(CacheNote&) {}
    // Stores what the note holds.
    virtual void put(Exchange& exchange, CacheNote& note, const ProxyCacheConfig& config) = 0;
    // Stores an entry in the place of the one of the same key.
    virtual void replace(Exchange& exchange, const CacheNote& note, const cache::EntryPointer& entry) = 0;
    virtual void remove(Exchange& exchange, const cache::Entry& entry) = 0;
    // Everything that is stored of a resource (RFC 9111 4.4).
    virtual void invalidate(Exchange& exchange, std::string_view resource) = 0;
};

}  // namespace plugin
