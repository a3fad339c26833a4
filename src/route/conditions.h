// Conditions: what a rule asks beyond host name, path and the common methods: headers, server names, addresses, and the
// rare long lists. Compiled while the index is built; asked once per candidate, after the cheap tests.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "route/query.h"
#include "route/regex.h"
#include "route/rule.h"

namespace route {

// The values of the headers that candidates ask for, read from the request once per name. One per match, on the stack.
class HeaderValues {
  public:
    explicit HeaderValues(const HeaderFields& fields) : fields_(fields) {}

    // Calls `accept` with each value of the header until it answers true. `name` is comparable, `id` its number.
    template <typename Accept>
    bool any(std::uint32_t id, std::string_view name, Accept accept);

  private:
    static constexpr std::size_t names_kept = 4;
    static constexpr std::size_t places_kept = 4;
    struct Slot {
        std::uint32_t id;
        std::uint32_t places[places_kept];
        std::size_t found;  // more than places_kept: not kept, read again
    };
    std::string_view value_if(std::size_t place, std::string_view name, bool& is_named) const;
    const Slot* slot(std::uint32_t id, std::string_view name);

    const HeaderFields& fields_;
    Slot slots_[names_kept];
    std::size_t used_ = 0;
};

// Header names compare without case, and '_' equals '-' (Kong's router, and CGI before it).
[[nodiscard]] std::string comparable_header_name(std::string_view name);

class Conditions {
  public:
    static constexpr std::uint32_t none = 0xffffffff;

    // Keeps what the index itself cannot decide. `keep_hosts` and `keep_methods`: test those lists literally, too.
    // Answers the number to ask for, or `none` if nothing is left to test. Faults are appended, one text each.
    struct Keep {
        bool hosts = false;
        bool methods = false;
    };
    std::uint32_t add(const Rule& rule, Keep keep, std::vector<std::string>& faults);
    void finish();

    [[nodiscard]] bool accept(std::uint32_t number, const Query& query, std::string_view host,
                              std::string_view server_name, HeaderValues& headers, std::uint64_t& limited) const;
    [[nodiscard]] std::size_t memory_bytes() const;

  private:
    struct HeaderTest {
        std::uint32_t name = 0;
        std::vector<std::string> values;
        std::vector<std::uint32_t> regexes;
    };
    struct Test {
        std::vector<HeaderTest> headers;
        std::vector<HostPattern> server_names;
        std::vector<EndpointCondition> sources;
        std::vector<EndpointCondition> destinations;
        std::vector<HostPattern> hosts;
        std::vector<std::string> methods;
    };
    bool accept_header(const HeaderTest& test, HeaderValues& headers, std::uint64_t& limited) const;
    std::uint32_t name_id(std::string name);

    std::vector<Test> tests_;
    std::vector<std::string> names_;
    std::vector<Regex> regexes_;
    std::unordered_map<std::string, std::uint32_t> name_ids_;   // while building
    std::unordered_map<std::string, std::uint32_t> regex_ids_;  // while building
};

}  // namespace route
