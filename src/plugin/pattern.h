// Pattern: a regex that an operator wrote in a plugin's settings, case-sensitive, matched against a whole text or
// searched in it. Runs on the router's engines (route/regex.h): linear time, or steps with a limit.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "route/regex.h"

namespace plugin {

class Pattern {
  public:
    enum class Extent : std::uint8_t { whole, anywhere };

    static base::Result<Pattern> compile(std::string_view text, Extent extent);

    // `limited`: the engine gave up; the caller decides what is safe.
    using Outcome = route::Regex::Outcome;
    [[nodiscard]] Outcome match(std::string_view text) const { return regex_.match(text, 0, nullptr); }
    [[nodiscard]] bool matches(std::string_view text) const { return match(text) == Outcome::matches; }

    // "not a valid regex: ..." for a field's error, or nothing.
    static std::string fault(std::string_view text);

  private:
    explicit Pattern(route::Regex regex) : regex_(std::move(regex)) {}
    route::Regex regex_;
};

}  // namespace plugin
