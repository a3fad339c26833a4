#include "net/fetch.h"

#include <curl/curl.h>

#include <memory>

#include "net/curl_transfer.h"

namespace net {

base::Result<Fetched> fetch(const std::string& url, const std::atomic<bool>& stop, const FetchLimits& limits) {
    CurlTransfer transfer(url, limits, &stop);
    if (transfer.handle() == nullptr) return base::Error::us(base::Code::exhausted, "no HTTP client");
    CURLcode code = curl_easy_perform(transfer.handle());
    if (code != CURLE_OK) return transfer.failure(code);
    if (long status = transfer.status(); status != 200)
        return base::Error::us(base::Code::malformed, "status " + std::to_string(status));
    return Fetched{transfer.take_body(), transfer.header("Cache-Control")};
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
