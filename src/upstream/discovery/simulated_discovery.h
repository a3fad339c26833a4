// A discovery for tests: what each source says is set by the test, and told at once. One thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "upstream/discovery/discovery.h"

namespace upstream {

class SimulatedDiscovery final : public Discovery {
  public:
    void set(const SourceSpec& spec, Found found) {
        FoundPointer& kept = found_[spec.key()];
        kept = std::make_shared<const Found>(std::move(found));
        for (Following* each : std::vector(followings_))
            if (each->key == spec.key()) each->call(kept);
    }
    [[nodiscard]] std::size_t watch_count() const { return followings_.size(); }

    std::unique_ptr<Watch> watch(const SourceSpec& spec, OnFound on_found) override {
        return std::make_unique<Following>(*this, spec.key(), std::move(on_found));
    }
    FoundPointer known(const SourceSpec& spec) override {
        auto at = found_.find(spec.key());
        return at == found_.end() ? nullptr : at->second;
    }

  private:
    struct Following final : Watch {
        Following(SimulatedDiscovery& of, std::string of_key, OnFound on_found)
            : owner(of), key(std::move(of_key)), call(std::move(on_found)) {
            owner.followings_.push_back(this);
        }
        ~Following() override { std::erase(owner.followings_, this); }
        [[nodiscard]] SourceStatus status() const override { return {}; }
        SimulatedDiscovery& owner;
        const std::string key;
        const OnFound call;
    };
    std::map<std::string, FoundPointer> found_;
    std::vector<Following*> followings_;
};

}  // namespace upstream
