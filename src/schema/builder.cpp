#include "schema/builder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <unordered_set>

#include "base/pacing.h"

namespace schema {

bool Builder::refuse(Mark mark, std::string message, std::string hint) {
    problem_ = Problem{.mark = mark, .message = std::move(message), .hint = std::move(hint)};
    return false;
}

bool Builder::wants_key() const {
    return !frames_.empty() && frames_.back().map && (pending_.size() - frames_.back().first) % 2 == 0;
}

bool Builder::open(bool map, Mark mark, std::string_view anchor) {
    if (wants_key()) return refuse(mark, "a key must be a plain text, not a list or a map");
    if (frames_.size() >= limits_.depth) {
        return refuse(mark, fmt::format("nested deeper than {} levels", limits_.depth));
    }
    if (!anchor.empty()) anchors_[std::string(anchor)] = Anchor{};
    frames_.push_back({.map = map, .mark = mark, .first = pending_.size(), .anchor = std::string(anchor)});
    return true;
}
bool Builder::open_list(Mark mark, std::string_view anchor) { return open(false, mark, anchor); }
bool Builder::open_map(Mark mark, std::string_view anchor) { return open(true, mark, anchor); }

bool Builder::add(Node node, std::uint64_t weight) {
    base::pace();
    if (++nodes_ > limits_.nodes) return refuse(node.mark(), fmt::format("more than {} values", limits_.nodes));
    if (frames_.empty()) {
        tree_.set_root(node);
        return true;
    }
    frames_.back().weight += weight;
    pending_.push_back(node);
    return true;
}

bool Builder::key(std::string_view text, Mark mark, bool merge) {
    if (merge) {
        frames_.back().merges = true;
        return add(Node::null(mark), 1);
    }
    constexpr std::size_t interned_limit = 4096;
    if (auto known = keys_.find(text); known != keys_.end()) return add(Node::string(known->second, mark), 1);
    std::string_view kept = tree_.arena().copy(text);
    if (keys_.size() < interned_limit) keys_.emplace(kept, kept);
    return add(Node::string(kept, mark), 1);
}

bool Builder::scalar(Node node, std::string_view anchor) {
    if (!anchor.empty()) anchors_[std::string(anchor)] = Anchor{.open = false, .node = node};
    return add(node, 1);
}
bool Builder::text(std::string_view text, Mark mark, std::string_view anchor) {
    return scalar(Node::string(tree_.arena().copy(text), mark), anchor);
}

bool Builder::alias(std::string_view anchor, Mark mark) {
    auto found = anchors_.find(std::string(anchor));
    if (found == anchors_.end()) return refuse(mark, fmt::format("alias '{}' names no anchor before it", anchor));
    if (found->second.open) return refuse(mark, fmt::format("alias '{}' stands inside its own anchor", anchor));
    if (wants_key()) {
        if (!found->second.node.is(Kind::text)) return refuse(mark, "a key must be a plain text, not a list or a map");
        return key(found->second.node.text(), mark);
    }
    alias_nodes_ += found->second.weight;
    if (alias_nodes_ > limits_.alias_nodes) {
        return refuse(mark, fmt::format("aliases write out to more than {} values", limits_.alias_nodes),
                      "write the repeated part once, or raise the limit if this is meant");
    }
    return add(found->second.node, found->second.weight);
}

bool Builder::close() {
    Frame frame = std::move(frames_.back());
    frames_.pop_back();
    Node made;
    if (frame.map) {
        if (!close_map(frame, made)) return false;
    } else {
        std::size_t count = pending_.size() - frame.first;
        auto* items = static_cast<Node*>(tree_.arena().allocate(count * sizeof(Node), alignof(Node)));
        std::uninitialized_copy_n(pending_.begin() + static_cast<std::ptrdiff_t>(frame.first), count, items);
        made = Node::list({items, count}, frame.mark);
    }
    pending_.resize(frame.first);
    if (!frame.anchor.empty()) {
        anchors_[frame.anchor] = Anchor{.open = false, .node = made, .weight = frame.weight};
    }
    return add(made, frame.weight);
}

bool Builder::close_map(const Frame& frame, Node& made) {
    std::size_t count = (pending_.size() - frame.first) / 2;
    std::vector<Member> members;
    members.reserve(count);
    for (std::size_t i = 0; i < count; ++i) {
        const Node& name = pending_[frame.first + 2 * i];
        if (!name.is_null()) members.push_back({name, pending_[frame.first + 2 * i + 1]});
    }
    if (!check_unique(members)) return false;
    if (frame.merges) {
        // YAML merge key: what the map says itself wins, then the earlier of the merged maps.
        std::size_t own = members.size();
        for (std::size_t i = 0; i < count; ++i) {
            const Node value = pending_[frame.first + 2 * i + 1];
            if (pending_[frame.first + 2 * i].is_null() && !merge(value, members, own)) return false;
        }
    }
    auto* kept = static_cast<Member*>(tree_.arena().allocate(members.size() * sizeof(Member), alignof(Member)));
    std::uninitialized_copy(members.begin(), members.end(), kept);
    made = Node::map({kept, members.size()}, frame.mark);
    return true;
}

bool Builder::merge(const Node& value, std::vector<Member>& into, std::size_t own) {
    if (value.is(Kind::list)) {
        for (const Node& item : value.items()) {
            if (!item.is(Kind::map)) return refuse(item.mark(), "the merge key '<<' takes a map or a list of maps");
            if (!merge(item, into, own)) return false;
        }
        return true;
    }
    if (!value.is(Kind::map)) return refuse(value.mark(), "the merge key '<<' takes a map or a list of maps");
    alias_nodes_ += value.members().size();
    if (alias_nodes_ > limits_.alias_nodes) {
        return refuse(value.mark(), fmt::format("aliases write out to more than {} values", limits_.alias_nodes));
    }
    std::unordered_set<std::string_view> present;
    for (const Member& member : into) present.insert(member.key.text());
    for (const Member& member : value.members()) {
        if (present.insert(member.key.text()).second) into.push_back(member);
    }
    return true;
}

bool Builder::check_unique(const std::vector<Member>& members) {
    auto refuse_pair = [this](const Member& first, const Member& second) {
        return refuse(second.key.mark(),
                      fmt::format("duplicate key '{}' (the first stands at {}:{})", second.key.text(),
                                  first.key.mark().line, first.key.mark().column),
                      "remove one of the two");
    };
    constexpr std::size_t small = 24;
    if (members.size() <= small) {
        for (std::size_t i = 1; i < members.size(); ++i) {
            for (std::size_t j = 0; j < i; ++j) {
                if (members[i].key.text() == members[j].key.text()) return refuse_pair(members[j], members[i]);
            }
        }
        return true;
    }
    std::unordered_map<std::string_view, const Member*> seen;
    for (const Member& member : members) {
        auto [at, fresh] = seen.emplace(member.key.text(), &member);
        if (!fresh) return refuse_pair(*at->second, member);
    }
    return true;
}

Tree Builder::take() { return std::move(tree_); }

}  // namespace schema
