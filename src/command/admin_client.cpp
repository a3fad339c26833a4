#include "command/admin_client.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "schema/node.h"

namespace command {

namespace {

constexpr timeval patience{130, 0};  // a large document may take its time to load
constexpr std::size_t most_answer = 64 * 1024 * 1024;

class Descriptor {
  public:
    explicit Descriptor(int value) : value_(value) {}
    Descriptor(const Descriptor&) = delete;
    ~Descriptor() {
        if (value_ >= 0) close(value_);
    }
    operator int() const { return value_; }  // NOLINT: it is one

  private:
    int value_;
};

base::Error no_answer(const net::SocketAddress& address, const char* step) {
    return base::Error::us(base::Code::refused,
                           "no gateway answers at " + address.text() + " (" + step + ": " + std::strerror(errno) +
                               "); is it running, and is --admin-listen the one it was started with?");
}

}  // namespace

base::Result<AdminAnswer> ask_admin(const gateway::Settings& settings, std::string_view method, std::string_view path) {
    if (settings.admin_listen.empty())
        return base::Error::us(base::Code::invalid,
                               "admin_listen is off: there is nobody to ask (set it, or use --admin-listen)");
    net::SocketAddress address = settings.admin_listen.front().address;
    if (address.ip == net::IpAddress::v4(0)) address.ip = net::IpAddress::loopback_v4();
    sockaddr_storage native;
    socklen_t size = address.to(native);
    Descriptor connection(socket(native.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(connection, reinterpret_cast<sockaddr*>(&native), size) != 0) return no_answer(address, "connect");
    std::string request = std::string(method) + " " + std::string(path) + " HTTP/1.0\r\nHost: " + address.text() +
                          "\r\nContent-Length: 0\r\n\r\n";
    if (send(connection, request.data(), request.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(request.size()))
        return no_answer(address, "send");
    std::string text;
    char piece[16 * 1024];
    ssize_t count = 0;
    while (text.size() < most_answer && (count = recv(connection, piece, sizeof piece, 0)) > 0)
        text.append(piece, static_cast<std::size_t>(count));
    if (count < 0) return no_answer(address, "receive");
    // HTTP/1.0: the answer ends with the connection, and has no chunks.
    std::size_t head_end = text.find("\r\n\r\n");
    AdminAnswer answer;
    if (head_end == text.npos || text.size() < 12 ||
        std::from_chars(text.data() + 9, text.data() + 12, answer.status).ec != std::errc())
        return base::Error::us(base::Code::malformed, "what answers at " + address.text() + " is no Cardea");
    answer.body = text.substr(head_end + 4);
    return answer;
}

int reload(const gateway::Settings& settings) {
    if (settings.admin_listen.empty() && !settings.pid_file.empty()) {
        long process = 0;
        if (!(std::ifstream(settings.pid_file) >> process) || process <= 1 ||
            kill(static_cast<pid_t>(process), SIGHUP) != 0) {
            std::fprintf(stderr, "cardea: no running gateway by %s\n", settings.pid_file.c_str());
            return 1;
        }
        std::printf("asked process %ld to reload; its error log says what came of it\n", process);
        return 0;
    }
    auto answer = ask_admin(settings, "POST", "/reload");
    if (!answer) {
        std::fprintf(stderr, "cardea: %s\n", answer.error().detail.c_str());
        return 1;
    }
    std::fputs(answer->body.c_str(), answer->status == 200 ? stdout : stderr);
    return answer->status == 200 ? 0 : 1;
}

int status(const gateway::Settings& settings, bool as_json) {
    auto answer = ask_admin(settings, "GET", "/status");
    if (!answer) {
        std::fprintf(stderr, "cardea: %s\n", answer.error().detail.c_str());
        return 1;
    }
    if (as_json) {
        std::fputs(answer->body.c_str(), stdout);
        return 0;
    }
    schema::ParseResult parsed = schema::parse_json(answer->body, 0, {});
    const auto* tree = std::get_if<schema::Tree>(&parsed);
    if (tree == nullptr) {
        std::fputs("cardea: the status page is not the one of this version\n", stderr);
        return 1;
    }
    // Each member of the page is a line: the page decides what there is to say.
    for (const schema::Member& member : tree->root().members()) {
        std::printf("%-18s", std::string(member.key.text()).c_str());
        for (const schema::Member& inner : member.value.members())
            std::printf("%s %lld  ", std::string(inner.key.text()).c_str(),
                        static_cast<long long>(inner.value.as_integer()));
        if (member.value.is(schema::Kind::integer))
            std::printf("%lld", static_cast<long long>(member.value.as_integer()));
        std::printf("%s\n", std::string(member.value.text()).c_str());
    }
    return 0;
}

}  // namespace command
