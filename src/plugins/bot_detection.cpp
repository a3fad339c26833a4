// bot-detection: refuses well-known robots and HTTP libraries by what they call themselves (kong.md 4.17). It keeps
// out the honest ones: anybody can send another User-Agent.
#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "http/characters.h"
#include "plugin/pattern.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// Where a word begins, case matters. Sorted by first byte for the look-up below. Tools that people run by hand (curl,
// Wget, HTTPie) are not here, as in Kong: say `deny` for them.
constexpr auto names = [] {
    std::array list{
        // Search engines and their helpers, whose names do not end in "bot" or the like.
        "Mediapartners-Google", "AdsBot-Google", "APIs-Google", "FeedFetcher-Google", "Google-InspectionTool",
        "GoogleOther", "Google-Read-Aloud", "Google Favicon", "Google-Site-Verification", "BingPreview", "Yahoo! Slurp",
        "Yeti/", "Teoma", "Sogou web", "Sogou inst", "YandexImages", "YandexMetrika", "ia_archiver", "archive.org",
        "heritrix", "Nutch", "Qwantify", "Daumoa", "coccoc", "HTTrack", "Scrapy", "Screaming Frog", "SiteSucker",
        "WebCopier", "WebZIP", "Teleport Pro",
        // Previews of links, feeds, monitors.
        "facebookexternalhit", "facebookcatalog", "meta-externalagent", "WhatsApp/", "SkypeUriPreview", "Embedly",
        "Iframely", "Slack-ImgProxy", "Bitly", "Feedly", "FeedBurner", "NewsBlur", "Feedspot", "Pingdom", "StatusCake",
        "Site24x7", "NewRelicPinger", "Datadog/Synthetics", "W3C_Validator", "W3C-checklink", "W3C_CSS_Validator",
        "Chrome-Lighthouse", "GTmetrix", "HeadlessChrome", "PhantomJS",
        // Training and answering of language models.
        "ChatGPT-User", "anthropic-ai", "Claude-Web", "cohere-ai", "Diffbot",
        // Scanners.
        "Nikto", "sqlmap", "Nmap Scripting Engine", "masscan", "zgrab", "Nessus", "OpenVAS", "WPScan", "Expanse",
        "CensysInspect", "Netcraft",
        // HTTP libraries.
        "Apache-HttpClient", "Apache-HttpAsyncClient", "Jakarta Commons-HttpClient", "Commons-HttpClient",
        "Google-HTTP-Java-Client", "AsyncHttpClient", "AHC/", "okhttp", "Go-http-client", "Go 1.1 package http",
        "fasthttp", "colly", "Python-urllib", "python-urllib", "python-requests", "python-httpx", "aiohttp",
        "libwww-perl", "LWP::Simple", "lwp-trivial", "Mojolicious", "WWW-Mechanize", "Mechanize", "HTTPClient/",
        "http.rb/", "Faraday v", "Typhoeus", "rest-client/", "GuzzleHttp", "Symfony HttpClient", "axios/", "node-fetch",
        "node-superagent", "unirest-", "reqwest", "RestSharp", "WinHttp", "WinHTTP", "aihttp", "scalaj-http",
        "akka-http", "Dispatch/", "Reactor Netty", "ReactorNetty", "Spring-WebClient", "Apache CXF", "Axis/", "Axis2",
        "gSOAP", "Zend_Http_Client", "Zend\\Http", "lua-resty-http", "hackney/", "EventMachine HttpClient", "http-kit",
        "clj-http", "Manticore", "Jersey/", "Resty/", "go-resty", "HttpMonitor", "TLSProber", "JNLP", "libcurl-agent",
        "HTTP_Request2", "pycurl", "PycURL", "urlgrabber", "Indy Library", "Microsoft URL Control"};
    std::array<std::string_view, list.size()> out;
    std::copy(list.begin(), list.end(), out.begin());
    std::sort(out.begin(), out.end(), [](std::string_view a, std::string_view b) {
        return static_cast<unsigned char>(a.front()) < static_cast<unsigned char>(b.front());
    });
    return out;
}();

// Where the names of each first byte begin in `names`.
constexpr auto first_of = [] {
    std::array<std::uint16_t, 257> out{};
    std::size_t at = 0;
    for (std::size_t byte = 0; byte <= 256; ++byte) {
        while (at < names.size() && static_cast<unsigned char>(names[at].front()) < byte) ++at;
        out[byte] = static_cast<std::uint16_t>(at);
    }
    return out;
}();

// Only as the first thing said: elsewhere these are parts of what browsers say.
constexpr std::array<std::string_view, 5> leading{"Java/", "Ruby", "PHP/", "Perl/", "undici"};

// Ends of words that robots call themselves: "Googlebot", "AhrefsBot", "my_spider", "web crawler".
constexpr std::array<std::string_view, 7> endings{"bot", "spider", "crawler", "crawl", "scraper", "indexer", "fetcher"};

bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Does the word [begin, end) name a robot? Its last part begins in either case: "Bot", "bot", but not "BOT" (telephones
// of the make CUBOT say that).
bool is_robots_word(std::string_view word) {
    if (word == "Cubot") return false;
    for (std::string_view ending : endings) {
        if (word.size() < ending.size()) continue;
        std::string_view tail = word.substr(word.size() - ending.size());
        if (http::lower(tail.front()) == ending.front() && tail.substr(1) == ending.substr(1)) return true;
    }
    return false;
}

bool is_known(std::string_view agent) {
    for (std::string_view name : leading)
        if (agent.starts_with(name)) return true;
    std::size_t word = 0;  // where the present run of letters began
    for (std::size_t i = 0; i <= agent.size(); ++i) {
        if (i < agent.size() && is_letter(agent[i])) {
            if (i != word) continue;
            auto byte = static_cast<unsigned char>(agent[i]);
            for (std::size_t k = first_of[byte]; k < first_of[byte + 1u]; ++k)
                if (agent.substr(i).starts_with(names[k])) return true;
            continue;
        }
        if (i > word && is_robots_word(agent.substr(word, i - word))) return true;
        word = i + 1;
    }
    return false;
}

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
        return is_denied || is_known(agent) ? refuse(exchange, 403, "Forbidden") : Verdict::go_on;
    }

  private:
    std::vector<Pattern> allow_;
    std::vector<Pattern> deny_;
};
REGISTER_PLUGIN(BotDetection);

}  // namespace plugin
