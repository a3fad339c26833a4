#include "command/supervisor.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstddef>
#include <cstdlib>
#include <cstring>

#include "net/posix.h"

namespace command {

namespace {

constexpr const char* listeners_variable = "CARDEA_LISTENERS";  // address=descriptor,... the operator's marked
constexpr std::string_view admin_mark = "admin:";
constexpr const char* ready_variable = "CARDEA_READY";  // descriptor
constexpr int first_systemd_descriptor = 3;             // SD_LISTEN_FDS_START

int number_of(std::string_view text) {
    int out = -1;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() ? out : -1;
}

std::string take_variable(const char* name) {
    const char* value = std::getenv(name);
    std::string out = value != nullptr ? value : "";
    unsetenv(name);
    return out;
}

void keep_over_exec(int descriptor, bool keep) {
    int flags = fcntl(descriptor, F_GETFD);
    fcntl(descriptor, F_SETFD, keep ? flags & ~FD_CLOEXEC : flags | FD_CLOEXEC);
}

}  // namespace

void notify_supervisor(std::string_view state) {
    const char* path = std::getenv("NOTIFY_SOCKET");
    if (path == nullptr || (path[0] != '/' && path[0] != '@')) return;
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    std::size_t length = std::strlen(path);
    if (length >= sizeof address.sun_path) return;
    std::memcpy(address.sun_path, path, length);
    if (path[0] == '@') address.sun_path[0] = '\0';  // the abstract name space
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return;
    auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + length);
    // Best effort: there is nobody to tell that telling failed.
    [[maybe_unused]] ssize_t sent =
        sendto(descriptor, state.data(), state.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&address), size);
    close(descriptor);
}

std::vector<gateway::InheritedListener> inherited_listeners() {
    std::vector<gateway::InheritedListener> out;
    std::string list = take_variable(listeners_variable);
    std::string_view rest = list;
    while (!rest.empty()) {
        std::size_t comma = rest.find(',');
        std::string_view one = rest.substr(0, comma);
        rest = comma == rest.npos ? std::string_view() : rest.substr(comma + 1);
        bool is_admin = one.starts_with(admin_mark);
        if (is_admin) one.remove_prefix(admin_mark.size());
        std::size_t equals = one.find('=');
        if (equals == one.npos) continue;
        auto address = net::SocketAddress::parse(one.substr(0, equals));
        int descriptor = number_of(one.substr(equals + 1));
        if (!address || descriptor < 0) continue;
        keep_over_exec(descriptor, false);
        out.push_back({*address, descriptor, is_admin ? gateway::Entrance::admin : gateway::Entrance::clients});
    }
    bool is_for_us = number_of(take_variable("LISTEN_PID")) == getpid();
    int count = number_of(take_variable("LISTEN_FDS"));
    unsetenv("LISTEN_FDNAMES");
    for (int i = 0; is_for_us && i < count; ++i) {
        int descriptor = first_systemd_descriptor + i;
        keep_over_exec(descriptor, false);
        fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK);
        out.push_back({net::posix::local_address(descriptor), descriptor});
    }
    return out;
}

int predecessor_descriptor() {
    int descriptor = number_of(take_variable(ready_variable));
    if (descriptor >= 0) keep_over_exec(descriptor, false);
    return descriptor;
}

void tell_predecessor(int descriptor) {
    if (descriptor < 0) return;
    char ready = '1';
    [[maybe_unused]] ssize_t written = write(descriptor, &ready, 1);
    close(descriptor);
}

base::Result<Successor> start_successor(const std::string& program, char** arguments,
                                        const std::vector<gateway::InheritedListener>& listeners) {
    int pipe_ends[2];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0)
        return base::Error::us(base::Code::exhausted, std::string("pipe: ") + std::strerror(errno));
    std::string list;
    for (const gateway::InheritedListener& listener : listeners)
        list += (list.empty() ? "" : ",") +
                std::string(listener.entrance != gateway::Entrance::clients ? admin_mark : "") +
                listener.address.text() + "=" + std::to_string(listener.descriptor);
    // Everything that allocates happens before the fork: other threads may hold the allocator's lock.
    std::vector<std::string> variables;
    for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
    variables.push_back(std::string(listeners_variable) + "=" + list);
    variables.push_back(std::string(ready_variable) + "=" + std::to_string(pipe_ends[1]));
    std::vector<char*> environment;
    for (std::string& variable : variables) environment.push_back(variable.data());
    environment.push_back(nullptr);
    pid_t child = fork();
    if (child < 0) {
        int error = errno;
        close(pipe_ends[0]);
        close(pipe_ends[1]);
        return base::Error::us(base::Code::exhausted, std::string("fork: ") + std::strerror(error));
    }
    if (child == 0) {
        for (const gateway::InheritedListener& listener : listeners) keep_over_exec(listener.descriptor, true);
        keep_over_exec(pipe_ends[1], true);
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, nullptr);
        execve(program.c_str(), arguments, environment.data());
        _exit(127);
    }
    close(pipe_ends[1]);
    return Successor{child, pipe_ends[0]};
}

}  // namespace command
