// file-log: one line of JSON for each request, appended to a file (kong.md 4.21).
#include <string>

#include "delivery/file_sender.h"
#include "plugin/record_log.h"

namespace plugin {

struct FileLog {
    static constexpr std::string_view name = "file-log";
    static constexpr int priority = 9;
    static constexpr std::string_view summary =
        "Appends a record of each request to a file, as a line of JSON. A disk that stalls delays no request; what "
        "finds "
        "no room is dropped and counted.";
    static constexpr std::string_view example = R"(config:
  path: /tmp/requests.log
)";

    struct Config {
        std::string path;
        bool reopen = false;
        CustomFieldTexts custom_fields_by_lua;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("path", &Config::path,
                      "The file; made if it is not there. /dev/stdout and /dev/stderr work, too.")
                    .required(),
                field("reopen", &Config::reopen, "Open it anew each time, so that a file moved away is let go of."),
                field("custom_fields_by_lua", &Config::custom_fields_by_lua, custom_fields_help));
        }
        void check(schema::Checks& checks) const { CustomFields::check(custom_fields_by_lua, checks); }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        delivery::FileSettings settings{config.path, config.reopen};
        return log_.open(setup, config.custom_fields_by_lua, "file-log " + config.path, config.reopen ? "reopen" : "",
                         plain_queue(),
                         [settings](net::Loop& loop, LogCourier& courier, const delivery::Surroundings&) {
                             return std::make_unique<delivery::FileSender>(loop, courier.file_thread(), settings);
                         });
    }
    void on_log(Exchange& exchange) const { log_.put(exchange); }

  private:
    RecordLog log_;
};
REGISTER_PLUGIN(FileLog);

}  // namespace plugin
