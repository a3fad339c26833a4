// CurlTransfer: one request of libcurl and what came of it. Everything about libcurl's options is behind this file;
// used by fetch() and Fetches, each of which drives it in its own way.
#pragma once

#include <curl/curl.h>

#include <atomic>
#include <memory>
#include <string>

#include "net/fetch.h"

namespace net {

class CurlTransfer {
  public:
    // `stop` may be null. Neither copied nor moved: libcurl points into it.
    CurlTransfer(std::string url, FetchLimits limits, const std::atomic<bool>* stop);
    CurlTransfer(const CurlTransfer&) = delete;
    CurlTransfer& operator=(const CurlTransfer&) = delete;

    [[nodiscard]] CURL* handle() { return handle_.get(); }  // null: there is none to be had
    // Once it has ended so.
    [[nodiscard]] base::Error failure(CURLcode code) const;
    [[nodiscard]] long status();
    [[nodiscard]] std::string header(const char* name);  // values joined by commas
    [[nodiscard]] std::string take_body() { return std::move(body_); }

  private:
    static std::size_t take(char* data, std::size_t, std::size_t size, void* to);
    static int is_over(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t);

    const std::string url_;
    const FetchLimits limits_;
    const std::atomic<bool>* stop_;
    std::string body_;
    bool is_too_large_ = false;
    char why_[CURL_ERROR_SIZE] = {};
    std::unique_ptr<curl_slist, void (*)(curl_slist*)> fields_{nullptr, curl_slist_free_all};
    std::unique_ptr<CURL, void (*)(CURL*)> handle_{nullptr, curl_easy_cleanup};  // last: it uses the others
};

}  // namespace net
