// Edits of the members of a JSON object, for bodies that plugins change (kong.md 4.11, 4.12): remove, rename, replace,
// add, append at the top level, with Kong's meaning. What is not named keeps its bytes: order, blanks, numbers.
// Memory is the arena's and grows with the text, of which the caller bounds the size.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace plugin {

struct JsonEdit {
    enum class Kind : std::uint8_t {
        remove,
        rename,   // if it is there; a member that has the new name already goes
        replace,  // if it is there
        add,      // if it is not there
        append,   // makes a list of a text or of nothing; other values but lists are lost in it, as in Kong
    };
    Kind kind = Kind::remove;
    std::string_view name;   // plain, not escaped
    std::string_view value;  // the new name, plain; or a value as JSON text
};

struct JsonEdited {
    enum class Outcome : std::uint8_t {
        edited,
        unchanged,  // nothing to do
        refused,    // not JSON, no object, or nested deeper than max_json_depth: left alone
        too_large,  // more than max_json_members: it could not be looked through, so it must not pass
    };
    Outcome outcome = Outcome::unchanged;
    std::string_view text;  // the given text unless edited
};

inline constexpr std::size_t max_json_depth = 1000;  // cjson's
inline constexpr std::size_t max_json_members = 65536;

// In the order given. An empty text counts as an object without members, as Kong has it; `append` to an object leaves
// it. Of several members with a name that an edit changes, the last one counts and the others go.
[[nodiscard]] JsonEdited edit_json(std::string_view text, std::span<const JsonEdit> edits, base::Arena& arena);

// A text as a JSON string, with its quotes.
[[nodiscard]] std::string_view json_text(std::string_view text, base::Arena& arena);

}  // namespace plugin
