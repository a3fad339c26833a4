// tcp-log: one line of JSON for each request, down a TCP connection that stays open (kong.md 4.21).
#include <chrono>
#include <cstdint>
#include <optional>
#include <string>

#include "delivery/stream_sender.h"
#include "plugin/record_log.h"

namespace plugin {

struct TcpLog {
    static constexpr std::string_view name = "tcp-log";
    static constexpr int priority = 7;
    static constexpr std::string_view summary =
        "Sends a record of each request to a TCP server, as a line of JSON. Servers that are slow or away delay no "
        "request: records wait, and the oldest are dropped and counted.";
    static constexpr std::string_view example = R"(config:
  host: 127.0.0.1
  port: 9999
)";

    struct Config {
        std::string host;
        std::uint16_t port = 0;
        std::chrono::milliseconds timeout{10'000};
        std::chrono::milliseconds keepalive{60'000};
        bool tls = false;
        std::optional<std::string> tls_sni;
        CustomFieldTexts custom_fields_by_lua;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("host", &Config::host, "Name or address.").required(),
                field("port", &Config::port, "Port.").required(),
                field("timeout", &Config::timeout, "Longest wait to connect, and to send.").between(1, 2'147'483'646),
                field("keepalive", &Config::keepalive, "How long an idle connection stays open.").at_least(0),
                field("tls", &Config::tls, "Not served yet: must be false."),
                field("tls_sni", &Config::tls_sni, "Name in TLS."),
                field("custom_fields_by_lua", &Config::custom_fields_by_lua, custom_fields_help));
        }
        void check(schema::Checks& checks) const {
            CustomFields::check(custom_fields_by_lua, checks);
            if (tls) checks.field("tls", "TLS to log servers is not served yet");
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        delivery::StreamSettings settings{{config.host, config.port}, config.timeout, config.keepalive, "\n"};
        return log_.open(setup, config.custom_fields_by_lua, "tcp-log " + settings.place.text(),
                         std::to_string(config.timeout.count()) + " " + std::to_string(config.keepalive.count()),
                         plain_queue(),
                         [settings](net::Loop& loop, LogCourier&, const delivery::Surroundings& surroundings) {
                             return std::make_unique<delivery::StreamSender>(loop, surroundings, settings);
                         });
    }
    void on_log(Exchange& exchange) const { log_.put(exchange); }

  private:
    RecordLog log_;
};
REGISTER_PLUGIN(TcpLog);

}  // namespace plugin
