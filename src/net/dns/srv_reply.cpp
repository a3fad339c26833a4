#include "net/dns/srv_reply.h"

#include <ares.h>
#include <arpa/nameser.h>

#include <algorithm>
#include <memory>
#include <optional>

#include "net/dns/names.h"

namespace net::dns {

namespace {

class Message {
  public:
    explicit Message(std::span<const std::uint8_t> bytes) : bytes_(bytes) {}

    [[nodiscard]] bool skip(std::size_t count) {
        if (count > bytes_.size() - at_) return false;
        at_ += count;
        return true;
    }
    std::optional<std::uint32_t> number(std::size_t size) {
        std::size_t from = at_;
        if (!skip(size)) return std::nullopt;
        std::uint32_t out = 0;
        for (; from < at_; ++from) out = out << 8 | bytes_[from];
        return out;
    }
    // In its normal form; it may continue anywhere before (RFC 1035 4.1.4).
    std::optional<std::string> name() {
        if (at_ >= bytes_.size()) return std::nullopt;
        char* text = nullptr;
        long taken = 0;
        if (ares_expand_name(bytes_.data() + at_, bytes_.data(), static_cast<int>(bytes_.size()), &text, &taken) !=
            ARES_SUCCESS)
            return std::nullopt;
        std::unique_ptr<char, void (*)(void*)> held(text, ares_free_string);
        if (!skip(static_cast<std::size_t>(taken))) return std::nullopt;
        return normal_name(text);
    }
    [[nodiscard]] std::size_t place() const { return at_; }
    [[nodiscard]] bool go_to(std::size_t place) {
        bool is_forward = place >= at_ && place <= bytes_.size();
        if (is_forward) at_ = place;
        return is_forward;
    }

  private:
    std::span<const std::uint8_t> bytes_;
    std::size_t at_ = 0;
};

// What one record adds; false: it is broken.
bool read_record(Message& message, Answer& out, std::optional<std::uint32_t>& least_ttl) {
    if (!message.name()) return false;
    auto type = message.number(2);
    auto dns_class = message.number(2);
    auto ttl = message.number(4);
    auto size = message.number(2);
    if (!type || !dns_class || !ttl || !size) return false;
    std::size_t end = message.place() + *size;
    if (*dns_class != ns_c_in || (*type != ns_t_srv && *type != ns_t_cname)) return message.go_to(end);
    if (*ttl > 0x7fff'ffff) ttl = 0;  // RFC 2181 8
    least_ttl = std::min(least_ttl.value_or(*ttl), *ttl);
    if (*type == ns_t_cname) return message.go_to(end);
    auto priority = message.number(2);
    auto weight = message.number(2);
    auto port = message.number(2);
    auto host = message.name();
    if (!priority || !weight || !port || !host || !message.go_to(end)) return false;
    if (is_host_name(*host))
        out.services.push_back(
            {std::move(*host), static_cast<std::uint16_t>(*port), static_cast<std::uint16_t>(*priority), *weight});
    return true;
}

Answer broken() {
    Answer out;
    out.detail = "SRV: the answer is broken";
    return out;
}

}  // namespace

Answer parse_srv_reply(std::span<const std::uint8_t> bytes) {
    Message message(bytes);
    if (!message.skip(4)) return broken();
    auto questions = message.number(2);
    auto answers = message.number(2);
    if (!questions || !answers || !message.skip(4)) return broken();
    std::string asked;
    for (std::uint32_t i = 0; i < *questions; ++i) {
        auto name = message.name();
        if (!name || !message.skip(4)) return broken();
        asked = std::move(*name);
    }
    Answer out;
    std::optional<std::uint32_t> ttl;
    for (std::uint32_t i = 0; i < *answers; ++i)
        if (!read_record(message, out, ttl)) return broken();

    bool is_itself = std::all_of(out.services.begin(), out.services.end(),
                                 [&](const ServiceRecord& service) { return service.host == asked; });
    if (is_itself) {
        out.services.clear();
        out.kind = Answer::Kind::nothing;
        out.detail = "the name has no SRV record";
        return out;
    }
    out.kind = Answer::Kind::found;
    out.ttl = std::chrono::seconds(ttl.value_or(0));
    return out;
}

}  // namespace net::dns
