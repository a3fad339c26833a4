#include "plugin/multipart_edit.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "http/characters.h"

namespace plugin {
namespace {

using Outcome = MultipartEdited::Outcome;

constexpr std::size_t max_boundary = 70;  // RFC 2046 5.1.1
constexpr std::string_view line_end = "\r\n";

// The value of parameter `wanted` of "value; name=value; name="value"", without quotes; its place in `raw` (quotes
// included) is given too. Null if there is none.
struct Parameter {
    std::string_view raw;
    std::string_view value;
    bool is_there = false;
};
Parameter find_parameter(std::string_view field, std::string_view wanted, base::Arena& arena) {
    std::size_t at = field.find(';');
    while (at < field.size()) {
        ++at;
        std::size_t equals = field.find_first_of("=;", at);
        if (equals == field.npos) break;
        if (field[equals] == ';') {
            at = equals;
            continue;
        }
        std::string_view name = http::trim(field.substr(at, equals - at));
        std::size_t start = std::min(field.find_first_not_of(" \t", equals + 1), field.size());
        std::size_t end = start;
        Parameter found{.is_there = true};
        if (end < field.size() && field[end] == '"') {
            char* to = arena.bytes(field.size() - end);
            char* text = to;
            for (++end; end < field.size() && field[end] != '"'; ++end) {
                if (field[end] == '\\' && end + 1 < field.size()) ++end;
                *to++ = field[end];
            }
            if (end == field.size()) break;  // the quote is not closed
            ++end;
            found.value = {text, static_cast<std::size_t>(to - text)};
            found.raw = field.substr(start, end - start);
        } else {
            end = std::min(field.find(';', start), field.size());
            found.raw = found.value = http::trim(field.substr(start, end - start));
        }
        if (http::equals_ignore_case(name, wanted)) return found;
        at = std::min(field.find(';', end), field.size());
    }
    return {};
}

std::string_view quoted(std::string_view text, base::Arena& arena) {
    // HTML 4.10.22.8: quotes and line ends of a name are escaped so that it cannot leave its header.
    char* start = arena.bytes(text.size() * 3 + 2);
    char* at = start;
    *at++ = '"';
    for (char c : text) {
        std::string_view escape = c == '"' ? "%22" : c == '\r' ? "%0D" : c == '\n' ? "%0A" : std::string_view(&c, 1);
        std::memcpy(at, escape.data(), escape.size());
        at += escape.size();
    }
    *at++ = '"';
    return {start, static_cast<std::size_t>(at - start)};
}

std::string_view between(const char* from, const char* to) { return {from, static_cast<std::size_t>(to - from)}; }

class Form {
  public:
    Form(std::string_view text, base::Arena& arena) : text_(text), arena_(arena) {}

    Outcome read(std::string_view content_type) {
        Parameter boundary = find_parameter(content_type, "boundary", arena_);
        if (boundary.value.empty() || boundary.value.size() > max_boundary) return Outcome::refused;
        delimiter_ = arena_.join("\r\n--", boundary.value);
        if (text_.empty()) return Outcome::unchanged;
        std::string_view first = delimiter_.substr(line_end.size());
        std::size_t at = text_.starts_with(first) ? first.size() : end_of_delimiter(0);
        if (at == text_.npos) return Outcome::refused;
        before_ = text_.substr(0, at - first.size());
        for (;;) {
            // Behind a delimiter: the last one has "--", the others blanks and a line end.
            if (text_.substr(at).starts_with("--")) {
                after_ = text_.substr(at + 2);
                return Outcome::unchanged;
            }
            std::size_t start = text_.find_first_not_of(" \t", at);
            if (start == text_.npos || !text_.substr(start).starts_with(line_end)) return Outcome::refused;
            if (count_ == max_multipart_parts) return Outcome::too_large;
            // The line end of an empty part's headers may be that of its delimiter, too.
            std::size_t next = end_of_delimiter(start);
            if (next == text_.npos) return Outcome::refused;
            std::size_t end = next - delimiter_.size();
            std::size_t content = std::min(start + line_end.size(), end);
            if (!read_part(text_.substr(content, end - content))) return Outcome::refused;
            at = next;
        }
    }

    void apply(const MultipartEdit& edit) {
        using Kind = MultipartEdit::Kind;
        bool is_there = has(edit.name);
        switch (edit.kind) {
            case Kind::rename:
                if (is_there && edit.name != edit.value) rename(edit.name, edit.value);
                break;
            case Kind::remove:
                remove(edit.name);
                break;
            case Kind::replace:
                if (!is_there) break;
                remove(edit.name);
                add(edit.name, edit.value);
                break;
            case Kind::add:
                if (!is_there) add(edit.name, edit.value);
                break;
        }
    }
    [[nodiscard]] bool is_changed() const { return is_changed_; }

    [[nodiscard]] std::optional<MultipartField> field(std::string_view name) const {
        std::optional<MultipartField> found;
        for (const Part* part = parts_; part != parts_ + count_; ++part) {
            if (!is_named(*part, name)) continue;
            if (found) {
                found->has_several = true;
                break;
            }
            std::size_t end = part->rest.find("\r\n\r\n");
            found = {.value = end == part->rest.npos ? std::string_view() : part->rest.substr(end + 4)};
        }
        return found;
    }

    [[nodiscard]] std::string_view written() const {
        std::size_t size = before_.size() + delimiter_.size() + after_.size() + 6;
        for (const Part* part = parts_; part != parts_ + count_; ++part) {
            size += delimiter_.size() + line_end.size() + part->head.size() + part->raw_name.size() + part->rest.size();
        }
        char* start = arena_.bytes(size);
        char* at = put(start, before_);
        std::string_view delimiter = delimiter_.substr(line_end.size());  // the first one begins the body
        for (const Part* part = parts_; part != parts_ + count_; ++part) {
            if (part->is_gone) continue;
            at = put(put(at, delimiter), line_end);
            delimiter = delimiter_;
            at = put(put(put(at, part->head), part->raw_name), part->rest);
        }
        at = put(put(at, delimiter), "--");
        at = put(at, after_.empty() ? line_end : after_);
        return {start, static_cast<std::size_t>(at - start)};
    }

  private:
    // A part in pieces: what stands before the name in its headers, the name with its quotes, the rest.
    struct Part {
        std::string_view head, raw_name, rest;
        std::string_view name;
        bool has_name = false;
        bool is_gone = false;
    };

    static char* put(char* at, std::string_view text) {
        if (!text.empty()) std::memcpy(at, text.data(), text.size());
        return at + text.size();
    }

    [[nodiscard]] std::size_t end_of_delimiter(std::size_t from) const {
        std::size_t at = text_.find(delimiter_, from);
        return at == text_.npos ? at : at + delimiter_.size();
    }

    bool read_part(std::string_view part) {
        std::size_t end = part.starts_with(line_end) ? 0 : part.find("\r\n\r\n");
        if (end == part.npos) return false;
        std::string_view head = part.substr(0, end);
        Part fresh{.head = part};
        while (!head.empty()) {
            std::size_t line_size = std::min(head.find(line_end), head.size());
            std::string_view line = head.substr(0, line_size);
            head.remove_prefix(std::min(line_size + line_end.size(), head.size()));
            std::size_t colon = line.find(':');
            if (colon == line.npos) return false;
            if (!http::equals_ignore_case(http::trim(line.substr(0, colon)), "content-disposition")) continue;
            Parameter name = find_parameter(line.substr(colon + 1), "name", arena_);
            if (!name.is_there) continue;
            fresh = {.head = between(part.data(), name.raw.data()),
                     .raw_name = name.raw,
                     .rest = between(name.raw.data() + name.raw.size(), part.data() + part.size()),
                     .name = name.value,
                     .has_name = true};
            break;
        }
        push(fresh);
        return true;
    }

    void push(const Part& part) {
        if (count_ == capacity_) {
            capacity_ = capacity_ == 0 ? 8 : capacity_ * 2;
            auto* more = static_cast<Part*>(arena_.allocate(capacity_ * sizeof(Part), alignof(Part)));
            std::uninitialized_copy(parts_, parts_ + count_, more);
            parts_ = more;
        }
        new (parts_ + count_++) Part(part);
    }

    static bool is_named(const Part& part, std::string_view name) {
        return !part.is_gone && part.has_name && part.name == name;
    }
    [[nodiscard]] bool has(std::string_view name) const {
        for (const Part* part = parts_; part != parts_ + count_; ++part) {
            if (is_named(*part, name)) return true;
        }
        return false;
    }
    void remove(std::string_view name) {
        for (Part* part = parts_; part != parts_ + count_; ++part) {
            if (!is_named(*part, name)) continue;
            part->is_gone = true;
            is_changed_ = true;
        }
    }
    void rename(std::string_view name, std::string_view new_name) {
        remove(new_name);
        for (Part* part = parts_; part != parts_ + count_; ++part) {
            if (!is_named(*part, name)) continue;
            part->name = new_name;
            part->raw_name = quoted(new_name, arena_);
        }
        is_changed_ = true;
    }
    void add(std::string_view name, std::string_view value) {
        push({.head = "Content-Disposition: form-data; name=",
              .raw_name = quoted(name, arena_),
              .rest = arena_.join("\r\n\r\n", value),
              .name = name,
              .has_name = true});
        is_changed_ = true;
    }

    std::string_view text_;
    base::Arena& arena_;
    std::string_view delimiter_;  // with the line end before it
    std::string_view before_, after_;
    Part* parts_ = nullptr;
    std::size_t count_ = 0;
    std::size_t capacity_ = 0;
    bool is_changed_ = false;
};

}  // namespace

MultipartEdited edit_multipart(std::string_view text, std::string_view content_type,
                               std::span<const MultipartEdit> edits, base::Arena& arena) {
    if (edits.empty()) return {Outcome::unchanged, text};
    Form form(text, arena);
    Outcome outcome = form.read(content_type);
    if (outcome != Outcome::unchanged) return {outcome, text};
    for (const MultipartEdit& edit : edits) form.apply(edit);
    if (!form.is_changed()) return {Outcome::unchanged, text};
    return {Outcome::edited, form.written()};
}

std::optional<MultipartField> multipart_field(std::string_view text, std::string_view content_type,
                                              std::string_view name, base::Arena& arena) {
    Form form(text, arena);
    if (form.read(content_type) != Outcome::unchanged) return std::nullopt;
    return form.field(name);
}

}  // namespace plugin
