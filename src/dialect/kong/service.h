// service: where requests go (contract 1.5).
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "dialect/kong/common.h"

namespace kong {

struct Service {
    static constexpr std::string_view title = "service";
    static constexpr std::string_view description =
        "An upstream service: where requests go, how long is waited for it and how often it is tried.";

    std::optional<base::Uuid> id;
    std::optional<double> created_at;
    std::optional<double> updated_at;
    std::optional<std::string> name;
    std::int32_t retries = 5;
    std::string protocol = "http";
    std::string host;
    std::int32_t port = 80;
    std::optional<std::string> path;
    std::chrono::duration<std::int32_t, std::milli> connect_timeout{60000};
    std::chrono::duration<std::int32_t, std::milli> write_timeout{60000};
    std::chrono::duration<std::int32_t, std::milli> read_timeout{60000};
    schema::Set<std::string> tags;
    Reference client_certificate;
    std::optional<bool> tls_verify;
    std::optional<std::int32_t> tls_verify_depth;
    std::vector<base::Uuid> ca_certificates;
    const schema::Node* tls_sans = nullptr;
    std::optional<std::string> proxy_protocol;
    bool enabled = true;

    static constexpr auto fields() {
        using schema::field;
        return schema::fields(
            id_field<Service>(), created_field<Service>(), updated_field<Service>(),
            field("name", &Service::name, "Unique name.").matches(name_format),
            field("retries", &Service::retries, "Further attempts after a failed one.").between(0, 32767),
            field("protocol", &Service::protocol, "Protocol spoken to the service.")
                .one_of("grpc", "grpcs", "http", "https", "tcp", "tls", "tls_passthrough", "udp"),
            field("host", &Service::host, "Host name or address, or the name of an upstream.")
                .required()
                .matches(host_format),
            field("port", &Service::port, "Port.").between(0, 65535),
            field("path", &Service::path, "Put in front of the path that is sent.").matches(path_format),
            field("connect_timeout", &Service::connect_timeout, "Longest wait for a connection.")
                .between(1, 2147483646),
            field("write_timeout", &Service::write_timeout, "Longest pause between two writes.").between(1, 2147483646),
            field("read_timeout", &Service::read_timeout, "Longest pause between two reads.").between(1, 2147483646),
            tags_field<Service>(),
            field("client_certificate", &Service::client_certificate, "Certificate shown to the service."),
            field("tls_verify", &Service::tls_verify, "Whether the service's certificate is verified."),
            field("tls_verify_depth", &Service::tls_verify_depth, "Longest certificate chain.").between(0, 64),
            field("ca_certificates", &Service::ca_certificates, "Ids of the trusted CA certificates."),
            field("tls_sans", &Service::tls_sans, "Names accepted in the service's certificate."),
            field("proxy_protocol", &Service::proxy_protocol,
                  "Each connection begins with a PROXY header that names the client; serves one request. Not Kong's.")
                .one_of("v1", "v2"),
            field("enabled", &Service::enabled, "False takes its routes out of the router."));
    }
    void check(schema::Checks& checks) const;
};

}  // namespace kong
