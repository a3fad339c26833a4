// What must hold of any pattern on any text: taking its literal beginning off, and whichever engine Regex then chooses,
// changes nothing against RE2 on the whole pattern. Shared by the fuzz target and the unit test that replays its seeds.
#pragma once

#include <re2/re2.h>

#include <string>
#include <string_view>

#include "base/ensure.h"
#include "route/literal.h"
#include "route/regex.h"

namespace route {

// `input` is the pattern, a line feed, the text.
inline void check_pattern(std::string_view input) {
    std::size_t line = input.find('\n');
    std::string pattern(input.substr(0, std::min<std::size_t>(line, 64)));
    std::string text(line == input.npos ? std::string_view() : input.substr(line + 1, 256));
    LiteralPrefix split = literal_prefix(pattern);
    auto rest = Regex::compile(split.rest, Regex::Mode::at_start);
    Captures captures;
    bool begins = text.starts_with(split.text);
    bool matches = false;
    if (rest && begins) {
        matches = rest->match(text, split.text.size(), &captures) == Regex::Outcome::matches;
    }
    if (matches) {
        for (const std::string& run : required_literals(split.rest)) {
            ensure(text.find(run, split.text.size()) != text.npos, pattern, text, run);
        }
    }
    re2::RE2::Options quiet;
    quiet.set_log_errors(false);
    quiet.set_max_mem(1 << 20);
    re2::RE2 whole(pattern, quiet);
    if (!whole.ok() || whole.NumberOfCapturingGroups() > static_cast<int>(max_capture_groups)) return;
    ensure(rest.ok(), pattern);
    re2::StringPiece found[max_capture_groups + 1];
    int groups = whole.NumberOfCapturingGroups() + 1;
    bool expected = whole.Match(text, 0, text.size(), re2::RE2::ANCHOR_START, found, groups);
    ensure(matches == expected, pattern, text, matches);
    if (!matches) return;
    ensure(captures.count == static_cast<std::size_t>(groups), pattern);
    ensure(captures.groups[0].size() + split.text.size() == found[0].size(), pattern, text);
    for (int i = 1; i < groups; ++i) {
        std::string_view wanted(found[i].data(), found[i].size());
        ensure(captures.groups[static_cast<std::size_t>(i)] == wanted, pattern, text, i);
    }
}

}  // namespace route
