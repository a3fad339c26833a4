#include "delivery/datagrams.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

namespace delivery {

namespace {
using base::Code;
using base::Error;
using base::Result;
using base::Retry;

class SystemDatagrams final : public Datagrams {
  public:
    ~SystemDatagrams() override { close(); }
    Result<void> open(const net::SocketAddress& to) override {
        sockaddr_storage native{};
        socklen_t size = to.to(native);
        return connect(native.ss_family, reinterpret_cast<const sockaddr*>(&native), size);
    }
    Result<void> open(const std::string& path) override {
        sockaddr_un native{};
        native.sun_family = AF_UNIX;
        if (path.size() >= sizeof native.sun_path)
            return Error::us(Code::invalid, "path of a socket too long: " + path);
        std::memcpy(native.sun_path, path.data(), path.size());
        return connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&native), sizeof native);
    }
    Result<void> send(std::string_view datagram) override {
        // A refusal is about an earlier datagram (RFC 1122 4.1.3.3) and takes this one along: once more.
        for (int attempt = 0; attempt < 2; ++attempt) {
            if (::send(descriptor_, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL) >= 0) return {};
            if (errno != ECONNREFUSED && errno != EINTR) break;
        }
        Retry retry = errno == EMSGSIZE ? Retry::never : Retry::always;
        return Error::upstream(Code::reset, retry, std::strerror(errno));
    }

  private:
    void close() {
        if (descriptor_ >= 0) ::close(descriptor_);
        descriptor_ = -1;
    }
    Result<void> connect(int family, const sockaddr* address, socklen_t size) {
        close();
        descriptor_ = ::socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor_ < 0 || ::connect(descriptor_, address, size) != 0)
            return Error::upstream(Code::refused, Retry::always, std::strerror(errno));
        return {};
    }
    int descriptor_ = -1;
};
}  // namespace

std::unique_ptr<Datagrams> system_datagrams() { return std::make_unique<SystemDatagrams>(); }

base::Task<Result<void>> DatagramSender::open() {
    net::Loop& loop = dialer_.loop();
    if (is_open_ && loop.now() - opened_at_ < settings_.reopen.count()) co_return base::success();
    Result<void> opened;
    if (settings_.path.empty()) {
        auto address = co_await dialer_.find(net::after(loop.now(), settings_.timeout));
        if (!address) co_return std::move(address).error();
        opened = datagrams_->open(*address);
    } else {
        opened = datagrams_->open(settings_.path);
    }
    is_open_ = opened.ok();
    opened_at_ = loop.now();
    co_return opened;
}

Result<void> DatagramSender::send_datagram(std::string_view datagram) {
    if (datagram.size() > DatagramSettings::most_bytes)
        return Error::us(Code::too_large, "larger than a datagram: " + std::to_string(datagram.size()) + " bytes");
    return datagrams_->send(datagram);
}

base::Task<Result<void>> DatagramSender::send(Batch batch) {
    Result<void> opened = co_await open();
    if (!opened) co_return opened;
    std::vector<std::string> joined;
    if (settings_.packet_size > 0) {
        for (const std::string& entry : batch) {
            bool fits = !joined.empty() && joined.back().size() + 1 + entry.size() <= settings_.packet_size;
            if (fits)
                joined.back().append("\n").append(entry);
            else
                joined.push_back(entry);
        }
        batch = joined;
    }
    Result<void> refused;  // what cannot be sent at all keeps nothing else back
    for (; progress_ < batch.size(); ++progress_) {
        Result<void> sent = send_datagram(batch[progress_]);
        if (sent) continue;
        if (sent.error().retry != Retry::never) {
            is_open_ = false;
            co_return sent;
        }
        refused = std::move(sent);
    }
    progress_ = 0;
    co_return refused;
}

}  // namespace delivery
