// Regex: one compiled pattern of a rule, on RE2 (linear time) where RE2 can express it, else on PCRE2 with JIT and
// limits. Immutable after compile and safe from any thread; PCRE2's scratch memory is per thread. Used by the router
// only.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "route/rule.h"

namespace re2 {
class RE2;
}
struct pcre2_real_code_8;

namespace route {

struct CaptureName {
    std::string name;
    std::uint16_t group = 0;
};

// Group 0 is the whole match.
struct Captures {
    std::array<std::string_view, max_capture_groups + 1> groups;
    std::size_t count = 0;
};

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
    [[nodiscard]] bool is_linear() const { return re2_ != nullptr; }
    [[nodiscard]] std::size_t memory_bytes() const;

  private:
    Regex();
    struct FreeCode {
        void operator()(pcre2_real_code_8* code) const;
    };
    std::unique_ptr<re2::RE2> re2_;
    std::unique_ptr<pcre2_real_code_8, FreeCode> pcre2_;
    std::vector<CaptureName> names_;
    std::uint16_t groups_ = 0;
    Mode mode_ = Mode::at_start;
};

}  // namespace route
