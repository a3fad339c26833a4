#include "plugin/pattern.h"

namespace plugin {

base::Result<Pattern> Pattern::compile(std::string_view text, Extent extent) {
    using route::Regex;
    // By itself first: what is put around it could make a whole of "a)|(b".
    TRY(alone, Regex::compile(text, Regex::Mode::at_start));
    (void)alone;
    std::string framed = extent == Extent::whole ? "(?:" : "(?s:.*?)(?:";
    framed += text;
    framed += extent == Extent::whole ? ")\\z" : ")";
    TRY(regex, Regex::compile(framed, Regex::Mode::at_start));
    return Pattern(std::move(regex));
}

std::string Pattern::fault(std::string_view text) {
    auto compiled = compile(text, Extent::anywhere);
    return compiled ? std::string() : "not a valid regex: " + std::string(text);
}

}  // namespace plugin
