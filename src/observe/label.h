// One label of a Prometheus series as text: key="value". For metrics.h and series.h.
#pragma once

#include <string>
#include <string_view>

namespace observe {

// Backslash, quote and line feed are escaped (Prometheus text format 0.0.4). A comma goes before every label but the
// first of `out`.
inline void put_label(std::string& out, std::string_view key, std::string_view value) {
    if (!out.empty()) out += ',';
    out += key;
    out += "=\"";
    for (char letter : value) {
        if (letter == '\\' || letter == '"') out += '\\';
        if (letter == '\n')
            out += "\\n";
        else
            out += letter;
    }
    out += '"';
}

}  // namespace observe
