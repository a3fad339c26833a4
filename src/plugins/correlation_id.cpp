// correlation-id: a name for each request by which client, gateway and upstream can find it again (kong.md 4.15).
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "http/characters.h"
#include "plugin/type.h"

namespace plugin {

namespace {

enum class Generator : std::uint8_t { uuid, uuid_counter, tracker };

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::Generator> {
    static constexpr std::array<std::string_view, 3> list{"uuid", "uuid#counter", "tracker"};
};

namespace plugin {

namespace {

// The request's own id (128 random bits, no two alike) in the form of a UUID, version 4.
std::string uuid_of(const Exchange& exchange) {
    std::string_view id = exchange.id();
    static constexpr std::string_view variants = "89ab";
    char variant = variants[static_cast<unsigned char>(id[16]) & 3];
    return fmt::format("{}-{}-4{}-{}{}-{}", id.substr(0, 8), id.substr(8, 4), id.substr(13, 3), variant,
                       id.substr(17, 3), id.substr(20));
}

// Of one core.
struct CorrelationCounter {
    std::string uuid;
    std::uint64_t count = 0;
};

CorrelationCounter& counter_of(Exchange& exchange) {
    auto& counter = exchange.worker.state<CorrelationCounter>("correlation-id",
                                                              [] { return std::make_unique<CorrelationCounter>(); });
    if (counter.uuid.empty()) counter.uuid = uuid_of(exchange);
    ++counter.count;
    return counter;
}

}  // namespace

struct CorrelationId {
    static constexpr std::string_view name = "correlation-id";
    static constexpr int priority = 100001;
    static constexpr std::string_view summary =
        "Gives each request an id in a header field, for the upstream and, if wanted, for the client.";
    static constexpr std::string_view example = R"(config:
  header_name: X-Request-ID
  generator: uuid
  echo_downstream: true
)";

    struct Config {
        std::string header_name = "Kong-Request-ID";
        Generator generator = Generator::uuid_counter;
        bool echo_downstream = false;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("header_name", &Config::header_name, "The field; one that the client sends is kept."),
                field("generator", &Config::generator,
                      "`uuid`: random; `uuid#counter`: one for each core, and a running number; `tracker`: where and "
                      "when it came in."),
                field("echo_downstream", &Config::echo_downstream, "Put it on the answer, too."));
        }
        void check(schema::Checks& checks) const {
            if (!http::is_token(header_name)) checks.field("header_name", "invalid value: " + header_name);
        }
    };
    Config config;

    Verdict on_request(Exchange& exchange) const {
        std::string_view id = exchange.request.headers.first(config.header_name);
        if (id.empty()) {
            id = exchange.arena.copy(generated(exchange));
            exchange.request.headers.set(config.header_name, id);
        }
        if (config.echo_downstream) exchange.client_headers.set(config.header_name, id);
        return Verdict::go_on;
    }

  private:
    [[nodiscard]] std::string generated(Exchange& exchange) const {
        if (config.generator == Generator::uuid) return uuid_of(exchange);
        const CorrelationCounter& counter = counter_of(exchange);
        if (config.generator == Generator::uuid_counter) return fmt::format("{}#{}", counter.uuid, counter.count);
        const net::SocketAddress& local = exchange.client.local;
        std::int64_t now = exchange.worker.loop.wall_now();
        // Kong has the numbers of the connection and of the request on it; here the core's and the request's on it.
        return fmt::format("{}-{}-{}-{}-{}-{}.{:03}", local.ip.text(), local.port, ::getpid(), exchange.worker.index,
                           counter.count, now / 1000, now % 1000);
    }
};
REGISTER_PLUGIN(CorrelationId);

}  // namespace plugin
