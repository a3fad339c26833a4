// Chain: the plugins of one route in the order in which they run, and the running of one phase. Built with the
// snapshot, shared by routes with the same plugins. For each plugin name the most specific of its uses runs (kong.md
// 1.6); which one that is can depend on the consumer, and is then settled at the plugin's turn.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "plugin/type.h"

namespace plugin {

// One use of a plugin, ready to run.
struct Instance {
    const Type* type = nullptr;
    std::shared_ptr<void> plugin;
    base::Uuid id;
    Index route = none;  // what it is bound to; all none: global
    Index service = none;
    Index consumer = none;
    Index group = none;
    // Client schemes that it runs for.
    bool on_http = true;
    bool on_https = true;
    // Kong's `ordering`, request phase only: names of plugins.
    std::vector<std::string> before;
    std::vector<std::string> after;
};

// The uses of one plugin that are bound to consumers or groups, by what they are bound to.
class Bindings {
  public:
    void add(const Instance& instance);
    [[nodiscard]] bool empty() const { return by_scope_.empty(); }
    [[nodiscard]] bool may_match(Index route, Index service) const;
    // The one that takes precedence over a use bound to at most route and service; nullptr: none is more specific.
    // `base` is that use.
    [[nodiscard]] const Instance* most_specific(const Consumer& consumer, Index route, Index service,
                                                const Instance* base) const;

  private:
    struct Key {
        Index route, service, consumer, group;
        bool operator==(const Key&) const = default;
    };
    struct Hash {
        std::size_t operator()(const Key& key) const;
    };
    [[nodiscard]] const Instance* find(const Key& key) const;
    std::unordered_map<Key, const Instance*, Hash> by_scope_;
};

class Chain {
  public:
    struct Step {
        const Type* type = nullptr;
        const Instance* instance = nullptr;  // for who has none of their own; may be null
        const Bindings* bindings = nullptr;  // null: it does not depend on the consumer
    };
    Chain(std::vector<Step> steps, Index route, Index service);

    // ---- in the order of a request. on_request: runs from where the last call stopped; after `wait`, wait_request()
    // is to be awaited, and then on_request() again if it said go_on.
    [[nodiscard]] Verdict on_request(Exchange& exchange) const;
    [[nodiscard]] base::Task<Verdict> wait_request(Exchange& exchange) const;
    [[nodiscard]] Attempt on_upstream_request(Exchange& exchange) const;
    void on_upstream_failure(Exchange& exchange, const base::Error& error) const;
    void on_upstream_response(Exchange& exchange) const;
    // True: some plugin has put an answer in the place of the one that did not come.
    [[nodiscard]] bool on_no_answer(Exchange& exchange, const base::Error& error) const;
    // client_headers are put in first.
    void on_response(Exchange& exchange) const;
    void on_response_body(Exchange& exchange) const;
    void on_log(Exchange& exchange) const;

    [[nodiscard]] bool empty() const { return steps_.empty(); }
    // A plugin in it answers every CORS preflight that comes by this exchange's scheme.
    [[nodiscard]] bool answers_preflights(const Exchange& exchange) const;
    [[nodiscard]] const std::vector<Step>& steps() const { return steps_; }

  private:
    using Places = std::vector<std::uint16_t>;
    [[nodiscard]] const Instance* instance_at(Exchange& exchange, std::uint16_t step) const;
    [[nodiscard]] const Instance* choose(Exchange& exchange, std::uint16_t step) const;

    std::vector<Step> steps_;
    Index route_;
    Index service_;
    bool depends_on_consumer_ = false;
    const Instance* preflights_ = nullptr;  // the one that answers them
    Places request_;                        // steps that have the phase
    Places upstream_request_;
    Places upstream_failure_;
    Places upstream_response_;
    Places no_answer_;
    Places response_;
    Places response_body_;
    Places log_;
};

// All instances of a configuration, and the chains made of them.
class Chains {
  public:
    void add(Instance instance) { instances_.push_back(std::move(instance)); }
    // After the last add().
    void seal();
    // The chain of a route, or of requests without one (none, none). Lives as long as this.
    [[nodiscard]] const Chain* chain(Index route, Index service);
    [[nodiscard]] const std::vector<Instance>& instances() const { return instances_; }
    [[nodiscard]] std::size_t memory_bytes() const;

  private:
    struct Use {  // of one plugin name
        const Type* type = nullptr;
        const Instance* global = nullptr;
        std::unordered_map<Index, const Instance*> by_route;
        std::unordered_map<Index, const Instance*> by_service;
        std::unordered_map<std::uint64_t, const Instance*> by_both;
        Bindings bindings;
    };
    std::vector<Instance> instances_;
    std::vector<std::unique_ptr<Use>> uses_;  // highest priority first
    std::unordered_map<std::string, std::unique_ptr<Chain>> chains_;
};

}  // namespace plugin
