// Discovery: the sources of targets of the whole process, each followed once, off the request path. The program has
// one; tests put a simulated one in its place.
#pragma once

#include <functional>
#include <memory>

#include "upstream/discovery/source.h"

namespace upstream {

class Discovery {
  public:
    // Runs on the discovery's thread.
    using OnFound = std::function<void(FoundPointer)>;

    // A source being followed, until this dies; then `on_found` is not running and will not run again. May be dropped
    // on any thread but from within `on_found`, and not after the discovery.
    class Watch {
      public:
        virtual ~Watch() = default;
        [[nodiscard]] virtual SourceStatus status() const = 0;  // any thread
    };

    virtual ~Discovery() = default;
    // Calls back with each answer that is another one, and soon with what is known already. Any thread, never waits.
    [[nodiscard]] virtual std::unique_ptr<Watch> watch(const SourceSpec& spec, OnFound on_found) = 0;
    // What is known at this moment, or null, so that a reload begins with targets. Any thread, never waits.
    [[nodiscard]] virtual FoundPointer known(const SourceSpec& spec) = 0;
};

// The real one: a thread, started with the first watch.
[[nodiscard]] std::unique_ptr<Discovery> make_discovery();

}  // namespace upstream
