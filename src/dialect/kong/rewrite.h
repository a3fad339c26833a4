// Rewriting of nodes before they are read: url sugar, deck's defaults and shared configurations, paths of old formats.
// New nodes live in the tree's arena and keep the marks of what they were made from.
#pragma once

#include <vector>

#include "schema/node.h"
#include "schema/reader.h"

namespace kong {

// `own` with what it leaves unset taken from `defaults`, maps inside maps likewise. Each member written costs one of
// `budget`; once that is spent, `own` is answered as it is.
[[nodiscard]] schema::Node merged(base::Arena& arena, const schema::Node& own, const schema::Node& defaults,
                                  std::size_t& budget);
[[nodiscard]] schema::Node map_of(base::Arena& arena, const std::vector<schema::Member>& members, schema::Mark mark);
// A service with `url` split into protocol, host, port and path. Faults of the url itself are reported.
[[nodiscard]] schema::Node with_url_split(base::Arena& arena, const schema::Node& service, schema::Reader& reader);
// A route of format 1.1 or 2.1 with its paths in the form of 3.0.
[[nodiscard]] schema::Node with_paths_migrated(base::Arena& arena, const schema::Node& route);
// A route of format 3.0 in which paths that can only be meant as regexes are marked as such; each gets a warning.
[[nodiscard]] schema::Node with_regexes_marked(base::Arena& arena, const schema::Node& route, schema::Reader& reader);

}  // namespace kong
