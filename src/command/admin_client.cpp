#include "command/admin_client.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <vector>

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

std::string shown(const schema::Node& value) {
    if (value.is(schema::Kind::integer)) return std::to_string(value.as_integer());
    if (value.is(schema::Kind::number)) return fmt::format("{:g}", value.as_number());
    return std::string(value.text());
}

std::string time_of(std::int64_t milliseconds) {
    auto seconds = static_cast<std::time_t>(milliseconds / 1000);
    std::tm parts{};
    gmtime_r(&seconds, &parts);
    char text[32];
    return {text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace

std::string status_lines(const schema::Node& page) {
    constexpr std::string_view milliseconds = "_at_ms";
    std::string out;
    for (const schema::Member& member : page.members()) {
        bool is_list = member.value.is(schema::Kind::list);
        std::string line =
            is_list ? std::string(member.key.text()) : fmt::format("{:<18}", member.key.text()) + shown(member.value);
        for (const schema::Member& inner : member.value.members()) {
            std::string_view name = inner.key.text();
            bool is_time = name.ends_with(milliseconds);
            if (is_time) name.remove_suffix(3);
            line += fmt::format("{} {}  ", name, is_time ? time_of(inner.value.as_integer()) : shown(inner.value));
        }
        // What plugins keep: a line each, as on /metrics.
        for (const schema::Node& element : member.value.items()) {
            std::string labels;
            std::string_view name;
            std::string value;
            for (const schema::Member& inner : element.members()) {
                std::string_view key = inner.key.text();
                if (key == "name")
                    name = inner.value.text();
                else if (key == "value")
                    value = shown(inner.value);
                else if (!inner.value.text().empty())
                    labels += fmt::format("{}{}={}", labels.empty() ? "" : " ", key, inner.value.text());
            }
            line += fmt::format("\n  {} {}{}{}", name, value, labels.empty() ? "" : "  ", labels);
        }
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    return out;
}

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

namespace {

// A JSON page of the gateway: as it is, or as `print` shows it to a person. The word's exit code.
template <typename Print>
int show_page(const gateway::Settings& settings, const char* path, bool as_json, Print print) {
    auto answer = ask_admin(settings, "GET", path);
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
    if (tree == nullptr || !print(tree->root())) {
        std::fprintf(stderr, "cardea: %s is not the page of this version\n", path);
        return 1;
    }
    return 0;
}

std::string field(const schema::Node& node, std::string_view key) {
    const schema::Node* found = node.find(key);
    if (found == nullptr) return {};
    return found->is(schema::Kind::integer) ? std::to_string(found->as_integer()) : std::string(found->text());
}

std::string local_time(const std::string& milliseconds) {
    std::time_t seconds = std::atoll(milliseconds.c_str()) / 1000;
    if (seconds == 0) return {};
    std::tm parts{};
    char out[32];
    return {out, std::strftime(out, sizeof out, "%Y-%m-%d %H:%M:%S", localtime_r(&seconds, &parts))};
}

bool print_upstreams(const schema::Node& page) {
    const schema::Node* upstreams = page.find("upstreams");
    if (upstreams == nullptr) return false;
    std::vector<std::array<std::string, 8>> lines{
        {"UPSTREAM", "TARGET", "ADDRESS", "WEIGHT", "HEALTH", "ACTIVE", "SINCE", "WHY"}};
    for (const schema::Node& upstream : upstreams->items())
        for (const schema::Node& target : upstream.find("targets")->items())
            lines.push_back({field(upstream, "name"), field(target, "target"), field(target, "address"),
                             field(target, "weight"), field(target, "health"), field(target, "active"),
                             local_time(field(target, "since_ms")), field(target, "reason")});
    if (upstreams->items().empty()) {
        std::puts("The document names no upstreams.");
        return true;
    }
    std::array<std::size_t, 8> widths{};
    for (const auto& line : lines)
        for (std::size_t i = 0; i < line.size(); ++i) widths[i] = std::max(widths[i], line[i].size());
    for (const auto& line : lines) {
        std::string text;
        for (std::size_t i = 0; i < line.size(); ++i)
            text += line[i] + std::string(widths[i] - line[i].size() + 2, ' ');
        std::puts(text.substr(0, text.find_last_not_of(' ') + 1).c_str());
    }
    for (const schema::Node& upstream : upstreams->items())
        if (const schema::Node* open = upstream.find("open"); open != nullptr && !open->as_boolean())
            std::printf("%s takes no requests: too little of its weight is in service (healthchecks.threshold).\n",
                        field(upstream, "name").c_str());
    for (const schema::Node& upstream : upstreams->items())
        if (const schema::Node* panic = upstream.find("panic"); panic != nullptr && panic->as_boolean())
            std::printf("%s is in panic: most of it is out, so requests go to all its targets (panic_threshold).\n",
                        field(upstream, "name").c_str());
    for (const schema::Node& upstream : upstreams->items()) {
        const schema::Node* source = upstream.find("discovery");
        if (source == nullptr) continue;
        std::string since = local_time(field(*source, "since_ms"));
        std::string reason = field(*source, "reason");
        std::printf("%s: %s is %s%s%s, %s targets%s%s\n", field(upstream, "name").c_str(),
                    field(*source, "source").c_str(), field(*source, "state").c_str(), since.empty() ? "" : " since ",
                    since.c_str(), field(*source, "targets").c_str(), reason.empty() ? "" : ": ", reason.c_str());
    }
    return true;
}

}  // namespace

int status(const gateway::Settings& settings, bool as_json) {
    return show_page(settings, "/status", as_json, [](const schema::Node& page) {
        std::fputs(status_lines(page).c_str(), stdout);
        return true;
    });
}

int status_of_upstreams(const gateway::Settings& settings, bool as_json) {
    return show_page(settings, "/upstreams", as_json, &print_upstreams);
}

}  // namespace command
