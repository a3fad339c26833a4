#include "dialect/kong/rewrite.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <memory>
#include <unordered_map>

#include "dialect/kong/formats.h"

namespace kong {

using schema::Kind;
using schema::Member;
using schema::Node;

Node map_of(base::Arena& arena, const std::vector<Member>& members, schema::Mark mark) {
    auto* kept = static_cast<Member*>(arena.allocate(members.size() * sizeof(Member), alignof(Member)));
    std::uninitialized_copy(members.begin(), members.end(), kept);
    return Node::map({kept, members.size()}, mark);
}

namespace {

Node list_of(base::Arena& arena, const std::vector<Node>& items, schema::Mark mark) {
    auto* kept = static_cast<Node*>(arena.allocate(items.size() * sizeof(Node), alignof(Node)));
    std::uninitialized_copy(items.begin(), items.end(), kept);
    return Node::list({kept, items.size()}, mark);
}

// `map` with the value of one key exchanged.
Node with_value(base::Arena& arena, const Node& map, std::string_view key, const Node& value) {
    std::vector<Member> members(map.members().begin(), map.members().end());
    for (Member& member : members) {
        if (member.key.text() == key) member.value = value;
    }
    return map_of(arena, members, map.mark());
}

}  // namespace

Node merged(base::Arena& arena, const Node& own, const Node& defaults, std::size_t& budget) {
    if (!own.is(Kind::map) || !defaults.is(Kind::map)) return own;
    std::size_t cost = own.members().size() + defaults.members().size();
    if (cost > budget) {
        budget = 0;
        return own;
    }
    budget -= cost;
    std::vector<Member> members(own.members().begin(), own.members().end());
    std::unordered_map<std::string_view, std::size_t> present;
    for (std::size_t i = 0; i < members.size(); ++i) present.emplace(members[i].key.text(), i);
    for (const Member& missing : defaults.members()) {
        auto at = present.find(missing.key.text());
        if (at == present.end()) {
            members.push_back(missing);
        } else if (members[at->second].value.is(Kind::map) && missing.value.is(Kind::map)) {
            members[at->second].value = merged(arena, members[at->second].value, missing.value, budget);
        }
    }
    return map_of(arena, members, own.mark());
}

namespace {

struct Url {
    std::string_view scheme;
    std::string_view host;
    std::string_view port;
    std::string_view path;
    std::string_view ignored;  // user, query or fragment
};

// Leniently, as LuaSocket's url.parse does: what is wrong with the parts, their fields say.
Url split_url(std::string_view text) {
    Url url;
    if (std::size_t mark = text.find_first_of("?#"); mark != std::string_view::npos) {
        url.ignored = text.substr(mark);
        text = text.substr(0, mark);
    }
    std::size_t colon = text.find("://");
    if (colon != std::string_view::npos) {
        url.scheme = text.substr(0, colon);
        text.remove_prefix(colon + 3);
    } else if (text.starts_with("//")) {
        text.remove_prefix(2);
    } else {
        return url;
    }
    std::size_t slash = text.find('/');
    std::string_view authority = text.substr(0, slash);
    if (slash != std::string_view::npos) url.path = text.substr(slash);
    if (std::size_t at = authority.rfind('@'); at != std::string_view::npos) {
        url.ignored = authority.substr(0, at + 1);
        authority.remove_prefix(at + 1);
    }
    std::size_t bracket = authority.starts_with('[') ? authority.find(']') : std::string_view::npos;
    std::size_t port = authority.find(':', bracket == std::string_view::npos ? 0 : bracket);
    url.host = authority.substr(0, port);
    if (port != std::string_view::npos) url.port = authority.substr(port + 1);
    return url;
}

}  // namespace

Node with_url_split(base::Arena& arena, const Node& service, schema::Reader& reader) {
    const Node* given = service.find("url");
    if (given == nullptr || given->is_null()) return service;
    schema::Mark mark = given->mark();
    schema::Reader::Under under(reader, "url");
    if (!reader.expect(*given, Kind::text, "a string")) return service;
    Url url = split_url(given->text());
    if (!url.ignored.empty()) {
        reader.warning(mark, "the user, query or fragment of a service's url is not used", "remove it from the url");
    }
    if (url.host.empty() && url.scheme.empty()) {
        reader.problem(mark, "expected a URL with a scheme and a host", fmt::format("write http://{}", given->text()));
        url.host = "unknown";  // the fault is the url's, not the host's
    }
    std::vector<Member> members;
    for (const Member& member : service.members()) {
        std::string_view key = member.key.text();
        if (key != "url" && key != "protocol" && key != "host" && key != "port" && key != "path")
            members.push_back(member);
    }
    auto add = [&](std::string_view key, const Node& value) { members.push_back({Node::string(key, mark), value}); };
    std::int64_t port = 0;
    if (!url.port.empty()) {
        auto [end, error] = std::from_chars(url.port.data(), url.port.data() + url.port.size(), port);
        bool number = error == std::errc() && end == url.port.data() + url.port.size();
        add("port", number ? Node::integer(port, mark) : Node::string(url.port, mark));
    }
    std::string_view scheme = !url.scheme.empty() ? url.scheme : port == 443 ? "https" : port == 80 ? "http" : "";
    if (!scheme.empty()) add("protocol", Node::string(scheme, mark));
    if (url.port.empty()) add("port", Node::integer(scheme == "https" ? 443 : 80, mark));
    if (!url.host.empty()) add("host", Node::string(url.host, mark));
    if (!url.path.empty()) add("path", Node::string(url.path, mark));
    return map_of(arena, members, service.mark());
}

Node with_paths_migrated(base::Arena& arena, const Node& route) {
    const Node* paths = route.find("paths");
    if (paths == nullptr || !paths->is(Kind::list)) return route;
    std::vector<Node> items;
    for (const Node& path : paths->items()) {
        if (!path.is(Kind::text) || !path.text().starts_with('/')) {
            items.push_back(path);
        } else if (is_legacy_regex(path.text())) {
            items.push_back(Node::string(arena.join("~", path.text()), path.mark()));
        } else {
            items.push_back(Node::string(arena.copy(normalized_path(path.text())), path.mark()));
        }
    }
    return with_value(arena, route, "paths", list_of(arena, items, paths->mark()));
}

Node with_regexes_marked(base::Arena& arena, const Node& route, schema::Reader& reader) {
    const Node* paths = route.find("paths");
    if (paths == nullptr || !paths->is(Kind::list)) return route;
    std::vector<Node> items(paths->items().begin(), paths->items().end());
    bool changed = false;
    for (std::size_t i = 0; i < items.size(); ++i) {
        std::string_view path = items[i].text();
        if (!path.starts_with('/') || !is_legacy_regex(path)) continue;
        schema::Reader::Under under(reader, "paths");
        schema::Reader::Under element(reader, i);
        if (is_forgotten_regex(path)) {
            reader.warning(items[i].mark(),
                           fmt::format("'{}' is read as a regex although it does not begin with '~'", path),
                           fmt::format("write '~{}'; without the mark Kong 3 takes it literally", path));
            items[i] = Node::string(arena.join("~", path), items[i].mark());
            changed = true;
        } else if (path.find_first_of("*{}") != std::string_view::npos) {
            reader.warning(items[i].mark(), fmt::format("'{}' is matched literally, its special characters too", path),
                           "a path matches as a prefix; for a pattern write a regex that begins with '~/'");
        }
    }
    return changed ? with_value(arena, route, "paths", list_of(arena, items, paths->mark())) : route;
}

}  // namespace kong
