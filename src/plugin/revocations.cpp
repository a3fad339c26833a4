#include "plugin/revocations.h"

#include <algorithm>
#include <cstdio>
#include <ctime>

#include "net/tls/context.h"
#include "observe/log.h"

namespace plugin {

namespace {

using net::tls::RevocationList;
using net::tls::Ruling;
using net::tls::Standing;

bool is_web(std::string_view source) { return source.starts_with("http://") || source.starts_with("https://"); }

// Until when something that the authority means to last until then, in seconds since 1970, is believed.
std::chrono::steady_clock::time_point belief_of(std::int64_t until_s, std::chrono::milliseconds belief) {
    std::chrono::milliseconds lasts = belief;
    if (until_s != 0)
        lasts = std::min<std::chrono::milliseconds>(lasts, std::chrono::seconds(until_s - std::time(nullptr)));
    return std::chrono::steady_clock::now() + std::max<std::chrono::milliseconds>(lasts, Revocations::least_belief);
}

base::Result<std::string> file_text(const std::string& path) {
    std::unique_ptr<std::FILE, int (*)(std::FILE*)> file(std::fopen(path.c_str(), "rb"), std::fclose);
    if (!file) return base::Error::us(base::Code::invalid, "cannot be read");
    std::string out;
    char part[16 * 1024];
    while (std::size_t size = std::fread(part, 1, sizeof part, file.get())) {
        out.append(part, size);
        if (out.size() > RevocationList::most_bytes) return base::Error::us(base::Code::too_large, "too large");
    }
    return out;
}

}  // namespace

std::string Revocations::Ways::key() const {
    std::string out = std::to_string(timeout.count()) + '|' + std::to_string(belief.count()) + '|' + proxy;
    for (const std::string& list : lists) out += '|' + list;
    return out;
}

std::string Revocations::key_of(const x509_st* certificate, const x509_st* issuer, const Ways& ways) {
    return net::tls::fingerprint(net::tls::encoded(certificate) + net::tls::encoded(issuer) + ways.key());
}

Revocations::Revocations(Fetch fetch) : fetch_(fetch ? std::move(fetch) : Fetch(&net::fetch)) {}

Revocations::~Revocations() {
    is_over_ = true;
    {
        std::lock_guard guard(lock_);
        come_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
}

std::optional<Ruling> Revocations::known(const std::string& key) {
    std::lock_guard guard(lock_);
    auto found = known_.find(key);
    if (found == known_.end() || found->second.until <= Clock::now()) return {};
    return found->second.verdict;
}

Revocations::Answer Revocations::ask(net::Loop& loop, const x509_st* certificate, const x509_st* issuer,
                                     std::shared_ptr<const Ways> ways) {
    Question question{key_of(certificate, issuer, *ways),
                      net::tls::shared(certificate),
                      net::tls::shared(issuer),
                      std::move(ways),
                      {}};
    return {*this, loop, std::move(question)};
}

// False: there is no place, and the verdict stays unknown; or it is known by now.
bool Revocations::join(Question question, std::shared_ptr<Waiter> waiter) {
    std::lock_guard guard(lock_);
    if (auto found = known_.find(question.key); found != known_.end() && found->second.until > Clock::now()) {
        waiter->verdict = found->second.verdict;
        return false;
    }
    if (auto found = asked_.find(question.key); found != asked_.end()) {
        found->second->waiters.push_back(std::move(waiter));
        return true;
    }
    if (waiting_.size() >= most_waiting || is_over_) {
        waiter->verdict.fault = "too many questions are waiting";
        return false;
    }
    auto asked = std::make_shared<Question>(std::move(question));
    asked->waiters.push_back(std::move(waiter));
    asked_.emplace(asked->key, asked);
    waiting_.push_back(std::move(asked));
    if (threads_.size() < threads) threads_.emplace_back([this] { work(); });
    come_.notify_one();
    return true;
}

// The loop is alive here, and the waiter is off the list before it is not.
Revocations::Answer::~Answer() {
    std::lock_guard guard(of_.lock_);
    waiter_->coroutine = nullptr;
    for (auto& [key, question] : of_.asked_) std::erase(question->waiters, waiter_);
}

void Revocations::work() {
    std::unique_lock guard(lock_);
    while (true) {
        come_.wait(guard, [this] { return is_over_ || !waiting_.empty(); });
        if (is_over_) return;
        std::shared_ptr<Question> question = std::move(waiting_.front());
        waiting_.pop_front();
        ++questions_;
        guard.unlock();
        Ruling verdict = find_out(*question);
        guard.lock();
        if (is_over_) return;
        answered(*question, verdict);
    }
}

void Revocations::answered(Question& question, const Ruling& verdict) {
    if (verdict.standing == Standing::unknown) ++failures_;
    if (known_.size() >= most_remembered) known_.clear();
    Clock::time_point until = verdict.standing == Standing::unknown ? Clock::now() + least_belief
                                                                    : belief_of(verdict.until_s, question.ways->belief);
    known_[question.key] = {verdict, until};
    for (std::shared_ptr<Waiter>& waiter : question.waiters) {
        waiter->verdict = verdict;
        net::Loop& loop = waiter->loop;
        loop.post([waiter = std::move(waiter)] {
            if (waiter->coroutine) waiter->coroutine.resume();
        });
    }
    question.waiters.clear();
    asked_.erase(question.key);
}

// A word of the authority's that it was taken back ends the search, as does one that it is good; a source that fails is
// no reason to stop.
Ruling Revocations::find_out(const Question& question) {
    Clock::time_point deadline = Clock::now() + question.ways->timeout;
    Ruling last{Standing::unknown, 0, "the certificate names nobody to ask"};
    for (const std::string& url : net::tls::ocsp_sources(question.certificate.get())) {
        Ruling verdict = by_ocsp(question, url, deadline);
        if (verdict.standing != Standing::unknown) return verdict;
        last = std::move(verdict);
    }
    std::vector<std::string> sources = question.ways->lists;
    for (std::string& url : net::tls::crl_sources(question.certificate.get())) sources.push_back(std::move(url));
    for (const std::string& source : sources) {
        auto list = list_at(source, *question.ways, deadline);
        if (!list) {
            last.fault = source + ": " + list.error().detail;
            continue;
        }
        if (!(*list)->is_of(question.issuer.get())) continue;
        Ruling verdict = (*list)->about(question.certificate.get(), question.issuer.get(), std::time(nullptr));
        if (verdict.standing != Standing::unknown) return verdict;
        last = std::move(verdict);
    }
    observe::log(observe::Level::warn, "mtls-auth", "it is not known whether a certificate was taken back",
                 {{"subject", net::tls::names_of(question.certificate.get()).subject}, {"reason", last.fault}});
    return last;
}

Ruling Revocations::by_ocsp(const Question& question, const std::string& url, Clock::time_point deadline) {
    using net::tls::OcspQuestion;
    auto asked = OcspQuestion::about(question.certificate.get(), question.issuer.get(), OcspQuestion::Nonce::fresh);
    if (!asked) return {Standing::unknown, 0, asked.error().detail};
    net::FetchLimits limits{.bytes = OcspQuestion::most_answer,
                            .post = asked->bytes(),
                            .post_type = std::string(OcspQuestion::content_type),
                            .proxy = question.ways->proxy};
    base::Result<std::string> answer = get(url, std::move(limits), deadline);
    if (!answer) return {Standing::unknown, 0, url + ": " + answer.error().detail};
    return asked->read(*answer);
}

base::Result<std::shared_ptr<const RevocationList>> Revocations::list_at(const std::string& source, const Ways& ways,
                                                                         Clock::time_point deadline) {
    {
        std::lock_guard guard(lock_);
        if (auto found = lists_.find(source); found != lists_.end() && found->second.until > Clock::now())
            return found->second.list;
    }
    std::string text;
    if (is_web(source)) {
        TRY(got, get(source, {.bytes = RevocationList::most_bytes, .proxy = ways.proxy}, deadline));
        text = std::move(got);
    } else {
        TRY(read, file_text(source));
        text = std::move(read);
    }
    TRY(list, RevocationList::parse(text));
    std::lock_guard guard(lock_);
    if (lists_.size() >= most_lists) lists_.clear();
    lists_[source] = {list, belief_of(list->until_s(), ways.belief)};
    return list;
}

base::Result<std::string> Revocations::get(const std::string& url, net::FetchLimits limits,
                                           Clock::time_point deadline) {
    Clock::time_point now = Clock::now();
    {
        std::lock_guard guard(lock_);
        if (auto found = silent_.find(url); found != silent_.end() && found->second > now)
            return base::Error::us(base::Code::refused, "did not answer a moment ago");
    }
    limits.whole = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - now);
    if (limits.whole.count() <= 0) return base::Error::us(base::Code::timed_out, "no time left");
    limits.connect = std::min(limits.connect, limits.whole);
    base::Result<net::Fetched> got = fetch_(url, is_over_, limits);
    std::lock_guard guard(lock_);
    if (got) {
        silent_.erase(url);
        return std::move(got->body);
    }
    if (silent_.size() >= most_lists) silent_.clear();
    silent_[url] = Clock::now() + silence;
    return std::move(got).error();
}

void Revocations::measure(std::vector<observe::Sample>& samples) const {
    std::lock_guard guard(lock_);
    samples.push_back({"revocation_questions_total",
                       "Certificates about which authorities were asked whether they were taken back.",
                       "counter",
                       {},
                       static_cast<double>(questions_)});
    samples.push_back({"revocation_failures_total",
                       "Of those, the ones that nobody has answered.",
                       "counter",
                       {},
                       static_cast<double>(failures_)});
}

}  // namespace plugin
