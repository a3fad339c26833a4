// WatchedFile: a file that somebody looks at now and then, to read it again when it is another one. Used by one thread.
#pragma once

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace net {

class WatchedFile {
  public:
    explicit WatchedFile(std::string path) : path_(std::move(path)) {}
    // Since the last look; a missing file counts as an empty one.
    [[nodiscard]] bool has_changed() {
        struct stat now{};
        if (path_.empty() || stat(path_.c_str(), &now) != 0) now = {};
        Mark mark{now.st_dev, now.st_ino, now.st_size, now.st_mtim.tv_sec, now.st_mtim.tv_nsec};
        bool changed = mark != mark_;
        mark_ = mark;
        return changed;
    }
    [[nodiscard]] std::string text(std::size_t most) const {
        std::string out;
        int file = path_.empty() ? -1 : open(path_.c_str(), O_RDONLY | O_CLOEXEC);
        if (file < 0) return out;
        char piece[16384];
        ssize_t got = 0;
        while (out.size() < most && (got = read(file, piece, std::min(sizeof piece, most - out.size()))) > 0)
            out.append(piece, static_cast<std::size_t>(got));
        close(file);
        return out;
    }

  private:
    struct Mark {
        dev_t device = 0;
        ino_t inode = 0;
        off_t size = 0;
        time_t seconds = 0;
        long nanoseconds = 0;
        bool operator==(const Mark&) const = default;
    };
    std::string path_;
    Mark mark_;
};

}  // namespace net
