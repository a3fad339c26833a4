#include "observe/sink.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace observe {

namespace {
base::Result<int> open_file(const std::string& path) {
    int descriptor = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
    if (descriptor >= 0) return descriptor;
    return base::Error::us(base::Code::invalid, fmt::format("cannot open log {}: {}", path, std::strerror(errno)));
}
}  // namespace

base::Result<Sink> Sink::open(std::string destination, std::chrono::milliseconds longest_stall) {
    Kind kind = Kind::stream;
    int descriptor = -1;
    if (destination == "off") {
        kind = Kind::off;
    } else if (destination == "/dev/stderr") {
        descriptor = STDERR_FILENO;
    } else if (destination == "/dev/stdout") {
        descriptor = STDOUT_FILENO;
    } else {
        TRY(opened, open_file(destination));
        kind = Kind::file;
        descriptor = opened;
    }
    Sink out(kind, descriptor, std::move(destination));
    out.longest_stall_ = longest_stall;
    return out;
}

Sink Sink::capture(std::string& into) {
    Sink out(Kind::capture, -1, "capture");
    out.into_ = &into;
    return out;
}

Sink::Sink(Sink&& other) noexcept
    : kind_(other.kind_),
      descriptor_(std::exchange(other.descriptor_, -1)),
      destination_(std::move(other.destination_)),
      longest_stall_(other.longest_stall_),
      into_(other.into_),
      is_torn_(other.is_torn_),
      lost_(other.lost_),
      lost_since_(other.lost_since_),
      reason_(other.reason_),
      is_failing_(other.is_failing_) {}

Sink::~Sink() {
    if (kind_ == Kind::file && descriptor_ >= 0) ::close(descriptor_);
}

void Sink::write(std::string_view lines) {
    if (kind_ == Kind::off || lines.empty()) return;
    if (kind_ == Kind::capture) {
        into_->append(lines);
        return;
    }
    bool mends = is_torn_;  // a line that was cut short must not run into the next one
    while (mends || !lines.empty()) {
        ssize_t written = ::write(descriptor_, mends ? "\n" : lines.data(), mends ? 1 : lines.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0 && errno == EAGAIN) {
            pollfd stalled{descriptor_, POLLOUT, 0};
            if (::poll(&stalled, 1, static_cast<int>(longest_stall_.count())) == 1) continue;
            errno = EAGAIN;
        }
        if (written <= 0) {
            lose(lines, written < 0 ? errno : ENOSPC);
            return;
        }
        if (mends) {
            mends = is_torn_ = false;
            continue;
        }
        is_torn_ = lines[static_cast<std::size_t>(written) - 1] != '\n';
        lines.remove_prefix(static_cast<std::size_t>(written));
    }
    is_failing_ = false;
}

void Sink::lose(std::string_view lines, int reason) {
    auto count = static_cast<std::uint64_t>(std::count(lines.begin(), lines.end(), '\n'));
    is_failing_ = true;
    reason_ = reason;
    lost_ += count;
    lost_since_ += count;
}

base::Result<void> Sink::reopen() {
    if (kind_ != Kind::file) return base::success();
    TRY(descriptor, open_file(destination_));
    ::close(descriptor_);
    descriptor_ = descriptor;
    is_torn_ = false;
    return base::success();
}

std::string Sink::take_recovery() {
    if (is_failing_ || lost_since_ == 0) return {};
    std::string line = fmt::format("log works again destination={} lost={} reason=\"{}\"", destination_,
                                   std::exchange(lost_since_, 0), std::strerror(reason_));
    return line;
}

}  // namespace observe
