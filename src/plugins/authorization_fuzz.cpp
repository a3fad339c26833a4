// Every plugin that reads credentials, on any Authorization field, query and cookie: it lets nobody through who has not
// the one right credential, which no input here can have.
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/ensure.h"
#include "net/simulated/loop.h"
#include "plugin/reply.h"
#include "plugin/type.h"
#include "schema/node.h"

namespace plugin {
namespace {

class Request final : public Exchange {
  public:
    explicit Request(Worker& worker) : Exchange(worker) { style = &answer_style; }
    base::Task<base::Result<std::string_view>> read_request_body(std::size_t) override { co_return std::string_view(); }
    void replace_request_body(std::string_view) override {}

  private:
    AnswerStyle answer_style;
};

struct Use {
    const Type* type;
    std::shared_ptr<void> plugin;
};

class World {
  public:
    World() {
        using Fields = std::vector<std::pair<std::string, std::string>>;
        const Fields jwt{{"key", "k"}, {"algorithm", "HS256"}, {"secret", secret}};
        const Fields key{{"key", secret}};
        const Fields basic{{"username", "u"}, {"password", "da39a3ee5e6b4b0d3255bfef95601890afd80700"}};
        const Fields hmac{{"username", "u"}, {"secret", secret}};
        const Consumers::NewCredential credentials[] = {{{}, "jwt_secrets", jwt},
                                                        {{}, "keyauth_credentials", key},
                                                        {{}, "basicauth_credentials", basic},
                                                        {{}, "hmacauth_credentials", hmac}};
        base::Uuid id;
        id.bytes[15] = 1;
        consumers_.add(id, "user", "", {}, credentials);
        add("jwt", "{cookie_names: [jwt]}");
        add("key-auth", "{}");
        add("basic-auth", "{}");
        add("hmac-auth", "{}");
    }
    // The first line of the input is the query, the second the cookie, the rest the field.
    void ask(std::string_view input) {
        auto line = [&input] {
            std::size_t end = std::min(input.find('\n'), input.size());
            std::string_view out = input.substr(0, end);
            input.remove_prefix(std::min(end + 1, input.size()));
            return out;
        };
        std::string_view query = line();
        std::string_view cookie = line();
        for (const Use& use : uses_) {
            Request request(worker_);
            request.request.query = query;
            request.request.has_query = true;
            request.request.headers.add("Cookie", cookie);
            request.request.headers.add("Authorization", input);
            request.request.headers.add("apikey", input);
            request.request.headers.add("Date", "Thu, 01 Jan 1970 00:00:00 GMT");
            ensure(use.type->on_request(use.plugin.get(), request) == Verdict::answered, 0);
            ensure(request.response.status == 401, request.response.status);
        }
    }

  private:
    void add(std::string_view name, std::string_view yaml) {
        schema::ParseResult parsed = schema::parse_yaml(yaml, 0, {});
        trees_.push_back(std::make_unique<schema::Tree>(std::move(std::get<schema::Tree>(parsed))));
        schema::Problems problems;
        schema::Reader reader(problems);
        Use use{find_type(name), nullptr};
        use.plugin = use.type->make(trees_.back()->root(), reader);
        Setup setup{.consumers = consumers_, .shared = shared_};
        auto prepared = use.type->prepare(use.plugin.get(), setup);
        ensure(prepared.ok(), 0);
        uses_.push_back(std::move(use));
    }

    const std::string secret = "0123456789abcdef0123456789abcdef0123456789abcdef";
    net::simulated::SimulatedLoop loop_{1};
    observe::CoreMetrics metrics_;
    Worker worker_{loop_, 0, metrics_};
    Consumers consumers_;
    Shared shared_;
    std::vector<std::unique_ptr<schema::Tree>> trees_;
    std::vector<Use> uses_;
};

}  // namespace
}  // namespace plugin

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    static plugin::World world;
    world.ask({reinterpret_cast<const char*>(bytes), size});
    return 0;
}
