// Plan: one request of a seeded scenario, what its upstream does with it, and what has been seen of it. Bodies are a
// function of the plan's number, so that a mixed-up byte shows.
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "base/random.h"
#include "gateway/wire_for_tests.h"
#include "net/simulated/weather.h"

namespace gateway {

struct Plan {
    enum class Place : std::uint8_t { solo, pair, named, dead, unresolved, missing, bare, secure, malformed };
    enum class Manner : std::uint8_t { answer, early, duplex, die, garbage, endless_head, silent, tunnel };
    enum class AfterEarly : std::uint8_t { reads_on, stops_reading, closes };
    using Framing = WireMessage::Framing;

    unsigned id = 0;
    Place place = Place::solo;
    std::string method = "GET";
    int minor_version = 1;
    bool asks_to_close = false;
    bool asks_to_keep = false;  // HTTP/1.0
    Framing request_framing = Framing::none;
    std::size_t request_size = 0;
    bool request_has_trailers = false;
    bool expects = false;
    bool takes_trailers = false;
    std::size_t junk = 0;  // bytes of a field that only makes the head longer

    Manner manner = Manner::answer;
    unsigned bad_attempts = 0;  // so many are treated in that manner if it is a bad one; then it answers
    bool acts_on_head = false;  // does the bad thing before it has read the body
    AfterEarly after_early = AfterEarly::reads_on;
    int status = 200;
    Framing framing = Framing::length;
    std::size_t size = 0;
    bool has_trailers = false;
    int interims = 0;
    bool upstream_closes = false;
    bool upstream_closes_unsaid = false;
    std::size_t die_at = 0;
    bool dies_by_reset = false;

    // ---- seen
    bool is_asked = false;
    std::uint64_t asked_version = 0;  // of the configuration when its first byte was sent
    unsigned heads = 0;               // that reached an upstream
    unsigned copies = 0;              // complete ones
    std::set<std::uint64_t> versions;

    [[nodiscard]] bool reaches_upstream() const { return place <= Place::named; }
    [[nodiscard]] bool is_bad() const {
        return manner == Manner::die || manner == Manner::garbage || manner == Manner::endless_head ||
               manner == Manner::silent;
    }
    [[nodiscard]] bool is_idempotent() const { return method != "POST" && method != "PATCH"; }  // of those drawn
    // A client that has said it must not send another request (RFC 9112 9.6).
    [[nodiscard]] bool is_last_word() const {
        return manner == Manner::tunnel || asks_to_close || (minor_version == 0 && !asks_to_keep);
    }
    [[nodiscard]] bool has_response_body() const { return method != "HEAD" && status != 204 && status != 304; }
};

inline std::string described(const Plan& plan) {
    return "plan " + std::to_string(plan.id) + " " + plan.method + " manner " +
           std::to_string(static_cast<int>(plan.manner)) + " bad_attempts " + std::to_string(plan.bad_attempts) +
           (plan.acts_on_head ? " on head" : "") + " after_early " +
           std::to_string(static_cast<int>(plan.after_early)) + " die_at " + std::to_string(plan.die_at) + " status " +
           std::to_string(plan.status) + " size " + std::to_string(plan.size) + " request " +
           std::to_string(plan.request_size) + (plan.expects ? " expects" : "") + " heads " +
           std::to_string(plan.heads) + " copies " + std::to_string(plan.copies);
}

inline constexpr std::string_view place_names[] = {"solo", "pair", "named",  "dead",     "unresolved",
                                                   "none", "bare", "secure", "malformed"};

inline std::string pattern(std::uint64_t number, std::size_t size) {
    static const std::string letters = [] {
        std::string out(65'521, ' ');
        base::Random random(7);
        for (char& c : out) c = static_cast<char>('!' + random.below(90));
        return out;
    }();
    std::string out;
    out.reserve(size);
    std::size_t from = number * 7'919 % letters.size();
    while (out.size() < size) {
        out.append(letters, from, size - out.size());
        from = 0;
    }
    return out;
}
inline std::string request_body(const Plan& plan) { return pattern(plan.id * 2 + 1, plan.request_size); }
inline std::string response_body(const Plan& plan) { return pattern(plan.id * 2 + 2, plan.size); }

inline std::string request_head(const Plan& plan) {
    std::string id = std::to_string(plan.id);
    std::string out = plan.method + " /" + std::string(place_names[static_cast<std::size_t>(plan.place)]) + '/' + id +
                      "?q=" + id + " HTTP/1." + std::to_string(plan.minor_version) + "\r\n";
    out += "Host: gw.example\r\nX-Plan: " + id + "\r\n";
    if (plan.place == Plan::Place::malformed) out += "Bad Name: x\r\n";
    if (plan.junk > 0) out += "X-Junk: " + std::string(plan.junk, 'j') + "\r\n";
    std::string connection = plan.asks_to_close ? "close" : plan.asks_to_keep ? "keep-alive" : "";
    if (plan.takes_trailers) connection += connection.empty() ? "TE" : ", TE";
    if (plan.manner == Plan::Manner::tunnel) connection = "Upgrade";
    if (!connection.empty()) out += "Connection: " + connection + "\r\n";
    if (plan.manner == Plan::Manner::tunnel) out += "Upgrade: websocket\r\n";
    if (plan.takes_trailers) out += "TE: trailers\r\n";
    if (plan.expects) out += "Expect: 100-continue\r\n";
    if (plan.request_framing == Plan::Framing::length)
        out += "Content-Length: " + std::to_string(plan.request_size) + "\r\n";
    if (plan.request_framing == Plan::Framing::chunked) out += "Transfer-Encoding: chunked\r\n";
    return out + "\r\n";
}
inline std::string request_payload(const Plan& plan, base::Random& random) {
    if (plan.request_framing == Plan::Framing::none) return {};
    if (plan.request_framing == Plan::Framing::length) return request_body(plan);
    std::string_view trailers = plan.request_has_trailers ? "X-Request-Trailer: t\r\n" : "";
    return chunked(request_body(plan), net::simulated::any_size(random, 1, 20'000), trailers);
}

struct ResponseText {
    std::string head;  // with the interim ones before it
    std::string body;
};
inline ResponseText response_text(const Plan& plan, base::Random& random) {
    ResponseText out;
    for (int i = 0; i < plan.interims; ++i)
        out.head += "HTTP/1.1 103 Early Hints\r\nLink: <" + std::to_string(plan.id) + ">\r\n\r\n";
    out.head += "HTTP/1.1 " + std::to_string(plan.status) + " Some Reason\r\nX-Answer: " + std::to_string(plan.id) +
                "\r\nX-Hop: between two\r\nConnection: X-Hop" + (plan.upstream_closes ? ", close" : "") + "\r\n";
    if (plan.status != 204) {
        if (plan.framing == Plan::Framing::length) out.head += "Content-Length: " + std::to_string(plan.size) + "\r\n";
        if (plan.framing == Plan::Framing::chunked) out.head += "Transfer-Encoding: chunked\r\n";
    }
    out.head += "\r\n";
    if (!plan.has_response_body()) return out;
    out.body = response_body(plan);
    if (plan.framing == Plan::Framing::chunked)
        out.body = chunked(out.body, net::simulated::any_size(random, 1, 20'000),
                           plan.has_trailers ? "X-Trailer: " + std::to_string(plan.id) + "\r\n" : "");
    return out;
}

// ---- drawing one

inline std::size_t drawn_size(base::Random& random, std::size_t most) {
    constexpr std::size_t bounds[] = {200, 200, 200, 5'000, 5'000, 40'000, 300'000};
    std::size_t bound = std::min(most, bounds[random.below(random.below(4) == 0 ? 7 : 6)]);
    return random.below(static_cast<std::uint32_t>(bound));
}

inline void draw_request(Plan& plan, base::Random& random, std::size_t most_size) {
    constexpr std::string_view methods[] = {"GET", "GET", "GET", "HEAD", "POST", "POST", "PUT", "DELETE", "PATCH"};
    constexpr Plan::Place places[] = {Plan::Place::dead, Plan::Place::unresolved, Plan::Place::missing,
                                      Plan::Place::bare, Plan::Place::secure,     Plan::Place::malformed};
    plan.method = methods[random.below(9)];
    plan.place = random.below(8) == 0 ? places[random.below(6)] : static_cast<Plan::Place>(random.below(3));
    if (random.below(12) == 0) {
        plan.minor_version = 0;
        plan.asks_to_keep = random.below(2) == 0;
    }
    plan.asks_to_close = !plan.asks_to_keep && random.below(12) == 0;
    plan.takes_trailers = plan.minor_version == 1 && random.below(6) == 0;
    if (random.below(5) == 0) plan.junk = random.below(6'000);
    bool has_body = plan.method == "POST" || plan.method == "PUT" || plan.method == "PATCH" || random.below(20) == 0;
    if (!has_body) return;
    plan.request_size = drawn_size(random, most_size);
    bool is_chunked = plan.minor_version == 1 && random.below(3) == 0;
    plan.request_framing = is_chunked ? Plan::Framing::chunked : Plan::Framing::length;
    plan.request_has_trailers = is_chunked && random.below(4) == 0;
    plan.expects = plan.minor_version == 1 && random.below(8) == 0;
}

inline void draw_response(Plan& plan, base::Random& random, std::size_t most_size) {
    constexpr int statuses[] = {200, 200, 200, 201, 204, 304, 404, 500, 302};
    plan.status = statuses[random.below(9)];
    plan.size = drawn_size(random, most_size);
    std::uint32_t framing = random.below(10);
    plan.framing = framing < 5   ? Plan::Framing::length
                   : framing < 9 ? Plan::Framing::chunked
                                 : Plan::Framing::until_close;
    plan.has_trailers = plan.framing == Plan::Framing::chunked && random.below(3) == 0;
    if (random.below(10) == 0) plan.interims = static_cast<int>(1 + random.below(3));
    plan.upstream_closes = random.below(8) == 0 || plan.framing == Plan::Framing::until_close;
    plan.upstream_closes_unsaid = random.below(30) == 0;
    if (plan.upstream_closes_unsaid && plan.framing == Plan::Framing::until_close) plan.upstream_closes_unsaid = false;
    if (random.below(4) != 0) return;
    plan.manner = static_cast<Plan::Manner>(1 + random.below(7));
    plan.bad_attempts = random.below(3) == 0 ? 1'000 : 1 + random.below(2);
    plan.acts_on_head = random.below(3) == 0;
    plan.after_early = static_cast<Plan::AfterEarly>(random.below(3));
    if (plan.manner == Plan::Manner::early) {
        // Who will read no more should say so; who reads on does not close.
        plan.upstream_closes = plan.after_early != Plan::AfterEarly::reads_on;
        plan.upstream_closes_unsaid = false;
        if (plan.framing == Plan::Framing::until_close) plan.framing = Plan::Framing::length;
    }
    // An orderly close is the end of such a body, so dying by it would be no fault.
    plan.dies_by_reset = random.below(2) == 0 || plan.framing == Plan::Framing::until_close;
    if (plan.manner == Plan::Manner::tunnel && (plan.minor_version == 0 || plan.method != "GET"))
        plan.manner = Plan::Manner::answer;
    if (plan.manner == Plan::Manner::duplex && plan.request_framing == Plan::Framing::none)
        plan.manner = Plan::Manner::answer;
    if (plan.manner == Plan::Manner::tunnel) {
        plan.request_framing = Plan::Framing::none;
        plan.request_has_trailers = false;
        plan.request_size = 0;
        plan.expects = plan.asks_to_close = plan.takes_trailers = false;
    }
}

}  // namespace gateway
