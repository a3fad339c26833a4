// The rules over several fields of Kong's entities (contract 1.5), in Kong's words.
#include <fmt/format.h>

#include <algorithm>

#include "dialect/kong/consumer.h"
#include "dialect/kong/pem.h"
#include "dialect/kong/route.h"
#include "dialect/kong/security.h"
#include "dialect/kong/service.h"
#include "dialect/kong/upstream.h"

namespace kong {
namespace {

void conditional(schema::Checks& checks, std::string_view field, std::string message, std::string_view given_by) {
    checks.field(field, std::move(message));
    checks.entity(fmt::format("failed conditional validation given value of field '{}'", given_by));
}

bool is_one_of(std::string_view value, std::initializer_list<std::string_view> choices) {
    return std::find(choices.begin(), choices.end(), value) != choices.end();
}

}  // namespace

void Service::check(schema::Checks& checks) const {
    if (checks.failed("protocol")) return;
    if (path && is_one_of(protocol, {"tcp", "tls", "udp", "grpc", "grpcs"})) {
        conditional(checks, "path", "value must be null", "protocol");
    }
    // Calls of many clients share a connection.
    if (proxy_protocol && is_one_of(protocol, {"grpc", "grpcs"}))
        conditional(checks, "proxy_protocol", "value must be null", "protocol");
    if (is_one_of(protocol, {"https", "tls"})) return;
    for (std::string_view field : {"client_certificate", "tls_verify", "tls_verify_depth", "ca_certificates"}) {
        if (checks.given(field)) conditional(checks, field, "value must be null", "protocol");
    }
}

void AddressAndPort::check(schema::Checks& checks) const {
    if (!checks.given("ip") && !checks.given("port")) {
        checks.entity("at least one of these fields must be non-empty: 'ip', 'port'");
    }
}

namespace {

struct Family {
    std::vector<std::string_view> members;
    std::string_view name;  // as messages call it
};
const std::vector<Family>& families() {
    static const std::vector<Family> all = {{{"http", "https"}, "'http' or 'https'"},
                                            {{"tcp", "tls", "udp"}, "'tcp', 'tls' or 'udp'"},
                                            {{"tls_passthrough"}, "'tls_passthrough'"},
                                            {{"grpc", "grpcs"}, "'grpc' or 'grpcs'"}};
    return all;
}

std::string quoted_list(const std::vector<std::string_view>& words) {
    return fmt::format("'{}'", fmt::join(words, "', '"));
}

// The one family all protocols are from; nullptr and a problem if there is none.
const Family* family_of(const schema::Set<std::string>& protocols, schema::Checks& checks) {
    std::vector<const Family*> found;
    for (const std::string& protocol : protocols) {
        auto at = std::find_if(families().begin(), families().end(), [&protocol](const Family& family) {
            return std::find(family.members.begin(), family.members.end(), protocol) != family.members.end();
        });
        if (at == families().end()) {
            checks.field("protocols", fmt::format("unknown type: {}", protocol));
            return nullptr;
        }
        if (std::find(found.begin(), found.end(), &*at) == found.end()) found.push_back(&*at);
    }
    if (found.size() == 1) return found.front();
    std::vector<std::string> sets;
    for (const Family& family : families()) {
        if (std::find(found.begin(), found.end(), &family) != found.end()) {
            sets.push_back(fmt::format("({})", quoted_list(family.members)));
        }
    }
    if (!sets.empty())
        checks.field("protocols", fmt::format("these sets are mutually exclusive: {}", fmt::join(sets, ", ")));
    return nullptr;
}

}  // namespace

void Route::check(schema::Checks& checks) const {
    if (!is_one_of(std::to_string(https_redirect_status_code), {"426", "301", "302", "307", "308"})) {
        checks.field("https_redirect_status_code", "expected one of: 426, 301, 302, 307, 308");
    }
    if (checks.failed("protocols")) return;
    const Family* family = family_of(protocols, checks);
    if (family == nullptr) return;
    auto has = [this](std::string_view protocol) {
        return std::find(protocols.begin(), protocols.end(), protocol) != protocols.end();
    };
    auto forbid = [&](std::initializer_list<std::string_view> fields) {
        for (std::string_view field : fields) {
            if (checks.given(field))
                checks.field(field, fmt::format("cannot set '{}' when 'protocols' is {}", field, family->name));
        }
    };
    // A field that was given but is faulty is reported already, and not missing.
    auto demand = [&](const std::vector<std::string_view>& fields, std::string_view protocol) {
        bool any = std::any_of(fields.begin(), fields.end(), [&](std::string_view field) {
            if (checks.failed(field)) return true;
            if (field == "methods") return !methods.empty();
            if (field == "hosts") return !hosts.empty();
            if (field == "paths") return !paths.empty();
            if (field == "headers") return !headers.empty();
            if (field == "snis") return !snis.empty();
            if (field == "sources") return !sources.empty();
            return !destinations.empty();
        });
        if (!any)
            checks.entity(fmt::format("must set one of {} when 'protocols' is {}", quoted_list(fields), protocol));
    };
    if (!snis.empty() && !has("grpcs") && !has("https") && !has("tls") && !has("tls_passthrough")) {
        checks.entity("'snis' can only be set when 'protocols' is 'grpcs', 'https', 'tls' or 'tls_passthrough'");
    }
    if (expression) {
        for (std::string_view field :
             {"methods", "hosts", "paths", "headers", "snis", "sources", "destinations", "regex_priority"}) {
            if (checks.given(field)) checks.field(field, "cannot be set with 'expression'");
        }
        return;
    }
    if (has("https")) {
        forbid({"sources", "destinations"});
        demand({"methods", "hosts", "headers", "paths", "snis"}, "'https'");
    } else if (has("http")) {
        forbid({"sources", "destinations"});
        demand({"methods", "hosts", "headers", "paths"}, "'http'");
    } else if (has("grpcs") || has("grpc")) {
        forbid({"methods", "sources", "destinations"});
        if (checks.given("strip_path") && strip_path) forbid({"strip_path"});
        if (has("grpcs")) {
            demand({"hosts", "headers", "paths", "snis"}, "'grpcs'");
        } else {
            demand({"hosts", "headers", "paths"}, "'grpc'");
        }
    } else if (has("tls_passthrough")) {
        forbid({"methods", "hosts", "paths", "headers", "sources", "destinations"});
        if (snis.empty() && !checks.failed("snis"))
            checks.entity("must set snis when 'protocols' is 'tls_passthrough'");
    } else {
        forbid({"methods", "hosts", "paths", "headers"});
        demand({"sources", "destinations", "snis"}, family->name);
    }
}

void OutlierDetection::check(schema::Checks& checks) const {
    if (max_ejection_time < base_ejection_time && checks.given("max_ejection_time"))
        checks.field("max_ejection_time", "must not be less than base_ejection_time");
}

void UpstreamLimits::check(schema::Checks& checks) const {
    if (max_retries > 0 && retry_budget)
        checks.field("max_retries", "cannot be used with retry_budget, which takes its place");
    if (max_pending > 0 && max_connections == 0) checks.field("max_pending", "says nothing without max_connections");
}

void Discovery::check(schema::Checks& checks) const {
    if (checks.failed("type")) return;
    struct Of {
        std::string_view field;
        std::string_view type;
        bool is_required = false;
    };
    constexpr Of all[] = {{"address", "consul"},      {"service", "consul", true}, {"tags", "consul"},
                          {"datacenter", "consul"},   {"namespace", "consul"},     {"partition", "consul"},
                          {"passing_only", "consul"}, {"wait", "consul"},          {"path", "file", true},
                          {"url", "http", true},      {"interval", "http"}};
    for (const Of& each : all) {
        if (each.type != type && checks.given(each.field))
            checks.field(std::string(each.field), fmt::format("says nothing with type {}", type));
        if (each.type == type && each.is_required && !checks.given(each.field))
            checks.field(std::string(each.field), "required field missing");
    }
    if (type == "file" && checks.given("token")) checks.field("token", "says nothing with type file");
    // Without its token a source may answer that there is nothing.
    if (type != "file" && checks.given("token") && token.empty() && !checks.failed("token"))
        checks.field("token", "is empty, or refers to a secret that is not there");
}

void Upstream::check(schema::Checks& checks) const {
    if (panic_threshold > 0 && healthchecks.threshold > 0)
        checks.field(
            "panic_threshold",
            "cannot be used with healthchecks.threshold: one asks all targets when most are out, the other none");
    if (checks.failed("hash_on") || checks.failed("hash_fallback")) return;
    auto needs = [&](std::string_view on, std::string_view value, std::string_view prefix) {
        if (!is_one_of(value, {"header", "query_arg", "uri_capture", "cookie"})) return;
        // A cookie is issued under one name, that of hash_on_cookie.
        std::string field = value == "cookie" ? std::string("hash_on_cookie") : fmt::format("{}_{}", prefix, value);
        if (!checks.given(field)) conditional(checks, field, "required field missing", on);
    };
    needs("hash_on", hash_on, "hash_on");
    needs("hash_fallback", hash_fallback, "hash_fallback");
    if (is_one_of(hash_on, {"none", "cookie"}) && hash_fallback != "none") {
        conditional(checks, "hash_fallback", "expected one of: none", "hash_on");
        return;
    }
    if (hash_on == "none" || hash_on != hash_fallback) return;
    auto distinct = [&](const std::optional<std::string>& one, const std::optional<std::string>& two,
                        std::string_view what) {
        if (one && one == two) {
            checks.entity(
                fmt::format("values of these fields must be distinct: 'hash_on_{0}', 'hash_fallback_{0}'", what));
        }
    };
    if (hash_on == "header") {
        distinct(hash_on_header, hash_fallback_header, "header");
    } else if (hash_on == "query_arg") {
        distinct(hash_on_query_arg, hash_fallback_query_arg, "query_arg");
    } else if (hash_on == "uri_capture") {
        distinct(hash_on_uri_capture, hash_fallback_uri_capture, "uri_capture");
    } else {
        std::vector<std::string_view> others;
        for (std::string_view choice :
             {"none", "consumer", "ip", "header", "cookie", "path", "query_arg", "uri_capture"}) {
            if (choice != hash_on) others.push_back(choice);
        }
        conditional(checks, "hash_fallback", fmt::format("expected one of: {}", fmt::join(others, ", ")), "hash_on");
    }
}

void Target::check(schema::Checks& checks) const {
    HostPort parts;
    if (!target.empty() && !split_host_port(target, parts)) {
        checks.field("target", fmt::format("Invalid target ('{}'); not a valid hostname or ip address", target));
    }
}

void Consumer::check(schema::Checks& checks) const {
    if (!username && !custom_id) {
        checks.entity("at least one of these fields must be non-empty: 'custom_id', 'username'");
    }
}

void JwtSecret::check(schema::Checks& checks) const {
    if (checks.failed("algorithm") || algorithm.starts_with("HS")) return;
    if (!rsa_public_key) {
        // Kong holds RS, PS and EdDSA to it; an ES key without one verifies nothing either.
        if (!algorithm.starts_with("ES")) conditional(checks, "rsa_public_key", "required field missing", "algorithm");
        return;
    }
    if (!is_public_key(*rsa_public_key)) checks.field("rsa_public_key", "invalid key");
}

namespace {
// A reference that could not be resolved leaves an empty text, which a warning already names.
void check_pair(schema::Checks& checks, const std::string& certificate, const std::string& key,
                std::string_view suffix) {
    std::string cert_fault = certificate.empty() ? std::string() : certificate_fault(certificate);
    std::string key_fault = key.empty() ? std::string() : private_key_fault(key);
    if (!cert_fault.empty()) checks.field(fmt::format("cert{}", suffix), cert_fault);
    if (!key_fault.empty()) checks.field(fmt::format("key{}", suffix), key_fault);
    if (certificate.empty() || key.empty() || !cert_fault.empty() || !key_fault.empty()) return;
    if (!belong_together(certificate, key)) checks.entity("certificate does not match key");
}
}  // namespace

void Certificate::check(schema::Checks& checks) const {
    check_pair(checks, cert, key, "");
    if (cert_alt.has_value() != key_alt.has_value()) {
        checks.entity("all or none of these fields must be set: 'cert_alt', 'key_alt'");
    }
    if (!cert_alt || !key_alt) return;
    check_pair(checks, *cert_alt, *key_alt, "_alt");
    if (same_key_type(cert, *cert_alt)) {
        checks.entity(
            "certificate and alternative certificate need to have different type (e.g. RSA and ECDSA), "
            "the provided certificates were both of the same type");
    }
}

void CaCertificate::check(schema::Checks& checks) const {
    if (cert.empty()) return;
    if (std::string fault = ca_certificate_fault(cert); !fault.empty()) checks.field("cert", fault);
}

void Key::check(schema::Checks& checks) const {
    if (jwk.has_value() == pem.has_value()) {
        checks.entity("exactly one of these fields must be non-empty: 'jwk', 'pem'");
    }
}

}  // namespace kong
