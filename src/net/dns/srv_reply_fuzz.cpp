// Fuzzes the reader of SRV answers: whatever a name server sends, what is found must be usable host names.
#include <cstddef>
#include <cstdint>

#include "base/ensure.h"
#include "net/dns/names.h"
#include "net/dns/srv_reply.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using namespace net::dns;
    Answer answer = parse_srv_reply({bytes, size});
    ensure((answer.kind == Answer::Kind::found) == !answer.services.empty(), answer.services.size());
    for (const ServiceRecord& service : answer.services) ensure(is_host_name(service.host), service.host);
    ensure(answer.ttl.count() >= 0, answer.ttl.count());
    return 0;
}
