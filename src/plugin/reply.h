// Answers of our own: error bodies negotiated by Accept as Kong writes them (kong.md 3.6), JSON, plain texts. A call of
// gRPC that is refused gets no body, but grpc-status and grpc-message in its head. They fill
// exchange.response and response_text and answer Verdict::answered, so that a plugin's `return refuse(...)` is its end.
#pragma once

#include <string>
#include <string_view>

#include "plugin/exchange.h"

namespace plugin {

struct ErrorTemplates {  // contents of the files, two %s: message, request id; empty = the built-in one
    std::string html;
    std::string json;
    std::string xml;
    std::string plain;
};

struct AnswerStyle {
    ErrorTemplates templates;
    std::string default_type = "text/plain";  // error_default_type
};

// Which type an error body has where the client names none it accepts.
enum class ErrorKind : std::uint8_t {
    gateway,  // routing and plugins: JSON
    server,   // HTTP itself and the upstream: the request's Content-Type, else error_default_type
    unread,   // the request could not be read: text/plain
};

// An error answer; an empty message means the usual one of the status. `message` is a constant or lives in the arena.
// `more`: further members of a JSON body ("\"retry_after\":3"); other types leave it out.
Verdict reply_error(Exchange& exchange, int status, std::string_view message, ErrorKind kind,
                    std::string_view more = {});
// The same for plugins: Kong's kong.response.error().
inline Verdict refuse(Exchange& exchange, int status, std::string_view message) {
    return reply_error(exchange, status, message, ErrorKind::gateway);
}
// `json` as it is, with Kong's content type: kong.response.exit(status, table).
Verdict reply_json(Exchange& exchange, int status, std::string_view json);
// {"message":"..."}, escaped.
Verdict reply_message(Exchange& exchange, int status, std::string_view message);
// Any other answer; an empty type sends none. `text` and `type` live as long as the exchange.
Verdict reply_text(Exchange& exchange, int status, std::string_view type, std::string_view text);

[[nodiscard]] std::string_view default_message(int status);
// `text` as a JSON string with its quotes, in the arena.
[[nodiscard]] std::string_view json_quoted(std::string_view text, base::Arena& arena);

}  // namespace plugin
