// YAML through libyaml's events. libyaml itself recurses nowhere and bounds its token queue; depth, aliases and size
// are bounded here and in Builder.
#include <fmt/format.h>
#include <yaml.h>

#include <algorithm>

#include "schema/builder.h"
#include "schema/scalar.h"

namespace schema {
namespace {

// libyaml is C: these two free what it hands out.
class Parser {
  public:
    Parser(std::string_view text) {
        ready_ = yaml_parser_initialize(&parser_) == 1;
        if (ready_) {
            yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()), text.size());
        }
    }
    Parser(const Parser&) = delete;
    Parser& operator=(const Parser&) = delete;
    ~Parser() {
        if (ready_) yaml_parser_delete(&parser_);
    }
    [[nodiscard]] bool is_ready() const { return ready_; }
    yaml_parser_t* operator->() { return &parser_; }
    yaml_parser_t* get() { return &parser_; }

  private:
    yaml_parser_t parser_{};
    bool ready_ = false;
};

class Event {
  public:
    Event(Parser& parser) { ok_ = yaml_parser_parse(parser.get(), &event_) == 1; }
    Event(const Event&) = delete;
    Event& operator=(const Event&) = delete;
    ~Event() {
        if (ok_) yaml_event_delete(&event_);
    }
    [[nodiscard]] bool ok() const { return ok_; }
    const yaml_event_t* operator->() const { return &event_; }

  private:
    yaml_event_t event_{};
    bool ok_ = false;
};

Mark mark_of(const yaml_mark_t& mark, std::uint16_t file) {
    return {.line = static_cast<std::uint32_t>(mark.line + 1),
            .byte = static_cast<std::uint32_t>(mark.index),
            .column = static_cast<std::uint16_t>(std::min<std::size_t>(mark.column + 1, 65535)),
            .file = file};
}

std::string_view view(const yaml_char_t* text) {
    return text == nullptr ? std::string_view() : std::string_view(reinterpret_cast<const char*>(text));
}

bool add_tagged(Builder& builder, std::string_view tag, std::string_view text, Mark mark, std::string_view anchor) {
    constexpr std::string_view core = "tag:yaml.org,2002:";
    std::string_view kind = tag.starts_with(core) ? tag.substr(core.size()) : tag;
    if (kind == "str" || kind == "!") return builder.text(text, mark, anchor);
    Node node;
    bool resolved = resolve_plain(text, mark, node);
    bool fits = (kind == "bool" && node.is(Kind::boolean)) || (kind == "null" && node.is(Kind::null)) ||
                (kind == "int" && node.is(Kind::integer)) || (kind == "float" && node.is(Kind::number));
    if (resolved && kind == "float" && node.is(Kind::integer)) {
        node = Node::number(node.as_number(), mark);
        fits = true;
    }
    if (resolved && fits) return builder.scalar(node, anchor);
    if (kind != "bool" && kind != "null" && kind != "int" && kind != "float") {
        return builder.refuse(mark, fmt::format("unknown tag '{}'", tag), "remove the tag");
    }
    return builder.refuse(mark, fmt::format("'{}' is not a value of the tag '!!{}'", text, kind));
}

bool add_scalar(Builder& builder, const yaml_event_t& event, Mark mark) {
    const auto& scalar = event.data.scalar;
    std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
    bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (builder.wants_key()) return builder.key(text, mark, plain && text == "<<");
    std::string_view anchor = view(scalar.anchor);
    if (std::string_view tag = view(scalar.tag); !tag.empty()) return add_tagged(builder, tag, text, mark, anchor);
    Node node;
    if (plain && resolve_plain(text, mark, node)) return builder.scalar(node, anchor);
    return builder.text(text, mark, anchor);
}

bool add(Builder& builder, const yaml_event_t& event, Mark mark) {
    switch (event.type) {
        case YAML_SCALAR_EVENT:
            return add_scalar(builder, event, mark);
        case YAML_SEQUENCE_START_EVENT:
            return builder.open_list(mark, view(event.data.sequence_start.anchor));
        case YAML_MAPPING_START_EVENT:
            return builder.open_map(mark, view(event.data.mapping_start.anchor));
        case YAML_SEQUENCE_END_EVENT:
        case YAML_MAPPING_END_EVENT:
            return builder.close();
        case YAML_ALIAS_EVENT:
            return builder.alias(view(event.data.alias.anchor), mark);
        default:
            return true;
    }
}

// lyaml names the place of the last thing it understood; libyaml that where it gave up.
Problem syntax_problem(const yaml_parser_t& parser, Mark last, std::uint16_t file) {
    Problem problem{.mark = mark_of(parser.problem_mark, file)};
    std::string_view what = parser.problem == nullptr ? "not YAML" : parser.problem;
    if (parser.error == YAML_READER_ERROR) {
        problem.mark = last;
        problem.hint = fmt::format("at byte {}", parser.problem_offset);
    } else if (parser.context != nullptr) {
        problem.hint = fmt::format("{} that begins at {}:{}", parser.context, parser.context_mark.line + 1,
                                   parser.context_mark.column + 1);
    }
    problem.message = fmt::format("{}:{}: {}", last.line, last.column, what);
    return problem;
}

Problem refused(const Builder& builder) {
    Problem problem = builder.problem();
    problem.message = fmt::format("{}:{}: {}", problem.mark.line, problem.mark.column, problem.message);
    return problem;
}

}  // namespace

ParseResult parse_yaml(std::string_view text, std::uint16_t file, const Limits& limits) {
    if (text.size() > limits.bytes) return too_large(text.size(), file, limits);
    Parser parser(text);
    if (!parser.is_ready()) return Problem{.message = "out of memory"};
    Builder builder(limits);
    Mark last{.line = 1, .byte = 0, .column = 1, .file = file};
    int documents = 0;
    for (;;) {
        Event event(parser);
        if (!event.ok()) return syntax_problem(*parser.get(), last, file);
        last = mark_of(event->start_mark, file);
        if (event->type == YAML_STREAM_END_EVENT) break;
        if (event->type == YAML_DOCUMENT_START_EVENT && ++documents > 1) {
            builder.refuse(last, "a second document in one file",
                           "write one document per file, without a '---' inside");
            return refused(builder);
        }
        if (!add(builder, *event.operator->(), last)) return refused(builder);
    }
    return builder.take();
}

}  // namespace schema
