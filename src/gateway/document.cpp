#include "gateway/document.h"

#include <array>

namespace gateway {

std::string_view name(Protocol protocol) {
    constexpr std::array<std::string_view, 8> names{"http", "https",           "grpc", "grpcs", "tcp",
                                                    "tls",  "tls_passthrough", "udp"};
    return names[static_cast<std::size_t>(protocol)];
}

}  // namespace gateway
