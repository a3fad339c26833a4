#include "net/timer.h"

#include <algorithm>
#include <bit>

namespace net {

void Timer::unlink() {
    if (link_ == nullptr) return;
    *link_ = next_;
    if (next_ != nullptr) next_->link_ = link_;
    next_ = nullptr;
    link_ = nullptr;
    scheduled_ = never;
}

void Timer::arm(TimerWheel& wheel, Instant deadline) {
    deadline_ = deadline;
    if (link_ != nullptr && scheduled_ <= deadline) return;
    unlink();
    if (deadline != never) wheel.insert(*this);
}

TimerWheel::~TimerWheel() {
    for (auto& level : wheel_)
        for (Timer*& head : level)
            while (head != nullptr) head->unlink();
}

void TimerWheel::insert(Timer& timer) {
    Instant at = std::max(timer.deadline_, now_ + 1);
    timer.scheduled_ = timer.deadline_;
    // The level is chosen by the highest digit in which `at` differs from the wheel's present time.
    auto differing = static_cast<std::uint64_t>(at ^ now_);
    int level = differing == 0 ? 0 : (63 - std::countl_zero(differing)) / level_bits;
    if (level >=
        levels) {  // farther than the wheel reaches: park it in the last slot it will meet, and look again then
        level = levels - 1;
        at = std::min(at, now_ + (static_cast<Instant>(slots - 1) << (level_bits * level)));
    }
    int slot = static_cast<int>(at >> (level_bits * level)) & (slots - 1);
    Timer*& head = wheel_[level][slot];
    timer.next_ = head;
    timer.link_ = &head;
    if (head != nullptr) head->link_ = &timer.next_;
    head = &timer;
    occupied_[level] |= std::uint64_t{1} << slot;
}

void TimerWheel::run_slot(int level, int slot) {
    occupied_[level] &= ~(std::uint64_t{1} << slot);
    // Moved to a list of its own first: what fires may arm timers into the same slot.
    Timer*& head = wheel_[level][slot];
    due_ = head;
    if (due_ != nullptr) due_->link_ = &due_;
    head = nullptr;
    while (due_ != nullptr) {
        Timer& timer = *due_;
        timer.unlink();
        if (timer.deadline_ > now_) {
            if (timer.deadline_ != never) insert(timer);
            continue;
        }
        timer.deadline_ = never;
        timer.fire_(timer.owner_);
    }
}

void TimerWheel::advance(Instant now) {
    while (now_ < now) {
        Instant step = std::min(next(), now);
        if (step <= now_) step = now_ + 1;
        Instant before = now_;
        now_ = step;
        auto changed = static_cast<std::uint64_t>(before ^ now_);
        // Where a digit of the time rolled on, the slot it reached is redistributed into the finer levels, coarse
        // first.
        for (int level = levels - 1; level > 0; --level)
            if (changed >> (level_bits * level) != 0)
                run_slot(level, static_cast<int>(now_ >> (level_bits * level)) & (slots - 1));
        run_slot(0, static_cast<int>(now_) & (slots - 1));
    }
}

Instant TimerWheel::next() const {
    for (int level = 0; level < levels; ++level) {
        if (occupied_[level] == 0) continue;
        int shift = level_bits * level;
        int current = static_cast<int>(now_ >> shift) & (slots - 1);
        // Slots after the present one come in this round; the others in the next one.
        std::uint64_t ahead = current == slots - 1 ? 0 : occupied_[level] & (~std::uint64_t{0} << (current + 1));
        Instant round = now_ >> (shift + level_bits) << (shift + level_bits);
        if (ahead != 0) return round + (static_cast<Instant>(std::countr_zero(ahead)) << shift);
        return round + (Instant{1} << (shift + level_bits)) +
               (static_cast<Instant>(std::countr_zero(occupied_[level])) << shift);
    }
    return never;
}

}  // namespace net
