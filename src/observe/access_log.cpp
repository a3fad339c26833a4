#include "observe/access_log.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "observe/log_line.h"

namespace observe {

namespace {
constexpr std::size_t longest_target = 8192;  // of request, target and path: the default limit of a request line
constexpr std::size_t longest_value = 2048;
constexpr std::size_t longest_number = 24;
constexpr std::size_t longest_allowed_line = 96 * 1024;  // must fit a channel several times

constexpr std::string_view combined =
    "$remote_addr - $remote_user [$time_local] \"$request\" $status $body_bytes_sent \"$http_referer\" "
    "\"$http_user_agent\"";
constexpr std::string_view json =
    "escape=json {\"time\":\"$time_utc\",\"client\":\"$remote_addr\",\"method\":\"$request_method\",\"host\":\"$host\","
    "\"target\":\"$request_uri\",\"version\":\"$server_protocol\",\"status\":$status,\"request_bytes\":$request_length,"
    "\"response_bytes\":$bytes_sent,\"request_ms\":$request_ms,\"upstream_ms\":$upstream_ms,\"gateway_ms\":$gateway_ms,"
    "\"upstream\":\"$upstream_addr\",\"tries\":$tries,\"route\":\"$route\",\"service\":\"$service\","
    "\"request_id\":\"$request_id\",\"user_agent\":\"$http_user_agent\",\"referer\":\"$http_referer\"}";

using Clock = AccessFormat::Clock;
using View = std::string_view;

void put_value(Text& text, View value, Escape escape, std::size_t limit = longest_value) {
    if (value.empty() && escape == Escape::log)
        text.put('-');  // as nginx
    else
        text.escaped(value, escape, limit);
}

// Seconds with three decimals, as nginx; milliseconds with three decimals under our own names.
void put_seconds(Text& text, AccessRecord::Time time, Escape escape) {
    if (time.count() >= 0)
        text.seconds(std::chrono::duration_cast<std::chrono::milliseconds>(time).count());
    else if (escape == Escape::log)
        text.put('-');
}
void put_milliseconds(Text& text, AccessRecord::Time time, Escape escape) {
    if (time.count() >= 0)
        text.seconds(time.count());
    else
        text.put(escape == Escape::log ? View("-") : View("null"));
}

View header(const AccessRecord& record, const void* message, View name) {
    return record.find_header == nullptr || message == nullptr ? View() : record.find_header(message, name);
}

// `put` for a member that is text, and for one that is a number.
template <auto Member, std::size_t Limit = longest_value>
void text_of(Text& text, const AccessRecord& record, const Clock&, Escape escape, View) {
    put_value(text, record.*Member, escape, Limit);
}
template <auto Member>
void number_of(Text& text, const AccessRecord& record, const Clock&, Escape, View) {
    text.number(record.*Member);
}
template <auto Member>
void seconds_of(Text& text, const AccessRecord& record, const Clock&, Escape escape, View) {
    put_seconds(text, record.*Member, escape);
}
template <auto Member>
void milliseconds_of(Text& text, const AccessRecord& record, const Clock&, Escape escape, View) {
    put_milliseconds(text, record.*Member, escape);
}

void put_request(Text& text, const AccessRecord& record, const Clock&, Escape escape, View) {
    if (record.method.empty()) return put_value(text, {}, escape);  // nothing that could be read as a request
    text.escaped(record.method, escape, longest_value);
    text.put(' ');
    text.escaped(record.target, escape, longest_target);
    text.put(' ');
    text.escaped(record.version, escape, longest_number);
}

void put_args(Text& text, const AccessRecord& record, const Clock&, Escape escape, View) {
    std::size_t mark = record.target.find('?');
    put_value(text, mark == View::npos ? View() : record.target.substr(mark + 1), escape, longest_target);
}

void put_upstream_status(Text& text, const AccessRecord& record, const Clock&, Escape escape, View) {
    if (record.upstream_status != 0)
        text.number(record.upstream_status);
    else if (escape == Escape::log)
        text.put('-');
}

void put_request_header(Text& text, const AccessRecord& record, const Clock&, Escape escape, View name) {
    put_value(text, header(record, record.request, name), escape);
}
void put_response_header(Text& text, const AccessRecord& record, const Clock&, Escape escape, View name) {
    put_value(text, header(record, record.response, name), escape);
}

View host_name() {
    static const std::string name = [] {
        char out[256] = {};
        return std::string(::gethostname(out, sizeof out - 1) == 0 ? out : "");
    }();
    return name;
}
}  // namespace

struct AccessFormat::Variable {
    View name;
    Put put;
    std::size_t longest;
    View help;
};

const std::vector<AccessFormat::Variable>& AccessFormat::known() {
    using Record = AccessRecord;
    static const std::vector<Variable> variables{
        {"args", put_args, longest_target, "Query of the target, without `?`."},
        {"body_bytes_sent", number_of<&Record::body_bytes>, longest_number, "Bytes of the answer's body."},
        {"bytes_sent", number_of<&Record::response_bytes>, longest_number, "Bytes of the whole answer."},
        {"connection", number_of<&Record::connection>, longest_number, "Number of the client's connection."},
        {"connection_requests", number_of<&Record::connection_requests>, longest_number, "Requests on it so far."},
        {"gateway_ms", milliseconds_of<&Record::gateway_time>, longest_number, "The gateway's own time, milliseconds."},
        {"host", text_of<&Record::host>, longest_value, "Host of the request, without port."},
        {"hostname",
         [](Text& text, const Record&, const Clock&, Escape escape, View) { put_value(text, host_name(), escape); },
         longest_value, "Name of this machine."},
        {"kong_request_id", text_of<&Record::request_id>, longest_value, "The same as request_id."},
        {"msec",
         [](Text& text, const Record& record, const Clock&, Escape, View) {
             text.seconds(
                 std::chrono::duration_cast<std::chrono::milliseconds>(record.time.time_since_epoch()).count());
         },
         longest_number, "Time in seconds since 1970, with milliseconds."},
        {"pid", [](Text& text, const Record&, const Clock&, Escape, View) { text.number(::getpid()); }, longest_number,
         "Number of this process."},
        {"query_string", put_args, longest_target, "The same as args."},
        {"remote_addr", text_of<&Record::client_ip>, longest_value, "Address of the client, after real_ip_header."},
        {"remote_port", number_of<&Record::client_port>, longest_number, "Port of the client."},
        {"remote_user", text_of<&Record::user>, longest_value, "Name the client was authenticated as."},
        {"request", put_request, longest_value + longest_target + longest_number + 2, "The request line."},
        {"request_id", text_of<&Record::request_id>, longest_value, "32 hex digits, as in X-Kong-Request-Id."},
        {"request_length", number_of<&Record::request_bytes>, longest_number, "Bytes of the whole request."},
        {"request_method", text_of<&Record::method>, longest_value, "Method."},
        {"request_ms", milliseconds_of<&Record::request_time>, longest_number,
         "Time of the whole exchange, milliseconds."},
        {"request_time", seconds_of<&Record::request_time>, longest_number, "Time of the whole exchange, seconds."},
        {"request_uri", text_of<&Record::target, longest_target>, longest_target, "Target as received."},
        {"route", text_of<&Record::route>, longest_value, "Name or id of the route."},
        {"scheme", text_of<&Record::scheme>, longest_value, "http or https."},
        {"server_addr", text_of<&Record::server_ip>, longest_value, "Our address of the connection."},
        {"server_port", number_of<&Record::server_port>, longest_number, "Our port of the connection."},
        {"server_protocol", text_of<&Record::version>, longest_value, "HTTP/1.0 or HTTP/1.1."},
        {"service", text_of<&Record::service>, longest_value, "Name or id of the service."},
        {"status", number_of<&Record::status>, longest_number, "Status of the answer."},
        {"time_iso8601",
         [](Text& text, const Record&, const Clock& clock, Escape, View) {
             text.put(View(clock.iso8601, clock.iso8601_size));
         },
         32, "Local time as in ISO 8601."},
        {"time_local",
         [](Text& text, const Record&, const Clock& clock, Escape, View) {
             text.put(View(clock.local, clock.local_size));
         },
         32, "Local time as in the common log format."},
        {"time_utc",
         [](Text& text, const Record& record, const Clock&, Escape, View) { put_utc_time(text, record.time); }, 32,
         "UTC with milliseconds, RFC 3339."},
        {"tries", number_of<&Record::tries>, longest_number, "Upstream attempts."},
        {"upstream_addr", text_of<&Record::upstream_address>, longest_value, "Address of the last attempt."},
        {"upstream_connect_time", seconds_of<&Record::connect_time>, longest_number, "Its time to connect, seconds."},
        {"upstream_header_time", seconds_of<&Record::header_time>, longest_number,
         "Its time to the response head, seconds."},
        {"upstream_ms", milliseconds_of<&Record::upstream_time>, longest_number, "Its time in all, milliseconds."},
        {"upstream_response_time", seconds_of<&Record::upstream_time>, longest_number, "Its time in all, seconds."},
        {"upstream_status", put_upstream_status, longest_number, "Its status."},
        {"uri", text_of<&Record::path, longest_target>, longest_target, "Normalised path."},
    };
    return variables;
}

std::vector<std::pair<View, View>> AccessFormat::variables() {
    std::vector<std::pair<View, View>> out;
    for (const Variable& variable : known()) out.emplace_back(variable.name, variable.help);
    out.emplace_back("http_NAME", "Any header field of the request, NAME in lower case with `_` for `-`.");
    out.emplace_back("sent_http_NAME", "Any header field of the answer.");
    return out;
}

base::Result<void> AccessFormat::add_variable(View name) {
    for (const Variable& variable : known()) {
        if (variable.name != name) continue;
        segments_.push_back({variable.put, {}, variable.longest});
        return base::success();
    }
    for (auto [prefix, put] :
         {std::pair(View("http_"), Put(put_request_header)), {"sent_http_", put_response_header}}) {
        if (!name.starts_with(prefix) || name.size() == prefix.size()) continue;
        std::string field(name.substr(prefix.size()));
        std::replace(field.begin(), field.end(), '_', '-');
        segments_.push_back({put, std::move(field), longest_value});
        return base::success();
    }
    std::string names;
    for (auto [known_name, help] : variables()) names += (names.empty() ? "$" : ", $") + std::string(known_name);
    return base::Error::us(base::Code::invalid, fmt::format("unknown variable ${}; known are {}", name, names));
}

base::Result<AccessFormat> AccessFormat::compile(View text) {
    if (text == "combined") text = combined;
    if (text == "json") text = json;
    AccessFormat out;
    if (text.starts_with("escape=")) {
        std::size_t space = std::min(text.find(' '), text.size());
        View kind = text.substr(7, space - 7);
        if (kind != "json" && kind != "default")  // escape=none would let a client write lines of its own
            return base::Error::us(base::Code::invalid,
                                   fmt::format("escape={} is not served, only json and default", kind));
        if (kind == "json") out.escape_ = Escape::json;
        text.remove_prefix(std::min(space + 1, text.size()));
    }
    auto is_name = [](char letter) {
        return (letter >= 'a' && letter <= 'z') || (letter >= '0' && letter <= '9') || letter == '_';
    };
    while (!text.empty()) {
        std::size_t dollar = std::min(text.find('$'), text.size());
        if (dollar != 0) out.segments_.push_back({nullptr, std::string(text.substr(0, dollar)), dollar});
        text.remove_prefix(dollar);
        if (text.empty()) break;
        text.remove_prefix(1);
        bool is_braced = text.starts_with('{');
        if (is_braced) text.remove_prefix(1);
        std::size_t size = 0;
        while (size < text.size() && is_name(text[size])) ++size;
        if (size == 0 || (is_braced && (size == text.size() || text[size] != '}')))
            return base::Error::us(base::Code::invalid,
                                   "a $ must be followed by a variable's name, as in $status or ${status}");
        TRY_VOID(out.add_variable(text.substr(0, size)));
        text.remove_prefix(size + (is_braced ? 1 : 0));
    }
    if (out.segments_.empty()) return base::Error::us(base::Code::invalid, "the format of the access log is empty");
    for (const Segment& segment : out.segments_) {
        if (segment.put == nullptr && segment.text.find('\n') != View::npos)
            return base::Error::us(base::Code::invalid, "the format of the access log must be one line");
        out.longest_ += segment.longest;
    }
    ++out.longest_;  // '\n'
    if (out.longest_ > longest_allowed_line)
        return base::Error::us(
            base::Code::invalid,
            fmt::format("a line of this format could take {} bytes, more than {}", out.longest_, longest_allowed_line));
    return out;
}

void AccessFormat::Clock::set(WallTime time) {
    auto now = std::chrono::duration_cast<std::chrono::seconds>(time.time_since_epoch()).count();
    if (now == second) return;
    second = now;
    std::time_t seconds = now;
    std::tm parts{};
    ::localtime_r(&seconds, &parts);
    local_size = std::strftime(local, sizeof local, "%d/%b/%Y:%H:%M:%S %z", &parts);
    iso8601_size = std::strftime(iso8601, sizeof iso8601 - 1, "%Y-%m-%dT%H:%M:%S%z", &parts);
    if (iso8601_size < 5) return;
    std::memmove(iso8601 + iso8601_size - 1, iso8601 + iso8601_size - 2, 2);  // +0000 to +00:00
    iso8601[iso8601_size - 2] = ':';
    ++iso8601_size;
}

void AccessFormat::put(Text& text, const AccessRecord& record, Clock& clock) const {
    clock.set(record.time);
    for (const Segment& segment : segments_) {
        if (segment.put == nullptr)
            text.put(segment.text);
        else
            segment.put(text, record, clock, escape_, segment.text);
    }
}

void AccessLog::write(const AccessRecord& record) {
    if (channel_ == nullptr) return;
    char* at = channel_->reserve(format_->longest_line());
    if (at == nullptr) return;
    Text text(at, format_->longest_line() - 1);
    format_->put(text, record, clock_);
    std::size_t size = text.size();
    at[size++] = '\n';
    channel_->commit(size);
}

}  // namespace observe
