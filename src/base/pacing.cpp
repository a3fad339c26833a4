#include "base/pacing.h"

#include <algorithm>
#include <ctime>
#include <thread>

namespace base {

namespace {

using namespace std::chrono_literals;
using Clock = std::chrono::steady_clock;

constexpr auto least_stretch = 100us;  // of work between two rests, while others work too
constexpr auto most_stretch = 1000us;  // while they do not
constexpr auto rest_length = 300us;
constexpr int idle_share = 20;  // others are idle if they use less than this part of a processor during a rest

constinit thread_local Clock::time_point worked_since;
constinit thread_local Clock::duration stretch{};

std::chrono::nanoseconds process_time() {
    timespec now{};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

}  // namespace

constinit thread_local bool Pacing::is_on_ = false;
constinit thread_local std::uint32_t Pacing::done_ = 0;

Pacing::Pacing() {
    is_on_ = true;
    stretch = least_stretch;
    worked_since = Clock::now();
}

Pacing::~Pacing() { is_on_ = false; }

void Pacing::look() {
    done_ = 0;
    if (Clock::now() - worked_since >= stretch) rest();
}

void Pacing::rest() {
    Clock::time_point begin = Clock::now();
    std::chrono::nanoseconds used = process_time();
    std::this_thread::sleep_for(rest_length);
    used = process_time() - used;
    worked_since = Clock::now();
    bool others_work = used * idle_share > worked_since - begin;
    stretch = others_work ? least_stretch : std::min<Clock::duration>(stretch * 2, most_stretch);
}

}  // namespace base
