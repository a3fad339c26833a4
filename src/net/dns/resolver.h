// Resolver: host names to addresses, off the request path. The program has one; tests put a simulated one in its place.
// A watched name is kept fresh for as long as it is watched; each change is told from the resolver's own thread.
#pragma once

#include <functional>
#include <memory>
#include <string_view>

#include "net/dns/records.h"
#include "net/dns/settings.h"

namespace net::dns {

class Resolver {
  public:
    // Runs on the resolver's thread and should only pass the records on (post them to the cores).
    using OnRecords = std::function<void(RecordsPointer)>;

    // A name being watched, until this dies; then `on_change` is not running and will not run again, except that a
    // callback may drop its own Watch. May be dropped on any thread, and after the resolver.
    class Watch {
      public:
        virtual ~Watch() = default;
    };

    virtual ~Resolver() = default;

    // Calls back once the first answer is there (soon, if it is in the cache) and then whenever the answer is another.
    // A name that resolved keeps its last addresses for stale_ttl whatever DNS says. Any thread; never blocks on DNS.
    [[nodiscard]] virtual std::unique_ptr<Watch> watch(std::string_view name, OnRecords on_change) = 0;

    // One answer, from the cache if it is fresh or stale. Any thread; exactly one call back, also when the resolver
    // ends.
    virtual void resolve(std::string_view name, OnRecords on_records) = 0;

    // What is known at this moment, or null; so that a reload begins with addresses. Any thread, never waits.
    [[nodiscard]] virtual RecordsPointer known(std::string_view name) = 0;
};

// The real one: a thread that drives c-ares. Fails only if the thread or the c-ares channel cannot be made.
base::Result<std::unique_ptr<Resolver>> start_resolver(Settings settings);

}  // namespace net::dns
