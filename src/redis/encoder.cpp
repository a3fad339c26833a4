#include "redis/encoder.h"

#include <charconv>

namespace redis {

namespace {

constexpr std::size_t most_digits = 20;

std::size_t digits_of(std::size_t value) {
    std::size_t out = 1;
    for (; value >= 10; value /= 10) ++out;
    return out;
}

void put_length(net::Draft& draft, char mark, std::size_t value) {
    char text[most_digits + 3];
    text[0] = mark;
    char* end = std::to_chars(text + 1, text + 1 + most_digits, value).ptr;
    *end++ = '\r';
    *end++ = '\n';
    draft.append({text, static_cast<std::size_t>(end - text)});
}

}  // namespace

std::size_t encoded_size(Arguments arguments) {
    std::size_t out = 1 + digits_of(arguments.size()) + 2;
    for (std::string_view argument : arguments) out += 1 + digits_of(argument.size()) + 2 + argument.size() + 2;
    return out;
}

net::Draft& Encoder::room_for(std::size_t size) {
    if (!draft_ || draft_->room() < size) {
        draft_.reset();
        draft_.emplace(pool_.at_least(size));
    }
    return *draft_;
}

net::Slice Encoder::encode(Arguments arguments) {
    net::Draft& draft = room_for(encoded_size(arguments));
    std::size_t begin = draft.size();
    put_length(draft, '*', arguments.size());
    for (std::string_view argument : arguments) {
        put_length(draft, '$', argument.size());
        draft.append(argument);
        draft.append("\r\n");
    }
    return draft.slice(begin);
}

net::Slice Encoder::joined(std::string_view first, std::string_view second) {
    net::Draft& draft = room_for(first.size() + second.size());
    std::size_t begin = draft.size();
    draft.append(first);
    draft.append(second);
    return draft.slice(begin);
}

}  // namespace redis
