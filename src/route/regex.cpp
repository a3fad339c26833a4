#include "route/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <re2/re2.h>

#include <algorithm>

namespace route {
namespace {

// RE2: bounds the compiled program and, were it ever used, its automaton's cache.
constexpr std::int64_t re2_memory = 1 << 20;
// PCRE2 gives up after so many steps: a fraction of a millisecond of the worst pattern.
constexpr std::uint32_t step_limit = 20'000;
constexpr std::uint32_t depth_limit = 1'000;
constexpr std::uint32_t heap_limit_kib = 256;
constexpr std::size_t jit_stack = 128 << 10;
// RE2 does not tell its size; measured on short path patterns: a fixed part and one for each instruction.
constexpr std::size_t re2_fixed_bytes = 1200;
constexpr std::size_t re2_instruction_bytes = 60;

// Kong's dialects write (?<name>...), this RE2 knows only (?P<name>...). Look-behind, (?<= and (?<!, stays as it is.
std::string with_p_names(std::string_view pattern) {
    std::string out;
    bool in_class = false;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        char c = pattern[i];
        out += c;
        if (c == '\\' && i + 1 < pattern.size()) {
            out += pattern[++i];
        } else if (c == '[' && !in_class) {
            in_class = true;
            if (i + 1 < pattern.size() && pattern[i + 1] == '^') out += pattern[++i];
            if (i + 1 < pattern.size() && pattern[i + 1] == ']') out += pattern[++i];
        } else if (c == '[' && in_class && pattern.substr(i).starts_with("[:")) {
            if (std::size_t close = pattern.find(":]", i + 2); close != pattern.npos) {
                out += pattern.substr(i + 1, close + 1 - i);
                i = close + 1;
            }
        } else if (c == ']') {
            in_class = false;
        } else if (c == '(' && !in_class && pattern.substr(i).starts_with("(?<") && i + 3 < pattern.size() &&
                   pattern[i + 3] != '=' && pattern[i + 3] != '!') {
            out += "?P";
            ++i;  // the '?'; '<' follows by itself
        }
    }
    return out;
}

base::Error faulty(std::string detail) { return base::Error::us(base::Code::invalid, std::move(detail)); }
base::Error too_many(std::size_t groups) {
    return faulty(fmt::format("{} groups, of which at most {} are captured", groups, max_capture_groups));
}

// PCRE2's scratch of one thread: results, limits and the stack of compiled code.
struct Scratch {
    Scratch()
        : results(pcre2_match_data_create(max_capture_groups + 1, nullptr)),
          context(pcre2_match_context_create(nullptr)),
          stack(pcre2_jit_stack_create(16 << 10, jit_stack, nullptr)) {
        ensure(results != nullptr && context != nullptr);
        pcre2_set_match_limit(context, step_limit);
        pcre2_set_depth_limit(context, depth_limit);
        pcre2_set_heap_limit(context, heap_limit_kib);
        if (stack != nullptr) pcre2_jit_stack_assign(context, nullptr, stack);
    }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    ~Scratch() {
        pcre2_jit_stack_free(stack);
        pcre2_match_context_free(context);
        pcre2_match_data_free(results);
    }
    pcre2_match_data* results;
    pcre2_match_context* context;
    pcre2_jit_stack* stack;
};

Scratch& scratch() {
    thread_local Scratch of_this_thread;
    return of_this_thread;
}

std::string_view view(re2::StringPiece piece) { return {piece.data(), piece.size()}; }

std::vector<CaptureName> names_of(const pcre2_code* code) {
    std::uint32_t count = 0;
    std::uint32_t entry_size = 0;
    PCRE2_SPTR table = nullptr;
    pcre2_pattern_info(code, PCRE2_INFO_NAMECOUNT, &count);
    pcre2_pattern_info(code, PCRE2_INFO_NAMEENTRYSIZE, &entry_size);
    pcre2_pattern_info(code, PCRE2_INFO_NAMETABLE, &table);
    std::vector<CaptureName> names;
    for (std::uint32_t i = 0; i < count; ++i, table += entry_size) {
        auto group = static_cast<std::uint16_t>(table[0] << 8 | table[1]);
        names.push_back({reinterpret_cast<const char*>(table + 2), group});
    }
    return names;
}

}  // namespace

Regex::Regex(Engine engine, Mode mode, std::size_t groups, std::vector<CaptureName> names)
    : engine_(std::move(engine)), names_(std::move(names)), groups_(static_cast<std::uint16_t>(groups)), mode_(mode) {
    names_.shrink_to_fit();
}
Regex::Regex(Regex&&) noexcept = default;
Regex& Regex::operator=(Regex&&) noexcept = default;
Regex::~Regex() = default;

void Regex::FreeCode::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

base::Result<Regex> Regex::compile(std::string_view pattern, Mode mode) {
    if (pattern.size() > max_path_pattern) return faulty(fmt::format("longer than {} bytes", max_path_pattern));
    std::vector<CaptureName> names;
    if (mode == Mode::at_start) {
        if (auto simple = SimplePattern::compile(pattern, names)) {
            std::size_t groups = simple->groups();
            return Regex(std::move(*simple), mode, groups, std::move(names));
        }
    }
    std::string text = with_p_names(pattern);
    re2::RE2::Options options;
    options.set_log_errors(false);
    options.set_max_mem(re2_memory);
    options.set_case_sensitive(mode == Mode::at_start);
    auto linear = std::make_unique<re2::RE2>(text, options);
    if (!linear->ok()) return compile_backtracking(text, mode);
    auto groups = static_cast<std::size_t>(linear->NumberOfCapturingGroups());
    if (groups > max_capture_groups) return too_many(groups);
    if (text.find("(?P<") != text.npos) {
        for (const auto& [name, group] : linear->NamedCapturingGroups()) {
            names.push_back({name, static_cast<std::uint16_t>(group)});
        }
    }
    return Regex(std::move(linear), mode, groups, std::move(names));
}

base::Result<Regex> Regex::compile_backtracking(const std::string& pattern, Mode mode) {
    // Without its start optimisations: PCRE2 10.42 takes "(?=b)a*b" to need two bytes and so misses "b".
    std::uint32_t flags =
        PCRE2_NO_START_OPTIMIZE | PCRE2_DOLLAR_ENDONLY | (mode == Mode::at_start ? PCRE2_ANCHORED : PCRE2_CASELESS);
    int error = 0;
    PCRE2_SIZE offset = 0;
    Backtracking code(
        pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), flags, &error, &offset, nullptr));
    if (code == nullptr) {
        PCRE2_UCHAR message[256];
        pcre2_get_error_message(error, message, sizeof message);
        return faulty(fmt::format("{} at offset {}", reinterpret_cast<const char*>(message), offset));
    }
    pcre2_jit_compile(code.get(), PCRE2_JIT_COMPLETE);  // without it, the interpreter serves
    std::uint32_t groups = 0;
    pcre2_pattern_info(code.get(), PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups > max_capture_groups) return too_many(groups);
    std::vector<CaptureName> names = names_of(code.get());
    return Regex(std::move(code), mode, groups, std::move(names));
}

Regex::Outcome Regex::match(std::string_view text, std::size_t from, Captures* captures) const {
    if (const auto* simple = std::get_if<SimplePattern>(&engine_)) {
        return simple->match(text, from, captures) ? Outcome::matches : Outcome::differs;
    }
    if (const auto* linear = std::get_if<Linear>(&engine_)) return match_linear(**linear, text, from, captures);
    return match_backtracking(std::get_if<Backtracking>(&engine_)->get(), text, from, captures);
}

Regex::Outcome Regex::match_linear(const re2::RE2& engine, std::string_view text, std::size_t from,
                                   Captures* captures) const {
    // Asking for the match itself keeps RE2 on its lock-free engines for texts as short as paths.
    re2::StringPiece found[max_capture_groups + 1];
    std::size_t count = captures == nullptr ? 1 : groups_ + std::size_t{1};
    auto anchor = mode_ == Mode::at_start ? re2::RE2::ANCHOR_START : re2::RE2::UNANCHORED;
    if (!engine.Match(text, from, text.size(), anchor, found, static_cast<int>(count))) return Outcome::differs;
    if (captures != nullptr) {
        for (std::size_t i = 0; i < count; ++i) captures->groups[i] = view(found[i]);
        captures->count = count;
    }
    return Outcome::matches;
}

Regex::Outcome Regex::match_backtracking(const pcre2_real_code_8* engine, std::string_view text, std::size_t from,
                                         Captures* captures) const {
    Scratch& scratch = route::scratch();
    int result = pcre2_match(engine, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from, 0, scratch.results,
                             scratch.context);
    if (result == PCRE2_ERROR_NOMATCH) return Outcome::differs;
    if (result < 0) return Outcome::limited;
    if (captures == nullptr) return Outcome::matches;
    const PCRE2_SIZE* offsets = pcre2_get_ovector_pointer(scratch.results);
    captures->count = groups_ + std::size_t{1};
    for (std::size_t i = 0; i < captures->count; ++i) {
        PCRE2_SIZE begin = offsets[2 * i];
        PCRE2_SIZE end = offsets[2 * i + 1];
        // \K can put the beginning behind the end; such a group is taken as empty.
        bool took_part = i < static_cast<std::size_t>(result) && begin != PCRE2_UNSET && begin <= end;
        captures->groups[i] = took_part ? text.substr(begin, end - begin) : std::string_view();
    }
    return Outcome::matches;
}

std::size_t Regex::memory_bytes() const {
    std::size_t bytes = sizeof *this + names_.capacity() * sizeof(CaptureName);
    if (const auto* simple = std::get_if<SimplePattern>(&engine_)) return bytes + simple->memory_bytes();
    if (const auto* linear = std::get_if<Linear>(&engine_)) {
        auto instructions = static_cast<std::size_t>(std::max((*linear)->ProgramSize(), 0));
        return bytes + re2_fixed_bytes + (*linear)->pattern().size() * 2 + instructions * re2_instruction_bytes;
    }
    const pcre2_real_code_8* code = std::get_if<Backtracking>(&engine_)->get();
    PCRE2_SIZE code_bytes = 0;
    PCRE2_SIZE jit_bytes = 0;
    pcre2_pattern_info(code, PCRE2_INFO_SIZE, &code_bytes);
    pcre2_pattern_info(code, PCRE2_INFO_JITSIZE, &jit_bytes);
    return bytes + code_bytes + jit_bytes;
}

}  // namespace route
