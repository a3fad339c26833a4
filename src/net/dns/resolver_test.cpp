// The resolver's thread against a real dnsmasq and against a server that lies. Waits for events, never for time.
#include "net/dns/resolver.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <future>
#include <mutex>
#include <thread>

#include "base/random.h"
#include "net/dns/lying_server_for_tests.h"

namespace net::dns {

namespace {
constexpr auto patience = std::chrono::seconds(30);  // for what happens within milliseconds on an idle machine

std::string text(const RecordsPointer& records) {
    if (!records) return "null";
    if (records->state == Records::State::not_found) return "not found";
    if (records->state == Records::State::failed) return "failed";
    std::string out;
    for (const IpAddress& address : records->addresses) out += (out.empty() ? "" : " ") + address.text();
    return out;
}

// What a watch was told, in order.
class Told {
  public:
    Resolver::OnRecords callback() {
        return [this](RecordsPointer records) {
            std::lock_guard lock(mutex_);
            all_.push_back(text(records));
            changed_.notify_all();
        };
    }
    // Waits until it was told this as the latest.
    testing::AssertionResult comes(const std::string& wanted) {
        std::unique_lock lock(mutex_);
        if (changed_.wait_for(lock, patience, [&] { return !all_.empty() && all_.back() == wanted; }))
            return testing::AssertionSuccess();
        return testing::AssertionFailure() << "last told: " << (all_.empty() ? "nothing" : all_.back());
    }
    std::vector<std::string> all() {
        std::lock_guard lock(mutex_);
        return all_;
    }

  private:
    std::mutex mutex_;
    std::condition_variable changed_;
    std::vector<std::string> all_;
};

std::string resolve(Resolver& resolver, const std::string& name) {
    auto promise = std::make_shared<std::promise<std::string>>();
    auto future = promise->get_future();
    resolver.resolve(name, [promise](const RecordsPointer& records) { promise->set_value(text(records)); });
    return future.wait_for(patience) == std::future_status::ready ? future.get() : "no call back";
}

struct Directory {
    Directory() {
        std::string pattern = (std::filesystem::temp_directory_path() / "cardea-dns-XXXXXX").string();
        path = mkdtemp(pattern.data());
    }
    ~Directory() { std::filesystem::remove_all(path); }
    std::string write(const std::string& name, const std::string& text) const {
        std::string file = (path / name).string();
        std::ofstream(file + ".new") << text;  // replaced as a whole, as editors and configuration tools do
        std::filesystem::rename(file + ".new", file);
        return file;
    }
    std::filesystem::path path;
};

// A port on which UDP and TCP are free.
std::uint16_t free_port() {
    for (int i = 0; i < 100; ++i) {
        int udp = socket(AF_INET, SOCK_DGRAM, 0);
        int tcp = socket(AF_INET, SOCK_STREAM, 0);
        sockaddr_storage native;
        std::uint32_t size = SocketAddress{IpAddress::loopback_v4(), 0}.to(native);
        bool bound = bind(udp, reinterpret_cast<sockaddr*>(&native), size) == 0;
        socklen_t length = sizeof native;
        getsockname(udp, reinterpret_cast<sockaddr*>(&native), &length);
        std::uint16_t port = SocketAddress::from(native).port;
        bound = bound && bind(tcp, reinterpret_cast<sockaddr*>(&native), size) == 0;
        close(udp);
        close(tcp);
        if (bound) return port;
    }
    return 0;
}

// dnsmasq on a loopback port, its records in a hosts file that the test rewrites.
class Dnsmasq {
  public:
    static std::string program() {
        for (const char* path : {"/usr/sbin/dnsmasq", "/usr/local/sbin/dnsmasq", "/usr/bin/dnsmasq"})
            if (access(path, X_OK) == 0) return path;
        return "";
    }
    explicit Dnsmasq(const Directory& directory, const std::string& records)
        : directory_(directory), port_(free_port()) {
        directory.write("records", records);
        start();
    }
    ~Dnsmasq() { stop(); }
    void start() {
        std::vector<std::string> words = {program(),
                                          "--keep-in-foreground",
                                          "--conf-file=/dev/null",
                                          "--log-facility=-",
                                          "--port=" + std::to_string(port_),
                                          "--listen-address=127.0.0.1",
                                          "--bind-interfaces",
                                          "--no-resolv",
                                          "--no-hosts",
                                          "--addn-hosts=" + (directory_.path / "records").string(),
                                          "--local=/test/",
                                          "--cname=alias.test,web.test",
                                          "--local-ttl=1",
                                          "--pid-file=",
                                          "--domain-needed"};
        words.push_back("--srv-host=service.test,web.test,8080,1,5");
        words.push_back("--srv-host=service.test,spare.test,8081,2,5");
        for (int port = 7000; port < 7100; ++port)
            words.push_back("--srv-host=wide.test,web.test," + std::to_string(port));
        if (getuid() == 0) words.push_back("--user=root");  // else it may not read the test's directory
        int ends[2];
        ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
        process_ = fork();
        ASSERT_GE(process_, 0);
        if (process_ == 0) {
            dup2(ends[1], 2);
            std::vector<char*> arguments;
            for (std::string& word : words) arguments.push_back(word.data());
            arguments.push_back(nullptr);
            execv(arguments[0], arguments.data());
            _exit(127);
        }
        close(ends[1]);
        log_ = ends[0];
        wait_for("read ");  // its last word at the start, about the records
    }
    void stop() {
        if (process_ <= 0) return;
        kill(process_, SIGKILL);
        waitpid(process_, nullptr, 0);
        process_ = 0;
        close(log_);
    }
    void set(const std::string& records) {
        directory_.write("records", records);
        kill(process_, SIGHUP);
        wait_for("read ");
    }
    [[nodiscard]] Settings settings() const {
        Settings out;
        out.servers = {{IpAddress::loopback_v4(), port_}};
        out.resolv_conf = "/dev/null";
        out.hosts_file = "";
        out.timeout = std::chrono::milliseconds(500);
        out.tries = 2;
        out.not_found_ttl = std::chrono::seconds(1);
        return out;
    }

  private:
    void wait_for(const std::string& word) {
        std::string seen;
        char piece[4096];
        pollfd readable{log_, POLLIN, 0};
        while (poll(&readable, 1, 30'000) == 1) {
            ssize_t got = read(log_, piece, sizeof piece);
            if (got <= 0) break;
            seen.append(piece, static_cast<std::size_t>(got));
            if (seen.find(word) != seen.npos) return;
        }
        ADD_FAILURE() << "dnsmasq said: " << seen;
    }
    const Directory& directory_;
    std::uint16_t port_;
    pid_t process_ = 0;
    int log_ = -1;
};

struct DnsmasqTest : testing::Test {
    void SetUp() override {
        if (Dnsmasq::program().empty()) GTEST_SKIP() << "dnsmasq is not installed";
    }
    Directory directory;
};
}  // namespace

TEST_F(DnsmasqTest, NamesAliasesFamiliesAndErrors) {
    std::string many;
    for (int i = 1; i <= 250; ++i) many += "10.9.0." + std::to_string(i) + " many.test\n";
    Dnsmasq server(directory, "10.0.0.1 web.test\n10.0.0.2 web.test\n::5 six.test\n" + many);
    Settings settings = server.settings();
    settings.order = *parse_order("LAST,SRV,A,AAAA,CNAME");
    auto resolver = *start_resolver(settings);
    EXPECT_EQ(resolve(*resolver, "web.test"), "10.0.0.1 10.0.0.2");
    EXPECT_EQ(resolve(*resolver, "WEB.test."), "10.0.0.1 10.0.0.2");
    EXPECT_EQ(resolve(*resolver, "alias.test"), "10.0.0.1 10.0.0.2");
    EXPECT_EQ(resolve(*resolver, "six.test"), "::5");
    EXPECT_EQ(resolve(*resolver, "missing.test"), "not found");
    EXPECT_EQ(resolve(*resolver, "refused.example"), "failed");  // it has no server to ask, so it refuses
    EXPECT_EQ(resolve(*resolver, "127.0.0.9"), "127.0.0.9");
    EXPECT_EQ(resolve(*resolver, "bad name"), "not found");
    std::string listed = resolve(*resolver, "many.test");  // too long for UDP: by TCP
    EXPECT_EQ(std::count(listed.begin(), listed.end(), ' '), 249);
}

TEST_F(DnsmasqTest, ServicesAlsoByTcp) {
    Dnsmasq server(directory, "10.0.0.1 web.test\n10.0.0.2 spare.test\n");
    auto resolver = *start_resolver(server.settings());
    Told told;
    auto watch = resolver->watch("service.test", told.callback());
    EXPECT_TRUE(told.comes("10.0.0.1"));
    EXPECT_EQ(resolver->known("service.test")->services[0],
              (ServiceAddress{*IpAddress::parse("10.0.0.1"), 8080, 5, "web.test"}));
    EXPECT_EQ(resolve(*resolver, "wide.test"), "10.0.0.1");  // too long for UDP
    EXPECT_EQ(resolver->known("wide.test")->services.size(), 100U);
    server.set("10.0.0.3 web.test\n10.0.0.2 spare.test\n");
    EXPECT_TRUE(told.comes("10.0.0.3"));
    server.stop();
    EXPECT_EQ(resolve(*resolver, "service.test"), "10.0.0.3");
}

TEST_F(DnsmasqTest, SearchDomainsOfResolvConf) {
    Dnsmasq server(directory, "10.0.0.1 web.inner.test\n10.0.0.2 a.b\n");
    Settings settings = server.settings();
    settings.resolv_conf = directory.write("resolv.conf", "search other.test inner.test\noptions ndots:1\n");
    settings.file_check = std::chrono::milliseconds(10);
    auto resolver = *start_resolver(settings);
    EXPECT_EQ(resolve(*resolver, "web"), "10.0.0.1");
    EXPECT_EQ(resolve(*resolver, "web."), "not found");
    Told told;
    auto watch = resolver->watch("changing", told.callback());
    EXPECT_TRUE(told.comes("not found"));
    server.set("10.0.0.3 changing.later.test\n");
    directory.write("resolv.conf", "search later.test\n");
    EXPECT_TRUE(told.comes("10.0.0.3"));
}

TEST_F(DnsmasqTest, AWatchFollowsTheRecordsAndSurvivesTheServer) {
    Dnsmasq server(directory, "10.0.0.1 web.test\n");
    auto resolver = *start_resolver(server.settings());
    Told told;
    auto watch = resolver->watch("web.test", told.callback());
    EXPECT_TRUE(told.comes("10.0.0.1"));
    server.set("10.0.0.2 web.test\n10.0.0.3 web.test\n");
    EXPECT_TRUE(told.comes("10.0.0.2 10.0.0.3"));

    server.stop();
    Told other;
    auto failing = resolver->watch("other.test", other.callback());
    EXPECT_TRUE(other.comes("failed"));
    EXPECT_EQ(text(resolver->known("web.test")), "10.0.0.2 10.0.0.3");
    EXPECT_EQ(resolve(*resolver, "web.test"), "10.0.0.2 10.0.0.3");
    EXPECT_EQ(told.all().size(), 2U);

    directory.write("records", "10.0.0.4 web.test\n10.0.0.5 other.test\n");
    server.start();
    EXPECT_TRUE(told.comes("10.0.0.4"));
    EXPECT_TRUE(other.comes("10.0.0.5"));

    server.set("10.0.0.5 other.test\n");  // a name that resolved keeps its address although it is gone now
    Told gone;
    auto sentinel = resolver->watch("gone.test", gone.callback());
    EXPECT_TRUE(gone.comes("not found"));
    EXPECT_EQ(text(resolver->known("web.test")), "10.0.0.4");
}

TEST_F(DnsmasqTest, ADeadServerIsPassedOver) {
    Dnsmasq server(directory, "10.0.0.1 web.test\n");
    Settings settings = server.settings();
    settings.servers.insert(settings.servers.begin(), SocketAddress{IpAddress::loopback_v4(), free_port()});
    auto resolver = *start_resolver(settings);
    EXPECT_EQ(resolve(*resolver, "web.test"), "10.0.0.1");
}

TEST_F(DnsmasqTest, ManyNamesAtOnce) {
    std::string records;
    for (int i = 0; i < 2000; ++i)
        records +=
            "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250) + " n" + std::to_string(i) + ".test\n";
    Dnsmasq server(directory, records);
    auto resolver = *start_resolver(server.settings());
    std::mutex mutex;
    std::condition_variable changed;
    int right = 0;
    int called = 0;
    for (int i = 0; i < 2000; ++i) {
        std::string wanted = "10.1." + std::to_string(i / 250) + "." + std::to_string(i % 250);
        resolver->resolve("n" + std::to_string(i) + ".test", [&, wanted](const RecordsPointer& found) {
            std::lock_guard lock(mutex);
            right += text(found) == wanted ? 1 : 0;
            ++called;
            changed.notify_all();
        });
    }
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, patience, [&] { return called == 2000; }));
    EXPECT_EQ(right, 2000);
}

TEST(Resolver, TheHostsFileIsReadAgainWhenItChanges) {
    Directory directory;
    Settings settings;
    settings.servers = {{IpAddress::loopback_v4(), free_port()}};
    settings.hosts_file = directory.write("hosts", "10.0.0.1 web\n");
    settings.file_check = std::chrono::milliseconds(10);
    auto resolver = *start_resolver(settings);
    EXPECT_EQ(text(resolver->known("web")), "10.0.0.1");  // known before the first look-up
    Told told;
    auto watch = resolver->watch("web", told.callback());
    EXPECT_TRUE(told.comes("10.0.0.1"));
    directory.write("hosts", "10.0.0.2 web\n");
    EXPECT_TRUE(told.comes("10.0.0.2"));
}

TEST(Resolver, LiesAreNotBelieved) {
    struct Case {
        const char* what;
        LyingServer::Answers answers;
        const char* outcome;
    };
    auto ok = [](const std::string& query) { return reply(query, good, {a_record(asked_name, "10.0.0.1")}); };
    auto lie = [](const std::string& query) { return reply(query, good, {a_record(asked_name, "6.6.6.6")}); };
    std::string loop_a(
        "\x01"
        "a"
        "\x04"
        "loop"
        "\0",
        8);
    std::string loop_b(
        "\x01"
        "b"
        "\x04"
        "loop"
        "\0",
        8);
    std::vector<Case> cases = {
        {"an honest answer", [&](const std::string& q) { return std::vector{ok(q)}; }, "10.0.0.1"},
        {"another id first",
         [&](const std::string& q) {
             std::string wrong = lie(q);
             wrong[0] = static_cast<char>(wrong[0] ^ 0x55);
             return std::vector{wrong, ok(q)};
         },
         "10.0.0.1"},
        {"another question first",
         [&](const std::string& q) {
             std::string wrong = lie(q);
             wrong[13] = static_cast<char>(wrong[13] ^ 1);
             return std::vector{wrong, ok(q)};
         },
         "10.0.0.1"},
        {"an answer that is a query", [&](const std::string& q) { return std::vector{q}; }, nullptr},
        {"nothing", [](const std::string&) { return std::vector<std::string>{}; }, "failed"},
        {"a server failure", [](const std::string& q) { return std::vector{reply(q, 0x8182, {})}; }, "failed"},
        {"no such name", [](const std::string& q) { return std::vector{reply(q, 0x8183, {})}; }, "not found"},
        {"no address", [](const std::string& q) { return std::vector{reply(q, good, {})}; }, "not found"},
        {"truncated, and no TCP", [](const std::string& q) { return std::vector{reply(q, 0x8380, {})}; }, "failed"},
        {"only a header", [](const std::string& q) { return std::vector{reply(q, good, {}).substr(0, 12)}; }, nullptr},
        {"counts that are not there",
         [](const std::string& q) {
             std::string out = reply(q, good, {});
             out[6] = out[7] = '\xff';
             return std::vector{out};
         },
         nullptr},
        {"a record cut short",
         [&](const std::string& q) {
             std::string out = ok(q);
             out.resize(out.size() - 2);
             return std::vector{out};
         },
         nullptr},
        {"a name that points at itself",
         [](const std::string& q) {
             std::string self = number(0xc000 + static_cast<unsigned>(12 + question_of(q).size()));
             return std::vector{reply(q, good, {a_record(self, "6.6.6.6")})};
         },
         nullptr},
        {"an address of the wrong length",
         [](const std::string& q) {
             return std::vector{
                 reply(q, good, {asked_name + number(1) + number(1) + number(0) + number(60) + number(3) + "abc"})};
         },
         nullptr},
        {"an endless chain of aliases",
         [&](const std::string& q) {
             return std::vector{
                 reply(q, good,
                       {cname_record(asked_name, loop_a), cname_record(loop_a, loop_b), cname_record(loop_b, loop_a)})};
         },
         "not found"},
        {"a thousand aliases",
         [&](const std::string& q) {
             std::vector<std::string> chain{cname_record(asked_name, loop_a)};
             for (int i = 0; i < 1000; ++i)
                 chain.push_back(cname_record(i % 2 == 0 ? loop_a : loop_b, i % 2 == 0 ? loop_b : loop_a));
             return std::vector{reply(q, good, chain)};
         },
         nullptr},
        {"a TTL with the top bit",
         [](const std::string& q) {
             std::string record = a_record(asked_name, "10.0.0.1");
             record[6] = '\xff';
             return std::vector{reply(q, good, {record})};
         },
         "10.0.0.1"},
    };
    for (const Case& each : cases) {
        LyingServer server(each.answers);
        auto resolver = *start_resolver(server.settings());
        std::string said = resolve(*resolver, "web.test");
        if (each.outcome != nullptr)
            EXPECT_EQ(said, each.outcome) << each.what;
        else
            EXPECT_TRUE(said == "failed" || said == "not found") << each.what << ": " << said;
        EXPECT_GE(server.asked(), 1) << each.what;
    }
}

TEST(Resolver, ServicesAndTheirHosts) {
    std::mutex mutex;
    std::vector<std::string> types;
    LyingServer server([&](const std::string& query) {
        std::string question = question_of(query);
        char type = question[question.size() - 3];
        {
            std::lock_guard lock(mutex);
            types.push_back(question.substr(1, 2) + std::to_string(type));
        }
        if (type == 33)
            return std::vector{
                reply(query, good,
                      {srv_record(asked_name, "n1.test", 8080, 1, 10, 0x80000000),
                       srv_record(asked_name, "n2.test", 8081, 1, 0), srv_record(asked_name, "n3.test", 8082, 2, 1)})};
        return std::vector{reply(query, good, {a_record(asked_name, question[2] == '1' ? "10.0.0.1" : "10.0.0.2")})};
    });
    Directory directory;
    Settings settings = server.settings();
    settings.resolv_conf = directory.write("resolv.conf", "search other.test\noptions ndots:5\n");
    auto resolver = *start_resolver(settings);
    std::promise<RecordsPointer> promise;
    resolver->resolve("web.test.", [&](RecordsPointer records) { promise.set_value(std::move(records)); });
    RecordsPointer records = promise.get_future().get();
    std::vector<ServiceAddress> wanted{{*IpAddress::parse("10.0.0.1"), 8080, 10, "n1.test"},
                                       {*IpAddress::parse("10.0.0.2"), 8081, 1, "n2.test"}};
    EXPECT_EQ(records->services, wanted);
    std::lock_guard lock(mutex);
    std::sort(types.begin(), types.end());
    // Hosts are asked for as they are, with no search domain.
    EXPECT_EQ(types, (std::vector<std::string>{"n11", "n21", "we33"}));
}

TEST(Resolver, GarbageOfAnyKindEndsInAnAnswer) {
    auto random = std::make_shared<base::Random>(5);
    LyingServer server([random](const std::string& query) {
        std::string out =
            reply(query, good, {a_record("\xc0\x0c", "10.0.0.1"), cname_record("\xc0\x0c", query.substr(12, 10))});
        for (std::uint32_t flips = 1 + random->below(6); flips > 0; --flips)
            out[2 + random->below(static_cast<std::uint32_t>(out.size() - 2))] = static_cast<char>(random->next());
        out.resize(2 + random->below(static_cast<std::uint32_t>(out.size())), 'x');
        return std::vector{out, reply(query, 0x8183, {})};
    });
    auto resolver = *start_resolver(server.settings());
    for (int i = 0; i < 300; ++i) EXPECT_NE(resolve(*resolver, "n" + std::to_string(i) + ".test"), "no call back");
}

TEST(Resolver, ConcurrentQuestionsForAName) {
    std::promise<void> release;
    std::shared_future<void> released = release.get_future().share();
    LyingServer server([released](const std::string& query) {
        released.wait();
        return std::vector{reply(query, good, {a_record("\xc0\x0c", "10.0.0.1")})};
    });
    Settings settings = server.settings();
    settings.timeout = std::chrono::milliseconds(60'000);
    auto resolver = *start_resolver(settings);
    std::vector<std::future<std::string>> answers;
    for (int i = 0; i < 100; ++i) {
        auto promise = std::make_shared<std::promise<std::string>>();
        answers.push_back(promise->get_future());
        resolver->resolve("web.test", [promise](const RecordsPointer& records) { promise->set_value(text(records)); });
    }
    release.set_value();
    for (auto& answer : answers) EXPECT_EQ(answer.get(), "10.0.0.1");
    EXPECT_EQ(server.asked(), 2);  // SRV and A
}

TEST(Resolver, EndsWhileQuestionsAreOpen) {
    LyingServer server([](const std::string&) { return std::vector<std::string>{}; });
    Settings settings = server.settings();
    settings.timeout = std::chrono::milliseconds(60'000);
    auto resolver = *start_resolver(settings);
    std::promise<std::string> promise;
    resolver->resolve("web.test", [&](const RecordsPointer& records) { promise.set_value(text(records)); });
    Told told;
    auto watch = resolver->watch("other.test", told.callback());
    resolver.reset();
    EXPECT_EQ(promise.get_future().get(), "failed");
    watch.reset();  // after the resolver
}

TEST(Resolver, AWatchMayEndAnywhere) {
    LyingServer server(
        [](const std::string& query) { return std::vector{reply(query, good, {a_record("\xc0\x0c", "10.0.0.1")})}; });
    auto resolver = *start_resolver(server.settings());
    // In its own call back.
    std::promise<void> called;
    auto holder = std::make_shared<std::unique_ptr<Resolver::Watch>>();
    std::promise<void> stored;
    auto is_stored = stored.get_future().share();
    *holder = resolver->watch("web.test", [&called, holder, is_stored](const RecordsPointer&) {
        is_stored.wait();
        holder->reset();
        called.set_value();
    });
    stored.set_value();
    called.get_future().wait();
    // On other threads, while call backs run: none comes after the end.
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
        threads.emplace_back([&resolver, t] {
            for (int i = 0; i < 200; ++i) {
                auto alive = std::make_unique<std::atomic<bool>>(true);
                auto watch = resolver->watch("n" + std::to_string((i + t) % 50) + ".test",
                                             [flag = alive.get()](const RecordsPointer&) { EXPECT_TRUE(*flag); });
                if (i % 3 == 0) resolve(*resolver, "n" + std::to_string((i + t) % 50) + ".test");
                watch.reset();
                *alive = false;
            }
        });
    }
    for (std::thread& thread : threads) thread.join();
}

TEST(Resolver, DescriptorsBeyondSelectsLimit) {
    std::vector<int> taken;
    for (int i = 0; i < 1100; ++i) {
        int file = open("/dev/null", O_RDONLY | O_CLOEXEC);
        if (file < 0) break;
        taken.push_back(file);
    }
    bool is_enough = !taken.empty() && taken.back() > 1024;
    LyingServer server(
        [](const std::string& query) { return std::vector{reply(query, good, {a_record("\xc0\x0c", "10.0.0.1")})}; });
    if (is_enough) {
        auto resolver = *start_resolver(server.settings());
        EXPECT_EQ(resolve(*resolver, "web.test"), "10.0.0.1");
    }
    for (int file : taken) close(file);
    if (!is_enough) GTEST_SKIP() << "the limit of open files is too low for this test";
}

}  // namespace net::dns
