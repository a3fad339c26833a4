#include "upstream/discovery/target_list.h"

#include <algorithm>
#include <charconv>
#include <tuple>
#include <variant>

#include "net/dns/names.h"
#include "schema/field.h"
#include "schema/node.h"
#include "schema/reader.h"

namespace upstream {

namespace {

base::Error fault(std::string why) { return base::Error::us(base::Code::invalid, std::move(why)); }

constexpr std::string_view target_shape = "expected host:port";

std::string target_fault(std::string_view text) { return parse_target(text) ? "" : std::string(target_shape); }

struct Item {
    std::string target;
    std::int32_t weight = 100;
    static constexpr auto fields() {
        return schema::fields(
            schema::field("target", &Item::target, "Host and port.").required().matches({"", target_fault}),
            schema::field("weight", &Item::weight, "Its weight.").between(0, most_weight));
    }
};

void read_item(const schema::Node& node, schema::Reader& reader, std::vector<Target>& out) {
    Item item;
    if (node.is(schema::Kind::text)) {
        item.target = node.text();
        if (!parse_target(item.target)) return reader.problem(node.mark(), std::string(target_shape));
    } else if (!reader.expect(node, schema::Kind::map, "a target or {target, weight}") ||
               !schema::record_of<Item>().read(&item, node, reader)) {
        return;
    }
    if (auto target = parse_target(item.target)) {
        target->weight = static_cast<std::uint32_t>(item.weight);
        out.push_back(std::move(*target));
    }
}

// The whole report on one line, for the log.
base::Error fault_of(const schema::Problems& problems, const std::string& name) {
    std::string out;
    std::size_t told = 0;
    for (const schema::Problem& problem : problems.list()) {
        if (problem.severity != schema::Severity::error) continue;
        if (++told > 5) break;
        if (!out.empty()) out += "; ";
        out += name + ":";
        if (problem.mark.line != 0)
            out += std::to_string(problem.mark.line) + ":" + std::to_string(problem.mark.column) + ":";
        out += " ";
        if (!problem.path.empty()) out += schema::text(problem.path) + ": ";
        out += problem.message;
    }
    if (problems.errors() > told) out += "; and more";
    return fault(std::move(out));
}

}  // namespace

base::Result<Target> parse_target(std::string_view text) {
    Target out;
    std::string_view host = text;
    std::string_view port;
    std::size_t colon = text.rfind(':');
    bool is_v6 = text.starts_with('[');
    if (is_v6) {
        std::size_t end = text.find(']');
        if (end == text.npos || (end + 1 < text.size() && text[end + 1] != ':'))
            return fault(std::string(target_shape));
        host = text.substr(0, end + 1);
        if (end + 1 < text.size()) port = text.substr(end + 2);
    } else if (colon != text.npos) {
        host = text.substr(0, colon);
        port = text.substr(colon + 1);
    }
    if (host.size() < text.size()) {
        auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), out.port);
        if (error != std::errc() || end != port.data() + port.size() || out.port == 0)
            return fault(std::string(target_shape));
    }
    std::string_view bare = is_v6 ? host.substr(1, host.size() - 2) : host;
    auto address = net::IpAddress::parse(bare);
    bool is_right = is_v6 ? address && bare.find(':') != bare.npos : address || net::dns::is_host_name(host);
    if (!is_right) return fault(std::string(target_shape));
    out.host = address ? host_text(*address) : std::string(host);
    return out;
}

void put_in_order(std::vector<Target>& targets) {
    // Of one that is listed twice, the higher weight.
    auto before = [](const Target& a, const Target& b) {
        return std::tie(a.host, a.port, b.weight) < std::tie(b.host, b.port, a.weight);
    };
    auto same = [](const Target& a, const Target& b) { return a.host == b.host && a.port == b.port; };
    std::sort(targets.begin(), targets.end(), before);
    targets.erase(std::unique(targets.begin(), targets.end(), same), targets.end());
}

base::Result<std::vector<Target>> parse_target_list(std::string_view text, ListForm form, const std::string& name) {
    schema::Limits limits{.bytes = most_list_bytes, .nodes = 8 * most_found_targets, .alias_nodes = most_found_targets};
    schema::ParseResult parsed =
        form == ListForm::json ? schema::parse_json(text, 0, limits) : schema::parse_yaml(text, 0, limits);
    schema::Problems problems;
    if (auto* problem = std::get_if<schema::Problem>(&parsed)) {
        problems.add(std::move(*problem));
        return fault_of(problems, name);
    }
    const schema::Node& root = std::get<schema::Tree>(parsed).root();
    schema::Reader reader(problems);
    std::vector<Target> out;
    const schema::Node* list = &root;
    if (root.is(schema::Kind::map)) {
        for (const schema::Member& member : root.members())
            if (member.key.text() != "targets") reader.problem(member.key.mark(), "unknown field: expected targets");
        list = root.find("targets");
        if (list == nullptr) reader.problem(root.mark(), "expected a list of targets");
    }
    if (list != nullptr && reader.expect(*list, schema::Kind::list, "a list of targets")) {
        if (list->items().size() > most_found_targets)
            reader.problem(list->mark(), "more than " + std::to_string(most_found_targets) + " targets");
        else
            for (std::size_t i = 0; i < list->items().size(); ++i) {
                schema::Reader::Under under(reader, i);
                read_item(list->items()[i], reader, out);
            }
    }
    if (problems.has_errors()) return fault_of(problems, name);
    put_in_order(out);
    return out;
}

}  // namespace upstream
