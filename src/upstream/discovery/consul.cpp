#include "upstream/discovery/consul.h"

#include <algorithm>
#include <charconv>
#include <variant>

#include "net/dns/names.h"
#include "schema/node.h"
#include "upstream/discovery/target_list.h"

namespace upstream::consul {

namespace {

constexpr std::string_view index_field = "X-Consul-Index";
constexpr std::string_view filtered_field = "X-Consul-Results-Filtered-By-ACLs";
constexpr std::chrono::milliseconds grace{10'000};  // beyond what the agent may take

base::Error fault(base::Code code, std::string why) { return base::Error::us(code, std::move(why)); }

std::string escaped(std::string_view text) {
    constexpr std::string_view plain = "-._~";
    constexpr std::string_view digits = "0123456789ABCDEF";
    std::string out;
    for (char c : text) {
        auto byte = static_cast<unsigned char>(c);
        bool is_plain =
            (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || plain.find(c) != plain.npos;
        if (is_plain)
            out += c;
        else
            out.append(1, '%').append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    }
    return out;
}

std::string_view text_of(const schema::Node* map, std::string_view key) {
    const schema::Node* found = map == nullptr ? nullptr : map->find(key);
    return found == nullptr ? std::string_view() : found->text();
}

enum class Condition : std::uint8_t { passing, warning, critical };

// The worst of its checks. "maintenance" and words that we do not know keep requests away.
Condition condition_of(const schema::Node& entry) {
    Condition out = Condition::passing;
    const schema::Node* checks = entry.find("Checks");
    if (checks == nullptr) return out;
    for (const schema::Node& check : checks->items()) {
        std::string_view status = text_of(&check, "Status");
        out = std::max(out, status == "passing"   ? Condition::passing
                            : status == "warning" ? Condition::warning
                                                  : Condition::critical);
    }
    return out;
}

std::uint32_t weight_of(const schema::Node& service, Condition condition) {
    const schema::Node* weights = service.find("Weights");
    const schema::Node* weight =
        weights == nullptr ? nullptr : weights->find(condition == Condition::passing ? "Passing" : "Warning");
    if (weight == nullptr || !weight->is(schema::Kind::integer)) return 1;
    return static_cast<std::uint32_t>(std::clamp<std::int64_t>(weight->as_integer(), 0, most_weight));
}

// Empty: taken, or of no interest; else why it cannot be used.
std::string take(const schema::Node& entry, bool passing_only, std::vector<Target>& out) {
    const schema::Node* service = entry.find("Service");
    if (service == nullptr || !service->is(schema::Kind::map)) return "an entry without a Service";
    Condition condition = condition_of(entry);
    if (condition == Condition::critical || (passing_only && condition != Condition::passing)) return {};
    std::string_view address = text_of(service, "Address");
    if (address.empty()) address = text_of(entry.find("Node"), "Address");  // the agent's, if it has none of its own
    std::string id(text_of(service, "ID"));
    auto ip = net::IpAddress::parse(address);
    if (!ip && !net::dns::is_host_name(address)) return id + ": no usable address";
    const schema::Node* port = service->find("Port");
    std::int64_t number = port == nullptr ? 0 : port->as_integer();
    if (number < 1 || number > 65'535) return id + ": no usable port";
    out.push_back({ip ? host_text(*ip) : std::string(address), static_cast<std::uint16_t>(number),
                   weight_of(*service, condition)});
    return {};
}

}  // namespace

net::FetchRequest question(const SourceSpec& spec, std::uint64_t index) {
    net::FetchRequest out;
    std::string_view place = spec.place;
    while (place.ends_with('/')) place.remove_suffix(1);
    out.url = std::string(place) + "/v1/health/service/" + escaped(spec.service);
    char mark = '?';
    auto add = [&](std::string_view name, std::string_view value) {
        out.url.append(1, mark).append(name).append(1, '=').append(escaped(value));
        mark = '&';
    };
    if (spec.passing_only) add("passing", "1");
    for (const std::string& tag : spec.tags) add("tag", tag);
    if (!spec.datacenter.empty()) add("dc", spec.datacenter);
    if (!spec.name_space.empty()) add("ns", spec.name_space);
    if (!spec.partition.empty()) add("partition", spec.partition);
    if (index > 0) {
        add("index", std::to_string(index));
        add("wait", std::to_string(spec.wait.count()) + "ms");
    }
    out.limits.bytes = most_bytes;
    // The agent adds up to a sixteenth to `wait`, so that not all questions end together.
    out.limits.whole = (index > 0 ? spec.wait + spec.wait / 16 : std::chrono::milliseconds(0)) + grace;
    out.limits.redirects = 0;  // the token would go along
    out.limits.is_direct = true;
    if (!spec.token.empty()) out.limits.fields.push_back("X-Consul-Token: " + spec.token);
    out.wanted = {std::string(index_field), std::string(filtered_field)};
    return out;
}

std::uint64_t next_index(const net::FetchAnswer& answer, std::uint64_t before) {
    std::string_view text = answer.header(index_field);
    std::uint64_t index = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
    if (error != std::errc() || end != text.data() + text.size()) index = 0;
    if (index == 0) return 1;  // a fault of the agent; 1 is always right to wait with
    return index < before ? 0 : index;
}

base::Result<Instances> instances(const net::FetchAnswer& answer, bool passing_only) {
    if (answer.status != 200) {
        std::string why = "status " + std::to_string(answer.status);
        if (answer.status == 403) why += ": the token may not read this service";
        return fault(base::Code::malformed, std::move(why));
    }
    schema::ParseResult parsed = schema::parse_json(answer.body, 0, {.bytes = most_bytes});
    if (auto* problem = std::get_if<schema::Problem>(&parsed))
        return fault(base::Code::malformed, "the answer is no JSON: " + problem->message);
    const schema::Node& root = std::get<schema::Tree>(parsed).root();
    if (!root.is(schema::Kind::list)) return fault(base::Code::malformed, "the answer is no list of instances");
    Instances out;
    for (const schema::Node& entry : root.items()) {
        if (out.targets.size() >= most_found_targets) {
            out.left_out = "instances beyond " + std::to_string(most_found_targets);
            break;
        }
        std::string why = take(entry, passing_only, out.targets);
        if (!why.empty() && out.left_out.empty()) out.left_out = std::move(why);
    }
    // A token that may see nothing is answered with an empty list, not with a refusal.
    if (out.targets.empty() && answer.header(filtered_field) == "true")
        return fault(base::Code::malformed, "the token may not see the instances");
    if (out.targets.empty() && !out.left_out.empty())
        return fault(base::Code::malformed, "no instance can be used: " + out.left_out);
    put_in_order(out.targets);
    return out;
}

}  // namespace upstream::consul
