// PluginTest: one plugin alone, with settings in YAML, on exchanges made of text: what it answers, what the upstream
// and the client would see. Core and clock are the simulated loop's; nothing is sent anywhere.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/http1/limits.h"
#include "http/http1/parse.h"
#include "http/path.h"
#include "net/simulated/loop.h"
#include "plugin/reply.h"
#include "plugin/type.h"
#include "schema/node.h"

namespace plugin {

// An exchange whose bodies are texts.
class FakeExchange final : public Exchange {
  public:
    FakeExchange(Worker& worker, std::string head_text) : Exchange(worker), text(std::move(head_text)) {
        style = &plain_style;
        std::size_t end = text.find("\r\n\r\n");
        if (end == text.npos) {
            text += "\r\n\r\n";
            end = text.size() - 4;
        }
        body = text.substr(end + 4);
        http1::Limits limits;
        http1::Fault fault = http1::parse_request_head(std::string_view(text).substr(0, end + 4), limits, request);
        EXPECT_EQ(fault, http1::Fault::none) << http1::message(fault);
        path = http::normalise(request.raw_path, arena).path;
        client.remote = net::SocketAddress::parse("127.0.0.1:40000").value();
        client.address = client.remote;
        client.local = net::SocketAddress::parse("127.0.0.1:8000").value();
        client.forwarded_host = request.host;
        client.forwarded_port = 8000;
        request_id.fill('0');
        route = &route_facts;
        service = &service_facts;
        timings.started = worker.loop.now();
    }
    base::Task<base::Result<std::string_view>> read_request_body(std::size_t most) override {
        if (body.size() > most) co_return base::Error::client(base::Code::too_large, "request body too large", 413);
        co_return std::string_view(body);
    }
    void replace_request_body(std::string_view with) override {
        new_body = with;
        request.framing = http::BodyFraming::length;
        request.content_length = with.size();
    }
    // The upstream has answered so.
    void answer_from_upstream(int status, std::string_view headers_text = {}, std::string_view body_text = {}) {
        response_head = "HTTP/1.1 " + std::to_string(status) + " OK\r\n" + std::string(headers_text) +
                        "Content-Length: " + std::to_string(body_text.size()) + "\r\n\r\n";
        response.reset();
        http1::Limits limits;
        http1::Fault fault = http1::parse_response_head(response_head, limits, request.method, response);
        EXPECT_EQ(fault, http1::Fault::none) << http1::message(fault);
        response_text = body_text;
        is_from_upstream = true;
        upstream_status = static_cast<std::uint16_t>(status);
        tries = 1;
    }

    std::string text;
    std::string body;
    std::optional<std::string> new_body;
    std::string response_head;
    AnswerStyle plain_style;
    RouteFacts route_facts;
    ServiceFacts service_facts;
};

class PluginTest : public testing::Test {
  protected:
    // The settings as YAML ("minute: 5\npolicy: local"); fails the test on any problem.
    void use(std::string_view name, std::string_view yaml) {
        std::string problems = try_use(name, yaml);
        ASSERT_EQ(problems, "");
    }
    // The problems in words, empty if there are none.
    std::string try_use(std::string_view name, std::string_view yaml) {
        type = find_type(name);
        if (type == nullptr) return "no such plugin";
        schema::ParseResult parsed = schema::parse_yaml(yaml.empty() ? "{}" : yaml, 0, {});
        if (!std::holds_alternative<schema::Tree>(parsed)) return "bad YAML";
        tree = std::move(std::get<schema::Tree>(parsed));
        schema::Problems problems;
        schema::Reader reader(problems);
        under_test = type->make(tree.root(), reader);
        if (problems.has_errors()) return schema::print_human(problems, {"test"});
        struct Setup setup{consumers, shared, cores, id, {}, loop.wall_now()};
        if (type->prepare != nullptr)
            if (auto prepared = type->prepare(under_test.get(), setup); !prepared) return prepared.error().detail;
        return {};
    }
    std::unique_ptr<FakeExchange> exchange(std::string head) {
        return std::make_unique<FakeExchange>(worker, std::move(head));
    }
    // A consumer with its credentials ({kind, fields}), as a document would have it. Before use().
    struct Owned {
        std::string kind;
        std::vector<std::pair<std::string, std::string>> fields;
    };
    Index add_consumer(std::string_view username, const std::vector<Owned>& owned, std::string_view custom_id = {}) {
        std::vector<Consumers::NewCredential> credentials;
        base::Uuid of;
        of.bytes[15] = static_cast<std::uint8_t>(consumers.size() + 1);
        base::Uuid of_credential = of;
        for (const Owned& each : owned) {
            ++of_credential.bytes[0];
            credentials.push_back({of_credential, each.kind, each.fields});
        }
        return consumers.add(of, username, custom_id, {}, credentials);
    }
    // The request phase to its end, waiting where the plugin waits.
    Verdict run(FakeExchange& on) {
        Verdict verdict = Verdict::wait;
        if (type->on_request != nullptr) verdict = type->on_request(under_test.get(), on);
        if (verdict != Verdict::wait) return verdict;
        base::Task<Verdict> task = type->wait_request(under_test.get(), on);
        task.start();
        for (int turn = 0; !task.is_done() && turn < 10'000; ++turn) loop.turn(true);
        EXPECT_TRUE(task.is_done()) << "the plugin waits for ever";
        return task.is_done() ? task.take() : Verdict::wait;
    }
    void respond(FakeExchange& on) {
        for (const http::Header& header : on.client_headers) on.response.headers.set(header.name, header.value);
        if (type->on_response != nullptr) type->on_response(under_test.get(), on);
        if (on.buffered_most > 0 && type->on_response_body != nullptr) type->on_response_body(under_test.get(), on);
    }
    // What the answer to such a request is: "STATUS body".
    std::string answer(std::string head) {
        auto made = exchange(std::move(head));
        if (run(*made) != Verdict::answered) return "go on";
        return std::to_string(made->response.status) + " " + std::string(made->response_text);
    }

    net::simulated::SimulatedLoop loop{1};
    observe::CoreMetrics metrics;
    Worker worker{loop, 0, metrics};
    Consumers consumers;
    Shared shared;
    unsigned cores = 1;
    base::Uuid id;
    const Type* type = nullptr;
    schema::Tree tree;
    std::shared_ptr<void> under_test;
};

}  // namespace plugin
