// BodyDecoder: takes the framing off a message body (RFC 9112 6, 7), piece by piece and without copying. Used for both
// sides; small, since every exchange has two. However the bytes are split, pieces add up to the same body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "http/headers.h"
#include "http/http1/fault.h"
#include "http/http1/limits.h"
#include "http/message.h"

namespace http1 {

class BodyDecoder {
  public:
    enum class State : std::uint8_t { more, done, error };
    struct Step {
        std::size_t consumed = 0;  // bytes of the input that are used up, framing and piece
        std::string_view piece;    // content, a view into the input; may be empty
        State state = State::more;
    };

    // Begins a body. `limits` must outlive it.
    void start(http::BodyFraming framing, std::uint64_t content_length, const Limits& limits);

    // Takes in bytes up to the end of the next piece and the framing behind it, so that `done` comes with the last
    // piece where the bytes are there. Call it again with the rest while the state is `more` and bytes are left. Bytes
    // behind the end of the body are not consumed.
    [[nodiscard]] Step feed(std::string_view bytes);

    // The other side closed: `done` if the body was complete (framing until_close: always), else `error`.
    [[nodiscard]] State end_of_input();

    [[nodiscard]] State state() const { return state_; }
    [[nodiscard]] Fault fault() const { return fault_; }
    // Content bytes given out so far.
    [[nodiscard]] std::uint64_t received() const { return received_; }
    // Content bytes known to follow (of the body with framing length, of the current chunk with chunked).
    [[nodiscard]] std::uint64_t remaining() const { return remaining_; }
    // Trailer fields once the state is `done`, without those that may not stand in a trailer section (RFC 9110 6.5.1).
    // They live until the next start(). Empty where none came.
    [[nodiscard]] const http::Headers& trailers() const;

  private:
    enum class Phase : std::uint8_t {
        content,  // framing length and until_close
        size_first_digit,
        size,
        size_blank,
        extension_start,
        extension_name,
        extension_name_blank,
        extension_value_start,
        extension_value,
        extension_quoted,
        extension_quoted_pair,
        extension_value_end,
        extension_value_blank,
        size_line_feed,
        chunk_content,
        chunk_carriage_return,
        chunk_line_feed,
        trailer_section,
        last_line_feed,
        trailer_fields,
        finished,
    };
    struct Trailers {
        std::string bytes;
        http::Headers fields;
    };

    std::size_t take_content(std::string_view bytes, Step& step);
    void begin_trailer(char c);
    void read_trailer(char c);
    void read_byte(char c);
    void read_size(char c);
    void read_extension(char c);
    void end_size_line();
    void finish_trailers();
    void fail(Fault fault);
    void finish();
    void expect(char c, char wanted, Phase next, Fault otherwise);

    const Limits* limits_ = nullptr;
    std::uint64_t remaining_ = 0;
    std::uint64_t received_ = 0;
    std::unique_ptr<Trailers> trailers_;
    std::uint32_t line_bytes_ = 0;       // of the current chunk line
    std::uint32_t extension_bytes_ = 0;  // of all chunk lines
    Phase phase_ = Phase::finished;
    http::BodyFraming framing_ = http::BodyFraming::none;
    State state_ = State::done;
    Fault fault_ = Fault::none;
};

}  // namespace http1
