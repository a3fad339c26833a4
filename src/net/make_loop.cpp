// Which loop this machine gets: io_uring where the kernel and its policies allow it, else epoll.
#include "net/epoll/loop.h"
#include "net/loop.h"
#include "net/uring/loop.h"

namespace net {

base::Result<std::unique_ptr<Loop>> make_loop(std::optional<Loop::Kind> wanted, std::string& why_not) {
    if (wanted != Loop::Kind::epoll) {
        auto loop = uring::make();
        if (loop || wanted == Loop::Kind::io_uring) return loop;
        why_not = loop.error().detail;
    }
    return epoll::make();
}

}  // namespace net
