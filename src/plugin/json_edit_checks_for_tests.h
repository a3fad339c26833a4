// What holds for every edited JSON text: for json_edit_test.cpp and json_edit_fuzz.cpp.
#pragma once

#include <array>
#include <string_view>

#include "base/ensure.h"
#include "plugin/json_edit.h"

namespace plugin {

// What was edited can be edited again, to the same; a member that was removed is gone.
inline void check_json_edit(std::string_view text) {
    using Kind = JsonEdit::Kind;
    using Outcome = JsonEdited::Outcome;
    static constexpr std::array<JsonEdit, 5> edits = {{{Kind::remove, "a", ""},
                                                       {Kind::rename, "b", "c"},
                                                       {Kind::replace, "d", "\"new\""},
                                                       {Kind::add, "e", "[true]"},
                                                       {Kind::append, "g", "1"}}};
    base::Arena arena;
    JsonEdited first = edit_json(text, edits, arena);
    if (first.outcome != Outcome::edited) {
        ensure(first.text.data() == text.data() && first.text.size() == text.size());
        return;
    }
    static constexpr std::array<JsonEdit, 4> again = {
        {{Kind::remove, "a", ""}, {Kind::rename, "b", "c"}, {Kind::replace, "d", "\"new\""}, {Kind::add, "e", "0"}}};
    ensure(edit_json(first.text, again, arena).outcome == Outcome::unchanged, first.text);
    static constexpr std::array<JsonEdit, 1> removal = {{{Kind::remove, "g", ""}}};
    JsonEdited second = edit_json(first.text, removal, arena);
    ensure(second.outcome == Outcome::edited && second.text.size() < first.text.size());
    ensure(edit_json(second.text, removal, arena).outcome == Outcome::unchanged, second.text);
}

}  // namespace plugin
