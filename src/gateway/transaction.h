// Transaction: an exchange with the gateway's side of it: the client's socket, both bodies on their way, the connection
// to the upstream. Made by the connection when a head is complete, dropped when the answer is out.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/slab.h"
#include "gateway/body_relay.h"
#include "gateway/companion.h"
#include "gateway/core.h"
#include "plugin/exchange.h"
#include "upstream/http2_stream.h"
#include "upstream/pool.h"

namespace gateway {

// A body of ours that is made piece by piece while it is sent: one too large to be in memory at once.
class BodySource {
  public:
    virtual ~BodySource() = default;
    // Appends the next piece to `piece`. False: that was the last one. An error cuts the answer short.
    virtual base::Task<base::Result<bool>> next(std::string& piece) = 0;
};

class Stream;

struct Transaction : plugin::Exchange, base::SlabAllocated<Transaction> {
    // Body bytes kept so that a request can be sent again; larger bodies are sent once.
    static constexpr std::size_t most_replayed = 64 * 1024;

    Transaction(Core& on, net::Socket& from, Entrance by);
    Transaction(const Transaction&) = delete;
    ~Transaction() override;  // also in the middle: the attempt is then cancelled

    base::Task<base::Result<std::string_view>> read_request_body(std::size_t most) override;
    void replace_request_body(std::string_view body) override;

    Core& core;
    net::Socket& client_socket;  // not to be touched once the transaction goes on without its client
    Stream* stream = nullptr;    // of HTTP/2, whose body bytes client_socket carries
    bool has_client = true;
    net::Slice head_bytes;                   // the views of `request` point into it
    std::shared_ptr<CoreSnapshot> snapshot;  // the configuration it began with
    const Entrance entrance;
    http::Method client_method = http::Method::get;  // plugins may ask the upstream with another one

    // ---- request body
    BodyRelay request_body;
    std::vector<net::Slice> replay;  // what was taken of it so far, raw, while it can be sent again
    bool is_replayable = true;
    bool asked_to_continue = false;                    // 100 (Continue) went out
    std::optional<std::string> read_body;              // by a plugin, whole; its raw form stays in `replay`
    std::optional<std::string_view> own_request_body;  // sent in the place of the client's
    bool is_grpc = false;                              // a call, on a route for such
    net::Instant deadline = net::never;                // that the client has set for the whole (grpc-timeout)
    bool is_last = false;  // nothing that this client sends afterwards is to be read as a request

    // ---- upstream
    std::unique_ptr<upstream::Trailers> response_trailers;  // of HTTP/2, beside the body; `link` writes into it
    upstream::LinkPtr link;
    Companion request_pump;  // sends what of the body did not come with the head; waits on `link`, so dies before it
    std::optional<RelayEnd> pump_end;
    bool is_request_through = false;  // the upstream's kernel has all of it
    net::Slice response_head_bytes;   // the views of `response` point into it
    BodyRelay response_body;
    std::optional<std::string> buffered_response;  // the whole body, read before the client got anything
    std::string filtered_response;                 // what answer_filter made of it
    std::unique_ptr<BodySource> source;            // makes the body, in the place of response_text
    bool is_tunnel = false;                        // 101: bytes go both ways until one side ends
    std::shared_ptr<EndpointView> endpoints;       // what the attempt's endpoint was picked from
    std::uint32_t endpoint = 0;
    bool is_attempt_open = false;  // the balancer counts it
    // What it holds of the upstream's limits, if there are some; `snapshot` keeps those alive.
    upstream::Held held_request;
    upstream::Held held_retry;
    upstream::ConnectionSlot held_connection;
    std::optional<upstream::Limit> refused_by;  // the limit that ended it
    std::string_view pinning_cookie;            // Set-Cookie of hash_on cookie for a client that had none

    // How the end of the client's body is known on client_socket.
    [[nodiscard]] http::BodyFraming arriving_framing() const {
        bool ends_with_stream = stream != nullptr && request.framing == http::BodyFraming::chunked;
        return ends_with_stream ? http::BodyFraming::until_close : request.framing;
    }
    // How the end of the upstream's body is known on its socket.
    [[nodiscard]] http::BodyFraming answering_framing() const {
        bool ends_with_stream = response_trailers != nullptr && response.framing == http::BodyFraming::length;
        return ends_with_stream ? http::BodyFraming::until_close : response.framing;
    }
    // The response's body is response_text; else the upstream's, on its connection.
    [[nodiscard]] bool is_body_in_hand() const { return !is_from_upstream || buffered_response.has_value(); }
    // With a route, and a service: of the snapshot.
    [[nodiscard]] const ServedRoute& served_route() const { return static_cast<const ServedRoute&>(*route); }
    [[nodiscard]] const ServedService& served_service() const { return static_cast<const ServedService&>(*service); }
};

}  // namespace gateway
