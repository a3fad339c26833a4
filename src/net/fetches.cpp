#include "net/fetches.h"

#include <curl/curl.h>

#include <algorithm>

#include "net/curl_transfer.h"

namespace net {

namespace {

class CurlFetches final : public Fetches {
  public:
    explicit CurlFetches(CURLM* multi) : multi_(multi) {}
    ~CurlFetches() override {
        for (auto& [id, one] : running_) curl_multi_remove_handle(multi_, one->transfer.handle());
        running_.clear();
        curl_multi_cleanup(multi_);
    }

    void start(std::uint64_t id, FetchRequest request) override {
        auto one = std::make_unique<Running>(id, std::move(request));
        CURL* handle = one->transfer.handle();
        if (handle == nullptr || curl_multi_add_handle(multi_, handle) != CURLM_OK) {
            done_.push_back({id, base::Error::us(base::Code::exhausted, "no HTTP client")});
            return;
        }
        curl_easy_setopt(handle, CURLOPT_PRIVATE, one.get());
        curl_easy_setopt(handle, CURLOPT_TCP_KEEPALIVE, 1L);  // a long poll's other end may be gone without a word
        running_[id] = std::move(one);
    }

    void cancel(std::uint64_t id) override {
        std::erase_if(done_, [&](const Done& done) { return done.id == id; });
        auto at = running_.find(id);
        if (at == running_.end()) return;
        curl_multi_remove_handle(multi_, at->second->transfer.handle());
        running_.erase(at);
    }

    std::vector<Done> wait(std::chrono::milliseconds most) override {
        int running = 0;
        curl_multi_perform(multi_, &running);
        collect();
        if (done_.empty()) {
            auto longest = std::clamp<std::int64_t>(most.count(), 0, 60'000);
            curl_multi_poll(multi_, nullptr, 0, static_cast<int>(longest), nullptr);
            curl_multi_perform(multi_, &running);
            collect();
        }
        return std::exchange(done_, {});
    }

    void wake() override { curl_multi_wakeup(multi_); }

  private:
    struct Running {
        Running(std::uint64_t number, FetchRequest request)
            : id(number),
              wanted(std::move(request.wanted)),
              transfer(std::move(request.url), std::move(request.limits), nullptr) {}
        const std::uint64_t id;
        const std::vector<std::string> wanted;
        CurlTransfer transfer;
    };

    void collect() {
        int left = 0;
        while (CURLMsg* message = curl_multi_info_read(multi_, &left)) {
            if (message->msg != CURLMSG_DONE) continue;
            CURLcode code = message->data.result;
            Running* one = nullptr;
            curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &one);
            std::uint64_t id = one->id;
            done_.push_back({id, code == CURLE_OK ? answer_of(*one) : one->transfer.failure(code)});
            curl_multi_remove_handle(multi_, message->easy_handle);
            running_.erase(id);
        }
    }

    static base::Result<FetchAnswer> answer_of(Running& one) {
        FetchAnswer out{one.transfer.status(), one.transfer.take_body(), {}};
        for (const std::string& name : one.wanted)
            if (std::string value = one.transfer.header(name.c_str()); !value.empty())
                out.headers.emplace(name, std::move(value));
        return out;
    }

    CURLM* multi_;
    std::map<std::uint64_t, std::unique_ptr<Running>> running_;
    std::vector<Done> done_;
};

}  // namespace

base::Result<std::unique_ptr<Fetches>> Fetches::open() {
    static const CURLcode is_ready = curl_global_init(CURL_GLOBAL_DEFAULT);
    CURLM* multi = is_ready == CURLE_OK ? curl_multi_init() : nullptr;
    if (multi == nullptr) return base::Error::us(base::Code::exhausted, "no HTTP client");
    return std::unique_ptr<Fetches>(std::make_unique<CurlFetches>(multi));
}

}  // namespace net
