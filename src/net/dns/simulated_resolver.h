// A resolver for tests: the names and what they resolve to are set by the test, and call backs run when the test says
// so, in the order in which they became due. One thread. A name that was never set is pending, as one whose server is
// slow.
#pragma once

#include <deque>
#include <map>
#include <string>
#include <vector>

#include "net/dns/names.h"
#include "net/dns/resolver.h"

namespace net::dns {

class SimulatedResolver final : public Resolver {
  public:
    void set(std::string_view name, Records records) {
        std::string key = normal_name(name);
        RecordsPointer& known = records_[key];
        bool is_news = !known || !known->says_the_same_as(records);
        known = std::make_shared<const Records>(std::move(records));
        if (is_news) {
            for (WatchedName* watch : watches_)
                if (watch->name == key) due_.push_back({watch, nullptr, known});
        }
        auto [first, last] = waiting_.equal_range(key);
        for (auto at = first; at != last; ++at) due_.push_back({nullptr, std::move(at->second), known});
        waiting_.erase(first, last);
    }
    void set(std::string_view name, std::vector<IpAddress> addresses) {
        set(name, Records{Records::State::resolved, std::move(addresses), {}});
    }

    // As by SRV records.
    void set_services(std::string_view name, std::vector<ServiceAddress> services) {
        Records records{Records::State::resolved, {}, {}, std::move(services)};
        for (const ServiceAddress& service : records.services) records.addresses.push_back(service.ip);
        set(name, std::move(records));
    }

    // Runs what is due; returns how many calls that were.
    std::size_t run() {
        std::size_t calls = 0;
        while (!due_.empty()) {
            ++calls;
            Due next = std::move(due_.front());
            due_.pop_front();
            if (next.once) {
                next.once(std::move(next.records));
            } else {
                OnRecords call = next.watch->call;  // a copy, since the call may end the watch
                call(std::move(next.records));
            }
        }
        return calls;
    }
    [[nodiscard]] std::size_t watch_count() const { return watches_.size(); }

    std::unique_ptr<Watch> watch(std::string_view name, OnRecords on_change) override {
        auto out = std::make_unique<WatchedName>(*this, normal_name(name), std::move(on_change));
        if (RecordsPointer records = known(name)) due_.push_back({out.get(), nullptr, std::move(records)});
        return out;
    }
    void resolve(std::string_view name, OnRecords on_records) override {
        if (RecordsPointer records = known(name))
            due_.push_back({nullptr, std::move(on_records), std::move(records)});
        else
            waiting_.emplace(normal_name(name), std::move(on_records));
    }
    RecordsPointer known(std::string_view name) override {
        auto at = records_.find(normal_name(name));
        return at == records_.end() ? nullptr : at->second;
    }

  private:
    struct WatchedName final : Watch {
        WatchedName(SimulatedResolver& owner_, std::string name_, OnRecords call_)
            : owner(owner_), name(std::move(name_)), call(std::move(call_)) {
            owner.watches_.push_back(this);
        }
        ~WatchedName() override {
            std::erase(owner.watches_, this);
            std::erase_if(owner.due_, [&](const Due& due) { return due.watch == this; });
        }
        SimulatedResolver& owner;
        std::string name;
        OnRecords call;
    };
    struct Due {
        WatchedName* watch;  // or
        OnRecords once;
        RecordsPointer records;
    };
    std::map<std::string, RecordsPointer> records_;
    std::vector<WatchedName*> watches_;
    std::multimap<std::string, OnRecords> waiting_;
    std::deque<Due> due_;
};

}  // namespace net::dns
