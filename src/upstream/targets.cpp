#include "upstream/targets.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "net/dns/names.h"

namespace upstream {

namespace {
std::string_view without_brackets(std::string_view host) {
    bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
    return bracketed ? host.substr(1, host.size() - 2) : host;
}

std::optional<net::IpAddress> numeric(std::string_view host) {
    auto address = net::IpAddress::parse(without_brackets(host));
    return address ? std::optional(*address) : std::nullopt;
}
}  // namespace

std::string host_text(const net::IpAddress& address) {
    return address.is_v4() ? address.text() : "[" + address.text() + "]";
}

base::Error EndpointSet::nothing_to_pick() const {
    using base::Code;
    auto error = [&](Code code, std::string why) {
        return base::Error::upstream(code, base::Retry::never, std::move(why));
    };
    if (endpoints.empty() && (source == SourceState::pending || source == SourceState::failed))
        return error(Code::no_endpoint, detail);
    if (!endpoints.empty() || target_states.empty()) return error(Code::no_endpoint, "no target may take the request");
    if (is_pending()) return error(Code::resolver_failed, "the name is still being resolved");
    bool failed = std::find(target_states.begin(), target_states.end(), TargetState::failed) != target_states.end();
    return error(failed ? Code::resolver_failed : Code::unresolved, detail);
}

bool EndpointSet::is_pending() const {
    if (source == SourceState::pending) return true;
    return std::find(target_states.begin(), target_states.end(), TargetState::pending) != target_states.end();
}

Targets::Targets(std::string upstream_id, std::vector<Target> targets, const net::dns::Overrides& overrides,
                 EndpointStates& states, CalledBy called_by)
    : upstream_id_(std::move(upstream_id)),
      targets_(std::move(targets)),
      overrides_(overrides),
      states_(states),
      called_by_(called_by) {
    find_names();
    endpoints_ = expanded();
}

void Targets::find_names() {
    std::vector<std::string> names_before = std::exchange(names_, {});
    std::vector<net::dns::RecordsPointer> records_before = std::exchange(records_, {});
    for (const Target& target : targets_) {
        if (!numeric(target.host) && overrides_.find(target.host, target.port) == nullptr)
            names_.push_back(net::dns::normal_name(target.host));
    }
    std::sort(names_.begin(), names_.end());
    names_.erase(std::unique(names_.begin(), names_.end()), names_.end());
    records_.resize(names_.size());
    for (std::size_t i = 0; i < names_.size(); ++i) {
        auto at = std::lower_bound(names_before.begin(), names_before.end(), names_[i]);
        if (at != names_before.end() && *at == names_[i])
            records_[i] = std::move(records_before[static_cast<std::size_t>(at - names_before.begin())]);
    }
}

bool Targets::set(std::vector<Target> targets, SourceState source, std::string source_detail) {
    if (targets == targets_ && source == source_ && source_detail == source_detail_) return false;
    targets_ = std::move(targets);
    source_ = source;
    source_detail_ = std::move(source_detail);
    find_names();
    endpoints_ = expanded();
    return true;
}

bool Targets::update(std::string_view name, net::dns::RecordsPointer records) {
    auto at = std::lower_bound(names_.begin(), names_.end(), name);
    if (at == names_.end() || *at != name) return false;
    net::dns::RecordsPointer& kept = records_[static_cast<std::size_t>(at - names_.begin())];
    bool is_same = kept == records || (kept && records && kept->says_the_same_as(*records));
    kept = std::move(records);
    if (is_same) return false;
    endpoints_ = expanded();
    return true;
}

EndpointSetPointer Targets::expanded() const {
    auto out = std::make_shared<EndpointSet>();
    out->targets = targets_;
    out->source = source_;
    if (source_ == SourceState::pending) out->detail = "where the targets come from has not answered yet";
    if (source_ == SourceState::failed) out->detail = source_detail_;
    for (const Target& target : targets_) {
        auto add_as = [&](const net::SocketAddress& address, std::string host, std::uint16_t port,
                          std::uint32_t weight) {
            auto number = static_cast<std::uint32_t>(out->target_states.size());
            out->endpoints.push_back(
                {address, std::move(host), port, weight, number, states_.acquire(upstream_id_, address)});
        };
        auto add = [&](const net::SocketAddress& address, std::string host) {
            add_as(address, std::move(host), target.port, target.weight);
        };
        if (const auto* said = overrides_.find(target.host, target.port)) {
            for (const net::SocketAddress& address : *said) add(address, target.host);
            out->target_states.push_back(TargetState::resolved);
            continue;
        }
        if (auto address = numeric(target.host)) {
            add({*address, target.port}, host_text(*address));
            out->target_states.push_back(TargetState::resolved);
            continue;
        }
        auto at = std::lower_bound(names_.begin(), names_.end(), net::dns::normal_name(target.host));
        const net::dns::RecordsPointer& records = records_[static_cast<std::size_t>(at - names_.begin())];
        if (records && records->is_resolved()) {
            // kong.md 7.3: of SRV records, their ports and weights count, and the target's do not; but a target that
            // was taken out stays out. Else each address has the whole weight of the target.
            for (const net::dns::ServiceAddress& service : records->services) {
                std::uint16_t port = service.port == 0 ? target.port : service.port;
                add_as({service.ip, port}, called_by_ == CalledBy::target ? target.host : service.host, port,
                       target.weight == 0 ? 0 : service.weight);
            }
            if (records->services.empty())
                for (const net::IpAddress& address : records->addresses) add({address, target.port}, target.host);
            out->target_states.push_back(TargetState::resolved);
            continue;
        }
        if (out->detail.empty()) {
            out->detail = target.host + ": " +
                          (!records                  ? "not resolved yet"
                           : records->detail.empty() ? "no address"
                                                     : records->detail);
        }
        bool is_missing = records && records->state == net::dns::Records::State::not_found;
        out->target_states.push_back(!records     ? TargetState::pending
                                     : is_missing ? TargetState::not_found
                                                  : TargetState::failed);
    }
    return out;
}

}  // namespace upstream
