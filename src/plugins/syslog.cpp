// syslog: a record of each request to the system's logger, with a severity by its status (kong.md 4.21).
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <ctime>
#include <string>

#include "plugin/record_log.h"
#include "schema/field.h"

namespace plugin {

namespace {

enum class Severity : std::uint8_t { debug, info, notice, warning, err, crit, alert, emerg };
// RFC 5424 6.2.1: 0 is the worst.
int number(Severity severity) { return 7 - static_cast<int>(severity); }

// In the order of their numbers, with a gap before local0.
enum class Facility : std::uint8_t {
    kern,
    user,
    mail,
    daemon,
    auth,
    syslog,
    lpr,
    news,
    uucp,
    cron,
    authpriv,
    ftp,
    local0,
    local1,
    local2,
    local3,
    local4,
    local5,
    local6,
    local7,
};
int number(Facility facility) {
    int place = static_cast<int>(facility);
    return facility >= Facility::local0 ? place + 4 : place;
}

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::Severity> {
    static constexpr std::array<std::string_view, 8> list{"debug", "info", "notice", "warning",
                                                          "err",   "crit", "alert",  "emerg"};
};
template <>
struct schema::Names<plugin::Facility> {
    static constexpr std::array<std::string_view, 20> list{
        "kern",     "user", "mail",   "daemon", "auth",   "syslog", "lpr",    "news",   "uucp",   "cron",
        "authpriv", "ftp",  "local0", "local1", "local2", "local3", "local4", "local5", "local6", "local7"};
};

namespace plugin {

struct Syslog {
    static constexpr std::string_view name = "syslog";
    static constexpr int priority = 4;
    static constexpr std::string_view summary =
        "Sends a record of each request to the system's logger, as JSON, with a severity by its status. A logger that "
        "is "
        "away delays no request: records wait, and the oldest are dropped and counted.";
    static constexpr std::string_view example = R"(config:
  client_errors_severity: notice
  server_errors_severity: err
)";

    struct Config {
        Severity log_level = Severity::info;
        Severity successful_severity = Severity::info;
        Severity client_errors_severity = Severity::info;
        Severity server_errors_severity = Severity::info;
        Facility facility = Facility::user;
        std::string socket_path = "/dev/log";
        CustomFieldTexts custom_fields_by_lua;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("log_level", &Config::log_level, "Records of a lesser severity are not sent."),
                field("successful_severity", &Config::successful_severity, "Of answers below 400."),
                field("client_errors_severity", &Config::client_errors_severity, "Of answers from 400 to 499."),
                field("server_errors_severity", &Config::server_errors_severity, "Of answers from 500 on."),
                field("facility", &Config::facility, "Facility of the messages."),
                field("socket_path", &Config::socket_path, "The logger's datagram socket. Kong does not have this."),
                field("custom_fields_by_lua", &Config::custom_fields_by_lua, custom_fields_help));
        }
        void check(schema::Checks& checks) const { CustomFields::check(custom_fields_by_lua, checks); }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        delivery::DatagramSettings settings{.place = {}, .path = config.socket_path};
        return log_.open(setup, config.custom_fields_by_lua, "syslog " + config.socket_path, "", plain_queue(),
                         [settings](net::Loop& loop, LogCourier& courier, const delivery::Surroundings& surroundings) {
                             return std::make_unique<delivery::DatagramSender>(loop, surroundings, settings,
                                                                               courier.make_datagrams()());
                         });
    }

    void on_log(Exchange& exchange) const {
        int status = exchange.response.status;
        Severity severity = status >= 500   ? config.server_errors_severity
                            : status >= 400 ? config.client_errors_severity
                                            : config.successful_severity;
        if (severity < config.log_level) return;
        // RFC 3164 4.1, as syslog(3) writes it.
        std::time_t now = exchange.worker.loop.wall_now() / 1000;
        std::tm local{};
        localtime_r(&now, &local);
        char time[32];
        std::size_t size = std::strftime(time, sizeof time, "%b %e %H:%M:%S", &local);
        static thread_local std::string message;
        message.clear();
        fmt::format_to(std::back_inserter(message), "<{}>{} kong[{}]: ", number(config.facility) * 8 + number(severity),
                       std::string_view(time, size), ::getpid());
        message += log_.record(exchange);
        log_.put(message);
    }

  private:
    RecordLog log_;
};
REGISTER_PLUGIN(Syslog);

}  // namespace plugin
