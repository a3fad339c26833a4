// Tally: the series of one configuration's routes, found by number, so that counting a request builds no text and takes
// no lock. Shared by all uses of the prometheus plugin in one snapshot; each core has a table of its own, and the
// numbers themselves (Shared::series) outlive the configuration.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "observe/series.h"
#include "observe/series_cache.h"
#include "plugin/exchange.h"
#include "plugin/type.h"

namespace plugin {

class Tally {
  public:
    Tally(observe::Series& series, unsigned cores);
    // That of the configuration which is being compiled.
    static std::shared_ptr<Tally> of(const Setup& setup);
    // That of a configuration in use; nullptr: it counts nothing.
    static std::shared_ptr<Tally> find(Shared& shared, const Consumers& consumers);

    // From on_log of a request with a route. `consumer`: whose name is shown; may be null.
    void count_status(const Exchange& exchange, const Consumer* consumer);
    void count_bytes(const Exchange& exchange, const Consumer* consumer);
    void record_latencies(const Exchange& exchange);

    // Some use of the plugin wants the health of upstreams on the page. Set while compiling.
    bool shows_upstreams = false;

  private:
    struct Families {
        observe::FamilyId requests, bytes, kong, upstream, request;
    };
    struct Route {  // without consumers
        observe::SeriesId kong, upstream, request, ingress, egress;
        observe::SeriesId status;  // the last one that was counted:
        std::uint16_t outcome = 0;
    };
    struct alignas(64) OfCore {
        std::vector<Route> routes;
        observe::SeriesCache others;  // other statuses, and those of consumers
    };
    static Route& route_of(OfCore& core, const Exchange& exchange);
    observe::SeriesId open(observe::FamilyId family, const Exchange& exchange) const;
    observe::SeriesId open_status(const Exchange& exchange, const Consumer* consumer) const;
    observe::SeriesId open_bytes(const Exchange& exchange, std::string_view direction, const Consumer* consumer) const;

    observe::Series& series_;
    Families families_;
    std::vector<OfCore> cores_;
};

}  // namespace plugin
