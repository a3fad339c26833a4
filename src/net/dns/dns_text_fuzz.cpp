// Fuzzes the texts that configure name resolution: hosts file, --resolve, dns_order and dns_resolver. What is accepted
// must hold what the readers promise. The first byte chooses the reader.
#include <cstddef>
#include <cstdint>

#include "base/ensure.h"
#include "net/dns/hosts.h"
#include "net/dns/names.h"
#include "net/dns/overrides.h"
#include "net/dns/settings.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace net::dns;
    if (size == 0) return 0;
    std::string_view text(reinterpret_cast<const char*>(bytes) + 1, size - 1);
    switch (bytes[0] % 4) {
        case 0: {
            Hosts hosts = Hosts::parse(text);
            ensure(hosts.size() <= text.size() / 2, hosts.size());
            break;
        }
        case 1: {
            Overrides overrides;
            if (!overrides.add(text)) break;
            std::string_view name = text.substr(0, text.find(':'));
            ensure(is_host_name(name), name);
            break;
        }
        case 2: {
            auto order = parse_order(text);
            ensure(!order || (!order->empty() && order->size() <= 5), text);
            break;
        }
        default: {
            auto servers = parse_servers(text);
            if (!servers) break;
            for (const net::SocketAddress& server : *servers) ensure(server.port != 0, text);
        }
    }
    return 0;
}
