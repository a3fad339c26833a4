// Vary (RFC 9111 4.1): which request fields chose the stored response, and their values in the form that is compared.
// A stored variant is found by a key made of these values; called by who builds keys. Pure functions.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "http/headers.h"

namespace cache {

// The names of Vary, lower case, sorted, each once. Bounded: what names more fields is not worth storing.
class VaryNames {
  public:
    static constexpr std::size_t most_names = 16;
    static constexpr std::size_t most_bytes = 512;

    enum class Kind : std::uint8_t {
        none,    // no Vary: the response answers every request of its key
        fields,  // these fields select
        any,     // "*", or something that is no name, or too much: it answers no other request
    };
    [[nodiscard]] static VaryNames of(const http::Headers& response);
    // From text() of another one; the result is `any` if it is not such a text.
    [[nodiscard]] static VaryNames from_text(std::string_view text);

    [[nodiscard]] Kind kind() const { return kind_; }
    // "accept,accept-encoding"; empty unless kind() is fields.
    [[nodiscard]] std::string_view text() const { return text_; }
    [[nodiscard]] bool operator==(const VaryNames& other) const = default;

  private:
    Kind kind_ = Kind::none;
    std::string text_;
};

// Appends what selects a variant: for each name whether the request has the field, and its value with the lines joined
// and, for fields whose grammar is known, blanks and case made equal. Two requests append the same bytes exactly if
// their fields match. `names` is VaryNames::text().
void append_variant(std::string& key, std::string_view names, const http::Headers& request);

}  // namespace cache
