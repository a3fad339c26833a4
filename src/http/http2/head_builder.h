// HeadBuilder: the fields of one HTTP/2 header block as the HTTP/1.1 head of the same meaning (RFC 9113 8.3, RFC 8441),
// so that one strict parser reads the messages of both protocols and what it refuses in one it refuses in the other.
// No field can make two of one: each is checked before it is written. Memory stops growing at the limits, however
// many fields still come.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/http1/fault.h"
#include "http/http1/limits.h"
#include "http/message.h"
#include "net/buffer.h"

namespace http2 {

// RFC 8441: what an extended CONNECT asks for.
enum class ConnectProtocol : std::uint8_t { none, websocket, unknown };

struct ReceivedHead {
    net::Slice text;  // HTTP/1.1 head, with its last empty line
    http1::Fault fault = http1::Fault::none;
    ConnectProtocol protocol = ConnectProtocol::none;
    bool is_whole = false;  // the message has no body
    int status = 0;         // of a response
};

class HeadBuilder {
  public:
    enum class Kind : std::uint8_t { request, response, trailers };
    HeadBuilder(Kind kind, const http1::Limits& limits, net::BufferPool& buffers)
        : limits_(limits), buffers_(buffers), kind_(kind) {}

    void add(std::string_view name, std::string_view value);
    // Once, after the last field.
    [[nodiscard]] ReceivedHead finish();
    [[nodiscard]] Kind kind() const { return kind_; }
    [[nodiscard]] std::size_t memory() const { return draft_ ? draft_->size() + draft_->room() : 0; }

  private:
    void refuse(http1::Fault fault) {
        if (fault_ == http1::Fault::none) fault_ = fault;
    }
    void add_pseudo(std::string_view name, std::string_view value);
    void add_status(std::string_view name, std::string_view value);
    // Counts one field.
    void charge(std::size_t size);
    void add_cookie(std::string_view crumb);
    void write_request_line();
    void write(std::string_view text);
    void write_field(std::string_view name, std::string_view value);

    const http1::Limits& limits_;
    net::BufferPool& buffers_;
    std::optional<net::Draft> draft_;
    std::string method_, path_, authority_, host_, cookie_;
    std::size_t count_ = 0;
    std::size_t bytes_ = 0;
    http1::Fault fault_ = http1::Fault::none;
    ConnectProtocol protocol_ = ConnectProtocol::none;
    int status_ = 0;
    Kind kind_;
    bool has_line_ = false;
    bool has_host_ = false;
};

// The head as every protocol's. On a fault `out` holds what had been read and is good for logging only. A body without
// Content-Length has framing `chunked`: the length is not known, and that is how an HTTP/1.1 upstream gets it.
[[nodiscard]] http1::Fault read_request_head(const ReceivedHead& received, const http1::Limits& limits,
                                             http::RequestHead& out);
// The fields that may stand in a trailer section. `out` looks into `received`.
[[nodiscard]] http1::Fault read_trailers(const ReceivedHead& received, const http1::Limits& limits, http::Headers& out);

}  // namespace http2
