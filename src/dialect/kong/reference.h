// Reference: a foreign key as a document writes it: the parent's id or unique name as text, or a table of one of them.
// Resolved by the loader once all entities are known.
#pragma once

#include <string>

#include "schema/field.h"

namespace kong {

struct Reference {
    std::string text;  // empty = none
    bool is_table = false;
    schema::Mark mark;
    [[nodiscard]] bool is_set() const { return !text.empty(); }
};

}  // namespace kong

template <>
struct schema::Codec<kong::Reference> {
    static TypeInfo type() { return {.kind = TypeInfo::Kind::any, .format = "reference"}; }
    static bool read(const Node& node, kong::Reference& out, const Rules& rules, Reader& reader);
    static std::string json(const kong::Reference&) { return {}; }
};
