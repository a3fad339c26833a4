// Multipart bodies that plugins edit: refused and left alone, or edited to what can be edited again, to the same.
#include <array>
#include <cstddef>
#include <cstdint>

#include "base/ensure.h"
#include "plugin/multipart_edit.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* bytes, std::size_t size) {
    using Kind = plugin::MultipartEdit::Kind;
    using Outcome = plugin::MultipartEdited::Outcome;
    static constexpr std::array<plugin::MultipartEdit, 4> edits = {
        {{Kind::rename, "b", "c"}, {Kind::remove, "a", ""}, {Kind::replace, "d", "new"}, {Kind::add, "e", "\r\n"}}};
    static constexpr std::array<plugin::MultipartEdit, 3> again = {
        {{Kind::rename, "b", "c"}, {Kind::remove, "a", ""}, {Kind::add, "e", ""}}};
    std::string_view text(reinterpret_cast<const char*>(bytes), size);
    std::string_view type = "multipart/form-data; boundary=XX";
    if (std::size_t line = text.find('\n'); line != text.npos && text[0] == '=') {
        type = text.substr(1, line - 1);
        text.remove_prefix(line + 1);
    }
    base::Arena arena;
    plugin::MultipartEdited first = plugin::edit_multipart(text, type, edits, arena);
    if (first.outcome != Outcome::edited) {
        ensure(first.text.data() == text.data() && first.text.size() == text.size());
        return 0;
    }
    ensure(plugin::edit_multipart(first.text, type, again, arena).outcome == Outcome::unchanged, first.text);
    return 0;
}
