#include "redis/reply.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace redis {

namespace {

using base::Code;

constexpr std::size_t most_shown = 160;

struct Word {
    std::string_view text;
    Complaint complaint;
};
constexpr std::array words = {
    Word{"MOVED", Complaint::moved},
    Word{"ASK", Complaint::ask},
    Word{"TRYAGAIN", Complaint::try_again},
    Word{"CLUSTERDOWN", Complaint::unavailable},
    Word{"LOADING", Complaint::unavailable},
    Word{"MASTERDOWN", Complaint::unavailable},
    Word{"NOREPLICAS", Complaint::unavailable},
    Word{"BUSY", Complaint::unavailable},
    Word{"READONLY", Complaint::read_only},
    Word{"OOM", Complaint::full},
    Word{"NOSCRIPT", Complaint::no_script},
    Word{"NOAUTH", Complaint::unauthorised},
    Word{"WRONGPASS", Complaint::unauthorised},
    Word{"NOPERM", Complaint::unauthorised},
};

Code code_of(Complaint complaint) {
    switch (complaint) {
        case Complaint::moved:
        case Complaint::ask:
        case Complaint::try_again:
        case Complaint::unavailable:
        case Complaint::read_only:
            return Code::no_endpoint;
        case Complaint::full:
            return Code::exhausted;
        case Complaint::unauthorised:
            return Code::refused;
        case Complaint::no_script:
        case Complaint::other:
            return Code::invalid;
    }
    return Code::internal;
}

}  // namespace

std::optional<std::int64_t> Reply::integer() const {
    if (kind_ == Kind::integer) return integer_;
    if (kind_ != Kind::bytes) return std::nullopt;
    std::int64_t out = 0;
    auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), out);
    if (error != std::errc() || end != text_.data() + text_.size()) return std::nullopt;
    return out;
}

Complaint complaint_of(std::string_view error) {
    std::string_view first = error.substr(0, error.find(' '));
    const auto* found = std::ranges::find(words, first, &Word::text);
    return found == words.end() ? Complaint::other : found->complaint;
}

base::Error error_of(std::string_view error) {
    // "ERR unknown command 'X', with args beginning with: ...": the arguments may be a secret or somebody's data.
    std::string_view shown = error.substr(0, error.find(", with args"));
    std::string detail(shown.substr(0, most_shown));
    std::ranges::replace_if(detail, [](char c) { return static_cast<unsigned char>(c) < ' ' || c == 0x7f; }, '?');
    return base::Error::us(code_of(complaint_of(error)), "Redis: " + detail);
}

}  // namespace redis
