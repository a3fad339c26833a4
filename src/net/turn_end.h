// TurnEnd: something to do once before the loop waits again, such as sending what the whole turn has collected. A link
// of an intrusive list: costs two stores, no allocation and no system call (unlike a post). One thread only.
#pragma once

#include <utility>

namespace net {

class TurnEnds;

// Owned by whoever has something to do; destroying it takes it out.
class TurnEnd {
  public:
    using Run = void (*)(void* owner);
    TurnEnd(Run run, void* owner) : run_(run), owner_(owner) {}
    TurnEnd(const TurnEnd&) = delete;
    TurnEnd& operator=(const TurnEnd&) = delete;
    ~TurnEnd() { cancel(); }

    void cancel() {
        if (link_ == nullptr) return;
        *link_ = next_;
        if (next_ != nullptr) next_->link_ = link_;
        next_ = nullptr;
        link_ = nullptr;
    }
    [[nodiscard]] bool is_linked() const { return link_ != nullptr; }

  private:
    friend class TurnEnds;
    TurnEnd* next_ = nullptr;
    TurnEnd** link_ = nullptr;  // the pointer that points at us; null when in no list
    Run run_;
    void* owner_;
};

// The list of one loop.
class TurnEnds {
  public:
    TurnEnds() = default;
    TurnEnds(const TurnEnds&) = delete;
    ~TurnEnds() {
        while (first_ != nullptr) first_->cancel();
    }
    void link(TurnEnd& one) {
        if (one.is_linked()) return;
        one.next_ = first_;
        one.link_ = &first_;
        if (first_ != nullptr) first_->link_ = &one.next_;
        first_ = &one;
    }
    // Those that are linked now; what they link belongs to the next run.
    void run() {
        if (first_ == nullptr) return;
        TurnEnd* due = std::exchange(first_, nullptr);
        due->link_ = &due;
        while (due != nullptr) {
            TurnEnd& one = *due;
            one.cancel();
            one.run_(one.owner_);
        }
    }
    [[nodiscard]] bool is_empty() const { return first_ == nullptr; }

  private:
    TurnEnd* first_ = nullptr;
};

}  // namespace net
