// Talks to the admin listener of a running gateway, for `cardea reload` and `cardea status`. Blocking; short-lived.
#pragma once

#include <string>
#include <string_view>

#include "gateway/settings.h"
#include "schema/node.h"

namespace command {

struct AdminAnswer {
    int status = 0;
    std::string body;
};

// The first admin listener of the settings is asked. The error says what to do if nobody answers there.
base::Result<AdminAnswer> ask_admin(const gateway::Settings& settings, std::string_view method, std::string_view path);

// `cardea reload`: through the admin listener, which reports what came of it; without one by SIGHUP to pid_file.
int reload(const gateway::Settings& settings);
// `cardea status`: for people, or the JSON as it is.
int status(const gateway::Settings& settings, bool as_json);
// A line for every target of every upstream.
int status_of_upstreams(const gateway::Settings& settings, bool as_json);
// The status page for people: each member is a line, so the page decides what there is to say.
[[nodiscard]] std::string status_lines(const schema::Node& page);

}  // namespace command
