#include "net/fetch.h"

#include <curl/curl.h>
#include <strings.h>

#include <memory>

namespace net {

namespace {

struct Receiver {
    std::string body;
    std::size_t most = 0;
    bool is_too_large = false;
    const std::atomic<bool>& stop;
};

std::size_t take(char* data, std::size_t, std::size_t size, void* to) {
    auto& receiver = *static_cast<Receiver*>(to);
    if (receiver.body.size() + size > receiver.most) {
        receiver.is_too_large = true;
        return 0;
    }
    receiver.body.append(data, size);
    return size;
}

int is_over(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    return static_cast<Receiver*>(to)->stop.load() ? 1 : 0;
}

bool is_https(std::string_view url) {
    constexpr std::string_view scheme = "https:";
    return url.size() > scheme.size() && ::strncasecmp(url.data(), scheme.data(), scheme.size()) == 0;
}

base::Error failure(CURLcode code, const Receiver& receiver, const char* why) {
    if (receiver.is_too_large) return base::Error::us(base::Code::too_large, "the document is too large");
    base::Code kind = code == CURLE_OPERATION_TIMEDOUT         ? base::Code::timed_out
                      : code == CURLE_COULDNT_CONNECT          ? base::Code::refused
                      : code == CURLE_COULDNT_RESOLVE_HOST     ? base::Code::unresolved
                      : code == CURLE_ABORTED_BY_CALLBACK      ? base::Code::cancelled
                      : code == CURLE_OUT_OF_MEMORY            ? base::Code::exhausted
                      : code == CURLE_PEER_FAILED_VERIFICATION ? base::Code::invalid
                                                               : base::Code::reset;
    return base::Error::us(kind, *why != '\0' ? why : curl_easy_strerror(code));
}

}  // namespace

base::Result<Fetched> fetch(const std::string& url, const std::atomic<bool>& stop, const FetchLimits& limits) {
    static const CURLcode is_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    std::unique_ptr<CURL, void (*)(CURL*)> handle(curl_easy_init(), curl_easy_cleanup);
    if (is_ready != CURLE_OK || !handle) return base::Error::us(base::Code::exhausted, "no HTTP client");
    Receiver receiver{.body = {}, .most = limits.bytes, .is_too_large = false, .stop = stop};
    char why[CURL_ERROR_SIZE] = {};
    CURL* curl = handle.get();
    curl_easy_setopt(curl, CURLOPT_URL, url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_https(url) ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, limits.redirects);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits.connect.count()));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits.whole.count()));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // do not wait for a resolver that hangs
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, &receiver);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, &receiver);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "cardea");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!limits.proxy.empty()) curl_easy_setopt(curl, CURLOPT_PROXY, limits.proxy.c_str());
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> fields(nullptr, curl_slist_free_all);
    if (!limits.post_type.empty()) {
        fields.reset(curl_slist_append(nullptr, ("Content-Type: " + limits.post_type).c_str()));
        curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields.get());
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(limits.post.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, limits.post.data());
    }
    CURLcode code = curl_easy_perform(curl);
    if (code != CURLE_OK) return failure(code, receiver, why);
    long status = 0;
    curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
    if (status != 200) return base::Error::us(base::Code::malformed, "status " + std::to_string(status));
    Fetched out{std::move(receiver.body), {}};
    curl_header* field = nullptr;
    for (std::size_t i = 0; curl_easy_header(curl, "Cache-Control", i, CURLH_HEADER, -1, &field) == CURLHE_OK; ++i)
        out.cache_control.append(i == 0 ? "" : ", ").append(field->value);
    return out;
}

std::string fault_of_url(std::string_view text) {
    std::unique_ptr<CURLU, void (*)(CURLU*)> url(curl_url(), curl_url_cleanup);
    std::string copy(text);
    if (!url || curl_url_set(url.get(), CURLUPART_URL, copy.c_str(), 0) != CURLUE_OK) return "not a URL";
    char* scheme = nullptr;
    if (curl_url_get(url.get(), CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK) return "a URL without a scheme";
    std::unique_ptr<char, void (*)(void*)> held(scheme, curl_free);
    bool is_http = std::string_view(scheme) == "http" || std::string_view(scheme) == "https";
    if (!is_http) return "neither http nor https";
    // It would be shown in logs and metrics.
    char* user = nullptr;
    bool has_user = curl_url_get(url.get(), CURLUPART_USER, &user, 0) == CURLUE_OK;
    curl_free(user);
    return has_user ? "a URL with a user or password" : "";
}

}  // namespace net
