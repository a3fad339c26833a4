#include "schema/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <tuple>

namespace schema {

void Problems::add(Problem problem) {
    (problem.severity == Severity::error ? errors_ : warnings_)++;
    // An error is never pushed out by warnings.
    if (list_.size() < limit || (problem.severity == Severity::error && errors_ <= limit)) {
        list_.push_back(std::move(problem));
    }
}

namespace {

auto place_of(const Mark& mark) { return std::tuple(mark.file, mark.line, mark.column); }

// What is said of a record as a whole may only follow from a slip of the pen inside of it: how deep that record lies.
std::optional<std::size_t> depth_of_record(const Problem& problem) {
    if (problem.about_entity) return problem.path.size();
    if (problem.message == "required field missing" && !problem.path.empty()) return problem.path.size() - 1;
    return {};
}

bool may_cause(const Problem& cause, const Problem& problem, std::size_t depth) {
    return depth > 0 && cause.message == "unknown field" && cause.mark.file == problem.mark.file &&
           cause.path.size() > depth &&
           std::equal(cause.path.begin(), cause.path.begin() + static_cast<std::ptrdiff_t>(depth),
                      problem.path.begin());
}

}  // namespace

void Problems::sort() {
    struct Placed {
        Mark mark;
        bool is_moved = false;
        std::size_t index = 0;
        [[nodiscard]] auto key() const { return std::tuple(mark.file, mark.line, mark.column, is_moved, index); }
    };
    std::vector<Placed> order;
    for (const Problem& problem : list_) {
        Placed& placed = order.emplace_back(Placed{problem.mark, false, order.size()});
        std::optional<std::size_t> depth = depth_of_record(problem);
        if (!depth) continue;
        for (const Problem& cause : list_) {
            if (!may_cause(cause, problem, *depth)) continue;
            if (place_of(cause.mark) < place_of(placed.mark)) continue;
            placed.mark = cause.mark;
            placed.is_moved = true;
        }
    }
    std::sort(order.begin(), order.end(), [](const Placed& one, const Placed& two) { return one.key() < two.key(); });
    std::vector<Problem> sorted;
    sorted.reserve(list_.size());
    for (const Placed& placed : order) sorted.push_back(std::move(list_[placed.index]));
    list_ = std::move(sorted);
}

namespace {

bool is_plain(std::string_view key) {
    return !key.empty() && std::all_of(key.begin(), key.end(), [](unsigned char c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
               c == '@';
    });
}

std::string file_name(const Mark& mark, const std::vector<std::string>& files) {
    return mark.file < files.size() ? files[mark.file] : std::string("document");
}

// One node of Kong's error table.
struct Entry {
    std::vector<std::pair<Step, std::unique_ptr<Entry>>> children;
    std::vector<std::string> messages;
    Entry& child(const Step& step) {
        for (auto& [at, entry] : children) {
            if (at == step) return *entry;
        }
        children.emplace_back(step, std::make_unique<Entry>());
        return *children.back().second;
    }
};

void print_entry(const Entry& entry, const std::string& parent, const std::string& indent, std::string& out) {
    for (const auto& [step, child] : entry.children) {
        std::string head = step.key.empty() ? fmt::format("{}- in entry {} of '{}'", indent, step.index + 1, parent)
                                            : fmt::format("{}in '{}'", indent, step.key);
        for (const std::string& message : child->messages) out += fmt::format("{}: {}\n", head, message);
        if (child->children.empty()) continue;
        out += head + ":\n";
        print_entry(*child, step.key.empty() ? std::to_string(step.index + 1) : step.key, indent + "  ", out);
    }
}

}  // namespace

std::string text(const Path& path) {
    std::string out;
    for (const Step& step : path) {
        if (step.key.empty()) {
            out += fmt::format("[{}]", step.index);
        } else if (is_plain(step.key)) {
            if (!out.empty()) out += '.';
            out += step.key;
        } else {
            out += fmt::format("[{}]", json_quoted(step.key));
        }
    }
    return out;
}

std::string print_human(const Problems& problems, const std::vector<std::string>& files) {
    std::string out;
    for (const Problem& problem : problems.list()) {
        std::string where = file_name(problem.mark, files);
        if (problem.mark.line != 0) where += fmt::format(":{}:{}", problem.mark.line, problem.mark.column);
        std::string path = text(problem.path);
        out += fmt::format("{}: {}: {}{}{}\n", where, problem.severity == Severity::error ? "error" : "warning", path,
                           path.empty() ? "" : ": ", problem.message);
        if (!problem.hint.empty()) out += fmt::format("    {}\n", problem.hint);
    }
    std::size_t total = problems.errors() + problems.warnings();
    if (total == 0) return out;
    if (total > problems.list().size()) out += fmt::format("... and {} more\n", total - problems.list().size());
    auto count = [](std::size_t number, std::string_view word) {
        return fmt::format("{} {}{}", number, word, number == 1 ? "" : "s");
    };
    out += fmt::format("{}, {}\n", count(problems.errors(), "error"), count(problems.warnings(), "warning"));
    return out;
}

std::string print_json(const Problems& problems, const std::vector<std::string>& files) {
    std::string out = fmt::format("{{\n  \"errors\": {},\n  \"warnings\": {},\n  \"problems\": [", problems.errors(),
                                  problems.warnings());
    bool first = true;
    for (const Problem& problem : problems.list()) {
        out += fmt::format(
            "{}\n    {{\"severity\": \"{}\", \"file\": {}, \"line\": {}, \"column\": {}, \"path\": {}, \"message\": "
            "{}, \"hint\": {}}}",
            first ? "" : ",", problem.severity == Severity::error ? "error" : "warning",
            json_quoted(file_name(problem.mark, files)), problem.mark.line, problem.mark.column,
            json_quoted(text(problem.path)), json_quoted(problem.message), json_quoted(problem.hint));
        first = false;
    }
    return out + (first ? "]\n}\n" : "\n  ]\n}\n");
}

std::string print_kong(const Problems& problems) {
    Entry root;
    std::map<std::string, std::uint32_t> entity_errors;
    // Kong looks at uniqueness and references only once every entity is well by itself.
    bool entities_are_well = std::all_of(problems.list().begin(), problems.list().end(), [](const Problem& problem) {
        return problem.severity != Severity::error || !problem.tree.empty();
    });
    for (const Problem& problem : problems.list()) {
        if (problem.severity != Severity::error) continue;
        if (!entities_are_well && !problem.tree.empty()) continue;
        const Path& path = problem.tree.empty() ? problem.path : problem.tree;
        Entry* at = &root;
        for (const Step& step : path) at = &at->child(step);
        if (problem.about_entity) {
            at = &at->child({.key = "@entity"}).child({.index = entity_errors[text(path)]++});
        }
        at->messages.push_back(problem.message);
    }
    std::string out;
    for (const std::string& message : root.messages) out += message + "\n";
    print_entry(root, "", "", out);
    return out;
}

std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates) {
    constexpr std::size_t longest = 64;
    if (word.empty() || word.size() > longest) return {};
    // A third of the word may be wrong; a swap of neighbours counts as one slip.
    std::size_t best = word.size() / 3 + 1;
    std::string_view found;
    for (std::string_view candidate : candidates) {
        if (candidate.size() > longest) continue;
        std::vector<std::size_t> before;
        std::vector<std::size_t> last(candidate.size() + 1);
        std::vector<std::size_t> row(candidate.size() + 1);
        for (std::size_t j = 0; j <= candidate.size(); ++j) last[j] = j;
        for (std::size_t i = 1; i <= word.size(); ++i) {
            row[0] = i;
            for (std::size_t j = 1; j <= candidate.size(); ++j) {
                row[j] =
                    std::min({last[j] + 1, row[j - 1] + 1, last[j - 1] + (word[i - 1] == candidate[j - 1] ? 0 : 1)});
                if (i > 1 && j > 1 && word[i - 1] == candidate[j - 2] && word[i - 2] == candidate[j - 1]) {
                    row[j] = std::min(row[j], before[j - 2] + 1);
                }
            }
            before = last;
            last = row;
        }
        if (last.back() < best) {
            best = last.back();
            found = candidate;
        }
    }
    return found;
}

std::string json_quoted(std::string_view text) {
    std::string out = "\"";
    for (char c : text) {
        switch (c) {
            case '"':
                out += "\\\"";
                break;
            case '\\':
                out += "\\\\";
                break;
            case '\n':
                out += "\\n";
                break;
            case '\t':
                out += "\\t";
                break;
            case '\r':
                out += "\\r";
                break;
            default:
                if (static_cast<unsigned char>(c) < 0x20) {
                    out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
                } else {
                    out += c;
                }
        }
    }
    return out + "\"";
}

}  // namespace schema
