// udp-log: one datagram of JSON for each request (kong.md 4.21).
#include <chrono>
#include <cstdint>
#include <string>

#include "plugin/record_log.h"

namespace plugin {

struct UdpLog {
    static constexpr std::string_view name = "udp-log";
    static constexpr int priority = 8;
    static constexpr std::string_view summary =
        "Sends a record of each request to a UDP port, as JSON. What the network loses is lost; a record larger than a "
        "datagram is dropped and counted.";
    static constexpr std::string_view example = R"(config:
  host: 127.0.0.1
  port: 9999
)";

    struct Config {
        std::string host;
        std::uint16_t port = 0;
        std::chrono::milliseconds timeout{10'000};
        CustomFieldTexts custom_fields_by_lua;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("host", &Config::host, "Name or address.").required(),
                field("port", &Config::port, "Port.").required(),
                field("timeout", &Config::timeout, "Longest wait for the name's address.").between(1, 2'147'483'646),
                field("custom_fields_by_lua", &Config::custom_fields_by_lua, custom_fields_help));
        }
        void check(schema::Checks& checks) const { CustomFields::check(custom_fields_by_lua, checks); }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        delivery::DatagramSettings settings{.place = {config.host, config.port}, .timeout = config.timeout};
        return log_.open(setup, config.custom_fields_by_lua, "udp-log " + settings.place.text(),
                         std::to_string(config.timeout.count()), plain_queue(),
                         [settings](net::Loop& loop, LogCourier& courier, const delivery::Surroundings& surroundings) {
                             return std::make_unique<delivery::DatagramSender>(loop, surroundings, settings,
                                                                               courier.make_datagrams()());
                         });
    }
    void on_log(Exchange& exchange) const { log_.put(exchange); }

  private:
    RecordLog log_;
};
REGISTER_PLUGIN(UdpLog);

}  // namespace plugin
