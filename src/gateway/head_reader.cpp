#include "gateway/head_reader.h"

#include <utility>

namespace gateway {

HeadReader::State HeadReader::take(net::Slice piece, net::BufferPool& buffers, const http1::Limits& limits) {
    if (bytes_.empty() && !own_) {
        bytes_ = std::move(piece);
        return state_ = scanner_.scan(bytes_.text(), limits);
    }
    // From the second piece on the head lies in a block of ours, which doubles: a head of n bytes, even if they come
    // one by one, costs copies in proportion to n.
    if (!own_ || own_->room() < piece.size()) {
        std::size_t together = bytes_.size() + piece.size();
        net::Draft larger(buffers.at_least(own_ ? together * 2 : together));
        larger.append(bytes_.text());
        own_.emplace(std::move(larger));
    }
    own_->append(piece.text());
    bytes_ = own_->slice();
    return state_ = scanner_.scan(bytes_.text(), limits);
}

}  // namespace gateway
