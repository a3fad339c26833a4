// Regex: one compiled pattern of a rule. Simple patterns run on a program of a few bytes, others on RE2 (linear time),
// and what RE2 cannot express on PCRE2 with JIT and limits. Immutable after compile and safe from any thread; PCRE2's
// scratch memory is per thread. Used by the router only.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "route/captures.h"
#include "route/rule.h"
#include "route/simple_pattern.h"

namespace re2 {
class RE2;
}
struct pcre2_real_code_8;

namespace route {

class Regex {
  public:
    enum class Mode : std::uint8_t {
        at_start,         // case matters, begins where the match begins
        search_caseless,  // anywhere
    };
    enum class Outcome : std::uint8_t { matches, differs, limited };

    // `(?<name>...)` and `(?P<name>...)` are the same. The error's detail is the compiler's message.
    static base::Result<Regex> compile(std::string_view pattern, Mode mode);

    Regex(Regex&&) noexcept;
    Regex& operator=(Regex&&) noexcept;
    ~Regex();

    // Matches `text` from byte `from` on; what lies before is seen by look-behind and \b only. Mode::at_start fills
    // `captures` on a match (group 0 begins at `from`).
    [[nodiscard]] Outcome match(std::string_view text, std::size_t from, Captures* captures) const;
    [[nodiscard]] const std::vector<CaptureName>& names() const { return names_; }
    [[nodiscard]] bool is_linear() const { return !std::holds_alternative<Backtracking>(engine_); }
    [[nodiscard]] bool is_simple() const { return std::holds_alternative<SimplePattern>(engine_); }
    [[nodiscard]] std::size_t memory_bytes() const;

  private:
    struct FreeCode {
        void operator()(pcre2_real_code_8* code) const;
    };
    using Linear = std::unique_ptr<re2::RE2>;
    using Backtracking = std::unique_ptr<pcre2_real_code_8, FreeCode>;
    using Engine = std::variant<Linear, Backtracking, SimplePattern>;

    Regex(Engine engine, Mode mode, std::size_t groups, std::vector<CaptureName> names);
    static base::Result<Regex> compile_backtracking(const std::string& pattern, Mode mode);
    [[nodiscard]] Outcome match_linear(const re2::RE2& engine, std::string_view text, std::size_t from,
                                       Captures* captures) const;
    [[nodiscard]] Outcome match_backtracking(const pcre2_real_code_8* engine, std::string_view text, std::size_t from,
                                             Captures* captures) const;

    Engine engine_;
    std::vector<CaptureName> names_;
    std::uint16_t groups_ = 0;
    Mode mode_ = Mode::at_start;
};

}  // namespace route
