// file-log: one line of JSON for each request, appended to a file (kong.md 4.21).
#include <string>

#include "delivery/file_sender.h"
#include "plugin/log_entry.h"
#include "plugin/log_queue.h"

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
        TRY(custom_fields, CustomFields::compile(config.custom_fields_by_lua));
        custom_fields_ = std::move(custom_fields);
        delivery::FileSettings settings{config.path, config.reopen};
        auto opened =
            LogQueue::open(setup, "file-log " + config.path, config.reopen ? "reopen" : "", plain_queue(),
                           [settings](net::Loop& loop, LogCourier& courier, const delivery::Surroundings&) {
                               return std::make_unique<delivery::FileSender>(loop, courier.file_thread(), settings);
                           });
        if (!opened) return std::move(opened).error();
        queue_ = std::move(*opened);
        return {};
    }
    void on_log(Exchange& exchange) const { queue_.put(custom_fields_.apply(exchange, log_entry(exchange))); }

  private:
    LogQueue queue_;
    CustomFields custom_fields_;
};
REGISTER_PLUGIN(FileLog);

}  // namespace plugin
