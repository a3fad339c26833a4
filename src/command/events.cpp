#include "command/events.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <set>

namespace command {

namespace {
sigset_t our_signals() {
    sigset_t set;
    sigemptyset(&set);
    for (int signal : {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2}) sigaddset(&set, signal);
    return set;
}
}  // namespace

void Events::block_signals() {
    sigset_t set = our_signals();
    pthread_sigmask(SIG_BLOCK, &set, nullptr);
    std::signal(SIGPIPE, SIG_IGN);
}

Events::Events() {
    sigset_t set = our_signals();
    signals_ = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    wake_ = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    ensure(signals_ >= 0 && wake_ >= 0, errno);
}

Events::~Events() {
    for (int descriptor : {signals_, wake_, files_, successor_})
        if (descriptor >= 0) close(descriptor);
}

base::Result<void> Events::watch(const std::vector<std::string>& paths) {
    namespace fs = std::filesystem;
    if (files_ < 0) files_ = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (files_ < 0) return base::Error::us(base::Code::exhausted, std::string("inotify: ") + std::strerror(errno));
    // Folders, not files: editors and config maps replace a file by another one of the same name.
    std::set<std::string> folders;
    for (const std::string& path : paths) {
        std::error_code error;
        fs::path full = fs::absolute(path, error);
        folders.insert(fs::is_directory(full, error) ? full.string() : full.parent_path().string());
    }
    for (const std::string& folder : folders)
        if (inotify_add_watch(files_, folder.c_str(),
                              IN_CLOSE_WRITE | IN_MOVED_TO | IN_CREATE | IN_DELETE | IN_MOVED_FROM) < 0)
            return base::Error::us(base::Code::invalid, "cannot watch " + folder + ": " + std::strerror(errno));
    return {};
}

void Events::wait_for_successor(int descriptor) {
    if (successor_ >= 0) close(successor_);
    successor_ = descriptor;
}

void Events::wake() {
    std::uint64_t one = 1;
    [[maybe_unused]] ssize_t written = write(wake_, &one, sizeof one);
}

Events::Happened Events::wait(std::chrono::milliseconds most) {
    Happened out;
    pollfd waiting[] = {{signals_, POLLIN, 0}, {wake_, POLLIN, 0}, {files_, POLLIN, 0}, {successor_, POLLIN, 0}};
    if (poll(waiting, std::size(waiting), static_cast<int>(most.count())) <= 0) return out;
    if (waiting[0].revents != 0) {
        signalfd_siginfo info;
        if (read(signals_, &info, sizeof info) == sizeof info) out.signal = static_cast<int>(info.ssi_signo);
    }
    if (waiting[1].revents != 0) {
        std::uint64_t value;
        out.woken = read(wake_, &value, sizeof value) == sizeof value;
    }
    if (waiting[2].revents != 0) {
        alignas(inotify_event) char events[16 * 1024];
        while (read(files_, events, sizeof events) > 0) out.files_changed = true;
    }
    if (waiting[3].revents != 0) {
        char ready = 0;
        out.successor_spoke = read(successor_, &ready, 1) == 1;
        out.successor_failed = !out.successor_spoke;
        close(successor_);
        successor_ = -1;
    }
    return out;
}

}  // namespace command
