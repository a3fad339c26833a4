// Exchange: the data of one request and its answer, from the parsed head to the access log line: what plugins see and
// change. Owned by the connection that serves it; one core only. Views in it live as long as it does; a plugin that
// puts text of its own in copies it into `arena`.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/arena.h"
#include "base/task.h"
#include "base/uuid.h"
#include "http/message.h"
#include "net/address.h"
#include "net/time.h"
#include "observe/request_id.h"
#include "plugin/consumers.h"
#include "plugin/facts.h"
#include "plugin/states.h"
#include "plugin/verdict.h"
#include "route/router.h"

namespace net::tls {
class Layer;
}

namespace plugin {

class Chain;
struct Instance;
struct AnswerStyle;

// Who sent the request and where it came in.
struct ClientSide {
    net::SocketAddress remote;   // the other end of the TCP connection
    net::SocketAddress local;    // the listener's address
    net::SocketAddress address;  // the client itself: differs from `remote` behind trusted proxies (real_ip_header)
    const net::tls::Layer* tls = nullptr;  // of its connection; null: the connection is plain
    // `remote` is one of trusted_ips, and so is the client that it names by the PROXY protocol, if it names one: its
    // X-Forwarded-* fields count.
    bool is_trusted = false;
    std::string_view scheme = "http";  // after X-Forwarded-Proto of a trusted proxy
    std::string_view forwarded_host;   // what the client called us
    std::uint16_t forwarded_port = 0;
    std::uint64_t connection = 0;           // number of the connection on its core
    std::uint64_t connection_requests = 0;  // on it so far, with this one
};

// Steps of one request on the loop's clock; `never` where a step did not happen.
struct Timings {
    net::Instant started = net::never;         // first byte of the head
    net::Instant upstream_began = net::never;  // an endpoint was chosen and the request is on its way
    net::Instant connected = net::never;
    net::Instant response_head = net::never;  // of the upstream
    net::Instant finished = net::never;
};

// Who the client proved to be. Set by identify() and stay_anonymous() in plugin/identity.h.
struct Identity {
    const Consumer* consumer = nullptr;
    bool is_authenticated = false;             // a credential was right; an anonymous consumer has none
    std::string_view credential;               // what identifies it: X-Credential-Identifier
    std::span<const std::string_view> groups;  // authenticated groups that come from elsewhere than a consumer
    // SHA-256 of the client's verified certificate, whatever else it has proven since: the upstream may be told of it.
    std::string_view certificate;
};

// A try at an upstream that has failed.
struct FailedTry {
    net::SocketAddress address;
    net::Instant began = net::never;
};

// Bytes of the upstream's response body, kept on their way to the client.
struct BodyCapture {
    std::string bytes;
    std::size_t most = 0;      // beyond it nothing is kept
    bool is_cut = false;       // there was more
    bool is_complete = false;  // the upstream's body ended as it should
};

// Changes an upstream's answer on its way to the client, piece by piece.
class AnswerFilter {
  public:
    virtual ~AnswerFilter() = default;
    // Appends what becomes of the next piece.
    virtual void take(std::string_view piece, std::string& out) = 0;
    // The body is over; its trailers end here.
    virtual void end(const http::Headers& trailers, std::string& out) = 0;
};

class Exchange;

// Asking the upstream for a request that has been answered already, for a plugin that answers with what it has and
// wants to have it anew. The chain's phases up to on_upstream_response run as for any request.
class Background {
  public:
    virtual ~Background() = default;
    // The client has its answer and is gone for this exchange; the request may still be changed.
    virtual void begin(Exchange& exchange) = 0;
    // The end, at most once: `error` says that no answer came, or no whole one. Else response and, as far as `capture`
    // wanted it, the body are there. May not come at all: then everything is dropped.
    virtual void ended(Exchange& exchange, const base::Error* error) = 0;
};

class Exchange {
  public:
    explicit Exchange(Worker& on) : worker(on) {}
    Exchange(const Exchange&) = delete;
    virtual ~Exchange() { drop_notes(); }

    Worker& worker;  // the core this runs on
    base::Arena arena;

    // ---- the request. Plugins may change headers, method and query: that is what the upstream gets. The access log
    // keeps what the client said (request.target).
    http::RequestHead request;
    std::string_view path;  // in normal form (http/path.h), without the query
    ClientSide client;
    route::Match match;
    std::array<char, observe::request_id_size> request_id{};
    const RouteFacts* route = nullptr;      // none: no route matched
    const ServiceFacts* service = nullptr;  // none: the route has no service
    Identity identity;
    std::string_view upstream_path;  // in the place of the one that route and service make; empty: theirs

    // ---- the response
    http::ResponseHead response;
    std::string_view response_text;  // the body of an answer of ours; an upstream's body is streamed
    bool is_from_upstream = false;   // the response is the upstream's
    bool is_from_cache = false;  // ... of an earlier request: answered by a plugin, shown to clients as the upstream's
    http::Headers client_headers;    // fields for whatever answer the client gets; each takes the place of its name
    BodyCapture* capture = nullptr;  // set in on_upstream_response: keeps the body; must live as long as this
    std::unique_ptr<AnswerFilter> answer_filter;  // set in on_response for an upstream's body; behind on_response_body
    std::unique_ptr<Background>
        background;  // set by on_request with an answer of its own; only for requests without body

    // ---- what happened
    Timings timings;
    std::uint32_t tries = 0;
    std::vector<FailedTry> failed_tries;
    std::string_view upstream_target;     // path and query as they were sent
    net::SocketAddress upstream_address;  // of the last try
    std::uint64_t request_body_bytes = 0;
    std::uint64_t response_body_bytes = 0;
    std::uint64_t sent_head_bytes = 0;  // of the answer, as the client got it
    std::uint64_t request_head_bytes = 0;
    std::uint16_t upstream_status = 0;  // as it came, whatever plugins made of it

    // ---- for plugin/chain and plugin/reply
    const Chain* chain = nullptr;
    const AnswerStyle* style = nullptr;
    std::uint16_t chain_step = 0;
    std::span<const Instance*> chosen;  // by step; empty where no step depends on the consumer

    [[nodiscard]] std::string_view id() const { return {request_id.data(), request_id.size()}; }
    // An entity's id as text, in the arena.
    [[nodiscard]] std::string_view text(const base::Uuid& uuid) {
        char* at = arena.bytes(base::Uuid::text_size);
        uuid.write(at);
        return {at, base::Uuid::text_size};
    }

    // ---- what a plugin remembers from one phase to the next, by a type of its own
    template <typename T>
    [[nodiscard]] T* note() const {
        for (Note* note = notes_; note != nullptr; note = note->next)
            if (note->key == &note_key<T>) return static_cast<T*>(note->value);
        return nullptr;
    }
    // Dies with the exchange. One of each type.
    template <typename T, typename... Arguments>
    T& make_note(Arguments&&... arguments) {
        T* value = new (arena.allocate(sizeof(T), alignof(T))) T{std::forward<Arguments>(arguments)...};
        notes_ = new (arena.allocate(sizeof(Note), alignof(Note)))
            Note{&note_key<T>, value, [](void* noted) { static_cast<T*>(noted)->~T(); }, notes_};
        return *value;
    }

    // ---- bodies
    [[nodiscard]] bool has_request_body() const { return request.framing != http::BodyFraming::none; }
    // The whole request body without its framing; the client is asked for it if it waits to be (100). Too_large beyond
    // `most`: then the body is still forwarded as it is. Other errors are the client's (it went away, or broke the
    // framing) and end the request. Reads once: later calls give the same bytes. Only from wait_request().
    virtual base::Task<base::Result<std::string_view>> read_request_body(std::size_t most) = 0;
    // The upstream gets these bytes (which live as long as the exchange) in the place of the body; after
    // read_request_body(), or where there is no body.
    virtual void replace_request_body(std::string_view body) = 0;
    // From on_response: have the body read whole, at most `most` bytes of it, before the client gets anything; then
    // on_response_body runs, may replace response_text, and Content-Length is made right. A longer body passes unseen.
    void buffer_response(std::size_t most) { buffered_most = buffered_most > most ? buffered_most : most; }
    std::size_t buffered_most = 0;
    // Counts what really arrives of a streamed request body; beyond it: 413. 0: no limit.
    std::uint64_t most_request_body = 0;
    std::string_view too_large_message;  // of that 413; empty: the usual one

  protected:
    // Drops all notes: for an exchange that ends before its base does, where notes look at what it owns.
    void drop_notes() {
        for (Note* note = std::exchange(notes_, nullptr); note != nullptr; note = note->next) note->drop(note->value);
    }

  private:
    template <typename T>
    static constexpr char note_key = 0;
    struct Note {
        const void* key;
        void* value;
        void (*drop)(void*);
        Note* next;
    };
    Note* notes_ = nullptr;
};

}  // namespace plugin
