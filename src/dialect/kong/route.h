// route: which requests go to a service (contract 1.5).
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dialect/kong/common.h"

namespace kong {

struct AddressAndPort {
    std::string ip;
    std::optional<std::int32_t> port;
    static constexpr auto fields() {
        return schema::fields(
            schema::field("ip", &AddressAndPort::ip, "Address or CIDR block.").matches(ip_or_cidr_format),
            schema::field("port", &AddressAndPort::port, "Port.").between(0, 65535));
    }
    void check(schema::Checks& checks) const;
    auto operator<=>(const AddressAndPort&) const = default;
};

struct Route {
    static constexpr std::string_view title = "route";
    static constexpr std::string_view description =
        "A rule that sends the requests it matches to a service. Each kind of condition that is given must hold.";

    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::optional<std::string> name;
    schema::Set<std::string> protocols{"http", "https"};
    schema::Set<std::string> methods;
    std::vector<std::string> hosts;
    std::vector<std::string> paths;
    std::map<std::string, std::vector<std::string>> headers;
    schema::Set<std::string> snis;
    schema::Set<AddressAndPort> sources;
    schema::Set<AddressAndPort> destinations;
    std::int64_t regex_priority = 0;
    std::int64_t priority = 0;
    std::optional<std::string> expression;
    bool strip_path = true;
    std::string path_handling = "v0";
    bool preserve_host = false;
    std::int32_t https_redirect_status_code = 426;
    bool request_buffering = true;
    bool response_buffering = true;
    schema::Set<std::string> tags;
    Reference service;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Route>(), created_field<Route>(), updated_field<Route>(),
            field("name", &Route::name, "Unique name.").matches(name_format),
            field("protocols", &Route::protocols,
                  "Protocols it takes: of http and https, of grpc and grpcs, of tcp, tls and udp, or tls_passthrough.")
                .count(1),
            field("methods", &Route::methods, "Methods.").matches(method_format),
            field("hosts", &Route::hosts, "Host names; `*` may stand for the first or the last label.")
                .matches(wildcard_host_format),
            field("paths", &Route::paths, "Prefixes (`/a`) and regexes (`~/a/\\d+$`).").matches(route_path_format),
            field("headers", &Route::headers, "Header names, each with the values it may have; `~*` begins a regex.")
                .keys(route_header_format)
                .may_be_empty(),
            field("snis", &Route::snis, "Server names of TLS.").matches(server_name_format),
            field("sources", &Route::sources, "Where the connection comes from."),
            field("destinations", &Route::destinations, "Where the connection goes to."),
            field("regex_priority", &Route::regex_priority, "Order among regexes: higher first.")
                .between(0, 4294967295),
            field("priority", &Route::priority, "Order of expressions: higher first.").between(0, 70368744177663),
            field("expression", &Route::expression, "Condition of the router flavour `expressions`."),
            field("strip_path", &Route::strip_path, "Whether the matched part of the path is taken off."),
            field("path_handling", &Route::path_handling, "How the service's path and the request's are joined.")
                .one_of("v0", "v1"),
            field("preserve_host", &Route::preserve_host, "Whether the service sees the client's Host."),
            field("https_redirect_status_code", &Route::https_redirect_status_code,
                  "Answer to plain HTTP if only HTTPS is taken: 426, 301, 302, 307 or 308."),
            field("request_buffering", &Route::request_buffering,
                  "Whether a request body is read before it is sent on."),
            field("response_buffering", &Route::response_buffering,
                  "Whether a response body is read before it is sent on."),
            tags_field<Route>(), field("service", &Route::service, "Where matched requests go."));
    }
    void check(schema::Checks& checks) const;
};

}  // namespace kong
