#include "observe/log_record.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "observe/text.h"

namespace observe {

namespace {
char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter + 32) : letter; }

bool same(std::string_view a, std::string_view b) {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) { return lower(x) == lower(y); });
}

// Writes the members of one object after another.
class Object {
  public:
    explicit Object(std::string& out) : out_(out) { out_ += '{'; }
    void end() { out_ += '}'; }
    std::string& key(std::string_view name) {
        if (!is_first_) out_ += ',';
        is_first_ = false;
        out_ += '"';
        out_ += name;
        out_ += "\":";
        return out_;
    }
    void text(std::string_view name, std::string_view value) { put_json_string(key(name), value); }
    void text_if(std::string_view name, std::string_view value) {
        if (!value.empty()) text(name, value);
    }
    template <typename Number>
    void number(std::string_view name, Number value) {
        char digits[24];
        key(name).append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
    }

  private:
    std::string& out_;
    bool is_first_ = true;
};

enum class Case : std::uint8_t { kept, lowered };

void put_value(std::string& out, const LogRecord::Named& named, bool is_secret) {
    if (is_secret)
        out += "\"REDACTED\"";
    else if (named.is_bare)
        out += "true";
    else
        put_json_string(out, named.value);
}

// Sorted by name, so that fields of one name stand together.
void put_named(std::string& out, std::span<const LogRecord::Named> all, Case letters) {
    static thread_local std::vector<std::uint32_t> order;
    static thread_local std::string name;
    order.resize(all.size());
    for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
    auto compare = [&](std::string_view a, std::string_view b) {
        if (letters == Case::kept) return a.compare(b);
        std::size_t size = std::min(a.size(), b.size());
        for (std::size_t i = 0; i < size; ++i)
            if (int difference = lower(a[i]) - lower(b[i]); difference != 0) return difference;
        return a.size() < b.size() ? -1 : static_cast<int>(a.size() > b.size());
    };
    std::sort(order.begin(), order.end(), [&](std::uint32_t a, std::uint32_t b) {
        int difference = compare(all[a].name, all[b].name);
        return difference != 0 ? difference < 0 : a < b;
    });
    out += '{';
    for (std::size_t i = 0; i < order.size();) {
        const LogRecord::Named& first = all[order[i]];
        std::size_t end = i + 1;
        while (end < order.size() && compare(first.name, all[order[end]].name) == 0) ++end;
        if (i > 0) out += ',';
        name = first.name;
        if (letters == Case::lowered) std::transform(name.begin(), name.end(), name.begin(), lower);
        put_json_string(out, name);
        out += ':';
        bool is_secret = letters == Case::lowered && (same(name, "authorization") || same(name, "proxy-authorization"));
        if (end == i + 1 || is_secret) {
            put_value(out, first, is_secret);
        } else {
            out += '[';
            for (std::size_t at = i; at < end; ++at) {
                if (at > i) out += ',';
                put_value(out, all[order[at]], false);
            }
            out += ']';
        }
        i = end;
    }
    out += '}';
}

void put_request(std::string& out, const LogRecord& record) {
    Object request(out);
    request.text("id", record.id);
    request.text("uri", record.target);
    // Kong puts the whole target behind the authority.
    std::string url;
    url.append(record.scheme).append("://").append(record.host).append(":").append(std::to_string(record.port));
    url.append(record.target);
    request.text("url", url);
    request.text("method", record.method);
    put_named(request.key("querystring"), record.arguments, Case::kept);
    put_named(request.key("headers"), record.request_headers, Case::lowered);
    request.number("size", record.request_size);
    if (record.tls) {
        Object tls(request.key("tls"));
        tls.text("version", record.tls->version);
        tls.text("cipher", record.tls->cipher);
        tls.text("client_verify", record.tls->client_verify);
        tls.end();
    }
    request.end();
}

void put_tries(std::string& out, std::span<const LogRecord::Try> tries) {
    out += '[';
    bool is_first = true;
    for (const LogRecord::Try& one : tries) {
        if (!is_first) out += ',';
        is_first = false;
        Object object(out);
        object.number("balancer_start", one.started_at);
        object.number("balancer_start_ns", one.started_at * 1'000'000);
        object.number("balancer_latency", one.balancer_time);
        object.number("balancer_latency_ns", one.balancer_time * 1'000'000);
        object.text("ip", one.ip);
        object.number("port", one.port);
        object.text_if("state", one.state);
        if (one.code != 0) object.number("code", one.code);
        object.end();
    }
    out += ']';
}

void put_entity(Object& record, std::string_view key, const LogRecord::Entity& entity, std::string_view name) {
    if (entity.id.empty()) return;
    Object object(record.key(key));
    object.text("id", entity.id);
    object.text_if(name, entity.name);
    object.text_if("host", entity.host);
    object.text_if("custom_id", entity.custom_id);
    object.end();
}
}  // namespace

void put_json(std::string& out, const LogRecord& record) {
    Object object(out);
    put_request(object.key("request"), record);
    object.text("upstream_uri", record.upstream_uri);
    if (record.upstream_status != 0) object.text("upstream_status", std::to_string(record.upstream_status));
    Object response(object.key("response"));
    response.number("status", record.status);
    put_named(response.key("headers"), record.response_headers, Case::lowered);
    response.number("size", record.response_size);
    response.end();
    Object latencies(object.key("latencies"));
    latencies.number("kong", record.kong_time);
    latencies.number("proxy", record.proxy_time);
    latencies.number("request", record.request_time);
    latencies.number("receive", record.receive_time);
    latencies.end();
    put_tries(object.key("tries"), record.tries);
    if (record.is_authenticated) {
        Object entity(object.key("authenticated_entity"));
        entity.text("id", record.credential);
        entity.text_if("consumer_id", record.consumer.id);
        entity.end();
    }
    put_entity(object, "route", record.route, "name");
    put_entity(object, "service", record.service, "name");
    put_entity(object, "consumer", record.consumer, "username");
    object.text("client_ip", record.client_ip);
    object.number("started_at", record.started_at);
    object.text("source", record.is_from_upstream ? "upstream" : "kong");
    object.text("workspace", "default");
    object.text("workspace_name", "default");
    object.text_if("correlation_id", record.correlation_id);
    object.end();
}

}  // namespace observe
