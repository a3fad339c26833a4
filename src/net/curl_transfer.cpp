#include "net/curl_transfer.h"

#include <strings.h>

namespace net {

namespace {

bool is_https(std::string_view url) {
    constexpr std::string_view scheme = "https:";
    return url.size() > scheme.size() && ::strncasecmp(url.data(), scheme.data(), scheme.size()) == 0;
}

}  // namespace

CurlTransfer::CurlTransfer(std::string url, FetchLimits limits, const std::atomic<bool>* stop)
    : url_(std::move(url)), limits_(std::move(limits)), stop_(stop) {
    static const CURLcode is_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    if (is_ready == CURLE_OK) handle_.reset(curl_easy_init());
    CURL* curl = handle_.get();
    if (curl == nullptr) return;
    curl_easy_setopt(curl, CURLOPT_URL, url_.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, is_https(url_) ? "https" : "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, limits_.redirects > 0 ? 1L : 0L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, limits_.redirects);
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(limits_.connect.count()));
    curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, static_cast<long>(limits_.whole.count()));
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_QUICK_EXIT, 1L);  // do not wait for a resolver that hangs
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, is_over);
    curl_easy_setopt(curl, CURLOPT_XFERINFODATA, this);
    curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, why_);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "cardea");
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, static_cast<long>(CURL_SSLVERSION_TLSv1_2));
    if (!limits_.proxy.empty()) curl_easy_setopt(curl, CURLOPT_PROXY, limits_.proxy.c_str());
    if (limits_.is_direct) curl_easy_setopt(curl, CURLOPT_PROXY, "");
    std::vector<std::string> fields = limits_.fields;
    if (!limits_.post_type.empty()) {
        fields.push_back("Content-Type: " + limits_.post_type);
        curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE, static_cast<long>(limits_.post.size()));
        curl_easy_setopt(curl, CURLOPT_POSTFIELDS, limits_.post.data());
    }
    for (const std::string& field : fields)
        if (curl_slist* longer = curl_slist_append(fields_.get(), field.c_str())) {
            static_cast<void>(fields_.release());
            fields_.reset(longer);
        }
    if (fields_) curl_easy_setopt(curl, CURLOPT_HTTPHEADER, fields_.get());
}

std::size_t CurlTransfer::take(char* data, std::size_t, std::size_t size, void* to) {
    auto& self = *static_cast<CurlTransfer*>(to);
    if (self.body_.size() + size > self.limits_.bytes) {
        self.is_too_large_ = true;
        return 0;
    }
    self.body_.append(data, size);
    return size;
}

int CurlTransfer::is_over(void* to, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
    const auto& self = *static_cast<CurlTransfer*>(to);
    return self.stop_ != nullptr && self.stop_->load() ? 1 : 0;
}

base::Error CurlTransfer::failure(CURLcode code) const {
    if (is_too_large_) return base::Error::us(base::Code::too_large, "the document is too large");
    base::Code kind = code == CURLE_OPERATION_TIMEDOUT         ? base::Code::timed_out
                      : code == CURLE_COULDNT_CONNECT          ? base::Code::refused
                      : code == CURLE_COULDNT_RESOLVE_HOST     ? base::Code::unresolved
                      : code == CURLE_ABORTED_BY_CALLBACK      ? base::Code::cancelled
                      : code == CURLE_OUT_OF_MEMORY            ? base::Code::exhausted
                      : code == CURLE_PEER_FAILED_VERIFICATION ? base::Code::invalid
                                                               : base::Code::reset;
    return base::Error::us(kind, why_[0] != '\0' ? why_ : curl_easy_strerror(code));
}

long CurlTransfer::status() {
    long status = 0;
    curl_easy_getinfo(handle(), CURLINFO_RESPONSE_CODE, &status);
    return status;
}

std::string CurlTransfer::header(const char* name) {
    std::string out;
    curl_header* field = nullptr;
    for (std::size_t i = 0; curl_easy_header(handle(), name, i, CURLH_HEADER, -1, &field) == CURLHE_OK; ++i)
        out.append(i == 0 ? "" : ", ").append(field->value);
    return out;
}

}  // namespace net
