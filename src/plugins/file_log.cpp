// file-log: one line of JSON for each request, appended to a file (kong.md 4.21).
#include <filesystem>
#include <string>
#include <system_error>

#include "delivery/file_sender.h"
#include "observe/log.h"
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
        // It may come later (a mount, a volume), so the document is not refused.
        std::filesystem::path folder = std::filesystem::path(config.path).parent_path();
        std::error_code error;
        if (!folder.empty() && !std::filesystem::is_directory(folder, error))
            observe::log(observe::Level::warn, "file-log",
                         "there is no such folder: records are lost until it is there", {{"path", config.path}});
        return log_.open(setup, config.custom_fields_by_lua, "file-log " + config.path, config.reopen ? "reopen" : "",
                         plain_queue(), [settings](net::Loop& loop, LogCourier&, const delivery::Surroundings&) {
                             return std::make_unique<delivery::FileSender>(loop, settings);
                         });
    }
    void on_log(Exchange& exchange) const { log_.put(exchange); }

  private:
    RecordLog log_;
};
REGISTER_PLUGIN(FileLog);

}  // namespace plugin
