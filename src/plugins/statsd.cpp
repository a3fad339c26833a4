// statsd: counts, sizes and times of requests as statsd lines, over UDP or TCP (kong.md 4.21).
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <iterator>
#include <optional>
#include <string>
#include <vector>

#include "delivery/stream_sender.h"
#include "plugin/latencies.h"
#include "plugin/log_queue.h"
#include "schema/field.h"

namespace plugin {

namespace {

enum class MetricName : std::uint8_t {
    kong_latency,
    latency,
    request_count,
    request_per_user,
    request_size,
    response_size,
    status_count,
    status_count_per_user,
    status_count_per_user_per_route,
    status_count_per_workspace,
    unique_users,
    upstream_latency,
    shdict_usage,
};
enum class StatType : std::uint8_t { counter, gauge, histogram, meter, set, timer };
constexpr std::array<std::string_view, 6> stat_marks{"c", "g", "h", "m", "s", "ms"};

enum class ConsumerIdentifier : std::uint8_t { consumer_id, custom_id, username };
enum class ServiceIdentifier : std::uint8_t { service_id, service_name, service_host, service_name_or_host };
enum class WorkspaceIdentifier : std::uint8_t { workspace_id, workspace_name };
enum class TagStyle : std::uint8_t { dogstatsd, influxdb, librato, signalfx };

}  // namespace
}  // namespace plugin

template <>
struct schema::Names<plugin::MetricName> {
    static constexpr std::array<std::string_view, 13> list{"kong_latency",
                                                           "latency",
                                                           "request_count",
                                                           "request_per_user",
                                                           "request_size",
                                                           "response_size",
                                                           "status_count",
                                                           "status_count_per_user",
                                                           "status_count_per_user_per_route",
                                                           "status_count_per_workspace",
                                                           "unique_users",
                                                           "upstream_latency",
                                                           "shdict_usage"};
};
template <>
struct schema::Names<plugin::StatType> {
    static constexpr std::array<std::string_view, 6> list{"counter", "gauge", "histogram", "meter", "set", "timer"};
};
template <>
struct schema::Names<plugin::ConsumerIdentifier> {
    static constexpr std::array<std::string_view, 3> list{"consumer_id", "custom_id", "username"};
};
template <>
struct schema::Names<plugin::ServiceIdentifier> {
    static constexpr std::array<std::string_view, 4> list{"service_id", "service_name", "service_host",
                                                          "service_name_or_host"};
};
template <>
struct schema::Names<plugin::WorkspaceIdentifier> {
    static constexpr std::array<std::string_view, 2> list{"workspace_id", "workspace_name"};
};
template <>
struct schema::Names<plugin::TagStyle> {
    static constexpr std::array<std::string_view, 4> list{"dogstatsd", "influxdb", "librato", "signalfx"};
};

namespace plugin {

namespace {

struct Metric {
    MetricName name = MetricName::request_count;
    StatType stat_type = StatType::counter;
    std::optional<double> sample_rate;
    std::optional<ConsumerIdentifier> consumer_identifier;
    std::optional<ServiceIdentifier> service_identifier;
    std::optional<WorkspaceIdentifier> workspace_identifier;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            field("name", &Metric::name, "What is sent.").required(),
            field("stat_type", &Metric::stat_type, "How the server is to take it.").required(),
            field("sample_rate", &Metric::sample_rate, "Said with counters and gauges, which need it.")
                .between(0.000001, 1),
            field("consumer_identifier", &Metric::consumer_identifier, "In the place of the default."),
            field("service_identifier", &Metric::service_identifier, "In the place of the default."),
            field("workspace_identifier", &Metric::workspace_identifier, "In the place of the default."));
    }
    void check(schema::Checks& checks) const {
        bool is_sampled = stat_type == StatType::counter || stat_type == StatType::gauge;
        if (is_sampled && !sample_rate) checks.field("sample_rate", "required field missing");
    }
};

std::vector<Metric> usual_metrics() {
    using enum MetricName;
    using enum StatType;
    auto counted = [](MetricName name) { return Metric{.name = name, .stat_type = counter, .sample_rate = 1}; };
    auto timed = [](MetricName name) { return Metric{.name = name, .stat_type = timer}; };
    return {counted(request_count),
            timed(latency),
            counted(request_size),
            counted(status_count),
            counted(response_size),
            Metric{.name = unique_users, .stat_type = set},
            counted(request_per_user),
            timed(upstream_latency),
            timed(kong_latency),
            counted(status_count_per_user),
            counted(status_count_per_workspace),
            counted(status_count_per_user_per_route)};
}

void replace(std::string& text, char from, char to) { std::replace(text.begin(), text.end(), from, to); }

// A name within a line: nothing in it may end the name, the value or the line.
std::string part(std::string text) {
    for (char& letter : text)
        if (letter == ':' || letter == '|' || letter == '@' || letter == '#' ||
            static_cast<unsigned char>(letter) <= ' ')
            letter = '_';
    return text;
}

// How a server wants its tags: behind the name, or behind the whole line.
struct TagForm {
    std::string_view before;
    char binds;
    std::string_view after;
    bool is_behind_name;
};
constexpr std::array<TagForm, 4> tag_forms{
    {{"|#", ':', "", false}, {",", '=', "", true}, {"#", '=', "", true}, {"[", '=', "]", true}}};

// The other metrics are these with a name for what a tag says.
constexpr bool is_tagged(MetricName name) {
    using enum MetricName;
    return name == request_count || name == request_size || name == response_size || name == latency ||
           name == kong_latency || name == upstream_latency;
}

// Nothing in a tag's value may end the tag, either.
std::string tag_value(std::string text) {
    for (char& letter : text)
        if (letter == ',' || letter == '=' || letter == '[' || letter == ']') letter = '_';
    return part(std::move(text));
}

struct StatusRange {
    unsigned from = 0;
    unsigned to = 0;
};
std::optional<StatusRange> parse_range(std::string_view text) {
    StatusRange out;
    const char* end = text.data() + text.size();
    auto first = std::from_chars(text.data(), end, out.from);
    if (first.ec != std::errc() || first.ptr == end || *first.ptr != '-') return {};
    auto second = std::from_chars(first.ptr + 1, end, out.to);
    if (second.ec != std::errc() || second.ptr != end || out.from > out.to || out.to > 999) return {};
    return out;
}

}  // namespace

struct Statsd {
    static constexpr std::string_view name = "statsd";
    static constexpr int priority = 11;
    static constexpr std::string_view summary =
        "Sends counts, sizes and times of each request to a statsd server, with Kong's names. A server that is slow or "
        "away delays no request: lines wait, and the oldest are dropped and counted.";
    static constexpr std::string_view example = R"(config:
  host: 127.0.0.1
  port: 8125
  metrics:
  - {name: request_count, stat_type: counter, sample_rate: 1}
  - {name: latency, stat_type: timer}
)";

    struct Config {
        std::string host = "localhost";
        std::uint16_t port = 8125;
        std::string prefix = "kong";
        std::vector<Metric> metrics = usual_metrics();
        std::vector<std::string> allow_status_codes;
        std::uint32_t udp_packet_size = 0;
        bool use_tcp = false;
        bool hostname_in_prefix = false;
        ConsumerIdentifier consumer_identifier_default = ConsumerIdentifier::custom_id;
        ServiceIdentifier service_identifier_default = ServiceIdentifier::service_name_or_host;
        WorkspaceIdentifier workspace_identifier_default = WorkspaceIdentifier::workspace_id;
        std::optional<TagStyle> tag_style;
        QueueFields queue;

        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("host", &Config::host, "Name or address of the server."),
                field("port", &Config::port, "Its port."), field("prefix", &Config::prefix, "Begins every name."),
                field("metrics", &Config::metrics, "What is sent; all of them if absent."),
                field("allow_status_codes", &Config::allow_status_codes,
                      "Only requests with a status in one of these ranges, such as `200-299`; all if empty."),
                field("udp_packet_size", &Config::udp_packet_size,
                      "Lines are sent together up to so many bytes; 0: each alone.")
                    .between(0, 65'507),
                field("use_tcp", &Config::use_tcp, "TCP in the place of UDP."),
                field("hostname_in_prefix", &Config::hostname_in_prefix, "Put this host's name behind the prefix."),
                field("consumer_identifier_default", &Config::consumer_identifier_default,
                      "What names a consumer; one that lacks it is not counted."),
                field("service_identifier_default", &Config::service_identifier_default, "What names a service."),
                field("workspace_identifier_default", &Config::workspace_identifier_default,
                      "There is one workspace, `default`."),
                field(
                    "tag_style", &Config::tag_style,
                    "Names stay the same for all services, and tags say which, in the style of that server. Then only "
                    "counts, sizes and times are sent, of requests that have a service."),
                field("queue", &Config::queue, "How lines wait and are tried again."));
        }
        void check(schema::Checks& checks) const {
            for (const std::string& range : allow_status_codes)
                if (!parse_range(range)) checks.field("allow_status_codes", "invalid value: " + range);
        }
    };
    Config config;

    base::Result<void> prepare(const Setup& setup) {
        for (const std::string& range : config.allow_status_codes)
            if (auto parsed = parse_range(range)) ranges_.push_back(*parsed);
        prefix_ = part(config.prefix);
        char host[256] = {};
        ::gethostname(host, sizeof host - 1);
        node_ = tag_value(host);
        replace(node_, '.', '_');
        if (config.hostname_in_prefix && !config.tag_style) prefix_ += "." + node_;
        delivery::Place place{config.host, config.port};
        // A batch is still sent line by line: it may as well be large.
        delivery::QueueSettings queue = config.queue.settings();
        if (queue.batch_size < plain_queue().batch_size) queue.batch_size = plain_queue().batch_size;
        queue.coalescing_delay = std::min(queue.coalescing_delay, net::Milliseconds(100));
        auto make = [place, is_tcp = config.use_tcp, size = config.udp_packet_size](
                        net::Loop& loop, LogCourier& courier,
                        const delivery::Surroundings& surroundings) -> std::unique_ptr<delivery::Sender> {
            if (is_tcp)
                return std::make_unique<delivery::StreamSender>(loop, surroundings,
                                                                delivery::StreamSettings{.place = place});
            delivery::DatagramSettings settings{.place = place, .path = {}, .packet_size = size};
            return std::make_unique<delivery::DatagramSender>(loop, surroundings, settings, courier.make_datagrams()());
        };
        std::string key = fmt::format("{} {}", config.use_tcp, config.udp_packet_size);
        TRY(opened, LogQueue::open(setup, "statsd " + place.text(), key, queue, make));
        queue_ = std::move(opened);
        return {};
    }

    void on_log(Exchange& exchange) const {
        if (!is_allowed(static_cast<unsigned>(exchange.response.status))) return;
        Latencies latencies = latencies_of(exchange);
        if (config.tag_style && exchange.service == nullptr) return;
        for (const Metric& metric : config.metrics) send(exchange, latencies, metric);
    }

  private:
    [[nodiscard]] bool is_allowed(unsigned status) const {
        return ranges_.empty() || std::any_of(ranges_.begin(), ranges_.end(), [&](const StatusRange& range) {
                   return range.from <= status && status <= range.to;
               });
    }

    void send(const Exchange& exchange, const Latencies& latencies, const Metric& metric) const {
        int status = exchange.response.status;
        auto numbered = [&](std::string_view what, std::int64_t value) {
            if (config.tag_style)
                put_tagged(exchange, what.substr(1), value, metric);
            else
                put(scope_of(exchange, metric) + std::string(what), std::to_string(value), metric);
        };
        if (config.tag_style && !is_tagged(metric.name)) return;
        auto of_user = [&](std::string_view what) {
            std::string user = consumer_of(exchange, metric);
            if (!user.empty()) put(scope_of(exchange, metric) + ".user." + user + std::string(what), "1", metric);
        };
        std::string of_status = ".status." + std::to_string(status);
        switch (metric.name) {
            case MetricName::request_count:
                return numbered(".request.count", 1);
            case MetricName::request_size:
                return numbered(".request.size",
                                static_cast<std::int64_t>(exchange.request_head_bytes + exchange.request_body_bytes));
            case MetricName::response_size:
                return numbered(".response.size",
                                static_cast<std::int64_t>(exchange.sent_head_bytes + exchange.response_body_bytes));
            case MetricName::latency:
                return numbered(".latency", latencies.request);
            case MetricName::kong_latency:
                return numbered(".kong_latency", latencies.kong);
            case MetricName::upstream_latency:
                if (latencies.proxy >= 0) numbered(".upstream_latency", latencies.proxy);
                return;
            case MetricName::status_count:
                return numbered(of_status, 1);
            case MetricName::status_count_per_workspace:
                return numbered(".workspace." + std::string(workspace) + of_status, 1);
            case MetricName::request_per_user:
                return of_user(".request.count");
            case MetricName::status_count_per_user:
                return of_user(of_status);
            case MetricName::unique_users: {
                std::string user = consumer_of(exchange, metric);
                if (!user.empty()) put(scope_of(exchange, metric) + ".user.uniques", user, metric);
                return;
            }
            case MetricName::status_count_per_user_per_route: {
                std::string user = consumer_of(exchange, metric);
                if (!user.empty() && exchange.route != nullptr)
                    put("route." + exchange.route->id.text() + ".user." + user + of_status, "1", metric);
                return;
            }
            case MetricName::shdict_usage:  // there are no shared dictionaries
                return;
        }
    }

    void put(const std::string& what, std::string_view value, const Metric& metric,
             std::string_view behind = {}) const {
        std::string line =
            fmt::format("{}.{}:{}|{}", prefix_, what, value, stat_marks[static_cast<std::size_t>(metric.stat_type)]);
        if (metric.sample_rate && *metric.sample_rate < 1)
            fmt::format_to(std::back_inserter(line), "|@{:g}", *metric.sample_rate);
        line += behind;
        queue_.put(line);
    }

    void put_tagged(const Exchange& exchange, std::string_view what, std::int64_t value, const Metric& metric) const {
        const TagForm& form = tag_forms[static_cast<std::size_t>(*config.tag_style)];
        std::string tags(form.before);
        auto add = [&](std::string_view name, std::string text) {
            if (text.empty()) return;
            if (tags.size() > form.before.size()) tags.push_back(',');
            tags += name;
            tags.push_back(form.binds);
            tags += tag_value(std::move(text));
        };
        add("service", service_of(*exchange.service, metric));
        if (exchange.route != nullptr)
            add("route", exchange.route->name.empty() ? exchange.route->id.text() : exchange.route->name);
        add("workspace", std::string(workspace));
        add("consumer", consumer_of(exchange, metric));
        add("node", node_);
        add("status", std::to_string(exchange.response.status));
        tags += form.after;
        std::string name(what);
        if (form.is_behind_name) name += tags;
        put(name, std::to_string(value), metric, form.is_behind_name ? std::string_view() : std::string_view(tags));
    }

    [[nodiscard]] std::string scope_of(const Exchange& exchange, const Metric& metric) const {
        if (exchange.service == nullptr) return "global.unmatched";
        std::string out = service_of(*exchange.service, metric);
        replace(out, '.', '_');
        return "service." + part(std::move(out));
    }

    [[nodiscard]] std::string service_of(const ServiceFacts& service, const Metric& metric) const {
        switch (metric.service_identifier.value_or(config.service_identifier_default)) {
            case ServiceIdentifier::service_id: {
                std::string id = service.id.text();
                replace(id, '-', '_');
                return id;
            }
            case ServiceIdentifier::service_name:
                return service.name;
            case ServiceIdentifier::service_host:
                return service.host;
            case ServiceIdentifier::service_name_or_host:
                break;
        }
        return service.name.empty() ? service.host : service.name;
    }

    [[nodiscard]] std::string consumer_of(const Exchange& exchange, const Metric& metric) const {
        const Consumer* consumer = exchange.identity.consumer;
        if (consumer == nullptr) return {};
        switch (metric.consumer_identifier.value_or(config.consumer_identifier_default)) {
            case ConsumerIdentifier::custom_id:
                return part(std::string(consumer->custom_id));
            case ConsumerIdentifier::username:
                return part(std::string(consumer->username));
            case ConsumerIdentifier::consumer_id: {
                std::string id = consumer->id.text();
                replace(id, '-', '_');
                return id;
            }
        }
        return {};
    }

    static constexpr std::string_view workspace = "default";
    std::string prefix_;
    std::string node_;
    std::vector<StatusRange> ranges_;
    LogQueue queue_;
};
REGISTER_PLUGIN(Statsd);

}  // namespace plugin
