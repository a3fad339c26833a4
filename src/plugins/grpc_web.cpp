// grpc-web: lets browsers call gRPC services (kong.md 4): takes the framing of gRPC-Web off requests and puts it on
// answers, whose trailers become a last piece of the body. Answers pass piece by piece.
#include <algorithm>
#include <array>
#include <iterator>
#include <memory>
#include <optional>
#include <string>

#include "crypto/base64.h"
#include "http/characters.h"
#include "plugin/reply.h"
#include "plugin/type.h"

namespace plugin {

namespace {

enum class Encoding : std::uint8_t { binary, text };

std::optional<Encoding> encoding_of(std::string_view content_type) {
    std::string_view media = content_type.substr(0, content_type.find(';'));
    while (!media.empty() && media.back() == ' ') media.remove_suffix(1);
    struct Known {
        std::string_view media;
        Encoding encoding;
    };
    constexpr std::array<Known, 4> known{
        Known{"application/grpc-web", Encoding::binary}, Known{"application/grpc-web+proto", Encoding::binary},
        Known{"application/grpc-web-text", Encoding::text}, Known{"application/grpc-web-text+proto", Encoding::text}};
    for (const Known& each : known)
        if (http::equals_ignore_case(media, each.media)) return each.encoding;
    return {};
}

// Clients may encode each message by itself: then there is padding in the middle.
std::optional<std::string_view> decode(std::string_view text, base::Arena& arena) {
    char* out = arena.bytes(crypto::decoded_bound(text.size()));
    std::size_t size = 0;
    while (!text.empty()) {
        std::size_t end = std::min(text.find('='), text.size());
        while (end < text.size() && text[end] == '=') ++end;
        auto written = crypto::decode_base64(text.substr(0, end), crypto::Padding::required, out + size);
        if (!written) return {};
        size += *written;
        text.remove_prefix(end);
    }
    return std::string_view(out, size);
}

class WebAnswer final : public AnswerFilter {
  public:
    explicit WebAnswer(Encoding encoding) : encoding_(encoding) {}

    // Each piece is whole by itself, with its padding: none waits for the next.
    void take(std::string_view piece, std::string& out) override {
        if (encoding_ == Encoding::binary)
            out += piece;
        else
            out += crypto::base64(piece);
    }
    void end(const http::Headers& trailers, std::string& out) override {
        constexpr char trailers_follow = '\x80';
        std::string lines;
        for (const http::Header& field : trailers) {
            std::transform(field.name.begin(), field.name.end(), std::back_inserter(lines), http::lower);
            lines.append(":").append(field.value).append("\r\n");
        }
        std::string frame(1, trailers_follow);
        for (int shift = 24; shift >= 0; shift -= 8) frame += static_cast<char>(lines.size() >> shift & 0xff);
        take(frame + lines, out);
    }

  private:
    Encoding encoding_;
};

}  // namespace

struct GrpcWeb {
    static constexpr std::string_view name = "grpc-web";
    static constexpr int priority = 3;
    static constexpr std::string_view summary = "Lets browsers call a gRPC service (gRPC-Web).";
    static constexpr std::string_view example = R"(config:
  allow_origin_header: https://app.example.com
)";
    // Of a request in text, which is read whole: gRPC's own 4 MiB of a message, in base64.
    static constexpr std::size_t most_text = 6 * 1024 * 1024;

    struct Config {
        std::optional<std::string> proto;
        bool pass_stripped_path = false;
        std::string allow_origin_header = "*";
        static constexpr auto fields() {
            using schema::field;
            return schema::fields(
                field("proto", &Config::proto,
                      "Kong's file of messages, for calls in JSON: not served, so a document with it is refused."),
                field("pass_stripped_path", &Config::pass_stripped_path,
                      "Send the path that strip_path leaves upstream, in the place of the one that was asked for."),
                field("allow_origin_header", &Config::allow_origin_header,
                      "Access-Control-Allow-Origin of all answers."));
        }
    };
    Config config;

    base::Result<void> prepare(const Setup&) const {
        if (!config.proto) return base::success();
        return base::Error::us(base::Code::invalid,
                               "calls in JSON (proto) are not served; without it, application/grpc-web is");
    }

    [[nodiscard]] bool answers_preflights() const { return true; }

    Verdict on_request(Exchange& exchange) const {
        http::RequestHead& request = exchange.request;
        exchange.client_headers.set("Access-Control-Allow-Origin", config.allow_origin_header);
        // An answer without a message says its status in the head.
        exchange.client_headers.set("Access-Control-Expose-Headers", "grpc-status,grpc-message");
        if (request.method == http::Method::options) {
            exchange.client_headers.set("Access-Control-Allow-Methods", "POST");
            exchange.client_headers.set("Access-Control-Allow-Headers", "content-type,x-grpc-web,x-user-agent");
            return reply_text(exchange, 200, "application/grpc-web-text+proto", "OK");
        }
        std::string_view type = request.headers.first(http::Known::content_type);
        std::optional<Encoding> encoding = encoding_of(type);
        if (!encoding) return refuse(exchange, 400, "Unknown Content-Type of a gRPC-Web call");
        exchange.make_note<Call>(*encoding, exchange.arena.copy(type), request.accepts_trailers);
        request.headers.set(http::Known::content_type, "application/grpc");
        request.accepts_trailers = true;
        if (!config.pass_stripped_path) exchange.upstream_path = exchange.path;
        return *encoding == Encoding::text && exchange.has_request_body() ? Verdict::wait : Verdict::go_on;
    }

    base::Task<Verdict> wait_request(Exchange& exchange) const {
        base::Result<std::string_view> body = co_await exchange.read_request_body(most_text);
        if (!body) {
            int status = body.error().status != 0 ? body.error().status : 400;
            co_return reply_error(exchange, status, {}, ErrorKind::server);
        }
        std::optional<std::string_view> decoded = decode(*body, exchange.arena);
        if (!decoded) co_return refuse(exchange, 400, "Body is not base64");
        exchange.replace_request_body(*decoded);
        co_return Verdict::go_on;
    }

    void on_response(Exchange& exchange) const {
        const Call* call = exchange.note<Call>();
        if (call == nullptr || !exchange.is_from_upstream) return;
        http::ResponseHead& response = exchange.response;
        std::string_view type = response.headers.first(http::Known::content_type);
        constexpr std::string_view grpc = "application/grpc";
        bool is_grpc = http::equals_ignore_case(type.substr(0, grpc.size()), grpc);
        // What answers another thing than a call is passed as it is, and its trailers as to any client.
        exchange.request.accepts_trailers = call->accepts_trailers;
        if (!is_grpc) return;
        response.headers.set(http::Known::content_type, call->type);
        bool is_empty = response.framing == http::BodyFraming::none ||
                        (response.framing == http::BodyFraming::length && response.content_length == 0);
        if (!is_empty) exchange.answer_filter = std::make_unique<WebAnswer>(call->encoding);
    }

  private:
    struct Call {
        Encoding encoding;
        std::string_view type;  // of the request, and of the answer
        bool accepts_trailers;  // the client does
    };
};
REGISTER_PLUGIN(GrpcWeb);

}  // namespace plugin
