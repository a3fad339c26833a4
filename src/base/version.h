// The product's name and version as it appears in Via, Server and `cardea version`.
#pragma once

#include <string_view>

namespace base {
inline constexpr std::string_view product = "cardea";
inline constexpr std::string_view version = "0.1.0";
inline constexpr std::string_view product_token = "cardea/0.1.0";
}  // namespace base
