// RawArray: room for N values that nobody initialises; an element begins to live when it is assigned. For arrays of
// views that every request has and hardly any request fills: clearing them would cost more than using them.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

namespace base {

template <typename T, std::size_t N>
class RawArray {
    static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

  public:
    RawArray() {}  // NOLINT: leaving the elements alone is the point
    RawArray(const RawArray& other) { std::memcpy(this, &other, sizeof other); }
    RawArray& operator=(const RawArray& other) {
        std::memmove(this, &other, sizeof other);
        return *this;
    }

    [[nodiscard]] T* data() { return elements_; }
    [[nodiscard]] const T* data() const { return elements_; }
    [[nodiscard]] static constexpr std::size_t size() { return N; }
    // Read only what was written.
    [[nodiscard]] T& operator[](std::size_t index) { return elements_[index]; }
    [[nodiscard]] const T& operator[](std::size_t index) const { return elements_[index]; }

  private:
    union {
        T elements_[N];
    };
};

}  // namespace base
