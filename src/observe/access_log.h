// The access log: one line per request, compiled once from `combined`, `json` or an own text with nginx's $variables,
// and formatted straight into the core's channel without allocation. Values are escaped and cut (longest_value), so
// that a client cannot forge a line or make one of unbounded length. Called at the end of every exchange by gateway.
#pragma once

#include <chrono>
#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "observe/clock.h"
#include "observe/text.h"
#include "observe/writer.h"

namespace observe {

// Everything a line may tell. Views live until AccessLog::write returns. A time below zero means "did not happen".
struct AccessRecord {
    using Time = std::chrono::microseconds;
    // The value of a header field of `message`, name in lower case with '-', empty if absent. May be null.
    using FindHeader = std::string_view (*)(const void* message, std::string_view name);

    WallTime time{};             // of the end of the exchange
    std::string_view client_ip;  // after real_ip
    std::uint16_t client_port = 0;
    std::string_view user;  // name a plugin authenticated
    std::string_view method;
    std::string_view target;   // as received
    std::string_view path;     // normalised, without the query
    std::string_view version;  // HTTP/1.1
    std::string_view scheme;
    std::string_view host;  // of the request, without port
    std::string_view server_ip;
    std::uint16_t server_port = 0;
    std::uint16_t status = 0;
    std::uint64_t request_bytes = 0;   // line, header fields and body
    std::uint64_t response_bytes = 0;  // the same of the answer
    std::uint64_t body_bytes = 0;      // body of the answer
    Time request_time{-1};
    Time gateway_time{-1};  // our own part
    Time connect_time{-1};  // of the last attempt, as are the next three
    Time header_time{-1};
    Time upstream_time{-1};
    std::string_view upstream_address;
    std::uint16_t upstream_status = 0;  // 0: none
    unsigned tries = 0;
    std::string_view route;
    std::string_view service;
    std::string_view request_id;
    std::uint64_t connection = 0;
    std::uint64_t connection_requests = 0;
    const void* request = nullptr;   // for $http_NAME
    const void* response = nullptr;  // for $sent_http_NAME
    FindHeader find_header = nullptr;
};

class AccessFormat {
  public:
    // "combined", "json", or a text with variables, by choice after `escape=json ` or `escape=default `, as in
    // log_format.
    static base::Result<AccessFormat> compile(std::string_view text);
    [[nodiscard]] std::size_t longest_line() const { return longest_; }
    // All known variables, one sentence each, for the reference.
    static std::vector<std::pair<std::string_view, std::string_view>> variables();

    // What a core knows between two lines.
    struct Clock {
        std::int64_t second = -1;
        char local[32];    // 24/Nov/2026:12:00:00 +0000
        char iso8601[32];  // 2026-11-24T12:00:00+00:00
        std::size_t local_size = 0;
        std::size_t iso8601_size = 0;
        void set(WallTime time);
    };
    void put(Text& text, const AccessRecord& record, Clock& clock) const;

  private:
    using Put = void (*)(Text& text, const AccessRecord& record, const Clock& clock, Escape escape,
                         std::string_view argument);
    struct Segment {
        Put put = nullptr;  // null: `text` as it is
        std::string text;   // or the header name of $http_NAME
        std::size_t longest = 0;
    };
    struct Variable;
    static const std::vector<Variable>& known();
    base::Result<void> add_variable(std::string_view name);
    std::vector<Segment> segments_;
    Escape escape_ = Escape::log;
    std::size_t longest_ = 0;
};

// One core's access log.
class AccessLog {
  public:
    // `format` outlives the log. A null channel: the log is off.
    AccessLog(const AccessFormat* format, Channel* channel) : format_(format), channel_(channel) {}
    [[nodiscard]] bool is_on() const { return channel_ != nullptr; }
    void write(const AccessRecord& record);

  private:
    const AccessFormat* format_;
    Channel* channel_;
    AccessFormat::Clock clock_;
};

}  // namespace observe
