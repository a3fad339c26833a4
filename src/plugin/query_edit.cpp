#include "plugin/query_edit.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <new>

#include "http/characters.h"
#include "http/query.h"

namespace plugin {
namespace {

bool is_unreserved(char c) {
    return http::character::is_alphanumeric(c) || c == '-' || c == '.' || c == '_' || c == '~';
}

char* put(char* at, std::string_view text) {
    if (!text.empty()) std::memcpy(at, text.data(), text.size());
    return at + text.size();
}

}  // namespace

Arguments::Arguments(std::string_view text, base::Arena& arena) : arena_(arena) {
    http::QueryArguments arguments(text);
    for (http::QueryArgument argument; arguments.next(argument);) {
        if (argument.name.empty()) continue;
        push({.name = http::decode_argument(argument.name, arena),
              .value = http::decode_argument(argument.value, arena),
              .has_value = argument.has_value});
    }
}

void Arguments::push(const Argument& argument) {
    if (count_ == capacity_) {
        capacity_ = capacity_ == 0 ? 16 : capacity_ * 2;
        auto* more = static_cast<Argument*>(arena_.allocate(capacity_ * sizeof(Argument), alignof(Argument)));
        std::uninitialized_copy(items_, items_ + count_, more);
        items_ = more;
    }
    new (items_ + count_++) Argument(argument);
}

Arguments::Argument* Arguments::find(std::string_view name) const {
    Argument* found = std::find_if(items_, items_ + count_, [name](const Argument& argument) {
        return !argument.is_gone && argument.name == name;
    });
    return found == items_ + count_ ? nullptr : found;
}

void Arguments::remove(std::string_view name) {
    for (Argument* argument = items_; argument != items_ + count_; ++argument) {
        if (argument->is_gone || argument->name != name) continue;
        argument->is_gone = true;
        is_changed_ = true;
    }
}

void Arguments::rename(std::string_view name, std::string_view new_name) {
    if (name == new_name || !has(name)) return;
    remove(new_name);
    for (Argument* argument = items_; argument != items_ + count_; ++argument) {
        if (argument->name == name) argument->name = new_name;
    }
    is_changed_ = true;
}

void Arguments::replace(std::string_view name, std::string_view value) {
    Argument* first = find(name);
    if (first == nullptr) return;
    remove(name);
    *first = {.name = name, .value = value, .has_value = true};
}

void Arguments::add(std::string_view name, std::string_view value) {
    if (has(name)) return;
    push({.name = name, .value = value, .has_value = true});
    is_changed_ = true;
}

void Arguments::append(std::string_view name, std::string_view value) {
    is_changed_ = true;
    Argument* first = find(name);
    if (first != nullptr && !first->has_value) {
        first->value = value;
        first->has_value = true;
        return;
    }
    push({.name = name, .value = value, .has_value = true});
}

void Arguments::append(const Arguments& others) {
    for (std::size_t i = 0; i < others.count_; ++i) {
        if (others.items_[i].is_gone) continue;
        push(others.items_[i]);
        is_changed_ = true;
    }
}

std::string_view Arguments::written(Order order) const {
    auto** kept = static_cast<Argument**>(arena_.allocate((count_ + 1) * sizeof(Argument*), alignof(Argument*)));
    std::size_t count = 0;
    std::size_t size = 0;
    for (Argument* argument = items_; argument != items_ + count_; ++argument) {
        if (argument->is_gone) continue;
        kept[count++] = argument;
        size += 3 * (argument->name.size() + argument->value.size()) + 2;
    }
    if (order == Order::by_name) {
        // By address among equals: std::stable_sort would allocate.
        std::sort(kept, kept + count, [](const Argument* a, const Argument* b) {
            int names = a->name.compare(b->name);
            return names != 0 ? names < 0 : a < b;
        });
    }
    char* start = arena_.bytes(size);
    char* at = start;
    for (std::size_t i = 0; i < count; ++i) {
        if (i != 0) *at++ = '&';
        at = put(at, escape_argument(kept[i]->name, arena_));
        if (!kept[i]->has_value) continue;
        *at++ = '=';
        at = put(at, escape_argument(kept[i]->value, arena_));
    }
    return {start, static_cast<std::size_t>(at - start)};
}

std::string_view escape_argument(std::string_view text, base::Arena& arena) {
    static constexpr std::string_view digits = "0123456789ABCDEF";
    if (std::all_of(text.begin(), text.end(), is_unreserved)) return text;
    char* start = arena.bytes(text.size() * 3);
    char* at = start;
    for (char c : text) {
        if (is_unreserved(c)) {
            *at++ = c;
            continue;
        }
        auto code = static_cast<unsigned char>(c);
        *at++ = '%';
        *at++ = digits[code >> 4];
        *at++ = digits[code & 15];
    }
    return {start, static_cast<std::size_t>(at - start)};
}

}  // namespace plugin
