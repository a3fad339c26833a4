#include "dialect/kong/reference.h"

bool schema::Codec<kong::Reference>::read(const Node& node, kong::Reference& out, const Rules&, Reader& reader) {
    out.mark = node.mark();
    if (node.is(Kind::text) && !node.text().empty()) {
        out.text = node.text();
        return true;
    }
    if (!node.is(Kind::map)) {
        reader.problem(node.mark(), "expected a record", "write the id or the unique name of the entity meant");
        return false;
    }
    out.is_table = true;
    // Kong's own form is {id: ...}; deck writes the unique name of the kind of entity.
    for (std::string_view key : {"id", "name", "username"}) {
        const Node* value = node.find(key);
        if (value != nullptr && value->is(Kind::text) && !value->text().empty()) {
            out.text = value->text();
            return true;
        }
    }
    reader.problem(node.mark(), "missing primary key", "write `id: ...` or `name: ...`");
    return false;
}
