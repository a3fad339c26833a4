// Giving way: threads whose work can wait (reading documents, making pages) beside those that serve.
#pragma once

namespace base {

// The calling thread runs behind others from now on, by nice(2); it cannot take that back. Where the kernel knows
// slices (Linux 6.12 and later), a serving thread that wakes takes the processor from it at once, instead of at the end
// of its slice, which is milliseconds.
void give_way(int niceness);

}  // namespace base
