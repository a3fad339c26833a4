// Pipe: one direction of a simulated connection: bytes under way, then bytes that have arrived and wait to be read,
// then perhaps an end. They keep their order; the end comes behind the bytes that precede it. Bounded by its capacity.
// SimulatedLoop decides when what moves.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace net::simulated {

class Pipe {
  public:
    enum class End : std::uint8_t { none, fin, reset };

    void open(std::size_t capacity) { capacity_ = capacity; }

    // ---- the sender's side
    [[nodiscard]] std::size_t room() const;
    // At most room(). After reset() the bytes vanish: their sender does not know yet.
    void append(std::string_view bytes);
    // The FIN behind what was appended. Nothing may be appended afterwards.
    void finish();
    [[nodiscard]] bool is_finished() const { return is_finished_; }
    // The reset behind the first `surviving` bytes under way; the others are lost, and a FIN with them.
    void reset(std::size_t surviving);
    [[nodiscard]] bool is_reset() const { return is_reset_; }
    // Drops all bytes and every end to come.
    void clear();

    // ---- the way
    [[nodiscard]] std::size_t under_way() const { return size() - arrived_; }
    // Whether bytes or an end are still to arrive.
    [[nodiscard]] bool has_news() const { return under_way() > 0 || end_ != End::none; }
    void arrive(std::size_t count);
    // The end, once no byte is before it; it arrives once.
    End arrive_end();
    bool is_moving = false;  // its next step is scheduled

    // ---- the receiver's side
    [[nodiscard]] std::size_t arrived() const { return arrived_; }
    [[nodiscard]] bool fin_arrived() const { return fin_arrived_; }
    // At most arrived().
    void take(char* to, std::size_t count);

    [[nodiscard]] std::size_t size() const { return bytes_.size() - start_; }
    [[nodiscard]] std::size_t most_ever() const { return most_ever_; }

  private:
    std::string bytes_;  // from start_ on; the first arrived_ of them have arrived
    std::size_t start_ = 0;
    std::size_t arrived_ = 0;
    std::size_t capacity_ = 0;
    std::size_t most_ever_ = 0;
    End end_ = End::none;  // still to arrive
    bool is_finished_ = false;
    bool is_reset_ = false;
    bool fin_arrived_ = false;
};

}  // namespace net::simulated
