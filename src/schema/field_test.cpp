#include "schema/field.h"

#include <gtest/gtest.h>

namespace schema {

enum class Policy : std::uint8_t { local, redis };
template <>
struct Names<Policy> {
    static constexpr std::array<std::string_view, 2> list{"local", "redis"};
};

namespace {

using namespace literals;

struct Redis {
    std::string host;
    std::uint16_t port = 6379;
    std::string password;
    static constexpr auto fields() {
        return schema::fields(field("host", &Redis::host, "Server.").required(), field("port", &Redis::port, "Port."),
                              field("password", &Redis::password, "Password.").secret().referenceable());
    }
};

constexpr Format no_blank{"^[^ ]+$", [](std::string_view text) {
                              return text.find(' ') == std::string_view::npos ? std::string()
                                                                              : "invalid value: " + std::string(text);
                          }};

// As a plugin's author would write it.
struct Config {
    std::optional<double> minute;
    Policy policy = Policy::local;
    Bytes max_size = 1_MiB;
    std::chrono::milliseconds timeout{500};
    std::chrono::duration<double> interval{1.5};
    Set<std::string> names{"a", "b"};
    std::vector<std::int32_t> ports;
    std::map<std::string, std::vector<std::string>> headers;
    std::optional<Redis> redis;
    std::string mode = "fast";
    base::Uuid id;
    static constexpr auto fields() {
        return schema::fields(
            field("minute", &Config::minute, "Calls a minute.").above(0),
            field("policy", &Config::policy, "Where it counts."),
            field("max_size", &Config::max_size, "Largest body.").at_least(1_B),
            field("timeout", &Config::timeout, "Longest wait.").between(std::chrono::milliseconds(1), 60000),
            field("interval", &Config::interval, "Pause."),
            field("names", &Config::names, "Names | words.").matches(no_blank),
            field("ports", &Config::ports, "Ports.").between(1, 65535).count(0, 3),
            field("headers", &Config::headers, "Headers.").keys(no_blank), field("redis", &Config::redis, "Redis."),
            field("mode", &Config::mode, "Mode.").one_of("fast", "slow"), field("id", &Config::id, "Id."));
    }
    void check(Checks& checks) const {
        if (policy == Policy::redis && !redis) checks.entity("redis is needed");
        if (checks.given("timeout") && timeout.count() == 13) checks.field("timeout", "13 brings bad luck");
    }
};

struct Outcome {
    Config config;
    std::vector<std::string> problems;
};

Outcome read(std::string_view text) {
    Outcome outcome;
    ParseResult parsed = parse_yaml(text, 0, {});
    Problems problems;
    Reader reader(problems, [](std::string_view reference) -> std::optional<std::string> {
        return reference == "{vault://env/known}" ? std::optional<std::string>("sesame") : std::nullopt;
    });
    record_of<Config>().read(&outcome.config, std::get<Tree>(parsed).root(), reader);
    for (const Problem& problem : problems.list()) {
        outcome.problems.push_back(schema::text(problem.path) + (problem.about_entity ? "@" : "") + ": " +
                                   problem.message + (problem.hint.empty() ? "" : " (" + problem.hint + ")"));
    }
    return outcome;
}
using Texts = std::vector<std::string>;

TEST(Fields, ReadEveryType) {
    Outcome outcome = read(
        "minute: 5\npolicy: redis\nmax_size: 10\ntimeout: 20\ninterval: 0.25\nnames: [x, y, x]\nports: [80, 81.0]\n"
        "headers: {a: [b, c]}\nredis: {host: h, password: '{vault://env/known}'}\nmode: slow\nid: "
        "0dc6f45b-8f8d-40d2-a504-473544ee190b\n");
    EXPECT_EQ(outcome.problems, Texts{});
    EXPECT_EQ(outcome.config.minute, 5);
    EXPECT_EQ(outcome.config.policy, Policy::redis);
    EXPECT_EQ(outcome.config.max_size, 10_B);
    EXPECT_EQ(outcome.config.timeout.count(), 20);
    EXPECT_EQ(outcome.config.interval.count(), 0.25);
    EXPECT_EQ(outcome.config.names, (Set<std::string>{"x", "y"}));
    EXPECT_EQ(outcome.config.ports, (std::vector<std::int32_t>{80, 81}));
    EXPECT_EQ(outcome.config.headers.at("a"), (std::vector<std::string>{"b", "c"}));
    EXPECT_EQ(outcome.config.redis->port, 6379);
    EXPECT_EQ(outcome.config.redis->password, "sesame");
    EXPECT_EQ(outcome.config.id.text(), "0dc6f45b-8f8d-40d2-a504-473544ee190b");
}

TEST(Fields, KeepTheirDefaults) {
    Outcome outcome = read("{names: ~, timeout: null}");
    EXPECT_EQ(outcome.problems, Texts{});
    EXPECT_EQ(outcome.config.names, (Set<std::string>{"a", "b"}));
    EXPECT_EQ(outcome.config.timeout.count(), 500);
    EXPECT_FALSE(outcome.config.minute);
}

TEST(Fields, ReportAllFaultsInKongsWords) {
    Outcome outcome = read(
        "minute: 0\npolicy: redsi\nmax_size: -1\ntimeout: 99999999\ninterval: x\nnames: a\nports: [1, 70000, "
        "x]\nheaders: {'a b': [c], d: e}\n"
        "redis: {port: 99999, prot: 1}\nmode: ''\nid: 0DC6F45B-8F8D-40D2-A504-473544EE190B\ntimeuot: 3\n");
    EXPECT_EQ(
        outcome.problems,
        (Texts{"minute: value must be greater than 0", "policy: expected one of: local, redis (did you mean 'redis'?)",
               "max_size: value must be at least 1", "timeout: value should be between 1 and 60000",
               "interval: expected a number", "names: expected a set", "ports[1]: value should be between 1 and 65535",
               "ports[2]: expected an integer", "headers[\"a b\"]: invalid value: a b", "headers.d: expected an array",
               "redis.port: value should be between 0 and 65535", "redis.prot: unknown field (did you mean 'port'?)",
               "redis.host: required field missing", "mode: length must be at least 1",
               "id: expected a valid UUID (write it as 8-4-4-4-12 lower-case hexadecimal digits)",
               "timeuot: unknown field (did you mean 'timeout'?)"}));
}

TEST(Fields, SayWhatADurationWouldBeAsANumber) {
    auto hint = [](const char* text) {
        std::string first = read(std::string("timeout: ") + text).problems.at(0);
        return first.substr(first.find('('));
    };
    EXPECT_EQ(hint("1m"), "(write a number alone: 60 where the field counts seconds, 60000 for milliseconds)");
    EXPECT_EQ(hint("0.5s"), "(write a number alone: 0.5 where the field counts seconds, 500 for milliseconds)");
    EXPECT_EQ(read("timeout: 1mx").problems, Texts{"timeout: expected an integer"});
    EXPECT_EQ(read("timeout: m").problems, Texts{"timeout: expected an integer"});
}

TEST(Fields, CheckRulesAcrossFields) {
    EXPECT_EQ(read("{policy: redis}").problems, Texts{"@: redis is needed"});
    EXPECT_EQ(read("{timeout: 13}").problems, Texts{"timeout: 13 brings bad luck"});
    EXPECT_EQ(read("{ports: [1, 2, 3, 4]}").problems, Texts{"ports: length must be at most 3"});
    EXPECT_EQ(read("[1]").problems, Texts{": expected a record"});
}

TEST(Fields, AnUnresolvedSecretIsAFault) {
    Outcome outcome = read("redis: {host: h, password: '{vault://env/unknown}'}");
    EXPECT_EQ(outcome.problems, Texts{"redis.password: the reference {vault://env/unknown} cannot be resolved "
                                      "(set the environment variable that it names)"});
}

TEST(Fields, NumbersOfAnySizeAreHeldToTheirType) {
    for (std::string_view text :
         {"max_size: 99999999999999999999", "max_size: -9223372036854775808", "max_size: 1e300", "max_size: .inf",
          "max_size: .nan", "max_size: 1.5", "minute: .nan", "ports: [-2147483649]", "timeout: 1e18"}) {
        EXPECT_EQ(read(text).problems.size(), 1u) << text;
    }
}

TEST(Describe, MakesJsonSchema) {
    std::string schema = json_schema(record_of<Config>(), "config", "A test.");
    EXPECT_TRUE(std::holds_alternative<Tree>(parse_json(schema, 0, {}))) << schema;
    EXPECT_NE(
        schema.find(
            R"("minute": {"description": "Calls a minute.", "anyOf": [{"type": "number", "exclusiveMinimum": 0}, {"type": "null"}]})"),
        std::string::npos)
        << schema;
    EXPECT_NE(
        schema.find(
            R"("policy": {"description": "Where it counts.", "default": "local", "anyOf": [{"type": "string", "enum": ["local", "redis"]})"),
        std::string::npos);
    EXPECT_NE(
        schema.find(
            R"("timeout": {"description": "Longest wait.", "default": 500, "anyOf": [{"type": "integer", "minimum": 1, "maximum": 60000})"),
        std::string::npos);
    EXPECT_NE(schema.find(R"("writeOnly": true)"), std::string::npos);
    EXPECT_NE(schema.find(R"("required": ["host"])"), std::string::npos);
}

TEST(Describe, MakesTables) {
    std::string table = reference_table(record_of<Config>());
    EXPECT_NE(table.find("| `timeout` | integer, milliseconds | `500` | 1 to 60000 | Longest wait. |\n"),
              std::string::npos)
        << table;
    EXPECT_NE(table.find("| `names` | set of string | `[\"a\", \"b\"]` |  | Names \\| words. |\n"), std::string::npos);
    EXPECT_NE(table.find("| `redis.password` | string |  | may be a vault reference; secret | Password. |\n"),
              std::string::npos);
}

}  // namespace
}  // namespace schema
