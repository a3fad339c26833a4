// BodyRelay: one message body on its way from a socket to another: the framing it came in is taken off, the framing it
// leaves in is put on (RFC 9112 6 and 7), so that no byte of framing passes through. The same code carries request and
// response bodies. relay() does the waiting: it reads only when the last send is done, which is the back-pressure.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "base/task.h"
#include "http/http1/body.h"
#include "http/http1/write.h"
#include "net/assembler.h"
#include "net/socket.h"
#include "plugin/exchange.h"

namespace gateway {

enum class TrailerChoice : std::uint8_t { drop, pass };

class BodyRelay {
  public:
    void start(http::BodyFraming in, std::uint64_t length, const http1::Limits& limits, http::BodyFraming out,
               TrailerChoice trailers);

    // Moves bytes of `input` into `out` until the body is done, `out` is full or `input` is used up. What is behind the
    // body stays in `input`. False: the framing is broken (fault()).
    [[nodiscard]] bool feed(net::Slice& input, net::Assembler& out);
    // The sender closed: true if that ends the body (RFC 9112 6.3: only where nothing else does).
    [[nodiscard]] bool end_of_input(net::Assembler& out);

    // Content also goes into `capture` from now on; nullptr: no more. It outlives the relay or is taken away.
    void capture_into(plugin::BodyCapture* capture) { capture_ = capture; }

    // Content goes through `filter` from now on, and so do the trailers; nullptr: no more. It outlives the relay.
    void filter_through(plugin::AnswerFilter* filter) { filter_ = filter; }

    // The same for a body that was read whole: puts the end behind `out`, and lets no trailers pass.
    void filter_to_end(plugin::AnswerFilter& filter, std::string& out) {
        filter.end(sound_trailers(), out);
        filter_ = &filter;
    }

    // Trailers that come beside the body and not in it (HTTP/2), there by its end. They outlive the relay.
    void trailers_from(const http::Headers* beside) { beside_ = beside; }
    // Names that are no trailer's either (Type::owns_headers). They outlive the relay.
    void keep_from_trailers(std::span<const std::string> names) { owned_ = names; }
    // The trailers that may be passed on, as field lines; once the body is done.
    [[nodiscard]] std::string trailer_lines() const;

    [[nodiscard]] bool is_done() const { return decoder_.state() == http1::BodyDecoder::State::done; }
    [[nodiscard]] http1::Fault fault() const { return decoder_.fault(); }
    [[nodiscard]] std::uint64_t received() const { return decoder_.received(); }
    // Known to come, at least.
    [[nodiscard]] std::uint64_t remaining() const { return decoder_.remaining(); }

  private:
    void add_content(net::Slice content, net::Assembler& out);
    void add_text(std::string_view text, net::Assembler& out);
    void add_end(net::Assembler& out);
    [[nodiscard]] http::Headers sound_trailers() const;
    [[nodiscard]] http::Headers passed_trailers() const;
    http1::BodyDecoder decoder_;
    http::BodyFraming out_ = http::BodyFraming::none;
    TrailerChoice trailers_ = TrailerChoice::drop;
    bool ended_ = false;
    plugin::BodyCapture* capture_ = nullptr;
    plugin::AnswerFilter* filter_ = nullptr;
    std::string filtered_;
    const http::Headers* beside_ = nullptr;
    std::span<const std::string> owned_;
};

// How moving a body ended.
struct RelayEnd {
    enum class Kind : std::uint8_t { done, source_lost, source_malformed, source_too_slow, sink_lost, too_large };
    Kind kind = Kind::done;
    net::IoStatus status = net::IoStatus::ok;  // of source_lost and sink_lost
};

struct RelayLimits {
    net::Milliseconds read_timeout{60'000};   // between two pieces
    net::Milliseconds write_timeout{60'000};  // of one send
    std::uint64_t most_bytes = 0;             // of the body; 0 = no limit
    std::uint64_t least_rate = 0;             // bytes a second, averaged from `rate_from` on; 0 = no limit
    net::Milliseconds rate_from{0};
    net::Instant until = net::never;  // of the whole
};

}  // namespace gateway
