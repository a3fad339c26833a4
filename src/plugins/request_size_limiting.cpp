// request-size-limiting: refuses requests whose bodies are larger than the operator allows (kong.md 4.18), by what
// they declare, and, where they declare nothing, by what arrives.
#include <array>
#include <cstdint>
#include <limits>

#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {
enum class SizeUnit : std::uint8_t { megabytes, kilobytes, bytes };
}
}  // namespace plugin

template <>
struct schema::Names<plugin::SizeUnit> {
    static constexpr std::array<std::string_view, 3> list{"megabytes", "kilobytes", "bytes"};
};

namespace plugin {

struct RequestSizeLimiting {
    static constexpr std::string_view name = "request-size-limiting";
    static constexpr int priority = 951;
    static constexpr std::string_view summary = "Refuses requests with bodies that are too large.";
    static constexpr std::string_view example = R"(config:
  allowed_payload_size: 8
  size_unit: megabytes
)";

    struct Config {
        std::int64_t allowed_payload_size = 128;
        SizeUnit size_unit = SizeUnit::megabytes;
        bool require_content_length = false;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("allowed_payload_size", &Config::allowed_payload_size, "Size of the largest body.").at_least(0),
                field("size_unit", &Config::size_unit, "Unit of it: 1048576, 1024 or 1 bytes."),
                field("require_content_length", &Config::require_content_length,
                      "Refuse requests that neither declare a length nor come in chunks with 411."));
        }
    };
    Config config;

    Verdict on_request(Exchange& exchange) const {
        const http::RequestHead& request = exchange.request;
        std::uint64_t most = limit();
        if (request.framing == http::BodyFraming::length) {
            return request.content_length > most ? refuse_size(exchange) : Verdict::go_on;
        }
        if (request.framing == http::BodyFraming::none) {
            // A length of 0 is one, too.
            bool is_known = !config.require_content_length || request.headers.has(http::Known::content_length);
            return is_known ? Verdict::go_on : refuse(exchange, 411, "A valid Content-Length header is required");
        }
        if (most == 0) return refuse_size(exchange);
        if (exchange.most_request_body == 0 || most < exchange.most_request_body) {
            exchange.most_request_body = most;
            exchange.too_large_message = message;
        }
        return Verdict::go_on;
    }

  private:
    static constexpr std::string_view message = "Request size limit exceeded";

    [[nodiscard]] std::uint64_t limit() const {
        static constexpr std::uint64_t units[] = {1 << 20, 1 << 10, 1};
        std::uint64_t unit = units[static_cast<std::size_t>(config.size_unit)];
        auto size = static_cast<std::uint64_t>(config.allowed_payload_size);
        return size > std::numeric_limits<std::uint64_t>::max() / unit ? std::numeric_limits<std::uint64_t>::max()
                                                                       : size * unit;
    }
    static Verdict refuse_size(Exchange& exchange) {
        return refuse(exchange, exchange.request.expect_continue ? 417 : 413, message);
    }
};
REGISTER_PLUGIN(RequestSizeLimiting);

}  // namespace plugin
