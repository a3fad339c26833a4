#include "plugin/chain.h"

#include <algorithm>
#include <array>
#include <map>

#include "base/ensure.h"

namespace plugin {

// ---- Bindings

std::size_t Bindings::Hash::operator()(const Key& key) const {
    std::uint64_t mixed = (std::uint64_t{key.consumer} << 32 | key.group) * 0x9E3779B97F4A7C15u;
    mixed ^= (std::uint64_t{key.route} << 32 | key.service) * 0xC2B2AE3D27D4EB4Fu;
    return mixed ^ mixed >> 29;
}

void Bindings::add(const Instance& instance) {
    by_scope_.emplace(Key{instance.route, instance.service, instance.consumer, instance.group}, &instance);
}

const Instance* Bindings::find(const Key& key) const {
    auto found = by_scope_.find(key);
    return found == by_scope_.end() ? nullptr : found->second;
}

bool Bindings::may_match(Index route, Index service) const {
    // A few bindings only are looked through; of many, some will fit.
    if (by_scope_.size() > 64) return true;
    return std::any_of(by_scope_.begin(), by_scope_.end(), [&](const auto& entry) {
        const Key& key = entry.first;
        return (key.route == none || key.route == route) && (key.service == none || key.service == service);
    });
}

const Instance* Bindings::most_specific(const Consumer& consumer, Index route, Index service,
                                        const Instance* base) const {
    auto of_consumer = [&](Index r, Index s) { return find({r, s, consumer.index, none}); };
    auto of_group = [&](Index r, Index s) -> const Instance* {
        for (Index group : consumer.groups)  // in the order of their names
            if (const Instance* found = find({r, s, none, group})) return found;
        return nullptr;
    };
    bool has_route = route != none;
    bool has_service = service != none;
    const Instance* found = nullptr;
    if (has_route && has_service && (found = of_consumer(route, service))) return found;
    if (has_route && has_service && (found = of_group(route, service))) return found;
    if (has_route && (found = of_consumer(route, none))) return found;
    if (has_service && (found = of_consumer(none, service))) return found;
    if (has_route && (found = of_group(route, none))) return found;
    if (has_service && (found = of_group(none, service))) return found;
    if (base != nullptr && base->route != none && base->service != none) return base;
    if ((found = of_consumer(none, none))) return found;
    if ((found = of_group(none, none))) return found;
    return base;
}

// ---- Chain

Chain::Chain(std::vector<Step> steps, Index route, Index service)
    : steps_(std::move(steps)), route_(route), service_(service) {
    for (std::uint16_t i = 0; i < steps_.size(); ++i) {
        const Type& type = *steps_[i].type;
        depends_on_consumer_ = depends_on_consumer_ || steps_[i].bindings != nullptr;
        const Instance* instance = steps_[i].instance;
        if (instance != nullptr && type.answers_preflights != nullptr &&
            type.answers_preflights(instance->plugin.get()))
            preflights_ = instance;
        if (type.on_request != nullptr || type.wait_request != nullptr) request_.push_back(i);
        if (type.on_upstream_request != nullptr) upstream_request_.push_back(i);
        if (type.on_upstream_failure != nullptr) upstream_failure_.push_back(i);
        if (type.on_upstream_response != nullptr) upstream_response_.push_back(i);
        if (type.on_no_answer != nullptr) no_answer_.push_back(i);
        if (type.on_response != nullptr) response_.push_back(i);
        if (type.on_response_body != nullptr) response_body_.push_back(i);
        if (type.on_log != nullptr) log_.push_back(i);
    }
    // Kong's `ordering` changes the request phase only.
    auto names = [&](const std::vector<std::string>& list, std::uint16_t step) {
        return std::find(list.begin(), list.end(), steps_[step].type->name) != list.end();
    };
    for (std::size_t round = 0; round < request_.size(); ++round) {
        bool is_changed = false;
        for (std::size_t i = 0; i < request_.size() && !is_changed; ++i) {
            const Instance* moved = steps_[request_[i]].instance;
            if (moved == nullptr) continue;
            std::size_t to = i;
            for (std::size_t k = 0; k < i; ++k)
                if (names(moved->before, request_[k])) to = std::min(to, k);
            for (std::size_t k = i + 1; k < request_.size(); ++k)
                if (names(moved->after, request_[k])) to = std::max(to, k);
            if (to == i) continue;
            auto at = [&](std::size_t place) { return request_.begin() + static_cast<std::ptrdiff_t>(place); };
            if (to < i)
                std::rotate(at(to), at(i), at(i + 1));
            else
                std::rotate(at(i), at(i + 1), at(to + 1));
            is_changed = true;
        }
        if (!is_changed) break;
    }
}

namespace {
bool runs_on(const Instance& instance, const Exchange& exchange) {
    if (exchange.client.scheme == "https" ? instance.on_https : instance.on_http) return true;
    // What looks at certificates goes by the connection too: no field of a request talks it away.
    return instance.on_https && exchange.client.tls != nullptr && instance.type->asks_for_certificates != nullptr;
}
}  // namespace

bool Chain::answers_preflights(const Exchange& exchange) const {
    return preflights_ != nullptr && runs_on(*preflights_, exchange);
}

const Instance* Chain::choose(Exchange& exchange, std::uint16_t step) const {
    const Step& at = steps_[step];
    const Instance* instance = at.instance;
    if (at.bindings != nullptr && exchange.identity.consumer != nullptr)
        instance = at.bindings->most_specific(*exchange.identity.consumer, route_, service_, at.instance);
    if (instance != nullptr && !runs_on(*instance, exchange)) instance = nullptr;
    return instance;
}

// What ran in the request phase goes on in the later ones; a plugin that had no turn there is chosen now.
const Instance* Chain::instance_at(Exchange& exchange, std::uint16_t step) const {
    if (!depends_on_consumer_) return choose(exchange, step);
    static const Instance nobody;  // settled: no use of this plugin
    if (exchange.chosen.empty()) {
        auto* places = static_cast<const Instance**>(
            exchange.arena.allocate(steps_.size() * sizeof(const Instance*), alignof(const Instance*)));
        std::fill_n(places, steps_.size(), nullptr);
        exchange.chosen = {places, steps_.size()};
    }
    const Instance*& place = exchange.chosen[step];
    if (place == nullptr) {
        const Instance* found = choose(exchange, step);
        place = found == nullptr ? &nobody : found;
    }
    return place == &nobody ? nullptr : place;
}

Verdict Chain::on_request(Exchange& exchange) const {
    while (exchange.chain_step < request_.size()) {
        std::uint16_t step = request_[exchange.chain_step];
        const Instance* instance = instance_at(exchange, step);
        if (instance != nullptr) {
            Verdict verdict = Verdict::wait;
            if (instance->type->on_request != nullptr)
                verdict = instance->type->on_request(instance->plugin.get(), exchange);
            if (verdict != Verdict::go_on) return verdict;
        }
        ++exchange.chain_step;
    }
    return Verdict::go_on;
}

base::Task<Verdict> Chain::wait_request(Exchange& exchange) const {
    const Instance* instance = instance_at(exchange, request_[exchange.chain_step++]);
    ensure(instance != nullptr && instance->type->wait_request != nullptr);
    return instance->type->wait_request(instance->plugin.get(), exchange);
}

Attempt Chain::on_upstream_request(Exchange& exchange) const {
    for (std::uint16_t step : upstream_request_) {
        const Instance* instance = instance_at(exchange, step);
        if (instance != nullptr &&
            instance->type->on_upstream_request(instance->plugin.get(), exchange) == Attempt::skip)
            return Attempt::skip;
    }
    return Attempt::go;
}

void Chain::on_upstream_failure(Exchange& exchange, const base::Error& error) const {
    for (std::uint16_t step : upstream_failure_)
        if (const Instance* instance = instance_at(exchange, step))
            instance->type->on_upstream_failure(instance->plugin.get(), exchange, error);
}

void Chain::on_upstream_response(Exchange& exchange) const {
    for (std::uint16_t step : upstream_response_)
        if (const Instance* instance = instance_at(exchange, step))
            instance->type->on_upstream_response(instance->plugin.get(), exchange);
}

bool Chain::on_no_answer(Exchange& exchange, const base::Error& error) const {
    for (std::uint16_t step : no_answer_) {
        const Instance* instance = instance_at(exchange, step);
        if (instance != nullptr && instance->type->on_no_answer(instance->plugin.get(), exchange, error)) return true;
    }
    return false;
}

void Chain::on_response(Exchange& exchange) const {
    for (const http::Header& header : exchange.client_headers) exchange.response.headers.set(header.name, header.value);
    for (std::uint16_t step : response_)
        if (const Instance* instance = instance_at(exchange, step))
            instance->type->on_response(instance->plugin.get(), exchange);
}

void Chain::on_response_body(Exchange& exchange) const {
    for (std::uint16_t step : response_body_)
        if (const Instance* instance = instance_at(exchange, step))
            instance->type->on_response_body(instance->plugin.get(), exchange);
}

void Chain::on_log(Exchange& exchange) const {
    for (std::uint16_t step : log_)
        if (const Instance* instance = instance_at(exchange, step))
            instance->type->on_log(instance->plugin.get(), exchange);
}

// ---- Chains

void Chains::seal() {
    std::map<const Type*, std::unique_ptr<Use>> uses;
    for (const Instance& instance : instances_) {
        std::unique_ptr<Use>& use = uses[instance.type];
        if (!use) use = std::make_unique<Use>();
        use->type = instance.type;
        if (instance.consumer != none || instance.group != none)
            use->bindings.add(instance);
        else if (instance.route != none && instance.service != none)
            use->by_both.emplace(std::uint64_t{instance.route} << 32 | instance.service, &instance);
        else if (instance.route != none)
            use->by_route.emplace(instance.route, &instance);
        else if (instance.service != none)
            use->by_service.emplace(instance.service, &instance);
        else
            use->global = &instance;
    }
    for (auto& [type, use] : uses) uses_.push_back(std::move(use));
    std::sort(uses_.begin(), uses_.end(), [](const auto& a, const auto& b) {
        return a->type->priority != b->type->priority ? a->type->priority > b->type->priority
                                                      : a->type->name < b->type->name;
    });
}

const Chain* Chains::chain(Index route, Index service) {
    std::vector<Chain::Step> steps;
    std::string key;  // what makes two chains the same
    bool depends = false;
    auto found = [](const auto& map, auto at) -> const Instance* {
        auto place = map.find(at);
        return place == map.end() ? nullptr : place->second;
    };
    for (const auto& use : uses_) {
        const Instance* instance = nullptr;
        if (route != none && service != none) instance = found(use->by_both, std::uint64_t{route} << 32 | service);
        if (instance == nullptr && route != none) instance = found(use->by_route, route);
        if (instance == nullptr && service != none) instance = found(use->by_service, service);
        if (instance == nullptr) instance = use->global;
        bool has_bindings = route != none && !use->bindings.empty() && use->bindings.may_match(route, service);
        if (instance == nullptr && !has_bindings) continue;
        steps.push_back({use->type, instance, has_bindings ? &use->bindings : nullptr});
        depends = depends || has_bindings;
        auto append = [&key](const void* pointer) {
            key.append(reinterpret_cast<const char*>(&pointer), sizeof pointer);
        };
        append(use.get());
        append(instance);
    }
    if (depends) key += std::to_string(route) + ':' + std::to_string(service);
    std::unique_ptr<Chain>& place = chains_[key];
    if (!place) place = std::make_unique<Chain>(std::move(steps), route, service);
    return place.get();
}

std::size_t Chains::memory_bytes() const {
    std::size_t total = instances_.capacity() * sizeof(Instance);
    for (const auto& [key, chain] : chains_)
        total += key.capacity() + sizeof(Chain) + chain->steps().size() * (sizeof(Chain::Step) + 8);
    return total;
}

}  // namespace plugin
