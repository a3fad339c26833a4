// CustomFields: Kong's `custom_fields_by_lua`, members of the log record that an operator adds, replaces or removes.
// Lua is not served; what the expressions of templates (template.h) can say is taken, and the rest refused when the
// document is loaded:
//
//     return "text"    return nil    return 12    return headers["x-tenant"] or "none"
//     return kong.request.get_header("x-tenant")    return kong.request.get_query_arg("page")
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "plugin/exchange.h"
#include "plugin/template.h"
#include "schema/record.h"

namespace plugin {

using CustomFieldTexts = std::map<std::string, std::string>;

class CustomFields {
  public:
    // The error's detail names the field and says what is wrong.
    static base::Result<CustomFields> compile(const CustomFieldTexts& texts);
    static void check(const CustomFieldTexts& texts, schema::Checks& checks);
    // The record with them; in the exchange's arena, unless it is the given one.
    [[nodiscard]] std::string_view apply(Exchange& exchange, std::string_view record) const;

  private:
    struct Member {
        std::string name;
        std::variant<std::string, Template> value;  // JSON, empty: taken out; or an expression
    };
    std::vector<Member> members_;
};

}  // namespace plugin
