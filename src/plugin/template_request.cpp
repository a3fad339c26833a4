#include "plugin/template_request.h"

#include <memory>
#include <new>

#include "http/query.h"

namespace plugin {
namespace {

// Nil, the one value, or a list.
class Values {
  public:
    explicit Values(base::Arena& arena) : arena_(arena) {}
    void add(const TemplateValue& value) {
        if (count_ == capacity_) {
            capacity_ = capacity_ * 2 + 1;
            auto* more =
                static_cast<TemplateValue*>(arena_.allocate(capacity_ * sizeof(TemplateValue), alignof(TemplateValue)));
            std::uninitialized_copy(items_, items_ + count_, more);
            items_ = more;
        }
        new (items_ + count_++) TemplateValue(value);
    }
    [[nodiscard]] TemplateValue value() const {
        if (count_ == 0) return {};
        if (count_ == 1) return items_[0];
        return TemplateValue::of(std::span<const TemplateValue>(items_, count_));
    }

  private:
    base::Arena& arena_;
    TemplateValue* items_ = nullptr;
    std::size_t count_ = 0;
    std::size_t capacity_ = 0;
};

TemplateValue query_parameter(std::string_view query, std::string_view name, base::Arena& arena) {
    Values values(arena);
    http::QueryArguments arguments(query);
    for (http::QueryArgument argument; arguments.next(argument);) {
        if (http::decode_argument(argument.name, arena) != name) continue;
        values.add(argument.has_value ? TemplateValue::of(http::decode_argument(argument.value, arena))
                                      : TemplateValue::of_truth(true));
    }
    return values.value();
}

TemplateValue text_or_nil(std::string_view text) { return text.empty() ? TemplateValue{} : TemplateValue::of(text); }

}  // namespace

TemplateValue RequestEnvironment::find(TemplateArea area, const TemplateKey& key, base::Arena& arena) const {
    if (area == TemplateArea::uri_captures) {
        if (!exchange_.match.by_regex) return {};
        std::string_view group = key.is_index ? exchange_.match.capture(key.index) : exchange_.match.capture(key.name);
        // A group that took no part has no place in the path.
        return group.data() == nullptr ? TemplateValue{} : TemplateValue::of(group);
    }
    if (key.is_index) return {};
    if (area == TemplateArea::headers) {
        Values values(arena);
        exchange_.request.headers.all(key.name, [&](std::string_view value) { values.add(TemplateValue::of(value)); });
        return values.value();
    }
    if (area == TemplateArea::query_params) return query_parameter(exchange_.request.query, key.name, arena);
    const Consumer* consumer = exchange_.identity.consumer;
    if (area != TemplateArea::consumer || consumer == nullptr) return {};
    if (key.name == "id") return TemplateValue::of(exchange_.text(consumer->id));
    if (key.name == "username") return text_or_nil(consumer->username);
    if (key.name == "custom_id") return text_or_nil(consumer->custom_id);
    return {};
}

}  // namespace plugin
