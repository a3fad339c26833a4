#include "command/run.h"

#include <malloc.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <random>
#include <thread>

#include "admin/pages.h"
#include "base/pacing.h"
#include "base/version.h"
#include "command/documents.h"
#include "command/events.h"
#include "command/supervisor.h"
#include "delivery/file_sender.h"
#include "gateway/live_upstream.h"
#include "gateway/server.h"
#include "net/dns/resolver.h"
#include "observe/access_log.h"
#include "observe/log.h"
#include "observe/writer.h"
#include "plugin/type.h"

namespace command {

namespace {

using namespace std::chrono_literals;
using gateway::AdminPages;
using observe::Level;
using observe::log;

constexpr std::uint64_t spare_descriptors = 64;  // files, loops, resolver: what is not a connection

std::string text_of(const schema::Problems& problems, const std::vector<std::string>& files) {
    return schema::print_human(problems, files);
}

// Runs work that may take long beside the serving threads, and gives way to them by resting. On a thread of its own, so
// that what a document allocates does not come from the main thread's heap.
template <typename Work>
void give_way(Work work) {
    std::thread([&] {
        base::Pacing pacing;
        work();
    }).join();
}

base::Uuid random_uuid() {
    std::random_device device;
    base::Uuid out;
    for (std::uint8_t& byte : out.bytes) byte = static_cast<std::uint8_t>(device());
    out.bytes[6] = static_cast<std::uint8_t>((out.bytes[6] & 0x0f) | 0x40);  // RFC 9562 5.4: version 4
    out.bytes[8] = static_cast<std::uint8_t>((out.bytes[8] & 0x3f) | 0x80);
    return out;
}

// The process, once its settings are right.
class Program {
  public:
    Program(const gateway::Settings& settings, Inheritance inheritance, char** arguments)
        : settings_(settings),
          inheritance_(std::move(inheritance)),
          arguments_(arguments),
          writer_({.channel_bytes = settings.logs.buffer_bytes}) {}
    int run();

  private:
    base::Result<void> open_logs();
    base::Result<void> start_serving();
    // Reads, checks, compiles and publishes the documents. The report says what was wrong, warnings included.
    bool load(std::string& report);
    base::Result<std::vector<net::tls::Identity>> default_identities();
    void reload();
    void begin_upgrade();
    void fill_admin_pages();
    void raise_descriptor_limit();
    void watch_documents();
    // Until the end is asked for.
    void control();
    // False if the deadline or a second signal cut it short.
    bool drain();
    [[nodiscard]] std::string status_json() const;
    [[nodiscard]] std::string plugin_states() const;
    [[nodiscard]] std::string metrics_text() const;

    const gateway::Settings& settings_;
    Inheritance inheritance_;
    char** arguments_;
    std::string program_;
    std::optional<net::tls::Identity> self_signed_;
    Events events_;
    observe::Writer writer_;
    std::optional<observe::AccessFormat> access_format_;
    std::optional<observe::SinkId> access_sink_;  // none: off
    std::optional<observe::SinkId> admin_sink_;
    std::unique_ptr<net::dns::Resolver> resolver_;
    std::unique_ptr<upstream::Discovery> discovery_ = upstream::make_discovery();
    std::unique_ptr<gateway::LiveUpstreams> live_;
    std::unique_ptr<gateway::Server> server_;
    std::uint64_t version_ = 0;
    std::int64_t started_ = 0;
    std::optional<Successor> successor_;
    std::string document_bytes_;  // what was loaded last: a file that was only touched is no change

    mutable std::mutex lock_;  // what admin pages ask for on other threads
    std::uint64_t reloads_wanted_ = 0;
    std::uint64_t reloads_done_ = 0;
    AdminPages::Reload last_reload_;
    std::uint64_t loaded_ = 0;
    std::uint64_t failed_ = 0;
    struct Facts {
        std::uint64_t version = 0;
        std::size_t routes = 0;
        std::size_t services = 0;
        std::size_t upstreams = 0;
        std::int64_t loaded_at = 0;
        std::size_t bytes = 0;
    } facts_;
};

int Program::run() {
    started_ = std::chrono::system_clock::now().time_since_epoch() / 1ms;
    std::error_code error;
    program_ = std::filesystem::read_symlink("/proc/self/exe", error).string();
    raise_descriptor_limit();
    if (auto opened = open_logs(); !opened) {
        std::fprintf(stderr, "cardea: %s\n", opened.error().detail.c_str());
        return 1;
    }
    auto resolver = net::dns::start_resolver(settings_.dns);
    if (!resolver) {
        std::fprintf(stderr, "cardea: %s\n", resolver.error().detail.c_str());
        return 1;
    }
    resolver_ = std::move(*resolver);
    live_ = std::make_unique<gateway::LiveUpstreams>(*resolver_, settings_.resolve, discovery_.get());
    auto log_to = [this](std::optional<observe::SinkId> sink) {
        return [this, sink](unsigned) {
            return observe::AccessLog(&*access_format_, sink ? &writer_.open_channel(*sink) : nullptr);
        };
    };
    server_ = std::make_unique<gateway::Server>(settings_, &admin::serve, log_to(access_sink_), log_to(admin_sink_));
    server_->process().resolver = resolver_.get();
    plugin::Shared& shared = server_->process().shared;
    shared.farewell = std::min(shared.farewell, settings_.drain_timeout);
    std::string report;
    bool is_loaded = load(report);
    std::fputs(report.c_str(), stderr);
    if (!is_loaded) return 1;
    if (auto serving = start_serving(); !serving) {
        std::fprintf(stderr, "cardea: %s\n", serving.error().detail.c_str());
        return 1;
    }
    control();
    notify_supervisor("STOPPING=1");
    bool is_whole = drain();
    server_->stop();
    server_.reset();
    log(Level::notice, "cardea", is_whole ? "stopped" : "stopped before all exchanges were over");
    observe::unset_log();
    writer_.stop();
    if (!settings_.pid_file.empty() && !successor_) std::filesystem::remove(settings_.pid_file, error);
    return 0;
}

base::Result<void> Program::open_logs() {
    TRY(error_sink, observe::Sink::open(settings_.logs.error));
    observe::SinkId error_id = writer_.add_sink(std::move(error_sink));
    TRY(format, observe::AccessFormat::compile(settings_.logs.access_format));
    access_format_ = std::move(format);
    for (auto [destination, sink] :
         {std::pair{&settings_.logs.access, &access_sink_}, {&settings_.logs.admin_access, &admin_sink_}}) {
        if (*destination == "off") continue;
        TRY(opened, observe::Sink::open(*destination));
        *sink = writer_.add_sink(std::move(opened));
    }
    writer_.start();
    observe::set_log(writer_, error_id, settings_.logs.level);
    return {};
}

void Program::raise_descriptor_limit() {
    rlimit limit{};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
    rlim_t wanted = settings_.descriptor_limit != 0 ? settings_.descriptor_limit : limit.rlim_max;
    limit.rlim_cur = std::min(wanted, limit.rlim_max);
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted)
        std::fprintf(stderr,
                     "cardea: warning: descriptor_limit: only %llu open files are allowed (ulimit -n, LimitNOFILE)\n",
                     static_cast<unsigned long long>(limit.rlim_cur));
}

base::Result<void> Program::start_serving() {
    TRY_VOID(server_->open(std::move(inheritance_.listeners)));
    // A request that is on its way needs a second descriptor; most connections of a full gateway sleep.
    rlimit limit{};
    getrlimit(RLIMIT_NOFILE, &limit);
    std::uint64_t for_clients = limit.rlim_cur / 4 * 3;
    std::uint64_t possible = for_clients > 2 * spare_descriptors ? for_clients - spare_descriptors : spare_descriptors;
    server_->process().set_most_connections(settings_.limits.max_connections != 0 ? settings_.limits.max_connections
                                                                                  : possible);
    fill_admin_pages();
    server_->run();
    for (const gateway::Server::Address& address : server_->addresses())
        std::fputs(fmt::format("listening on {} ({}{})\n", address.address.text(), name(address.entrance),
                               address.is_tls ? ", TLS" : "")
                       .c_str(),
                   stderr);
    log(Level::notice, "cardea", "serving",
        {{"version", base::version},
         {"loop", net::name(server_->loop_kind())},
         {"workers", server_->workers()},
         {"routes", facts_.routes},
         {"pid", static_cast<std::int64_t>(getpid())}});
    if (!server_->loop_reason().empty())
        log(Level::warn, "cardea", "io_uring cannot be used here, epoll takes its place at a higher cost",
            {{"reason", server_->loop_reason()}});
    if (!settings_.pid_file.empty()) std::ofstream(settings_.pid_file) << getpid() << '\n';
    watch_documents();
    tell_predecessor(inheritance_.predecessor);
    notify_supervisor("READY=1\nMAINPID=" + std::to_string(getpid()));
    return {};
}

void Program::watch_documents() {
    if (!settings_.watch) return;
    if (auto watching = events_.watch(settings_.documents); !watching)
        log(Level::error, "reload", watching.error().detail);
}

// ---- documents

// The files are read again with each load: who renews a certificate reloads.
base::Result<std::vector<net::tls::Identity>> Program::default_identities() {
    std::vector<net::tls::Identity> out;
    for (std::size_t i = 0; i < settings_.ssl_certificates.size(); ++i) {
        TRY(certificate, schema::read_file(settings_.ssl_certificates[i], {}));
        TRY(key, schema::read_file(settings_.ssl_keys[i], {}));
        out.push_back({std::move(certificate.bytes), std::move(key.bytes)});
    }
    if (!out.empty()) return out;
    if (!self_signed_) {
        TRY(made, net::tls::make_self_signed());
        self_signed_ = std::move(made);
    }
    out.push_back(*self_signed_);
    return out;
}

bool Program::load(std::string& report) {
    auto sources = read_documents(settings_);
    if (!sources) {
        report = "cardea: " + sources.error().detail + "\n";
        return false;
    }
    std::vector<std::string> names;
    std::string bytes;
    for (const schema::SourceFile& source : *sources) {
        names.push_back(source.name);
        bytes += source.name + '\0' + source.bytes + '\0';
    }
    kong::LoadResult result = kong::load(std::move(*sources), load_options(settings_));
    report = text_of(result.problems, names);
    if (!result.ok()) return false;
    Facts facts{++version_, result.document.routes.size(), result.document.services.size(),
                result.document.upstreams.size(), std::chrono::system_clock::now().time_since_epoch() / 1ms};
    gateway::CompileOptions options{
        version_,        server_->process().shared, static_cast<unsigned>(server_->metrics().cores()),
        facts.loaded_at, resolver_.get(),           &settings_.resolve};
    bool has_tls = std::any_of(settings_.proxy_listen.begin(), settings_.proxy_listen.end(),
                               [](const gateway::ListenAddress& listen) { return listen.ssl; });
    if (has_tls) {
        auto identities = default_identities();
        if (!identities) {
            report += "cardea: " + identities.error().detail + "\n";
            return false;
        }
        options.tls = &settings_.tls;
        options.identities = std::move(*identities);
    }
    auto snapshot = gateway::Snapshot::compile(std::move(result.document), *live_, options);
    if (!snapshot) {
        report += "cardea: " + snapshot.error().detail + "\n";
        return false;
    }
    facts.bytes = (*snapshot)->memory_bytes();
    server_->publish(std::move(*snapshot));
    // What the first document took goes back to the system. Not later: it would stall the cores for milliseconds.
    if (version_ == 1) malloc_trim(0);
    document_bytes_ = std::move(bytes);
    std::lock_guard guard(lock_);
    facts_ = facts;
    return true;
}

void Program::reload() {
    std::uint64_t wanted = 0;
    {
        std::lock_guard guard(lock_);
        wanted = reloads_wanted_;
    }
    notify_supervisor("RELOADING=1");
    std::string report;
    bool is_loaded = false;
    give_way([&] { is_loaded = load(report); });
    notify_supervisor("READY=1");
    if (is_loaded)
        log(Level::notice, "reload", "a new configuration is served",
            {{"snapshot", version_}, {"routes", facts_.routes}});
    else
        log(Level::error, "reload", "the document is not right: the configuration before it goes on serving");
    std::string_view rest = report;
    while (!rest.empty()) {
        std::size_t end = rest.find('\n');
        if (std::string_view line = rest.substr(0, end); !line.empty())
            log(is_loaded ? Level::warn : Level::error, "reload", line);
        rest = end == rest.npos ? std::string_view() : rest.substr(end + 1);
    }
    std::lock_guard guard(lock_);
    ++(is_loaded ? loaded_ : failed_);
    reloads_done_ = wanted;
    if (is_loaded)
        report += "snapshot " + std::to_string(version_) + " is served: " + std::to_string(facts_.routes) + " routes\n";
    else
        report += "not loaded: snapshot " + std::to_string(facts_.version) + " goes on serving\n";
    last_reload_ = {wanted, true, is_loaded, std::move(report)};
}

// ---- control

void Program::control() {
    bool reload_pending = false;
    while (true) {
        // A changed file is looked at once it has been quiet for a moment: editors write in several steps.
        Events::Happened happened = events_.wait(reload_pending ? 50ms : 1000ms);
        if (server_->has_retired()) give_way([&] { server_->tidy(); });
        if (happened.signal == SIGTERM || happened.signal == SIGINT) {
            if (successor_) kill(successor_->process, SIGTERM);  // the end is meant for both
            return;
        }
        if (happened.signal == SIGUSR1) {
            writer_.reopen();
            delivery::reopen_files();
        }
        if (happened.signal == SIGUSR2) begin_upgrade();
        if (happened.signal == SIGHUP || happened.woken) reload();
        if (happened.successor_spoke) {
            log(Level::notice, "upgrade", "the new process has taken over",
                {{"pid", static_cast<std::int64_t>(successor_->process)}});
            notify_supervisor("MAINPID=" + std::to_string(successor_->process));
            return;
        }
        if (happened.successor_failed) {
            log(Level::error, "upgrade", "the new process ended before it served; this one goes on");
            waitpid(successor_->process, nullptr, 0);
            successor_.reset();
        }
        if (happened.files_changed) {
            reload_pending = true;
        } else if (reload_pending) {
            reload_pending = false;
            auto sources = read_documents(settings_);
            std::string bytes;
            if (sources)
                for (const schema::SourceFile& source : *sources) bytes += source.name + '\0' + source.bytes + '\0';
            if (!sources || bytes != document_bytes_) reload();
        }
    }
}

void Program::begin_upgrade() {
    if (successor_) return log(Level::warn, "upgrade", "one is under way already");
    auto successor = start_successor(program_, arguments_, server_->listeners());
    if (!successor) return log(Level::error, "upgrade", successor.error().detail);
    successor_ = *successor;
    events_.wait_for_successor(successor_->ready_descriptor);
    log(Level::notice, "upgrade", "a new process starts",
        {{"program", program_}, {"pid", static_cast<std::int64_t>(successor_->process)}});
}

bool Program::drain() {
    log(Level::notice, "cardea", "draining", {{"connections", server_->process().connections()}});
    server_->drain();
    auto deadline = std::chrono::steady_clock::now() + settings_.drain_timeout;
    while (!server_->is_drained()) {
        if (std::chrono::steady_clock::now() >= deadline) return false;
        int signal = events_.wait(20ms).signal;
        if (signal == SIGTERM || signal == SIGINT) return false;  // the second one: at once
    }
    return true;
}

// ---- admin pages

void Program::fill_admin_pages() {
    AdminPages& pages = server_->process().admin;
    pages.status = [this] { return status_json(); };
    pages.metrics = [this] { return metrics_text(); };
    pages.numbers = &server_->metrics();
    pages.node_id = random_uuid();
    pages.request_reload = [this] {
        std::lock_guard guard(lock_);
        events_.wake();
        return ++reloads_wanted_;
    };
    pages.reload_result = [this](std::uint64_t request) {
        std::lock_guard guard(lock_);
        return reloads_done_ >= request ? last_reload_ : AdminPages::Reload{request, false, false, {}};
    };
}

std::string Program::status_json() const {
    using observe::Counter;
    using observe::Gauge;
    const observe::Metrics& metrics = server_->metrics();
    std::lock_guard guard(lock_);
    std::int64_t now = std::chrono::system_clock::now().time_since_epoch() / 1ms;
    auto number = [](std::string_view key, auto value) {
        return "\"" + std::string(key) + "\":" + std::to_string(value);
    };
    return "{\"version\":\"" + std::string(base::version) + "\"," + number("pid", getpid()) + "," +
           number("uptime_seconds", (now - started_) / 1000) + ",\"loop\":\"" +
           std::string(net::name(server_->loop_kind())) + "\"," + number("workers", server_->workers()) +
           ",\"snapshot\":{" + number("version", facts_.version) + "," + number("routes", facts_.routes) + "," +
           number("services", facts_.services) + "," + number("upstreams", facts_.upstreams) + "," +
           number("bytes", facts_.bytes) + "," + number("loaded_at_ms", facts_.loaded_at) + "},\"connections\":{" +
           number("active", metrics.total(Gauge::connections_active)) + "," +
           number("accepted", metrics.total(Counter::connections_accepted)) + "," +
           number("refused", metrics.total(Counter::connections_refused_limit) +
                                 metrics.total(Counter::connections_refused_descriptors)) +
           "},\"requests\":{" + number("active", metrics.total(Gauge::requests_active)) + "," +
           number("total", metrics.total(Counter::requests)) + "},\"upstream\":{" +
           number("connects", metrics.total(Counter::upstream_connects)) + "," +
           number("reuses", metrics.total(Counter::upstream_reuses)) + "," +
           number("retries", metrics.total(Counter::upstream_retries)) + "},\"reloads\":{" + number("loaded", loaded_) +
           "," + number("failed", failed_) + "},\"plugins\":[" + plugin_states() +
           "],\"log_lines_dropped\":" + std::to_string(writer_.dropped()) + "}\n";
}

// Breakers that are open, counters in use: what plugins keep.
std::string Program::plugin_states() const {
    std::string out;
    for (const observe::Sample& sample : server_->process().shared.measure()) {
        out += std::string(out.empty() ? "" : ",") + "{\"name\":\"" + sample.name + "\"";
        for (const auto& [label, value] : sample.labels) out += ",\"" + label + "\":" + schema::json_quoted(value);
        out += ",\"value\":" + fmt::format("{:g}", sample.value) + "}";
    }
    return out;
}

std::string Program::metrics_text() const {
    // Copied: rendering takes long, and a reload and the status page want the lock.
    auto [facts, loaded, failed] = [this] {
        std::lock_guard guard(lock_);
        return std::tuple(facts_, loaded_, failed_);
    }();
    std::vector<observe::Sample> samples;
    samples.push_back({"snapshot_version",
                       "The configuration that is served, counted from 1 at start-up.",
                       "gauge",
                       {},
                       static_cast<double>(facts.version)});
    samples.push_back(
        {"snapshot_routes", "Routes of that configuration.", "gauge", {}, static_cast<double>(facts.routes)});
    samples.push_back(
        {"snapshot_bytes", "Memory of that configuration.", "gauge", {}, static_cast<double>(facts.bytes)});
    samples.push_back({"reloads_total",
                       "Configurations loaded since start-up.",
                       "counter",
                       {{"outcome", "loaded"}},
                       static_cast<double>(loaded)});
    samples.push_back({"reloads_total",
                       "Configurations loaded since start-up.",
                       "counter",
                       {{"outcome", "failed"}},
                       static_cast<double>(failed)});
    samples.push_back({"log_lines_dropped_total",
                       "Log lines that were never written.",
                       "counter",
                       {},
                       static_cast<double>(writer_.dropped())});
    const observe::Series& series = server_->process().shared.series;
    samples.push_back(
        {"prometheus_series", "Label sets of the prometheus plugin.", "gauge", {}, static_cast<double>(series.size())});
    samples.push_back({"prometheus_series_overflows_total",
                       "Label sets that found no room and are counted as `__overflow__`.",
                       "counter",
                       {},
                       static_cast<double>(series.overflows())});
    std::vector<observe::Sample> of_plugins = server_->process().shared.measure();
    samples.insert(samples.end(), of_plugins.begin(), of_plugins.end());
    return server_->metrics().render(samples);
}

}  // namespace

kong::LoadOptions load_options(const gateway::Settings& settings) {
    kong::LoadOptions options;
    options.environment = [prefix = settings.vault_env_prefix](std::string_view name) -> std::optional<std::string> {
        std::string key = prefix + std::string(name);
        const char* value = std::getenv(key.c_str());
        return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
    };
    auto is_wanted = [&](std::string_view name) {
        return std::any_of(settings.plugins.begin(), settings.plugins.end(),
                           [&](const std::string& word) { return word == "bundled" || word == name; });
    };
    for (const plugin::Type& type : plugin::types())
        if (is_wanted(type.name))
            options.served.plugins.push_back({type.name, type.config, type.aliases, type.is_for_consumers});
    options.served.ordering = true;
    options.served.certificates = true;
    options.served.health_checks = true;
    options.served.upstream_tls = true;
    options.served.grpc = true;
    options.random = [] {
        std::random_device device;
        return static_cast<std::uint64_t>(device()) << 32 | device();
    };
    return options;
}

Inheritance take_inheritance() { return {inherited_listeners(), predecessor_descriptor()}; }

int run(const LoadedSettings& loaded, Inheritance inheritance, char** arguments) {
    Events::block_signals();
    return Program(loaded.settings, std::move(inheritance), arguments).run();
}

}  // namespace command
