// Problem: one thing that is wrong with a document, where it stands, in whose words, and how to mend it.
// Made by the parsers, the fields and the dialects; printed for people, for programs and in Kong's own text form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace schema {

// A place in a file; line and column count from 1, 0 = unknown.
struct Mark {
    std::uint32_t line = 0;
    std::uint32_t byte = 0;
    std::uint16_t column = 0;  // 65535 = that or more
    std::uint16_t file = 0;
};

enum class Severity : std::uint8_t { error, warning };

// One step of a path: a key, or an index if the key is empty.
struct Step {
    std::string key;
    std::uint32_t index = 0;
    bool operator==(const Step&) const = default;
};
using Path = std::vector<Step>;

struct Problem {
    Severity severity = Severity::error;
    Mark mark;
    Path path;
    std::string message;  // in Kong's words where Kong has words for it
    std::string hint;     // how to mend it; may be empty
    Path tree;            // where Kong's text form shows it, if not at `path`
    // Kong hangs rules over several fields on the entity, under `@entity`.
    bool about_entity = false;
};

// Collects problems up to a limit, so that a hostile document cannot make the report larger than itself.
class Problems {
  public:
    static constexpr std::size_t limit = 1000;

    void add(Problem problem);
    // By place; of one place in the order of their coming.
    void sort();
    [[nodiscard]] bool has_errors() const { return errors_ > 0; }
    [[nodiscard]] std::size_t errors() const { return errors_; }
    [[nodiscard]] std::size_t warnings() const { return warnings_; }
    [[nodiscard]] const std::vector<Problem>& list() const { return list_; }

  private:
    std::vector<Problem> list_;
    std::size_t errors_ = 0;
    std::size_t warnings_ = 0;
};

// `services[2].routes[0].paths[1]`; keys that are no plain word are quoted: `headers["x.y"]`.
[[nodiscard]] std::string text(const Path& path);

// `file:line:column: error: path: message`, the hint below, a summary line at the end; empty if there is nothing to
// say.
[[nodiscard]] std::string print_human(const Problems& problems, const std::vector<std::string>& files);
// {"errors":n,"warnings":n,"problems":[{severity,file,line,column,path,message,hint}]}
[[nodiscard]] std::string print_json(const Problems& problems, const std::vector<std::string>& files);
// Kong's indented form of the errors (not the warnings), as `kong config parse` prints it after "Failed parsing:".
[[nodiscard]] std::string print_kong(const Problems& problems);

// The candidate nearest to `word` if it is near enough to be a slip of the pen; else empty.
[[nodiscard]] std::string_view nearest(std::string_view word, const std::vector<std::string_view>& candidates);

// A JSON string literal with its quotes.
[[nodiscard]] std::string json_quoted(std::string_view text);

}  // namespace schema
