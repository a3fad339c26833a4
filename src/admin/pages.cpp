#include "admin/pages.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "admin/metrics_page.h"
#include "admin/upstreams_page.h"
#include "http/query.h"
#include "net/loop.h"
#include "observe/metrics.h"
#include "plugin/reply.h"

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

// DELETE /proxy-cache, /proxy-cache/KEY and, as in Kong, /proxy-cache/PLUGIN/caches/KEY; ?prefix=... and ?tag=...
// beyond Kong.
base::Task<void> purge(Transaction& transaction) {
    std::string_view path = transaction.request.raw_path;
    std::string_view key = path.substr(std::min(path.size(), std::string_view("/proxy-cache/").size()));
    if (std::size_t slash = key.rfind('/'); slash != key.npos) key = key.substr(slash + 1);
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

// As Kong's status API, which is often open to a whole network: that listener shows and changes nothing.
bool is_read_only(const Transaction& transaction) {
    const net::SocketAddress& local = transaction.client.local;
    for (const gateway::ListenAddress& listen : transaction.core.settings.status_listen) {
        std::string wanted = listen.address.ip.text();
        bool is_every = wanted == "0.0.0.0" || wanted == "::";
        if (listen.address.port == local.port && (is_every || listen.address.ip == local.ip)) return true;
    }
    return false;
}

}  // namespace

base::Task<void> serve(Transaction& transaction) {
    const AdminPages& pages = transaction.core.process.admin;
    std::string_view path = transaction.request.raw_path;
    bool is_read = transaction.request.method == http::Method::get || transaction.request.method == http::Method::head;
    bool changes = path == "/reload" || path == "/proxy-cache" || path.starts_with("/proxy-cache/");
    changes = changes || (is_upstream_path(path) && !is_read);
    if (changes && is_read_only(transaction)) {
        plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
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
        plugin::reply_error(transaction, 405, {}, plugin::ErrorKind::gateway);
        transaction.response.headers.add(http::Known::allow, "DELETE");
    } else if (is_upstream_path(path)) {
        serve_upstream(transaction);
    } else if (path != "/status" && path != "/metrics" && path != "/ready" && path != "/status/ready") {
        plugin::reply_error(transaction, 404, "Not found", plugin::ErrorKind::gateway);
    } else if (!is_read) {
        plugin::reply_error(transaction, 405, {}, plugin::ErrorKind::gateway);
        transaction.response.headers.add(http::Known::allow, "GET, HEAD");
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
