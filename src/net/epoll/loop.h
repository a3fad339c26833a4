// The epoll loop: the fallback where io_uring is refused. Edge-triggered, every socket registered once; the same
// interface and the same behaviour, at four system calls a request instead of a fraction of one.
#pragma once

#include <memory>

#include "net/loop.h"

namespace net::epoll {

base::Result<std::unique_ptr<Loop>> make();

}  // namespace net::epoll
