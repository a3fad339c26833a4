#include "plugin/reply.h"

#include <array>
#include <cstdlib>
#include <string>

#include "http/characters.h"
#include "http/status.h"

namespace plugin {

namespace {

enum class BodyType : std::uint8_t { json, html, xml, plain };

constexpr std::string_view content_type(BodyType type) {
    switch (type) {
        case BodyType::json:
            return "application/json; charset=utf-8";
        case BodyType::html:
            return "text/html; charset=utf-8";
        case BodyType::xml:
            return "application/xml; charset=utf-8";
        case BodyType::plain:
            return "text/plain; charset=utf-8";
    }
    return {};
}

BodyType type_of(std::string_view media) {
    media = http::trim(media.substr(0, media.find(';')));
    if (http::equals_ignore_case(media, "text/html")) return BodyType::html;
    if (http::equals_ignore_case(media, "application/xml")) return BodyType::xml;
    if (media.size() >= 5 && http::equals_ignore_case(media.substr(0, 5), "text/")) return BodyType::plain;
    return BodyType::json;
}

// RFC 9110 12.4.2; anything odd counts as 1, in thousandths.
int quality(std::string_view parameters) {
    while (!parameters.empty()) {
        std::size_t end = parameters.find(';');
        std::string_view one = http::trim(parameters.substr(0, end));
        parameters = end == parameters.npos ? std::string_view() : parameters.substr(end + 1);
        if (one.size() < 3 || (one[0] | 0x20) != 'q' || one[1] != '=') continue;
        int value = one[2] == '1' ? 1000 : 0;
        int unit = 100;
        for (std::size_t i = 4; i < one.size() && i < 7 && one[2] == '0'; ++i, unit /= 10) {
            if (one[i] < '0' || one[i] > '9') return 1000;
            value += (one[i] - '0') * unit;
        }
        return value;
    }
    return 1000;
}

// The first of those that the client likes best.
BodyType accepted(std::string_view accept) {
    int best = -1;
    BodyType type = BodyType::json;
    while (!accept.empty()) {
        std::size_t end = accept.find(',');
        std::string_view one = http::trim(accept.substr(0, end));
        accept = end == accept.npos ? std::string_view() : accept.substr(end + 1);
        if (one.empty()) continue;
        std::size_t parameters = one.find(';');
        int value = parameters == one.npos ? 1000 : quality(one.substr(parameters + 1));
        if (value <= best) continue;
        best = value;
        type = type_of(one);
    }
    return type;
}

BodyType choose_type(const Exchange& exchange, ErrorKind kind) {
    if (kind == ErrorKind::unread) return BodyType::plain;
    const http::Headers& headers = exchange.request.headers;
    if (headers.has(http::Known::accept)) return accepted(headers.first(http::Known::accept));
    if (kind == ErrorKind::gateway) return BodyType::json;
    if (headers.has(http::Known::content_type)) return type_of(headers.first(http::Known::content_type));
    return type_of(exchange.style->default_type);
}

// The template's two %s become message and request id.
std::string_view from_template(std::string_view text, std::string_view message, std::string_view id,
                               base::Arena& arena) {
    std::string out;
    std::array<std::string_view, 2> values{message, id};
    std::size_t used = 0;
    for (std::size_t at = 0; at < text.size(); ++at) {
        if (text[at] == '%' && at + 1 < text.size() && (text[at + 1] == 's' || text[at + 1] == '%')) {
            if (text[at + 1] == '%')
                out += '%';
            else if (used < values.size())
                out += values[used++];
            ++at;
        } else {
            out += text[at];
        }
    }
    return arena.copy(out);
}

std::string_view error_body(BodyType type, const ErrorTemplates& own, std::string_view message, std::string_view id,
                            std::string_view more, base::Arena& arena) {
    switch (type) {
        case BodyType::json:
            if (!own.json.empty()) return from_template(own.json, message, id, arena);
            return arena.join("{\n  \"message\":", json_quoted(message, arena), ",\n  \"request_id\":\"", id, "\"",
                              more.empty() ? "" : ",\n  ", more, "\n}");
        case BodyType::html:
            if (!own.html.empty()) return from_template(own.html, message, id, arena);
            return arena.join(
                "<!doctype html>\n<html>\n  <head>\n    <meta charset=\"utf-8\">\n    <title>Error</title>\n  </head>\n"
                "  <body>\n    <h1>Error</h1>\n    <p>",
                message, ".</p>\n    <p>request_id: ", id, "</p>\n  </body>\n</html>\n");
        case BodyType::xml:
            if (!own.xml.empty()) return from_template(own.xml, message, id, arena);
            return arena.join("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<error>\n  <message>", message,
                              "</message>\n  <requestid>", id, "</requestid>\n</error>\n");
        case BodyType::plain:
            if (!own.plain.empty()) return from_template(own.plain, message, id, arena);
            return arena.join(message, "\nrequest_id: ", id, "\n");
    }
    return {};
}

}  // namespace

namespace {

struct GrpcStatus {
    std::string_view code;
    std::string_view name;
};

// kong.md 3.6; 502, which Kong leaves to its clients, is what they make of it (gRPC, http-grpc-status-mapping).
GrpcStatus grpc_status(int status) {
    switch (status) {
        case 400:
            return {"3", "InvalidArgument"};
        case 401:
            return {"16", "Unauthenticated"};
        case 403:
            return {"7", "PermissionDenied"};
        case 404:
            return {"5", "NotFound"};
        case 408:
        case 504:
            return {"4", "DeadlineExceeded"};
        case 409:
            return {"6", "AlreadyExists"};
        case 429:
            return {"8", "ResourceExhausted"};
        case 499:
            return {"1", "Canceled"};
        case 501:
            return {"12", "Unimplemented"};
        case 502:
        case 503:
            return {"14", "Unavailable"};
        default:
            if (status >= 400 && status < 500) return {"3", "InvalidArgument"};
            return {"13", "Internal"};
    }
}

// gRPC over HTTP2, Status-Message: what is not printable, and %, as %XX.
std::string_view percent_encoded(std::string_view text, base::Arena& arena) {
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (byte >= 0x20 && byte <= 0x7e && c != '%') {
            out += c;
        } else {
            out += '%';
            out += digits[byte >> 4];
            out += digits[byte & 15];
        }
    }
    return arena.copy(out);
}

// A refused call gets no body: its status is said in the head.
Verdict reply_to_call(Exchange& exchange, int status, std::string_view type, std::string_view message) {
    GrpcStatus said = grpc_status(status);
    reply_text(exchange, status, type, {});
    exchange.response.headers.add("grpc-status", said.code);
    exchange.response.headers.add("grpc-message",
                                  message.empty() ? said.name : percent_encoded(message, exchange.arena));
    return Verdict::answered;
}

bool is_refused_call(const Exchange& exchange, int status) { return status >= 400 && exchange.request.is_grpc(); }

}  // namespace

std::string_view default_message(int status) {
    switch (status) {
        case 400:
            return "Bad request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not found";
        case 405:
            return "Method not allowed";
        case 408:
            return "Request timeout";
        case 411:
            return "Length required";
        case 412:
            return "Precondition failed";
        case 413:
            return "Payload too large";
        case 414:
            return "URI too long";
        case 415:
            return "Unsupported media type";
        case 417:
            return "Expectation failed";
        case 426:
            return "Upgrade required";
        case 429:
            return "Too many requests";
        case 431:
            return "Request header or cookie too large";
        case 494:
            return "Request header or cookie too large";
        case 500:
            return "An unexpected error occurred";
        case 501:
            return "Not implemented";
        case 502:
            return "An invalid response was received from the upstream server";
        case 503:
            return "The upstream server is currently unavailable";
        case 504:
            return "The upstream server is timing out";
        case 505:
            return "HTTP version not supported";
        default:
            return http::reason_phrase(status);
    }
}

Verdict reply_text(Exchange& exchange, int status, std::string_view type, std::string_view text) {
    exchange.response.reset();
    exchange.response.status = status;
    exchange.response.reason = http::reason_phrase(status);
    if (!type.empty()) exchange.response.headers.add(http::Known::content_type, type);
    exchange.response_text = text;
    exchange.is_from_upstream = false;
    return Verdict::answered;
}

Verdict reply_error(Exchange& exchange, int status, std::string_view message, ErrorKind kind, std::string_view more) {
    if (is_refused_call(exchange, status)) return reply_to_call(exchange, status, "application/grpc", {});
    BodyType type = choose_type(exchange, kind);
    if (message.empty()) message = default_message(status);
    return reply_text(exchange, status, content_type(type),
                      error_body(type, exchange.style->templates, message, exchange.id(), more, exchange.arena));
}

Verdict reply_json(Exchange& exchange, int status, std::string_view json) {
    if (is_refused_call(exchange, status)) return reply_to_call(exchange, status, {}, {});
    return reply_text(exchange, status, content_type(BodyType::json), json);
}

Verdict reply_message(Exchange& exchange, int status, std::string_view message) {
    if (is_refused_call(exchange, status)) return reply_to_call(exchange, status, {}, message);
    return reply_json(exchange, status,
                      exchange.arena.join("{\"message\":", json_quoted(message, exchange.arena), "}"));
}

std::string_view json_quoted(std::string_view text, base::Arena& arena) {
    constexpr std::string_view digits = "0123456789abcdef";
    std::string out = "\"";
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        if (c == '"' || c == '\\') {
            out += '\\';
            out += c;
        } else if (byte < 0x20) {
            out += "\\u00";
            out += digits[byte >> 4];
            out += digits[byte & 15];
        } else {
            out += c;
        }
    }
    out += '"';
    return arena.copy(out);
}

}  // namespace plugin
