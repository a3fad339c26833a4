// cors: tells browsers which other sites may read the answers, and answers their preflights (kong.md 4.10; the Fetch
// standard's "CORS protocol"). Runs before authentication, so that a 401 can be read by the page that caused it.
#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "http/characters.h"
#include "plugin/pattern.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

// A site as an Origin field names it, default ports dropped; case stays, as in Kong.
struct Site {
    std::string_view origin;
    std::string_view host;
};

bool is_port_default(std::string_view scheme, std::string_view port) {
    return (scheme == "http" && port == "80") || (scheme == "https" && port == "443");
}

// The parts are views of `text`; one that cannot be taken apart ("null", or with userinfo in it) is itself.
Site site_of(std::string_view text) {
    std::size_t mark = text.find("://");
    if (mark == text.npos || mark == 0) return {text, text};
    std::size_t start = mark + 3;
    std::size_t end = std::min(text.find_first_of("/?#", start), text.size());
    std::string_view authority = text.substr(start, end - start);
    if (authority.empty() || authority.find('@') != authority.npos) return {text, text};
    std::size_t colon = authority.find(':', authority.starts_with('[') ? authority.find(']') : 0);
    std::string_view host = authority.substr(0, colon);
    bool drops_port = colon != authority.npos && (colon + 1 == authority.size() ||
                                                  is_port_default(text.substr(0, mark), authority.substr(colon + 1)));
    return {text.substr(0, drops_port ? start + colon : end), host};
}

// Anything else makes an entry a regex.
bool is_literal(std::string_view entry) {
    return std::all_of(entry.begin(), entry.end(), [](char c) {
        return http::character::is_alphanumeric(c) || c == '.' || c == ':' || c == '/' || c == '-';
    });
}

std::string joined(const std::vector<std::string>& list) { return fmt::format("{}", fmt::join(list, ",")); }

}  // namespace

struct Cors {
    static constexpr std::string_view name = "cors";
    static constexpr int priority = 2000;
    static constexpr bool is_for_consumers = false;
    static constexpr std::string_view summary =
        "Lets pages of other sites call an API from a browser: answers their preflights and sets the fields by which "
        "browsers decide who may read an answer.";
    static constexpr std::string_view example = R"(config:
  origins: ["https://petstore.com", "https://.*\\.example\\.com"]
  methods: [GET, POST]
  headers: [Authorization, Content-Type]
  credentials: true
  max_age: 3600
)";

    struct Config {
        std::optional<std::vector<std::string>> origins;
        std::optional<std::vector<std::string>> headers;
        std::optional<std::vector<std::string>> exposed_headers;
        std::vector<std::string> methods = {"GET",    "HEAD",    "PUT",   "PATCH",  "POST",
                                            "DELETE", "OPTIONS", "TRACE", "CONNECT"};
        std::optional<double> max_age;
        bool credentials = false;
        bool private_network = false;
        bool preflight_continue = false;
        bool allow_origin_absent = true;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("origins", &Config::origins,
                      "Sites that may read: as written, `*` for all, or regexes, which match the whole origin, or the "
                      "host if they have no colon. None: all."),
                field("headers", &Config::headers,
                      "Request fields that may be sent; none: those that the preflight asks for."),
                field("exposed_headers", &Config::exposed_headers, "Answer fields that pages may read."),
                field("methods", &Config::methods, "Methods that may be used.")
                    .one_of("GET", "HEAD", "PUT", "PATCH", "POST", "DELETE", "OPTIONS", "TRACE", "CONNECT"),
                field("max_age", &Config::max_age, "Seconds for which browsers may keep a preflight's answer."),
                field("credentials", &Config::credentials, "Pages may send cookies and credentials."),
                field("private_network", &Config::private_network,
                      "Public sites may call into a private network (Access-Control-Allow-Private-Network)."),
                field("preflight_continue", &Config::preflight_continue, "The upstream answers preflights."),
                field("allow_origin_absent", &Config::allow_origin_absent,
                      "Set the fields also on answers to requests without Origin."));
        }
        void check(schema::Checks& checks) const {
            for (std::size_t i = 0; origins && i < origins->size(); ++i) {
                const std::string& entry = (*origins)[i];
                if (entry == "*" || is_literal(entry)) continue;
                std::string fault = Pattern::fault(entry);
                if (!fault.empty()) checks.element("origins", i, std::move(fault));
            }
        }
    };
    Config config;

    base::Result<void> prepare(const Setup&) {
        static const std::vector<std::string> nobody;
        const std::vector<std::string>& origins = config.origins ? *config.origins : nobody;
        everybody_ = origins.empty() || (origins.size() == 1 && origins[0] == "*");
        if (origins.size() == 1 && !everybody_ && is_literal(origins[0])) only_ = origins[0];
        for (const std::string& entry : origins) {
            Allowed allowed;
            if (entry == "*") {
                allowed.is_any = true;
            } else if (is_literal(entry)) {
                allowed.origin = site_of(entry).origin;
            } else {
                TRY(pattern, Pattern::compile(entry, Pattern::Extent::whole));
                allowed.pattern = std::move(pattern);
                allowed.is_by_host = entry.find(':') == entry.npos;
            }
            allowed_.push_back(std::move(allowed));
        }
        methods_ = joined(config.methods);
        if (config.headers) headers_ = joined(*config.headers);
        if (config.exposed_headers) exposed_ = joined(*config.exposed_headers);
        if (config.max_age) max_age_ = fmt::format("{:.14g}", *config.max_age);
        return base::success();
    }

    [[nodiscard]] bool answers_preflights() const { return !config.preflight_continue; }

    Verdict on_request(Exchange& exchange) const {
        const http::RequestHead& request = exchange.request;
        if (!request.is_preflight()) return Verdict::go_on;
        exchange.make_note<Preflight>();
        if (config.preflight_continue) return Verdict::go_on;
        Verdict verdict = reply_text(exchange, 200, {}, {});
        http::Headers& headers = exchange.response.headers;
        set_origin(exchange);
        std::string_view asked = request.headers.first(http::Known::access_control_request_headers);
        std::string_view allowed = headers_.empty() ? asked : std::string_view(headers_);
        if (!allowed.empty()) headers.set("Access-Control-Allow-Headers", allowed);
        headers.set("Access-Control-Allow-Methods", methods_);
        if (!max_age_.empty()) headers.set("Access-Control-Max-Age", max_age_);
        if (config.private_network && request.headers.first("Access-Control-Request-Private-Network") == "true")
            headers.set("Access-Control-Allow-Private-Network", "true");
        return verdict;
    }

    void on_response(Exchange& exchange) const {
        // A preflight has its fields already, or gets the upstream's.
        if (exchange.note<Preflight>() != nullptr) return;
        if (!config.allow_origin_absent && !exchange.request.headers.has(http::Known::origin)) return;
        set_origin(exchange);
        if (!exposed_.empty()) exchange.response.headers.set("Access-Control-Expose-Headers", exposed_);
    }

  private:
    struct Preflight {};
    struct Allowed {
        std::string origin;
        std::optional<Pattern> pattern;
        bool is_by_host = false;
        bool is_any = false;
    };

    static constexpr std::string_view allow_origin = "Access-Control-Allow-Origin";
    static constexpr std::string_view allow_credentials = "Access-Control-Allow-Credentials";

    void set_origin(Exchange& exchange) const {
        http::Headers& headers = exchange.response.headers;
        std::string_view asking = exchange.request.headers.first(http::Known::origin);
        std::string_view answer = everybody_ ? "*" : only_.empty() ? answer_to(asking) : std::string_view(only_);
        // What is answered depends on who asks; caches must know, also where nobody may.
        if (!everybody_) add_vary(headers);
        if (answer == "*" && config.credentials && !asking.empty()) {
            // Browsers take no credentials with "*": the asking site stands in its place.
            headers.set(allow_origin, asking);
            if (everybody_) add_vary(headers);
            headers.set(allow_credentials, "true");
            return;
        }
        if (answer.empty())
            headers.remove(allow_origin);
        else
            headers.set(allow_origin, answer);
        if (config.credentials && answer != "*") headers.set(allow_credentials, "true");
    }

    // Empty: nobody who may.
    [[nodiscard]] std::string_view answer_to(std::string_view asking) const {
        if (asking.empty()) return {};
        Site site = site_of(asking);
        for (const Allowed& allowed : allowed_) {
            if (allowed.is_any) return "*";
            bool is_it = allowed.pattern ? allowed.pattern->matches(allowed.is_by_host ? site.host : site.origin)
                                         : allowed.origin == site.origin;
            if (is_it) return site.origin;
        }
        return {};
    }

    // One that is there already stays alone: the upstream's, or that of a stored answer.
    static void add_vary(http::Headers& headers) {
        bool is_there = false;
        headers.all(http::Known::vary, [&is_there](std::string_view list) {
            for (std::string_view element; http::next_element(list, element);)
                is_there = is_there || element == "*" || http::equals_ignore_case(element, "Origin");
        });
        if (!is_there) headers.add("vary", "Origin");
    }

    bool everybody_ = false;
    std::string only_;  // the one literal origin, sent to whoever asks
    std::vector<Allowed> allowed_;
    std::string methods_;
    std::string headers_;
    std::string exposed_;
    std::string max_age_;
};
REGISTER_PLUGIN(Cors);

}  // namespace plugin
