// proxy-cache: answers from stored answers of the upstream (kong.md 4.13), and beyond Kong a shared cache as RFC 9111
// has it. Stored is what the upstream said, before other plugins changed it: they see a stored answer as they see a
// fresh one. Here is the way of a request; what is told apart is in proxy_cache_key.h, what is stored and given in
// proxy_cache_answer.h, where in proxy_cache_storage.h.
#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <vector>

#include "cache/validation.h"
#include "crypto/hash.h"
#include "plugin/reply.h"
#include "plugin/type.h"
#include "plugins/proxy_cache_answer.h"
#include "plugins/proxy_cache_memory.h"
#include "plugins/proxy_cache_redis.h"

namespace plugin {

namespace {

using base::Result;
using base::Task;
using cache::EntryPointer;
using http::Known;
using Plan = CacheNote::Plan;

// A request body is part of the key up to this size; with a longer one the request is not for the cache.
constexpr std::size_t most_request_body = 64 * 1024;
// A body of stated length up to this is read whole before the client gets anything, so that who asks next, on whatever
// connection, finds it stored.
constexpr std::uint64_t most_read_ahead = 64 * 1024;

}  // namespace

struct ProxyCache {
    static constexpr std::string_view name = "proxy-cache";
    static constexpr int priority = 100;
    static constexpr std::string_view summary =
        "Stores answers of the upstream and gives them to those who ask for the same. What was stored for an "
        "authorised request is given to the same client only.";
    static constexpr std::string_view example = R"(config:
  strategy: memory
  content_type: [application/json]
  cache_ttl: 300
  cache_control: true
)";
    using Config = ProxyCacheConfig;
    Config config;

    Result<void> prepare(const Setup& setup) {
        rules_ = std::make_unique<CacheRules>(CacheRules{config, {}});
        cache::PolicyOptions& policy = rules_->policy;
        policy.heuristic_percent = config.rfc9111 ? 10 : 0;
        policy.stale_while_revalidate = config.stale_while_revalidate;
        policy.stale_if_error = config.stale_if_error;
        policy.keep_for_validation = config.rfc9111 ? 3600 : 0;
        if (config.strategy == CacheStrategy::memory) {
            storage_ = MemoryAnswers::open(setup.shared, config.memory);
        } else {
            TRY(answers, RedisAnswers::open(setup, config.redis));
            storage_ = answers;
        }
        return {};
    }

    Verdict on_request(Exchange& exchange) const {
        CacheNote& note = exchange.make_note<CacheNote>();
        note.asked = rules_->follows_control() ? cache::parse_request_control(exchange.request.headers)
                                               : cache::RequestControl();
        if (!is_for_cache(exchange, note)) {
            if (config.rfc9111 && !http::is_safe(exchange.request.method)) {
                note.plan = Plan::invalidate;
                note.keys.resource = cache_resource(exchange, config, exchange.path, exchange.request.query);
            }
            return bypass(exchange);
        }
        if (exchange.has_request_body()) return Verdict::wait;
        take_keys(exchange, note, {});
        if (storage_->is_slow()) return Verdict::wait;
        return decide(exchange, note, storage_->find(exchange, note, keys_for(note)),
                      config.collapse_timeout.count() > 0);
    }

    Task<Verdict> wait_request(Exchange& exchange) const {
        CacheNote& note = *exchange.note<CacheNote>();
        net::Loop& loop = exchange.worker.loop;
        net::Instant deadline = loop.now() + config.collapse_timeout.count();
        if (exchange.has_request_body()) {
            Result<std::string_view> body = co_await exchange.read_request_body(most_request_body);
            if (!body && body.error().code == base::Code::too_large) co_return bypass(exchange);
            if (!body)
                co_return reply_error(exchange, body.error().status != 0 ? body.error().status : 400, {},
                                      ErrorKind::server);
            take_keys(exchange, note, *body);
        }
        bool has_waited = false;
        for (;;) {
            if (has_waited || exchange.has_request_body() || storage_->is_slow()) {
                Wanted wanted = keys_for(note);
                std::vector<std::string_view> keys(wanted.keys.begin(), wanted.keys.begin() + wanted.count);
                EntryPointer entry = co_await storage_->wait_find(exchange, note, std::move(keys));
                Verdict verdict = decide(exchange, note, std::move(entry), loop.now() < deadline);
                if (verdict != Verdict::wait) co_return verdict;
            }
            CacheFetches::Wait wait(fetches(exchange), note.lookup_key, deadline);
            co_await wait;
            has_waited = true;
        }
    }

    void on_upstream_response(Exchange& exchange) const {
        auto* note = exchange.note<CacheNote>();
        if (note == nullptr) return;
        if (note->plan == Plan::invalidate) return invalidate(exchange, *note);
        if (note->plan != Plan::fetch) return;
        int status = exchange.response.status;
        if (note->is_conditional() && status == 304) return confirm(exchange, *note);
        if (cache::is_server_failure(status) && stand_in(exchange, *note)) return;
        bool is_kept = !note->asked.no_store && take_for_storage(exchange, *note, *rules_);
        if (!is_kept) {
            tell_cache_status(exchange, config, "Bypass", note->keys.shown);
            // What is stored is not what the upstream says now, unless it said less than the whole.
            bool is_whole = status < 500 && status != 206 && status != 304 &&
                            (!config.rfc9111 || exchange.request.method == http::Method::get);
            if (note->found && is_whole) storage_->remove(exchange, *note->found);
            return let_pass(exchange, *note);
        }
        const http::ResponseHead& response = exchange.response;
        note->fetch->is_to_be_stored = true;
        if (response.framing == http::BodyFraming::none) return put(exchange, *note);
        bool is_length_known = response.framing == http::BodyFraming::length;
        if (is_length_known && response.content_length > config.max_body_size.value) {
            note->fetch->is_to_be_stored = false;
            return let_pass(exchange, *note);
        }
        std::size_t most = is_length_known ? response.content_length : config.max_body_size.value;
        note->fetch->room = fetches(exchange).room(most);
        if (!note->fetch->room) {  // too many at once: the next one may be stored
            note->fetch->is_to_be_stored = false;
            return note->lead.end();
        }
        note->fetch->capture.most = most;
        exchange.capture = &note->fetch->capture;
        if (is_length_known && response.content_length <= most_read_ahead)
            exchange.buffer_response(response.content_length);
    }

    bool on_no_answer(Exchange& exchange, const base::Error&) const {
        auto* note = exchange.note<CacheNote>();
        return note != nullptr && note->plan == Plan::fetch && stand_in(exchange, *note);
    }

    void on_response_body(Exchange& exchange) const { put_if_complete(exchange); }
    void on_log(Exchange& exchange) const { put_if_complete(exchange); }

  private:
    // A stored answer that is given while stale is fetched anew, once for all who get it.
    class Refreshing final : public Background {
      public:
        explicit Refreshing(const ProxyCache& cache) : cache_(cache) {}
        void begin(Exchange& exchange) override {
            auto& note = *exchange.note<CacheNote>();
            note.found = note.served;
            cache_.prepare_fetch(exchange, note);
        }
        void ended(Exchange& exchange, const base::Error* error) override {
            if (error == nullptr) cache_.put_if_complete(exchange);
            exchange.note<CacheNote>()->lead.end();
        }

      private:
        const ProxyCache& cache_;  // of the exchange's snapshot
    };

    [[nodiscard]] CacheFetches& fetches(Exchange& exchange) const {
        return exchange.worker.state<CacheFetches>(
            storage_->name(), [&exchange] { return std::make_unique<CacheFetches>(exchange.worker.loop); });
    }

    Verdict bypass(Exchange& exchange) const {
        tell_cache_status(exchange, config, "Bypass", {});
        return Verdict::go_on;
    }

    [[nodiscard]] bool is_for_cache(const Exchange& exchange, const CacheNote& note) const {
        const http::RequestHead& request = exchange.request;
        auto listed = std::find(config.request_method.begin(), config.request_method.end(), request.method_token);
        if (listed == config.request_method.end() || request.upgrade || exchange.route == nullptr) return false;
        if (config.rfc9111 && request.method != http::Method::get && request.method != http::Method::head) return false;
        if (cache::has_origin_condition(request.headers)) return false;
        if (!rules_->follows_control()) return true;
        if (note.asked.no_store) return false;
        if (config.rfc9111) return true;
        return !note.asked.no_cache &&
               (!request.headers.has(Known::authorization) || exchange.identity.consumer != nullptr);
    }

    // ---- looking up

    // RFC 9111 3.5: what anybody may have, an authorised client may have, too. By Kong's rules answers do not say whom
    // they are for, so each is for who asked.
    struct Wanted {
        std::array<std::string_view, 2> keys;
        std::size_t count = 1;
        operator std::span<const std::string_view>() const { return {keys.data(), count}; }  // NOLINT: it is one
    };
    [[nodiscard]] Wanted keys_for(const CacheNote& note) const {
        if (note.keys.own.empty()) return {{note.keys.shared}};
        if (config.rfc9111) return {{note.keys.shared, note.keys.own}, 2};
        return {{note.keys.own}};
    }

    void take_keys(Exchange& exchange, CacheNote& note, std::string_view body) const {
        note.keys = cache_keys(exchange, config, body);
        note.lookup_key = note.main_key();
    }

    // Answers, or makes the exchange fetch, or says to wait for another one that does.
    Verdict decide(Exchange& exchange, CacheNote& note, EntryPointer entry, bool may_wait) const {
        cache::Millis now = exchange.worker.loop.wall_now();
        if (entry) {
            switch (cache::may_serve(entry->validity(), note.asked, now)) {
                case cache::Use::serve:
                    return serve(exchange, note, std::move(entry), "Hit");
                case cache::Use::serve_and_refresh:
                    if (exchange.request.method == http::Method::get)
                        note.lead = fetches(exchange).lead(note.lookup_key);
                    if (note.lead) exchange.background = std::make_unique<Refreshing>(*this);
                    return serve(exchange, note, std::move(entry), "Stale");
                case cache::Use::validate:
                    break;
            }
        }
        if (note.asked.only_if_cached) {
            if (config.response_headers.key) exchange.client_headers.set("X-Cache-Key", note.keys.shown);
            return reply_error(exchange, 504, {}, ErrorKind::server);
        }
        if (may_collapse(exchange, note) && !fetches(exchange).passes(note.lookup_key)) {
            note.lead = fetches(exchange).lead(note.lookup_key);
            if (!note.lead && may_wait) return Verdict::wait;
            if (!note.lead) note.lead = fetches(exchange).take_over(note.lookup_key);
        }
        note.found = std::move(entry);
        prepare_fetch(exchange, note);
        tell_cache_status(exchange, config, note.found ? "Refresh" : "Miss", note.keys.shown);
        return Verdict::go_on;
    }

    // Only who would take what another one is getting; parts and conditions may bring no answer for others.
    [[nodiscard]] static bool may_collapse(const Exchange& exchange, const CacheNote& note) {
        constexpr std::uint64_t own_wishes =
            http::bit(Known::range) | http::bit(Known::if_none_match) | http::bit(Known::if_modified_since);
        const http::RequestHead& request = exchange.request;
        return request.method == http::Method::get && !request.headers.has_any(own_wishes) && !note.asked.no_cache &&
               !note.asked.max_age && !note.asked.min_fresh;
    }

    Verdict serve(Exchange& exchange, CacheNote& note, EntryPointer entry, std::string_view status) const {
        answer_from(exchange, note, std::move(entry), config, status);
        return Verdict::answered;
    }

    // ---- fetching

    void prepare_fetch(Exchange& exchange, CacheNote& note) const {
        note.plan = Plan::fetch;
        if (note.fetch == nullptr) note.fetch = &exchange.make_note<CacheFetch>();
        storage_->begin_fetch(note);
        note.requested_at = exchange.worker.loop.wall_now();
        if (!note.found || exchange.request.method != http::Method::get) return;
        http::Headers stored;
        note.found->append_headers(stored);
        cache::Validators validators = cache::validators_of(stored);
        if (!validators.any()) return;
        CacheFetch& fetch = *note.fetch;
        fetch.client.method = exchange.request.method;
        for (const http::Header& header : exchange.request.headers) fetch.client.headers.add(header);
        cache::make_conditional(exchange.request.headers, validators);
        fetch.is_conditional = true;
    }

    void confirm(Exchange& exchange, CacheNote& note) const {
        http::Headers cookies = own_cookies(exchange);
        EntryPointer fresh = refreshed(exchange, note, *rules_);
        cache::Millis now = exchange.worker.loop.wall_now();
        bool is_hers_alone = fresh && !may_replace(exchange, note, *rules_);
        if (!fresh || fresh->validity().keep_until <= now) {
            // A 304 for something else: what is stored was confirmed once more, for the last time.
            storage_->remove(exchange, *note.found);
        } else if (!is_hers_alone) {
            storage_->replace(exchange, note, fresh);
        }
        if (is_hers_alone)
            let_pass(exchange, note);
        else
            end_lead(exchange, note, fresh ? fresh->validity() : note.found->validity());
        answer_from(exchange, note, fresh ? std::move(fresh) : note.found, config, "Refresh");
        if (!exchange.response.headers.has(Known::set_cookie)) exchange.response.headers.append(cookies);
    }

    // What a 304 says to this client alone, where it is not stored for others.
    [[nodiscard]] static http::Headers own_cookies(Exchange& exchange) {
        http::Headers cookies;
        exchange.response.headers.all(Known::set_cookie, [&](std::string_view value) {
            cookies.add(Known::set_cookie, exchange.arena.copy(value));
        });
        return cookies;
    }

    bool stand_in(Exchange& exchange, CacheNote& note) const {
        cache::Millis now = exchange.worker.loop.wall_now();
        if (!note.found || !cache::may_serve_on_error(note.found->validity(), note.asked, now)) return false;
        note.lead.end();
        answer_from(exchange, note, note.found, config, "Stale");
        return true;
    }

    // ---- storing

    void put_if_complete(Exchange& exchange) const {
        auto* note = exchange.note<CacheNote>();
        if (note == nullptr || note->fetch == nullptr || !note->fetch->is_to_be_stored) return;
        if (note->fetch->capture.is_complete) return put(exchange, *note);
        if (note->fetch->capture.is_cut) let_pass(exchange, *note);
    }

    // Who waits for this fetch, and who comes soon, need not: there will be nothing to find.
    void let_pass(Exchange& exchange, CacheNote& note) const {
        if (note.lead) fetches(exchange).pass(note.lookup_key);
        note.lead.end();
    }

    void put(Exchange& exchange, CacheNote& note) const {
        note.fetch->is_to_be_stored = false;
        storage_->put(exchange, note, config);
        end_lead(exchange, note, note.fetch->validity);
    }

    // What everybody has to have validated is nothing to wait for, either.
    void end_lead(Exchange& exchange, CacheNote& note, const cache::Validity& stored) const {
        bool is_for_others = cache::may_serve(stored, {}, exchange.worker.loop.wall_now()) == cache::Use::serve;
        if (!is_for_others) return let_pass(exchange, note);
        fetches(exchange).forget_pass(note.lookup_key);
        note.lead.end();
    }

    void invalidate(Exchange& exchange, const CacheNote& note) const {
        if (!cache::invalidates(exchange.request, exchange.response.status)) return;
        storage_->invalidate(exchange, note.keys.resource);
        std::string authority(exchange.client.forwarded_host);
        if (std::uint16_t port = cache_port(exchange); port != 0) authority += ':' + std::to_string(port);
        for (std::string_view field : {"Location", "Content-Location"}) {
            const http::Header* header = exchange.response.headers.find(field);
            if (header == nullptr) continue;
            std::optional<std::string> target =
                cache::same_origin_target(header->value, exchange.client.scheme, authority, exchange.path);
            if (!target) continue;
            std::size_t question = target->find('?');
            std::string_view path = std::string_view(*target).substr(0, question);
            std::string_view query =
                question == target->npos ? std::string_view() : std::string_view(*target).substr(question + 1);
            storage_->invalidate(exchange, cache_resource(exchange, config, path, query));
        }
    }

    std::unique_ptr<CacheRules> rules_;
    std::shared_ptr<CacheStorage> storage_;
};
REGISTER_PLUGIN(ProxyCache);

}  // namespace plugin
