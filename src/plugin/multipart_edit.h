// Edits of the fields of a multipart/form-data body (RFC 7578) for request-transformer: rename, remove, replace, add in
// this order, as Kong does; append does not exist there. Parts that are not named keep their bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.h"

namespace plugin {

struct MultipartEdit {
    enum class Kind : std::uint8_t {
        rename,   // if it is there; its file name, its type and its bytes stay
        remove,   // all parts of the name
        replace,  // if it is there: one plain field behind the other parts
        add,      // if it is not there
    };
    Kind kind = Kind::remove;
    std::string_view name;
    std::string_view value;  // the new name, or the field's bytes
};

struct MultipartEdited {
    enum class Outcome : std::uint8_t {
        edited,
        unchanged,
        refused,    // no boundary, or a body that does not keep to it: left alone
        too_large,  // more than max_multipart_parts: it could not be looked through, so it must not pass
    };
    Outcome outcome = Outcome::unchanged;
    std::string_view text;
};

inline constexpr std::size_t max_multipart_parts = 10'000;

// `content_type` is the field's whole value, with its boundary parameter.
[[nodiscard]] MultipartEdited edit_multipart(std::string_view text, std::string_view content_type,
                                             std::span<const MultipartEdit> edits, base::Arena& arena);

// The bytes of the parts of that name: of the only one, and whether there are more. Nothing where there is none, or
// where the form could not be looked through.
struct MultipartField {
    std::string_view value;
    bool has_several = false;
};
[[nodiscard]] std::optional<MultipartField> multipart_field(std::string_view text, std::string_view content_type,
                                                            std::string_view name, base::Arena& arena);

}  // namespace plugin
