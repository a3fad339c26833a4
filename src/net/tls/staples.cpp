#include "net/tls/staples.h"

#include <openssl/x509.h>

#include <algorithm>
#include <ctime>

#include "net/tls/context.h"
#include "observe/log.h"

namespace net::tls {

std::shared_ptr<const std::string> Staples::Slot::answer(std::int64_t now_s) const {
    std::lock_guard guard(lock_);
    return now_s < until_s_ ? answer_ : nullptr;
}

bool Staples::Slot::is_of(const x509_st* certificate) const { return X509_cmp(certificate_.get(), certificate) == 0; }

void Staples::Slot::set(std::shared_ptr<const std::string> answer, std::int64_t until_s) {
    std::lock_guard guard(lock_);
    answer_ = std::move(answer);
    until_s_ = until_s;
}

Staples::Staples(Fetch fetch, Pauses pauses) : fetch_(fetch ? std::move(fetch) : Fetch(&net::fetch)), pauses_(pauses) {}

Staples::~Staples() {
    is_over_ = true;
    {
        std::lock_guard guard(lock_);
        changed_.notify_all();
    }
    if (thread_.joinable()) thread_.join();
}

std::shared_ptr<const Staples::Slot> Staples::slot(const x509_st* certificate, const x509_st* issuer) {
    if (ocsp_sources(certificate).empty()) return nullptr;
    std::lock_guard guard(lock_);
    std::erase_if(entries_, [](const auto& entry) { return entry.second.slot.expired(); });
    Entry& entry = entries_[fingerprint(encoded(certificate) + encoded(issuer))];
    if (auto known = entry.slot.lock()) return known;
    auto made = std::make_shared<Slot>(certificate, issuer);
    entry = {made, Clock::now(), {}};
    if (!thread_.joinable()) thread_ = std::thread([this] { work(); });
    changed_.notify_all();
    return made;
}

void Staples::work() {
    std::unique_lock guard(lock_);
    while (!is_over_) {
        auto next = std::min_element(entries_.begin(), entries_.end(),
                                     [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
        if (next == entries_.end()) {
            changed_.wait(guard);
            continue;
        }
        if (next->second.due > Clock::now()) {
            changed_.wait_until(guard, next->second.due);
            continue;
        }
        std::string key = next->first;
        std::shared_ptr<Slot> slot = next->second.slot.lock();
        if (slot == nullptr) {
            entries_.erase(next);
            continue;
        }
        guard.unlock();
        base::Result<std::chrono::milliseconds> renewed = renew(*slot);
        slot.reset();
        guard.lock();
        auto place = entries_.find(key);
        if (place == entries_.end()) continue;
        Entry& entry = place->second;
        if (renewed) {
            entry.pause = {};
            entry.due = Clock::now() + *renewed;
        } else {
            entry.pause = entry.pause.count() == 0 ? pauses_.after_failure
                                                   : std::min(2 * entry.pause, pauses_.longest_after_failure);
            entry.due = Clock::now() + entry.pause;
        }
    }
}

// What fails leaves the last answer in place: it ends by itself.
base::Result<std::chrono::milliseconds> Staples::renew(Slot& slot) const {
    auto refused = [&](const std::string& why) {
        if (!is_over_)
            observe::log(observe::Level::warn, "net", "no OCSP answer to staple",
                         {{"certificate", names_of(slot.certificate_.get()).subject}, {"reason", why}});
        return base::Error::us(base::Code::invalid, why);
    };
    auto question = OcspQuestion::about(slot.certificate_.get(), slot.issuer_.get(), OcspQuestion::Nonce::none);
    if (!question) return refused(question.error().detail);
    std::string why;
    for (const std::string& url : ocsp_sources(slot.certificate_.get())) {
        net::FetchLimits limits{.bytes = OcspQuestion::most_answer,
                                .post = question->bytes(),
                                .post_type = std::string(OcspQuestion::content_type)};
        base::Result<net::Fetched> got = fetch_(url, is_over_, limits);
        Ruling ruling{Standing::unknown, 0, got ? "" : got.error().detail};
        if (got) ruling = question->read(got->body);
        if (ruling.standing == Standing::good) {
            std::int64_t now_s = std::time(nullptr);
            std::int64_t until_s = ruling.until_s != 0 ? ruling.until_s : now_s + pauses_.without_end.count();
            slot.set(std::make_shared<const std::string>(std::move(got->body)), until_s);
            std::chrono::milliseconds half = std::chrono::seconds(until_s - now_s) / 2;
            return std::clamp(half, pauses_.least, pauses_.most);
        }
        // An older answer that says otherwise must not be shown any more.
        if (ruling.standing == Standing::revoked) slot.set(nullptr, 0);
        why = url + ": " + (ruling.standing == Standing::revoked ? "the certificate was taken back" : ruling.fault);
    }
    return refused(why);
}

}  // namespace net::tls
