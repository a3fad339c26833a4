// ProxyCacheTest: proxy-cache between a request and an upstream that are texts.
#pragma once

#include <map>
#include <string>

#include "plugin/identity.h"
#include "plugin/plugin_for_tests.h"

namespace plugin {

struct Upstream {
    int status = 200;
    std::string headers = "Content-Type: text/plain\r\n";
    std::string body = "hello";
};

class ProxyCacheTest : public PluginTest {
  protected:
    // One request as the gateway would handle it; the upstream answers so. The result: "STATUS X-Cache-Status body".
    std::string ask(std::string head, const Upstream& upstream = {}, const Consumer* consumer = nullptr) {
        auto made = exchange(std::move(head));
        if (consumer != nullptr) identify(*made, consumer, "credential");
        if (run(*made) == Verdict::go_on) fetch(*made, upstream);
        return told(*made);
    }
    void fetch(FakeExchange& on, const Upstream& upstream) {
        asked = on.request.headers.first("If-None-Match");
        ++fetches;
        bool is_head = on.request.method == http::Method::head;
        on.answer_from_upstream(upstream.status, upstream.headers, upstream.body);
        if (is_head) on.response_text = {};
        if (type->on_upstream_response != nullptr) type->on_upstream_response(under_test.get(), on);
        if (on.is_from_upstream && on.capture != nullptr) {
            on.capture->bytes = on.response_text;
            on.capture->is_complete = true;
        }
        respond(on);
        type->on_log(under_test.get(), on);
    }
    std::string told(FakeExchange& on) {
        if (on.is_from_cache) respond(on);
        for (const http::Header& header : on.response.headers) last[std::string(header.name)] = header.value;
        return std::to_string(on.response.status) + " " + std::string(on.response.headers.first("X-Cache-Status")) +
               " " + std::string(on.response_text);
    }
    void wait(int milliseconds) {
        net::Instant until = loop.now() + milliseconds;
        net::Timer timer([](void*) {}, nullptr);
        timer.arm(loop.timers(), until);
        while (loop.now() < until) loop.turn(true);
    }

    std::map<std::string, std::string> last;  // headers of the last answer
    std::string asked;                        // If-None-Match of the last fetch
    int fetches = 0;
};

inline constexpr std::string_view get = "GET /a HTTP/1.1\r\nHost: a.example";

}  // namespace plugin
