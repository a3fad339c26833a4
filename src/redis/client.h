// Client: what the rest of the program knows of Redis: commands and scripts to one server, to what Sentinel says or to
// a cluster. One per core and Settings (see Clients), owned by that core and used on its thread only.
//
// Promises: every command ends, with a reply, an error or at its deadline, never later than the timeouts of the
// Settings allow; while Redis is known to be away it ends at once. A command is sent at most once, but where Redis
// itself has refused to run it (MOVED, ASK, NOSCRIPT). An error other than Redis's own word does not say whether it was
// run. Commands of one turn leave in one send; commands to one server are run in the order in which they were issued.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string_view>
#include <vector>

#include "redis/call.h"
#include "redis/counters.h"
#include "redis/encoder.h"
#include "redis/script.h"
#include "redis/settings.h"

namespace redis {

class Client {
  public:
    // Connects with the first command. `settings` must pass check(). `seed` is for the back-off's jitter.
    Client(net::Loop& loop, Settings settings, const Surroundings& surroundings, std::uint64_t seed);
    Client(const Client&) = delete;
    // What is under way fails. Not from within something that a Call has woken.
    ~Client();

    // The arguments are copied before it returns. In a cluster the second one is the key (of EVAL and the like the
    // fourth); a command without one goes to any node, and keys of one command must share a {tag}.
    Call command(Arguments arguments, net::Instant deadline = net::never) {
        return Call(*this, arguments, deadline, nullptr);
    }
    Call command(std::initializer_list<std::string_view> arguments, net::Instant deadline = net::never) {
        return command(Arguments(arguments.begin(), arguments.size()), deadline);
    }
    // Runs a script, by its digest if Redis has it and whole if not. In a cluster `keys` share a {tag}.
    Call run(const Script& script, Arguments keys, Arguments arguments, net::Instant deadline = net::never);
    // Without waiting for the reply; what goes wrong is only counted.
    void tell(Arguments arguments);
    void tell(std::initializer_list<std::string_view> arguments) {
        tell(Arguments(arguments.begin(), arguments.size()));
    }

    // Whether a command would be tried: false while Redis is known to be away, and commands fail at once.
    [[nodiscard]] bool is_available() const;
    [[nodiscard]] const Settings& settings() const { return settings_; }
    [[nodiscard]] const Counters& counters() const { return counters_; }
    [[nodiscard]] net::Loop& loop() const { return loop_; }

  private:
    friend class Call;
    net::Loop& loop_;
    const Settings settings_;
    Counters counters_;
    Encoder encoder_;
    std::unique_ptr<class Route> route_;
};

// A right to a Client: it lives while somebody has one, and until the next Clients::tidy() after that. May end on any
// thread.
struct Lease {
    Client* client = nullptr;
    std::shared_ptr<const void> held;
};

// The Clients of one core: one per different Settings, made when first asked for.
class Clients {
  public:
    Clients(net::Loop& loop, const Surroundings& surroundings, std::uint64_t seed)
        : loop_(loop), surroundings_(surroundings), seed_(seed) {}
    // Ask once per configuration, not per request.
    [[nodiscard]] Lease of(const Settings& settings);
    // Ends those that nobody has a right to any more: of settings that a reload has replaced. Not from within something
    // that a Call has woken.
    void tidy();
    [[nodiscard]] std::size_t size() const { return clients_.size(); }

  private:
    struct Kept {
        std::unique_ptr<Client> client;
        std::weak_ptr<const void> held;
    };
    net::Loop& loop_;
    Surroundings surroundings_;
    std::uint64_t seed_;
    std::vector<Kept> clients_;
};

}  // namespace redis
