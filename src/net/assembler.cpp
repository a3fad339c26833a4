#include "net/assembler.h"

#include <utility>

namespace net {

std::span<char> Assembler::room(std::size_t size) {
    if (!draft_ || draft_->room() < size) {
        close_draft();
        draft_.emplace(buffers_.at_least(size));
        draft_used_ = 0;
    }
    return {draft_->end(), draft_->room()};
}

void Assembler::copy(std::string_view text) {
    if (text.empty()) return;
    std::span<char> into = room(text.size());
    std::memcpy(into.data(), text.data(), text.size());
    grew(text.size());
}

void Assembler::add(Slice piece) {
    if (piece.empty()) return;
    if (piece.size() <= copied_up_to && draft_ && draft_->room() >= piece.size()) return copy(piece.text());
    close_draft();
    bytes_ += piece.size();
    pieces_.push(std::move(piece));
}

void Assembler::close_draft() {
    if (!draft_ || draft_->size() == draft_used_) return;
    pieces_.push(draft_->slice(draft_used_));
    draft_used_ = draft_->size();
}

Pieces& Assembler::finish() {
    close_draft();
    draft_.reset();
    draft_used_ = 0;
    bytes_ = 0;
    return pieces_;
}

}  // namespace net
