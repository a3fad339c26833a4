// bot-detection: refuses well-known robots and HTTP libraries by what they call themselves (kong.md 4.17). It keeps
// out the honest ones: anybody can send another User-Agent.
#include <algorithm>
#include <string>
#include <vector>

#include "plugin/pattern.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// Names, as they stand in User-Agent fields. Search engines and their like, other crawlers, HTTP libraries.
constexpr std::string_view known_robots[] = {
    R"((?:Google|bing|Yandex|Baidu|DuckDuck|Apple|Petal|Seznam|Sogou|Exa|Semrush|Ahrefs|MJ12|Dot|CC|GPT|Claude|Twitter|Linked[Ii]n|Slack|Discord|Telegram|Facebook|Pinterest|UptimeR|AdsB|msn|Blex|rogerB|Mega[Ii]ndex)[Bb]?[Oo][Tt]\b)",
    R"([A-Za-z]+[Bb]ot[/ -]\d)",
    R"((?:Baidu|Yisou|Sogou web |360|Bytes?)[Ss]pider)",
    R"([A-Za-z]*(?:[Ss]pider|[Cc]rawler|[Ss]craper)[/ -]\d)",
    R"(\b(?:Mediapartners-Google|AdsBot-Google|APIs-Google|Google-InspectionTool|Storebot-Google)\b)",
    R"(facebookexternalhit/|facebookcatalog/|\bSlurp\b|\bia_archiver\b|\bNutch\b|\bHeritrix\b|\bHTTrack\b|\bScrapy/)",
    R"(Pingdom\.com_bot|\bWhatsApp/|\bBingPreview/|\bW3C_Validator/|\bcurl_multi\b)",
    R"(\b(?:Go-http-client|okhttp|axios|node-fetch|undici|got|libwww-perl|Apache-HttpClient|Jakarta Commons-HttpClient|Java|PHP|Ruby|Faraday|GuzzleHttp|reqwest|hyper)/\d)",
    R"(\b(?:[Pp]ython-urllib|Python-httplib2|python-requests|python-httpx|aiohttp|urlgrabber)/)",
};

}  // namespace

struct BotDetection {
    static constexpr std::string_view name = "bot-detection";
    static constexpr int priority = 2500;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Refuses robots by their User-Agent: search engines, crawlers and HTTP libraries by a built-in list, others by "
        "regexes. Requests without User-Agent pass.";
    static constexpr std::string_view example = R"(config:
  allow: [GoodBot]
  deny: ["^Evil"]
)";

    struct Config {
        std::vector<std::string> allow;
        std::vector<std::string> deny;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("allow", &Config::allow, "Regexes, searched anywhere: who always passes.").matches(regex),
                field("deny", &Config::deny, "Regexes, searched anywhere: who never passes, beyond the built-in list.")
                    .matches(regex));
        }
        static constexpr schema::Format regex{"a regex", Pattern::fault};
    };
    Config config;

    base::Result<void> prepare(const Setup&) {
        for (auto [texts, patterns] : {std::pair{&config.allow, &allow_}, std::pair{&config.deny, &deny_}})
            for (const std::string& text : *texts) {
                TRY(pattern, Pattern::compile(text, Pattern::Extent::anywhere));
                patterns->push_back(std::move(pattern));
            }
        std::string all;
        for (std::string_view robot : known_robots) all.append(all.empty() ? "" : "|").append(robot);
        TRY(known, Pattern::compile(all, Pattern::Extent::anywhere));
        deny_.push_back(std::move(known));
        return base::success();
    }

    Verdict on_request(Exchange& exchange) const {
        const http::Headers& headers = exchange.request.headers;
        if (!headers.has(http::Known::user_agent)) return Verdict::go_on;
        if (headers.count(http::Known::user_agent) > 1)
            return refuse(exchange, 400, "Only one User-Agent header allowed");
        std::string_view agent = headers.first(http::Known::user_agent);
        for (const Pattern& pattern : allow_)
            if (pattern.matches(agent)) return Verdict::go_on;
        // Where the engine gives up, nobody knows: that does not let anybody in.
        bool is_denied = std::any_of(deny_.begin(), deny_.end(), [agent](const Pattern& pattern) {
            return pattern.match(agent) != Pattern::Outcome::differs;
        });
        return is_denied ? refuse(exchange, 403, "Forbidden") : Verdict::go_on;
    }

  private:
    std::vector<Pattern> allow_;
    std::vector<Pattern> deny_;
};
REGISTER_PLUGIN(BotDetection);

}  // namespace plugin
