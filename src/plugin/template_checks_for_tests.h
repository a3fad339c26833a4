// What holds for every template, and a request for templates to look at: for template_test.cpp and template_fuzz.cpp.
#pragma once

#include <array>
#include <string_view>

#include "base/ensure.h"
#include "http/characters.h"
#include "plugin/template.h"

namespace plugin {

class RequestForTests : public TemplateEnvironment {
  public:
    TemplateValue find(TemplateArea area, const TemplateKey& key, base::Arena&) const override {
        static constexpr std::string_view none;
        struct Entry {
            TemplateArea area;
            std::string_view name;
            std::size_t index;
            std::string_view value;
        };
        static constexpr Entry entries[] = {
            {TemplateArea::headers, "host", 0, "gw.example"},
            {TemplateArea::headers, "x-user-id", 0, "7"},
            {TemplateArea::headers, "authorization", 0, "Bearer tok.en"},
            {TemplateArea::headers, "under_score", 0, "own"},
            {TemplateArea::headers, "under-score", 0, "other"},
            {TemplateArea::query_params, "user", 0, "alice"},
            {TemplateArea::query_params, "a-b", 0, "dash"},
            {TemplateArea::uri_captures, "id", 0, "42"},
            {TemplateArea::uri_captures, none, 1, "42"},
            {TemplateArea::consumer, "username", 0, "alice"},
        };
        static const std::array<TemplateValue, 2> two{TemplateValue::of("one"), TemplateValue::of("two")};
        bool is_two = area == TemplateArea::headers && http::equals_ignore_case(key.name, "x-two");
        if (is_two) return TemplateValue::of(std::span<const TemplateValue>(two));
        if (area == TemplateArea::query_params && key.name == "bare") return TemplateValue::of_truth(true);
        for (const Entry& entry : entries) {
            bool is_named =
                area == TemplateArea::headers ? http::equals_ignore_case(key.name, entry.name) : key.name == entry.name;
            if (entry.area == area && is_named && entry.index == key.index) return TemplateValue::of(entry.value);
        }
        return {};
    }
};

// A template is refused with a reason, or renders the same within its bounds every time.
inline void check_template(std::string_view source) {
    auto compiled = Template::compile(source);
    if (!compiled) {
        ensure(!compiled.error().detail.empty());
        return;
    }
    RequestForTests request;
    base::Arena arena;
    auto first = compiled->render(request, arena);
    auto second = compiled->render(request, arena);
    ensure(first.ok() == second.ok());
    if (!first) {
        ensure(!first.error().detail.empty());
        return;
    }
    ensure(first->text == second->text && first->has_nil == second->has_nil);
    ensure(first->text.size() <= Template::max_text_bytes, first->text.size());
    if (compiled->is_plain()) ensure(first->text == source);
}

}  // namespace plugin
