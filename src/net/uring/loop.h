// The io_uring loop: multishot accept and receive out of one provided-buffer ring, sends straight from the blocks, one
// system call per turn. It wants Linux 6.1 or later (DEFER_TASKRUN); where the kernel or a seccomp profile refuses,
// make() says why and the caller falls back to epoll.
#pragma once

#include <memory>

#include "net/loop.h"

namespace net::uring {

base::Result<std::unique_ptr<Loop>> make();

}  // namespace net::uring
