#include "net/simulated/pipe.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/ensure.h"

namespace net::simulated {

std::size_t Pipe::room() const { return is_reset_ ? capacity_ : capacity_ - size(); }

void Pipe::append(std::string_view bytes) {
    ensure(!is_finished_ && bytes.size() <= room(), bytes.size(), room());
    if (is_reset_) return;
    bytes_ += bytes;
    most_ever_ = std::max(most_ever_, size());
}

void Pipe::finish() {
    if (is_finished_) return;
    is_finished_ = true;
    if (!is_reset_) end_ = End::fin;
}

void Pipe::reset(std::size_t surviving) {
    ensure(surviving <= under_way(), surviving, under_way());
    if (is_reset_) return;
    is_reset_ = true;
    bytes_.resize(start_ + arrived_ + surviving);
    end_ = End::reset;
}

void Pipe::clear() {
    bytes_.clear();
    start_ = arrived_ = 0;
    end_ = End::none;
}

void Pipe::arrive(std::size_t count) {
    ensure(count <= under_way(), count, under_way());
    arrived_ += count;
}

Pipe::End Pipe::arrive_end() {
    ensure(under_way() == 0, under_way());
    if (end_ == End::fin) fin_arrived_ = true;
    return std::exchange(end_, End::none);
}

void Pipe::take(char* to, std::size_t count) {
    ensure(count <= arrived_, count, arrived_);
    std::memcpy(to, bytes_.data() + start_, count);
    start_ += count;
    arrived_ -= count;
    if (start_ >= size()) {  // what is left costs no more to move than what was taken
        bytes_.erase(0, start_);
        start_ = 0;
    }
}

}  // namespace net::simulated
