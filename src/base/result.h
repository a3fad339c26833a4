// Result<T>: a value or an Error. Everything that can fail returns one; Error decides status, log line and retry once.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "base/ensure.h"

namespace base {

enum class Code : std::uint8_t {
    closed,           // the other side closed in an orderly way
    reset,            // the connection broke
    refused,          // nobody listens, or the network refuses
    timed_out,        // a deadline passed
    cancelled,        // we gave up ourselves
    too_large,        // a named limit
    malformed,        // bytes that break the protocol
    unresolved,       // the name does not exist, or has no usable address
    resolver_failed,  // the resolver itself failed
    no_endpoint,      // no target that may take traffic
    exhausted,        // out of a resource of ours (descriptors, memory, pool)
    invalid,          // a value outside its domain (configuration, arguments)
    unsupported,      // understood, not served
    internal,         // our own fault
};

enum class Source : std::uint8_t { client, upstream, us };
enum class Retry : std::uint8_t { never, idempotent, always };

struct Error {
    Code code = Code::internal;
    Source source = Source::us;
    Retry retry = Retry::never;
    std::uint16_t status = 0;  // HTTP status if the place of the error knows it better than `code` does; else 0
    std::string detail;        // for the log and, where it is about the client's own message, for the client

    static Error client(Code code, std::string detail, std::uint16_t status = 0) {
        return {code, Source::client, Retry::never, status, std::move(detail)};
    }
    static Error upstream(Code code, Retry retry, std::string detail = {}) {
        return {code, Source::upstream, retry, 0, std::move(detail)};
    }
    static Error us(Code code, std::string detail = {}) {
        return {code, Source::us, Retry::never, 0, std::move(detail)};
    }
};

[[nodiscard]] std::string_view name(Code code);
[[nodiscard]] std::string_view name(Source source);

template <typename T>
class [[nodiscard]] Result {
  public:
    Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT: implicit by design
    Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT

    [[nodiscard]] bool ok() const { return state_.index() == 0; }
    explicit operator bool() const { return ok(); }

    T& value() & {
        ensure(ok(), error_detail());
        return *std::get_if<0>(&state_);
    }
    const T& value() const& {
        ensure(ok(), error_detail());
        return *std::get_if<0>(&state_);
    }
    T&& value() && {
        ensure(ok(), error_detail());
        return std::move(*std::get_if<0>(&state_));
    }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }

    Error& error() & { return *std::get_if<1>(&state_); }
    const Error& error() const& { return *std::get_if<1>(&state_); }
    Error&& error() && { return std::move(*std::get_if<1>(&state_)); }

  private:
    [[nodiscard]] std::string error_detail() const { return ok() ? std::string() : error().detail; }
    std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
  public:
    Result() = default;
    Result(Error error) : error_(std::move(error)) {}  // NOLINT: implicit by design
    [[nodiscard]] bool ok() const { return !error_.has_value(); }
    explicit operator bool() const { return ok(); }
    Error& error() & { return *error_; }
    const Error& error() const& { return *error_; }
    Error&& error() && { return std::move(*error_); }

  private:
    std::optional<Error> error_;
};

inline Result<void> success() { return {}; }

}  // namespace base

// TRY(name, expression): declares `name` as the value, or returns the error from the enclosing plain function.
#define TRY(name, expression)                                    \
    auto name##_result = (expression);                           \
    if (!name##_result) return std::move(name##_result).error(); \
    auto& name = *name##_result
// TRY_VOID(expression): the same for Result<void>.
#define TRY_VOID(expression)                                                                   \
    do {                                                                                       \
        if (auto try_result = (expression); !try_result) return std::move(try_result).error(); \
    } while (false)
