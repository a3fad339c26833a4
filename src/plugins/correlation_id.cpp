// correlation-id: a name for each request by which client, gateway and upstream can find it again (kong.md 4.15).
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <charconv>
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

// Fields that the gateway itself writes: what is set in them would be lost, or break the message.
constexpr std::uint64_t not_ours =
    http::bit(http::Known::host) | http::bit(http::Known::content_length) | http::bit(http::Known::transfer_encoding) |
    http::bit(http::Known::connection) | http::bit(http::Known::keep_alive) | http::bit(http::Known::te) |
    http::bit(http::Known::trailer) | http::bit(http::Known::upgrade) | http::bit(http::Known::expect) |
    http::bit(http::Known::proxy_connection) | http::bit(http::Known::http2_settings) | http::bit(http::Known::proxy) |
    http::bit(http::Known::via) | http::bit(http::Known::x_forwarded_for) | http::bit(http::Known::x_forwarded_proto) |
    http::bit(http::Known::x_forwarded_host) | http::bit(http::Known::x_forwarded_port) |
    http::bit(http::Known::x_forwarded_path) | http::bit(http::Known::x_forwarded_prefix) |
    http::bit(http::Known::x_real_ip) | http::bit(http::Known::x_kong_request_id);

constexpr schema::Format free_header_name{"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$", [](std::string_view text) -> std::string {
                                              if (!http::is_token(text)) return fmt::format("invalid value: {}", text);
                                              if (http::bit(http::recognise(text)) & not_ours)
                                                  return fmt::format("'{}' is a field that the gateway writes itself",
                                                                     text);
                                              return {};
                                          }};

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
    auto& counter = exchange.worker.only<CorrelationCounter>([] { return std::make_unique<CorrelationCounter>(); });
    if (counter.uuid.empty()) counter.uuid = uuid_of(exchange);
    ++counter.count;
    return counter;
}

struct CorrelationNote {
    std::string_view id;
};

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
                field("header_name", &Config::header_name, "The field; one that the client sends is kept.")
                    .matches(free_header_name),
                field("generator", &Config::generator,
                      "`uuid`: random; `uuid#counter`: one for each core, and a running number; `tracker`: where and "
                      "when it came in."),
                field("echo_downstream", &Config::echo_downstream, "Put it on the answer, too."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        cores_ = setup.cores;
        return base::success();
    }

    Verdict on_request(Exchange& exchange) const {
        std::string_view id = exchange.request.headers.first(config.header_name);
        if (id.empty()) {
            id = generated(exchange);
            exchange.request.headers.set(config.header_name, id);
        }
        exchange.make_note<CorrelationNote>(id);
        return Verdict::go_on;
    }

    void on_response(Exchange& exchange) const {
        if (!config.echo_downstream) return;
        const CorrelationNote* note = exchange.note<CorrelationNote>();
        // Without a note: no route matched, or a plugin before this one has answered.
        std::string_view id = note != nullptr ? note->id : exchange.request.headers.first(config.header_name);
        exchange.response.headers.set(config.header_name, id.empty() ? generated(exchange) : id);
    }

  private:
    [[nodiscard]] std::string_view generated(Exchange& exchange) const {
        if (config.generator == Generator::uuid) return exchange.arena.copy(uuid_of(exchange));
        if (config.generator == Generator::uuid_counter) {
            const CorrelationCounter& counter = counter_of(exchange);
            std::array<char, 20> number{};
            char* end = std::to_chars(number.data(), number.data() + number.size(), counter.count).ptr;
            return exchange.arena.join(counter.uuid, "#", std::string_view(number.data(), end));
        }
        const ClientSide& client = exchange.client;
        std::int64_t now = exchange.worker.loop.wall_now();
        // Cores number their connections each for itself: together with the core's, the number is the process's.
        std::uint64_t connection = client.connection * cores_ + exchange.worker.index;
        return exchange.arena.copy(fmt::format("{}-{}-{}-{}-{}-{}.{:03}", client.local.ip.text(), client.local.port,
                                               ::getpid(), connection, client.connection_requests, now / 1000,
                                               now % 1000));
    }

    std::uint64_t cores_ = 1;
};
REGISTER_PLUGIN(CorrelationId);

}  // namespace plugin
