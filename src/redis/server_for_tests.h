// Server: a real redis-server or redis-sentinel for tests, in a directory of its own, on a free port of 127.0.0.1. It
// is killed with its test, also if that dies. Live: a loop of this machine and Clients on it.
#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "base/ensure.h"
#include "redis/settings.h"

namespace redis {

// Of those that bind to it at once nobody else will be given it for a while: the kernel goes round.
inline std::uint16_t free_port() {
    int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    ensure(::bind(descriptor, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0);
    socklen_t size = sizeof address;
    ::getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size);
    ::close(descriptor);
    return ntohs(address.sin_port);
}

inline bool has_program(const std::string& name) { return ::access(("/usr/bin/" + name).c_str(), X_OK) == 0; }

class Server {
  public:
    enum class Kind : std::uint8_t { redis, sentinel };

    // `configuration`: lines for its file; `PORT` and `DIRECTORY` are replaced.
    explicit Server(std::string configuration, Kind kind = Kind::redis) : port_(free_port()), kind_(kind) {
        std::string pattern = (std::filesystem::temp_directory_path() / "cardea-redis-XXXXXX").string();
        ensure(::mkdtemp(pattern.data()) != nullptr, pattern);
        directory_ = pattern;
        replace(configuration, "PORT", std::to_string(port_));
        replace(configuration, "DIRECTORY", directory_);
        std::FILE* file = std::fopen((directory_ + "/server.conf").c_str(), "w");
        std::fputs(
            ("bind 127.0.0.1\ndir " + directory_ + "\nlogfile " + directory_ + "/log\n" + configuration + "\n").c_str(),
            file);
        std::fclose(file);
        start();
    }
    Server(const Server&) = delete;
    ~Server() {
        kill();
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }

    void start() {
        process_ = ::fork();
        if (process_ != 0) return;
        ::prctl(PR_SET_PDEATHSIG, SIGKILL);
        int nothing = ::open("/dev/null", O_RDWR);
        ::dup2(nothing, 0);
        ::dup2(nothing, 1);
        ::dup2(nothing, 2);
        std::string file = directory_ + "/server.conf";
        const char* program = kind_ == Kind::redis ? "/usr/bin/redis-server" : "/usr/bin/redis-sentinel";
        ::execl(program, program, file.c_str(), nullptr);
        ::_exit(127);
    }
    void kill() {
        if (process_ <= 0) return;
        ::kill(process_, SIGKILL);
        ::waitpid(process_, nullptr, 0);
        process_ = 0;
    }
    void pause() const { ::kill(process_, SIGSTOP); }
    void go_on() const { ::kill(process_, SIGCONT); }
    [[nodiscard]] std::uint16_t port() const { return port_; }
    [[nodiscard]] Node node() const { return {"127.0.0.1", port_}; }
    [[nodiscard]] const std::string& directory() const { return directory_; }

  private:
    static void replace(std::string& text, const std::string& what, const std::string& by) {
        for (std::size_t at = 0; (at = text.find(what, at)) != std::string::npos; at += by.size())
            text.replace(at, what.size(), by);
    }
    std::uint16_t port_;
    Kind kind_;
    std::string directory_;
    pid_t process_ = 0;
};

}  // namespace redis
