#include "plugins/proxy_cache_redis.h"

#include <algorithm>
#include <array>

#include "base/random.h"
#include "crypto/hash.h"
#include "http/characters.h"
#include "observe/log.h"

namespace plugin {

namespace {

using base::Result;
using base::Task;
using cache::EntryKind;
using cache::EntryPointer;

constexpr std::string_view all_name = "cardea:cache-all";
constexpr std::size_t longest_resource = 256;  // of it in a name: for people, and for purging by prefix
constexpr cache::Millis longest_kept = 30LL * 86'400'000;
constexpr std::string_view generation_kept = "2764800000";  // ms: longer than any answer is kept
constexpr std::size_t generations_size = 16;
constexpr std::string_view scanned_at_once = "1000";

std::string digest_of(std::string_view text) { return crypto::hex(crypto::digest(crypto::Hash::sha256, text).view()); }
// The second part is the beginning of every key: X-Cache-Key.
std::string entry_name(std::string_view resource, std::string_view key) {
    return "cardea:cache:" + std::string(resource.substr(0, longest_resource)) + ":" + std::string(key.substr(0, 64)) +
           ":" + digest_of(key);
}
std::string resource_name(std::string_view resource) { return "cardea:cache-of:" + digest_of(resource); }
std::string tag_name(std::string_view tag) { return "cardea:cache-tag:" + std::string(tag); }

void put_number(std::string& out, std::uint64_t value) {
    for (unsigned i = 0; i < 8; ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}
std::uint64_t number_at(std::string_view bytes, std::size_t at) {
    std::uint64_t value = 0;
    for (unsigned i = 0; i < 8; ++i) value |= std::uint64_t{static_cast<unsigned char>(bytes[at + i])} << (8 * i);
    return value;
}

// A generation that was never counted up is 0.
std::uint64_t generation(const redis::Reply& reply) {
    return reply.is_nil() ? 0 : static_cast<std::uint64_t>(reply.integer().value_or(-1));
}

// For SCAN's patterns.
std::string escaped(std::string_view text) {
    std::string out;
    for (char c : text) {
        if (std::string_view("*?[]\\").find(c) != std::string_view::npos) out.push_back('\\');
        out.push_back(c);
    }
    return out;
}

}  // namespace

RedisAnswers::RedisAnswers(redis::Settings settings, std::string name, unsigned cores)
    : clients_(std::move(settings), cores), name_(std::move(name)) {}

Result<std::shared_ptr<RedisAnswers>> RedisAnswers::open(const Setup& setup, const RedisFields& fields) {
    redis::Settings settings = fields.settings();
    TRY_VOID(settings.check());
    // Not by the place alone: who logs in differently is somebody else, and two groups may have one name.
    std::string all = settings.where();
    auto add = [&all](std::string_view text) { (all += '\n') += text; };
    add(settings.server.text());
    add(std::to_string(settings.database));
    add(settings.username);
    add(settings.password);
    add(settings.tls ? (settings.tls_verify ? "verified" : "tls") : "clear");
    add(settings.server_name);
    add(std::to_string(settings.read_timeout.count()));
    add(settings.sentinel_username);
    add(settings.sentinel_password);
    for (const redis::Node& node : settings.sentinel_nodes) add(node.text());
    for (const redis::Node& node : settings.cluster_nodes) add(node.text());
    std::string name = "redis " + digest_of(all);
    return setup.shared.state<RedisAnswers>(
        name, [&] { return std::make_shared<RedisAnswers>(settings, name, setup.cores); });
}

EntryPointer RedisAnswers::checked(const redis::Reply& reply, std::string_view key, const CacheNote& note,
                                   cache::Millis now) {
    if (!reply.is_text()) return {};
    std::string_view bytes = reply.text();
    if (bytes.size() < generations_size) {
        ++broken_;
        return {};
    }
    if (number_at(bytes, 0) != note.generation_of_resource || number_at(bytes, 8) != note.generation_of_all) return {};
    Result<EntryPointer> entry = cache::read_binary(bytes.substr(generations_size));
    if (!entry || (*entry)->key() != key) {
        ++broken_;
        return {};
    }
    return (*entry)->validity().keep_until > now ? std::move(*entry) : EntryPointer();
}

Task<EntryPointer> RedisAnswers::wait_find(Exchange& exchange, CacheNote& note, std::vector<std::string_view> keys) {
    redis::Client& client = clients_.of(exchange.worker);
    net::Loop& loop = exchange.worker.loop;
    net::Instant deadline = net::after(loop.now(), clients_.settings().read_timeout);
    note.has_generations = false;
    note.markers.clear();
    // All of it leaves in one send.
    std::string of_resource = resource_name(note.keys.resource);
    redis::Call resource_call = client.command({"GET", of_resource}, deadline);
    redis::Call all_call = client.command({"GET", all_name}, deadline);
    std::vector<std::unique_ptr<redis::Call>> calls;
    for (std::string_view key : keys) {
        std::string name = entry_name(note.keys.resource, key);
        calls.emplace_back(new redis::Call(client.command({"GET", name}, deadline)));
    }
    Result<redis::Reply> resource_reply = co_await resource_call;
    Result<redis::Reply> all_reply = co_await all_call;
    std::vector<Result<redis::Reply>> replies;
    for (auto& call : calls) {
        Result<redis::Reply> reply = co_await *call;
        replies.push_back(std::move(reply));
    }
    if (!resource_reply || !all_reply) {
        ++failures_;
        static thread_local observe::Throttle throttle;
        const base::Error& error = resource_reply ? all_reply.error() : resource_reply.error();
        if (throttle.pass(std::chrono::milliseconds(loop.now())))
            observe::log(observe::Level::warn, "proxy-cache", "Redis cannot be asked: requests go to the upstream",
                         {{"redis", clients_.settings().where()}, {"reason", error.detail}});
        co_return EntryPointer();
    }
    note.generation_of_resource = generation(*resource_reply);
    note.generation_of_all = generation(*all_reply);
    note.has_generations = true;
    cache::Millis now = loop.wall_now();
    for (std::size_t i = 0; i < keys.size(); ++i) {
        if (!replies[i]) continue;
        EntryPointer entry = checked(*replies[i], keys[i], note, now);
        if (!entry) continue;
        if (entry->kind() == EntryKind::response) co_return entry;
        note.markers.push_back(entry);
        std::string key = variant_key(keys[i], *entry, exchange.request.headers);
        std::string name = entry_name(note.keys.resource, key);
        if (keys[i] == note.main_key()) note.lookup_key = exchange.arena.copy(key);
        redis::Call call = client.command({"GET", name}, deadline);
        Result<redis::Reply> reply = co_await call;
        if (!reply) continue;
        entry = checked(*reply, key, note, now);
        if (entry && entry->kind() == EntryKind::response) co_return entry;
    }
    co_return EntryPointer();
}

void RedisAnswers::store(Exchange& exchange, const CacheNote& note, const EntryPointer& entry) {
    if (!entry || !note.has_generations) return;
    cache::Millis left = std::min(entry->validity().keep_until - exchange.worker.loop.wall_now(), longest_kept);
    if (left <= 0) return;
    redis::Client& client = clients_.of(exchange.worker);
    std::string value;
    put_number(value, note.generation_of_resource);
    put_number(value, note.generation_of_all);
    cache::write_binary(*entry, value);
    std::string name = entry_name(entry->resource(), entry->key());
    client.tell({"SET", name, value, "PX", std::to_string(left)});
    // Sorted by when they end, so that what has ended can be taken out: a set does not outgrow what is stored.
    std::string now = std::to_string(exchange.worker.loop.wall_now());
    std::string end = std::to_string(exchange.worker.loop.wall_now() + left);
    std::string_view tags = entry->tags();
    std::string_view tag;
    while (http::next_element(tags, tag)) {
        std::string set = tag_name(tag);
        client.tell({"ZREMRANGEBYSCORE", set, "-inf", now});
        client.tell({"ZADD", set, end, name});
        client.tell({"PEXPIRE", set, generation_kept});
    }
}

void RedisAnswers::put(Exchange& exchange, CacheNote& note, const ProxyCacheConfig& config) {
    if (note.fetch->vary.kind() == cache::VaryNames::Kind::none)
        return store(exchange, note, entry_of(note, config, note.fetch->key));
    EntryPointer marker;
    for (const EntryPointer& known : note.markers)
        if (known->key() == note.fetch->key && known->vary() == note.fetch->vary.text()) marker = known;
    if (!marker || marker->validity().keep_until < note.fetch->validity.keep_until) {
        // Two that begin at once both store; the answers of the one whose marker is overwritten are not found again.
        static thread_local base::Random random(static_cast<std::uint64_t>(exchange.worker.loop.wall_now()) ^
                                                base::hash64(exchange.id()));
        marker = vary_marker_of(note, marker ? marker->generation() : random.next());
        store(exchange, note, marker);
    }
    if (!marker) return;
    store(exchange, note, entry_of(note, config, variant_key(note.fetch->key, *marker, note.asked_headers(exchange))));
}

void RedisAnswers::replace(Exchange& exchange, const CacheNote& note, const EntryPointer& entry) {
    store(exchange, note, entry);
}

void RedisAnswers::remove(Exchange& exchange, const cache::Entry& entry) {
    clients_.of(exchange.worker).tell({"DEL", entry_name(entry.resource(), entry.key())});
}

void RedisAnswers::invalidate(Exchange& exchange, std::string_view resource) {
    redis::Client& client = clients_.of(exchange.worker);
    std::string name = resource_name(resource);
    client.tell({"INCR", name});
    client.tell({"PEXPIRE", name, generation_kept});
}

void RedisAnswers::measure(std::vector<observe::Sample>& samples) const {
    auto add = [&](std::string_view name, std::string_view help, std::uint64_t value) {
        samples.push_back({std::string(name),
                           std::string(help),
                           "counter",
                           {{"redis", clients_.settings().where()}},
                           static_cast<double>(value)});
    };
    add("proxy_cache_redis_failures_total", "Look-ups of stored answers that Redis did not answer in time.", failures_);
    add("proxy_cache_redis_broken_total", "Stored answers that were none of ours, or broken.", broken_);
}

Task<Result<std::uint64_t>> RedisAnswers::purge(Worker& worker, PurgeBy by, std::string text) {
    redis::Client& client = clients_.of(worker);
    bool can_scan = !clients_.settings().is_cluster();
    if (can_scan && by == PurgeBy::prefix && text.size() <= longest_resource)
        co_return co_await purge_matching(client, "cardea:cache:" + escaped(text) + "*");
    if (can_scan && by == PurgeBy::key)
        co_return co_await purge_matching(client, "cardea:cache:*:" + escaped(text) + ":*");
    if (by != PurgeBy::tag) {
        // In a cluster the names are on many nodes: everything goes, which is more than was asked for, never less.
        redis::Call call = client.command({"INCR", all_name});
        Result<redis::Reply> reply = co_await call;
        if (!reply) co_return std::move(reply).error();
        co_return std::uint64_t{1};
    }
    co_return co_await purge_tagged(client, tag_name(text));
}

Task<Result<std::uint64_t>> RedisAnswers::purge_tagged(redis::Client& client, std::string set) {
    std::uint64_t removed = 0;
    for (;;) {
        redis::Call some = client.command({"ZRANGE", set, "0", "999"});
        Result<redis::Reply> names = co_await some;
        if (!names) co_return std::move(names).error();
        if (names->elements().empty()) co_return removed;
        for (const redis::Reply& name : names->elements()) {
            redis::Call call = client.command({"DEL", name.text()});
            Result<redis::Reply> reply = co_await call;
            if (!reply) co_return std::move(reply).error();
            removed += static_cast<std::uint64_t>(reply->integer().value_or(0));
            redis::Call forget = client.command({"ZREM", set, name.text()});  // not before it is gone
            reply = co_await forget;
            if (!reply) co_return std::move(reply).error();
        }
    }
}

Task<Result<std::uint64_t>> RedisAnswers::purge_matching(redis::Client& client, std::string pattern) {
    std::string cursor = "0";
    std::uint64_t removed = 0;
    do {
        redis::Call scan = client.command({"SCAN", cursor, "MATCH", pattern, "COUNT", scanned_at_once});
        Result<redis::Reply> found = co_await scan;
        if (!found) co_return std::move(found).error();
        if (found->elements().size() != 2) co_return base::Error::us(base::Code::malformed, "SCAN: odd reply");
        cursor = found->elements()[0].text();
        for (const redis::Reply& name : found->elements()[1].elements()) {
            redis::Call call = client.command({"DEL", name.text()});
            Result<redis::Reply> reply = co_await call;
            if (!reply) co_return std::move(reply).error();
            removed += static_cast<std::uint64_t>(reply->integer().value_or(0));
        }
    } while (cursor != "0" && !cursor.empty());
    co_return removed;
}

Task<Result<std::optional<std::string>>> RedisAnswers::show(Worker& worker, std::string key) {
    if (clients_.settings().is_cluster())
        co_return base::Error::us(base::Code::unsupported, "in a Redis cluster stored answers cannot be looked for");
    redis::Client& client = clients_.of(worker);
    std::string pattern = "cardea:cache:*:" + escaped(key) + ":*";
    std::string cursor = "0";
    do {
        redis::Call scan = client.command({"SCAN", cursor, "MATCH", pattern, "COUNT", scanned_at_once});
        Result<redis::Reply> found = co_await scan;
        if (!found) co_return std::move(found).error();
        if (found->elements().size() != 2) co_return base::Error::us(base::Code::malformed, "SCAN: odd reply");
        cursor = found->elements()[0].text();
        for (const redis::Reply& name : found->elements()[1].elements()) {
            auto looking = shown(client, std::string(name.text()));
            auto text = co_await std::move(looking);
            if (!text || *text) co_return text;
        }
    } while (cursor != "0" && !cursor.empty());
    co_return std::optional<std::string>();
}

// Nothing: what stands under that name is no answer, or is invalid by now.
Task<Result<std::optional<std::string>>> RedisAnswers::shown(redis::Client& client, std::string name) {
    redis::Call call = client.command({"GET", name});
    Result<redis::Reply> reply = co_await call;
    if (!reply) co_return std::move(reply).error();
    if (!reply->is_text() || reply->text().size() < generations_size) co_return std::optional<std::string>();
    Result<EntryPointer> entry = cache::read_binary(reply->text().substr(generations_size));
    if (!entry || (*entry)->kind() != EntryKind::response) co_return std::optional<std::string>();
    std::string of_resource = resource_name((*entry)->resource());
    redis::Call resource_call = client.command({"GET", of_resource});
    redis::Call all_call = client.command({"GET", all_name});
    Result<redis::Reply> resource_reply = co_await resource_call;
    Result<redis::Reply> all_reply = co_await all_call;
    if (!resource_reply) co_return std::move(resource_reply).error();
    if (!all_reply) co_return std::move(all_reply).error();
    bool is_valid = number_at(reply->text(), 0) == generation(*resource_reply) &&
                    number_at(reply->text(), 8) == generation(*all_reply);
    co_return is_valid ? std::optional(json_of(**entry)) : std::nullopt;
}

}  // namespace plugin
