#include "admin/pages.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "admin/metrics_page.h"
#include "admin/upstreams_page.h"
#include "base/version.h"
#include "http/characters.h"
#include "http/query.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "plugin/reply.h"
#include "plugin/shows_answers.h"

namespace admin {

namespace {

using gateway::AdminPages;
using gateway::Transaction;

constexpr std::string_view json = "application/json; charset=utf-8";
constexpr std::string_view plain = "text/plain; charset=utf-8";
constexpr net::Instant reload_check = 5;       // ms between two looks at a reload under way
constexpr net::Instant reload_wait = 120'000;  // ms until the answer comes without its result

void page(Transaction& transaction, int status, std::string_view type, std::string_view text) {
    plugin::reply_text(transaction, status, type, transaction.arena.copy(text));
    transaction.response.headers.add("Cache-Control", "no-store");
}

// The last part of /proxy-cache/KEY and /proxy-cache/PLUGIN/caches/KEY.
std::string_view key_of(std::string_view path) {
    std::string_view key = path.substr(std::min(path.size(), std::string_view("/proxy-cache/").size()));
    std::size_t slash = key.rfind('/');
    return slash == key.npos ? key : key.substr(slash + 1);
}

base::Task<void> reload(Transaction& transaction) {
    const AdminPages& pages = transaction.core.process.admin;
    net::Loop& loop = transaction.core.loop;
    std::uint64_t request = pages.request_reload();
    net::Instant deadline = loop.now() + reload_wait;
    while (loop.now() < deadline) {
        AdminPages::Reload result = pages.reload_result(request);
        if (result.is_done) {
            page(transaction, result.is_loaded ? 200 : 422, plain, result.report);
            co_return;
        }
        if (transaction.core.is_draining()) {
            page(transaction, 503, plain, "Shutting down: not reloaded.\n");
            co_return;
        }
        co_await net::sleep_until(loop, loop.now() + reload_check);
    }
    page(transaction, 202, plain, "The reload is still under way.\n");
}

// GET /proxy-cache/KEY and, as in Kong, /proxy-cache/PLUGIN/caches/KEY.
base::Task<void> show(Transaction& transaction) {
    constexpr std::size_t key_size = 64;  // the hexadecimal digits of SHA-256
    std::string_view key = key_of(transaction.request.raw_path);
    for (const auto& stored : transaction.core.process.shared.purgeables()) {
        auto* shows = dynamic_cast<plugin::ShowsAnswers*>(stored.get());
        if (shows == nullptr || key.size() != key_size) continue;
        auto task = shows->show(transaction.core.worker, std::string(key));
        auto result = co_await std::move(task);
        if (!result) {
            page(transaction, 502, plain, "Not looked up: " + result.error().detail + "\n");
            co_return;
        }
        if (!*result) continue;
        page(transaction, 200, json, **result);
        co_return;
    }
    plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
}

// DELETE /proxy-cache, /proxy-cache/KEY and, as in Kong, /proxy-cache/PLUGIN/caches/KEY; ?prefix=... and ?tag=...
// beyond Kong.
base::Task<void> purge(Transaction& transaction) {
    std::string_view path = transaction.request.raw_path;
    std::string_view key = key_of(path);
    plugin::PurgeBy by = key.empty() ? plugin::PurgeBy::all : plugin::PurgeBy::key;
    std::string text(key);
    for (auto [name, other] : {std::pair{"prefix", plugin::PurgeBy::prefix}, {"tag", plugin::PurgeBy::tag}}) {
        auto value = http::find_argument(transaction.request.query, name, transaction.arena);
        if (!value) continue;
        if (value->empty()) {  // a variable that was not set must not empty the whole cache
            page(transaction, 400, plain, std::string("Not purged: ") + name + " is empty.\n");
            co_return;
        }
        by = other;
        text = *value;
    }
    if (by == plugin::PurgeBy::all && path != "/proxy-cache") {
        page(transaction, 400, plain, "Not purged: the key is empty. DELETE /proxy-cache purges everything.\n");
        co_return;
    }
    std::uint64_t removed = 0;
    for (const auto& stored : transaction.core.process.shared.purgeables()) {
        base::Task<base::Result<std::uint64_t>> task = stored->purge(transaction.core.worker, by, text);
        base::Result<std::uint64_t> result = co_await std::move(task);
        if (!result) {
            page(transaction, 502, plain, "Not purged everywhere: " + result.error().detail + "\n");
            co_return;
        }
        removed += *result;
    }
    if (by == plugin::PurgeBy::all || (by == plugin::PurgeBy::key && removed > 0))
        page(transaction, 204, {}, {});
    else if (by == plugin::PurgeBy::key)
        plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
    else
        page(transaction, 200, json, "{\"removed\":" + std::to_string(removed) + "}");
}

// A form or a script on a page of another site can send a POST here from the operator's browser, which says so
// (Fetch Metadata; RFC 6454 7). Programs say nothing.
bool is_cross_site(const http::RequestHead& request) {
    std::string_view site = request.headers.first("Sec-Fetch-Site");
    if (!site.empty()) return site != "same-origin" && site != "none";
    const http::Header* origin = request.headers.find("Origin");
    if (origin == nullptr) return false;
    std::size_t slashes = origin->value.find("://");
    return slashes == origin->value.npos ||
           !http::equals_ignore_case(origin->value.substr(slashes + 3), request.authority);
}

std::string index_of(gateway::Entrance entrance) {
    std::string out = "Cardea " + std::string(base::version) +
                      "\n\n"
                      "GET /status        what it does now, as JSON\n"
                      "GET /status/ready  200 while it takes requests, 503 while it shuts down; also /ready\n"
                      "GET /metrics       for Prometheus\n";
    if (entrance == gateway::Entrance::admin)
        out +=
            "GET /upstreams     targets and their health; PUT /upstreams/NAME/targets/TARGET/healthy, unhealthy\n"
            "POST /reload       reads the documents anew and says what came of it\n"
            "GET, DELETE /proxy-cache/KEY              one stored answer, by its X-Cache-Key\n"
            "DELETE /proxy-cache[?prefix=...|?tag=...]  all of them, or those\n";
    return out;
}

}  // namespace

base::Task<void> serve(Transaction& transaction) {
    const AdminPages& pages = transaction.core.process.admin;
    std::string_view path = transaction.request.raw_path;
    bool is_read = transaction.request.method == http::Method::get || transaction.request.method == http::Method::head;
    bool changes = path == "/reload" || path == "/proxy-cache" || path.starts_with("/proxy-cache/");
    changes = changes || (is_upstream_path(path) && !is_read);
    if (changes && transaction.entrance == gateway::Entrance::status) {
        plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
    } else if (changes && !is_read && is_cross_site(transaction.request)) {
        page(transaction, 403, plain, "Refused: a page of another site asks for it.\n");
    } else if (path == "/reload") {
        // POST only: no link or image on a page can cause it.
        if (transaction.request.method == http::Method::post) {
            co_await reload(transaction);
            co_return;
        }
        plugin::reply_error(transaction, 405, {}, plugin::ErrorKind::gateway);
        transaction.response.headers.add(http::Known::allow, "POST");
    } else if (path == "/proxy-cache" || path.starts_with("/proxy-cache/")) {
        if (transaction.request.method == http::Method::delete_) {
            co_await purge(transaction);
            co_return;
        }
        if (is_read && path != "/proxy-cache") {
            co_await show(transaction);
            co_return;
        }
        plugin::reply_error(transaction, 405, {}, plugin::ErrorKind::gateway);
        transaction.response.headers.add(http::Known::allow, path == "/proxy-cache" ? "DELETE" : "GET, HEAD, DELETE");
    } else if (is_upstream_path(path)) {
        serve_upstream(transaction);
    } else if (path != "/" && path != "/status" && path != "/metrics" && path != "/ready" && path != "/status/ready") {
        plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
    } else if (!is_read) {
        plugin::reply_error(transaction, 405, {}, plugin::ErrorKind::gateway);
        transaction.response.headers.add(http::Known::allow, "GET, HEAD");
    } else if (path == "/") {
        page(transaction, 200, plain, index_of(transaction.entrance));
    } else if (path == "/status") {
        page(transaction, 200, json, pages.status());
    } else if (path == "/metrics") {
        page(transaction, 200, observe::metrics_content_type, {});
        if (transaction.client_method != http::Method::head)
            transaction.source = std::make_unique<MetricsPage>(transaction);
    } else if (transaction.core.is_draining()) {
        page(transaction, 503, json, "{\"message\":\"draining\"}");
    } else {
        page(transaction, 200, json, "{\"message\":\"ready\"}");
    }
}

}  // namespace admin
