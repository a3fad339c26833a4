#include "base/priority.h"

#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstdint>

namespace base {

namespace {

// sched_setattr(2), which the C library does not have.
struct SchedulingAttributes {
    std::uint32_t size = sizeof(SchedulingAttributes);
    std::uint32_t policy = 0;  // SCHED_OTHER
    std::uint64_t flags = 0;
    std::int32_t nice = 0;
    std::uint32_t priority = 0;
    std::uint64_t runtime = 0;  // ns; of SCHED_OTHER: the slice
    std::uint64_t deadline = 0;
    std::uint64_t period = 0;
};

// Whoever has a shorter slice may interrupt: the kernel's own is about 3 ms. 100 ms is the most there is.
constexpr std::uint64_t long_slice = 100'000'000;

}  // namespace

void give_way(int niceness) {
    SchedulingAttributes wanted;
    wanted.nice = niceness;
    wanted.runtime = long_slice;
    if (::syscall(SYS_sched_setattr, 0, &wanted, 0) != 0)
        ::setpriority(PRIO_PROCESS, 0, niceness);  // Linux: of the calling thread only
}

}  // namespace base
