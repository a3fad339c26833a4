// redirect: sends clients elsewhere (kong.md 4.20).
#include <cstdint>
#include <string>

#include "http/characters.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// scheme://authority, of an absolute URL.
std::size_t end_of_authority(std::string_view url) {
    std::size_t mark = url.find("://");
    if (mark == url.npos || mark == 0 || mark + 3 == url.size()) return url.npos;
    std::size_t end = std::min(url.find_first_of("/?#", mark + 3), url.size());
    return end == mark + 3 ? url.npos : end;
}

}  // namespace

struct Redirect {
    static constexpr std::string_view name = "redirect";
    static constexpr int priority = 779;
    static constexpr std::string_view summary = "Answers with a redirect to another place.";
    static constexpr std::string_view example = R"(config:
  status_code: 308
  location: https://new.example/
  keep_incoming_path: true
)";

    struct Config {
        std::uint16_t status_code = 301;
        std::string location;
        bool keep_incoming_path = false;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(field("status_code", &Config::status_code, "Status of the answer.").between(100, 599),
                                  field("location", &Config::location, "Where to: an absolute URL.").required(),
                                  field("keep_incoming_path", &Config::keep_incoming_path,
                                        "Path and query of the request stand in the place of the location's."));
        }
        void check(schema::Checks& checks) const {
            if (checks.failed("location")) return;
            bool is_url = end_of_authority(location) != std::string::npos;
            if (!is_url) checks.field("location", "missing host in url");
            // It is sent as it is written.
            if (is_url && !http::all_are(location, http::character::field_value))
                checks.field("location", "invalid value: " + location);
        }
    };
    Config config;

    Verdict on_request(Exchange& exchange) const {
        std::string_view location = config.location;
        if (config.keep_incoming_path) {
            const http::RequestHead& request = exchange.request;
            std::size_t fragment = std::min(location.find('#'), location.size());
            location = exchange.arena.join(location.substr(0, end_of_authority(location)), request.raw_path,
                                           request.has_query ? "?" : "", request.query, location.substr(fragment));
        }
        Verdict verdict = reply_text(exchange, config.status_code, "text/plain; charset=utf-8", "redirecting");
        exchange.response.headers.set(http::Known::location, location);
        return verdict;
    }
};
REGISTER_PLUGIN(Redirect);

}  // namespace plugin
