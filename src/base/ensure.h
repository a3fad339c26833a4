// ensure(condition, ...): a broken invariant of our own aborts, with its values printed. Never for bad input.
#pragma once

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>

namespace base {
[[noreturn]] inline void ensure_failed(const char* file, int line, const char* condition, const std::string& values) {
    std::fprintf(stderr, "%s:%d: broken invariant: %s %s\n", file, line, condition, values.c_str());
    std::abort();
}
template <typename... Values>
std::string printed(const Values&... values) {
    std::string out;
    ((out += fmt::format(" [{}]", values)), ...);
    return out;
}
}  // namespace base

#define ensure(condition, ...)    \
    (static_cast<bool>(condition) \
         ? (void)0                \
         : ::base::ensure_failed(__FILE__, __LINE__, #condition, ::base::printed(__VA_ARGS__)))
