#include "plugin/revocations.h"

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <utility>

#include "net/tls/context.h"
#include "observe/log.h"

namespace plugin {

namespace {

using net::tls::RevocationList;
using net::tls::Ruling;
using net::tls::Standing;

using Milliseconds = std::chrono::milliseconds;

// Of what an authority has said, which means it to last until then: it still does.
bool is_in_force(const Ruling& ruling) { return ruling.until_s == 0 || ruling.until_s > std::time(nullptr); }

Milliseconds belief_in(const Ruling& ruling, Milliseconds belief) {
    if (ruling.until_s != 0)
        belief = std::min<Milliseconds>(belief, std::chrono::seconds(ruling.until_s - std::time(nullptr)));
    return std::max<Milliseconds>(belief, Revocations::least_belief);
}

// Of a URL: "http://host:port".
std::string_view server_of(std::string_view url) {
    std::size_t begin = url.find("://");
    return url.substr(0, begin == url.npos ? begin : url.find('/', begin + 3));
}

std::string place_of(const std::string& source, const std::string& proxy) { return proxy + ' ' + source; }

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

Revocations::Revocations(Fetch fetch, Now now)
    : fetch_(fetch ? std::move(fetch) : Fetch(&net::fetch)), now_(now ? std::move(now) : Now(&Clock::now)) {}

Revocations::~Revocations() {
    is_over_ = true;
    {
        std::lock_guard guard(lock_);
        come_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
}

std::optional<Revocations::Said> Revocations::known(const std::string& key) {
    std::lock_guard guard(lock_);
    auto found = known_.find(key);
    if (found == known_.end() || found->second.until <= now_()) return {};
    return Said{found->second.verdict, left_until(found->second.until)};
}

Revocations::Answer Revocations::ask(net::Loop& loop, const x509_st* certificate, const x509_st* issuer,
                                     std::shared_ptr<const Ways> ways) {
    Question question;
    question.key = key_of(certificate, issuer, *ways);
    question.certificate = net::tls::shared(certificate);
    question.issuer = net::tls::shared(issuer);
    question.deadline = now_() + ways->timeout;
    question.servers = ways->proxy;
    for (const auto& urls : {net::tls::ocsp_sources(certificate), net::tls::crl_sources(certificate)})
        for (const std::string& url : urls) question.servers.append(" ").append(server_of(url));
    question.ways = std::move(ways);
    return {*this, loop, std::move(question)};
}

// False: there is no place, and the verdict stays unknown; or it is known by now.
bool Revocations::join(Question question, const std::shared_ptr<Waiter>& waiter) {
    std::lock_guard guard(lock_);
    if (auto found = known_.find(question.key); found != known_.end() && found->second.until > now_()) {
        waiter->verdict = {found->second.verdict, left_until(found->second.until)};
        return false;
    }
    if (auto found = asked_.find(question.key); found != asked_.end()) {
        waiter->question = found->second;
        found->second->waiters.push_back(waiter);
        return true;
    }
    auto load = loads_.find(question.servers);
    bool is_full = load != loads_.end() && load->second.waiting >= most_waiting_for_one;
    if (is_full || waiting_.size() >= most_waiting || is_over_) {
        ++failures_;
        waiter->verdict = unanswered(question.key, "too many questions are waiting");
        return false;
    }
    auto asked = std::make_shared<Question>(std::move(question));
    waiter->question = asked;
    asked->waiters.push_back(waiter);
    asked_.emplace(asked->key, asked);
    ++loads_[asked->servers].waiting;
    waiting_.push_back(std::move(asked));
    if (threads_.size() < threads) threads_.emplace_back([this] { work(); });
    come_.notify_one();
    return true;
}

// False: it does not wait; its answer may be on its way.
bool Revocations::leave(Waiter& waiter) {
    std::shared_ptr<Question> question = waiter.question.lock();
    return question != nullptr &&
           std::erase_if(question->waiters, [&](const auto& each) { return each.get() == &waiter; }) > 0;
}

std::chrono::milliseconds Revocations::left_until(Clock::time_point end) const {
    return std::max(Milliseconds(0), std::chrono::duration_cast<Milliseconds>(end - now_()));
}

// With the lock: what counts while nobody says anything new.
Revocations::Said Revocations::unanswered(const std::string& key, std::string why) {
    auto found = known_.find(key);
    bool is_revoked = found != known_.end() && found->second.verdict.standing == Standing::revoked;
    if (is_revoked && is_in_force(found->second.verdict)) return {found->second.verdict, least_belief};
    return {Ruling{Standing::unknown, 0, std::move(why)}, least_belief};
}

Revocations::Answer::Answer(Revocations& of, net::Loop& loop, Question question)
    : of_(of),
      question_(std::move(question)),
      waiter_(std::make_shared<Waiter>(Waiter{loop, nullptr, {}, {}})),
      key_(question_.key),
      timer_([](void* self) { static_cast<Answer*>(self)->too_late(); }, this) {}

bool Revocations::Answer::await_suspend(std::coroutine_handle<> coroutine) {
    waiter_->coroutine = coroutine;
    timer_.arm(waiter_->loop.timers(), net::after(waiter_->loop.now(), question_.ways->timeout));
    return of_.join(std::move(question_), waiter_);
}

// The loop is alive here, and the waiter is off the list before it is not.
Revocations::Answer::~Answer() {
    std::lock_guard guard(of_.lock_);
    waiter_->coroutine = nullptr;
    (void)of_.leave(*waiter_);
}

void Revocations::Answer::too_late() {
    {
        std::lock_guard guard(of_.lock_);
        if (!of_.leave(*waiter_)) return;
        waiter_->verdict = of_.unanswered(key_, "nobody has answered in time");
    }
    std::exchange(waiter_->coroutine, nullptr).resume();
}

// With the lock. The first one whose servers are not asked by enough threads.
std::shared_ptr<Revocations::Question> Revocations::next_question() {
    for (auto at = waiting_.begin(); at != waiting_.end(); ++at) {
        Load& load = loads_[(*at)->servers];
        if (load.running >= most_threads_at_one) continue;
        std::shared_ptr<Question> out = std::move(*at);
        waiting_.erase(at);
        --load.waiting;
        ++load.running;
        return out;
    }
    return nullptr;
}

void Revocations::work() {
    std::unique_lock guard(lock_);
    while (true) {
        std::shared_ptr<Question> question;
        come_.wait(guard, [&] { return is_over_ || (question = next_question()) != nullptr; });
        if (is_over_) return;
        std::optional<Ruling> verdict;
        if (question->waiters.empty()) {
            asked_.erase(question->key);  // they have gone
        } else {
            ++questions_;
            guard.unlock();
            verdict = find_out(*question);
            guard.lock();
        }
        auto load = loads_.find(question->servers);
        if (--load->second.running == 0 && load->second.waiting == 0) loads_.erase(load);
        come_.notify_one();
        if (is_over_) return;
        if (verdict) answered(*question, *verdict);
    }
}

void Revocations::answered(Question& question, const Ruling& verdict) {
    if (verdict.standing == Standing::unknown) ++failures_;
    Said said = unanswered(question.key, verdict.fault);
    if (verdict.standing != Standing::unknown) said = {verdict, belief_in(verdict, question.ways->belief)};
    if (known_.size() >= most_remembered) make_room();
    known_[question.key] = {said, now_() + said.lasts};
    for (std::shared_ptr<Waiter>& waiter : question.waiters) {
        waiter->verdict = said;
        net::Loop& loop = waiter->loop;
        loop.post([waiter = std::move(waiter)] {
            if (waiter->coroutine) std::exchange(waiter->coroutine, nullptr).resume();
        });
    }
    question.waiters.clear();
    asked_.erase(question.key);
}

// What was taken back goes last.
void Revocations::make_room() {
    Clock::time_point now = now_();
    std::erase_if(known_, [&](const auto& each) {
        const Known& known = each.second;
        return known.until <= now && (known.verdict.standing != Standing::revoked || !is_in_force(known.verdict));
    });
    if (known_.size() < most_remembered) return;
    std::erase_if(known_, [](const auto& each) { return each.second.verdict.standing != Standing::revoked; });
    if (known_.size() >= most_remembered) known_.clear();
}

// The operator's lists, the responders and, where those do not say that it is good, the lists that the certificate
// names. A word of any that it was taken back wins; a source that fails is no reason to stop. Each may take half of the
// time that is left, the last one all of it.
Ruling Revocations::find_out(const Question& question) {
    std::vector<std::string> responders = net::tls::ocsp_sources(question.certificate.get());
    std::vector<std::string> named = net::tls::crl_sources(question.certificate.get());
    std::size_t sources = question.ways->lists.size() + responders.size() + named.size();
    auto time = [&] {
        Milliseconds left = left_until(question.deadline);
        return --sources == 0 ? left : left / 2;
    };
    Ruling out{Standing::unknown, 0, "the certificate names nobody to ask"};
    auto take = [&](Ruling ruling) {
        if (ruling.standing == Standing::good && out.standing == Standing::good) {
            if (out.until_s == 0 || (ruling.until_s != 0 && ruling.until_s < out.until_s)) out.until_s = ruling.until_s;
        } else if (ruling.standing != Standing::unknown ||
                   (out.standing == Standing::unknown && !ruling.fault.empty())) {
            out = std::move(ruling);
        }
    };
    for (const std::string& source : question.ways->lists) {
        take(by_list(question, source, Named::by_operator, time()));
        if (out.standing == Standing::revoked) return out;
    }
    bool is_good_to_responder = false;
    for (const std::string& url : responders) {
        Ruling ruling = by_ocsp(question, url, time());
        is_good_to_responder = ruling.standing == Standing::good;
        take(std::move(ruling));
        if (out.standing == Standing::revoked) return out;
        if (is_good_to_responder) break;
    }
    for (const std::string& source : named) {
        if (is_good_to_responder) break;
        take(by_list(question, source, Named::by_certificate, time()));
        if (out.standing == Standing::revoked) return out;
    }
    if (out.standing == Standing::unknown)
        observe::log(observe::Level::warn, "mtls-auth", "it is not known whether a certificate was taken back",
                     {{"subject", net::tls::names_of(question.certificate.get()).subject}, {"reason", out.fault}});
    return out;
}

Ruling Revocations::by_ocsp(const Question& question, const std::string& url, Milliseconds time) {
    using net::tls::OcspQuestion;
    auto asked = OcspQuestion::about(question.certificate.get(), question.issuer.get(), OcspQuestion::Nonce::fresh);
    if (!asked) return {Standing::unknown, 0, asked.error().detail};
    net::FetchLimits limits{.bytes = OcspQuestion::most_answer,
                            .redirects = 0,  // the certificate says where to go, nobody there
                            .post = asked->bytes(),
                            .post_type = std::string(OcspQuestion::content_type),
                            .proxy = question.ways->proxy};
    base::Result<std::string> answer = get(url, std::move(limits), time);
    if (!answer) return {Standing::unknown, 0, url + ": " + answer.error().detail};
    return asked->read(*answer);
}

// What is read anew first, then what is known: whoever stands between must not take a list away.
Ruling Revocations::by_list(const Question& question, const std::string& source, Named named, Milliseconds time) {
    std::string place = place_of(source, question.ways->proxy);
    KnownList known;
    bool is_old = true;
    {
        std::lock_guard guard(lock_);
        if (auto found = lists_.find(place); found != lists_.end()) {
            known = found->second;
            is_old = known.fetched + std::max<Milliseconds>(question.ways->belief, least_belief) <= now_();
        }
    }
    Ruling out;
    List read;
    bool is_news = false;
    if (is_old) {
        base::Result<List> got = read_list(question, source, named, time);
        if (got) {
            read = std::move(*got);
            known.fetched = now_();
        } else {
            out.fault = source + ": " + got.error().detail;
            if (named == Named::by_operator)
                observe::log(observe::Level::warn, "mtls-auth", "a revocation list cannot be read",
                             {{"source", source}, {"reason", got.error().detail}});
        }
    }
    for (const List& list : {read, known.latest, known.proven}) {
        if (list == nullptr || !list->is_of(question.issuer.get())) continue;
        Ruling ruling = list->about(question.certificate.get(), question.issuer.get(), std::time(nullptr));
        if (ruling.standing == Standing::unknown) {
            out.fault = source + ": " + ruling.fault;
            continue;
        }
        out = std::move(ruling);
        is_news = list != known.proven;
        known.proven = list;
        break;
    }
    if (read != nullptr && named == Named::by_operator) {
        known.latest = read;
        is_news = true;
    }
    if (known.latest == known.proven) known.latest = nullptr;
    if (is_news) keep_list(place, std::move(known));
    return out;
}

base::Result<Revocations::List> Revocations::read_list(const Question& question, const std::string& source, Named named,
                                                       Milliseconds time) {
    if (named == Named::by_operator && !net::tls::is_web(source)) {
        TRY(text, file_text(source));
        return RevocationList::parse(text);
    }
    net::FetchLimits limits{.bytes = RevocationList::most_bytes, .proxy = question.ways->proxy};
    if (named == Named::by_certificate) limits.redirects = 0;
    TRY(text, get(source, std::move(limits), time));
    return RevocationList::parse(text);
}

std::size_t Revocations::KnownList::bytes() const {
    return (proven == nullptr ? 0 : proven->size()) + (latest == nullptr ? 0 : latest->size());
}

void Revocations::keep_list(const std::string& place, KnownList list) {
    std::lock_guard guard(lock_);
    lists_.erase(place);
    auto is_over = [](const List& one) {
        return one == nullptr || (one->until_s() != 0 && one->until_s() <= std::time(nullptr));
    };
    std::erase_if(lists_, [&](const auto& each) { return is_over(each.second.proven) && is_over(each.second.latest); });
    std::size_t bytes = list.bytes();
    for (const auto& [other, known] : lists_) bytes += known.bytes();
    while (!lists_.empty() && (bytes > most_list_bytes || lists_.size() >= most_lists)) {
        auto oldest = std::min_element(lists_.begin(), lists_.end(), [](const auto& one, const auto& two) {
            return one.second.fetched < two.second.fetched;
        });
        bytes -= oldest->second.bytes();
        lists_.erase(oldest);
    }
    if (bytes <= most_list_bytes) lists_.emplace(place, std::move(list));
}

base::Result<std::string> Revocations::get(const std::string& url, net::FetchLimits limits, Milliseconds time) {
    std::string place = place_of(url, limits.proxy);
    {
        std::lock_guard guard(lock_);
        if (auto found = silent_.find(place); found != silent_.end() && found->second > now_())
            return base::Error::us(base::Code::refused, "did not answer a moment ago");
    }
    if (time.count() <= 0) return base::Error::us(base::Code::timed_out, "no time left");
    limits.whole = time;
    limits.connect = std::min(limits.connect, time);
    base::Result<net::Fetched> got = fetch_(url, is_over_, limits);
    std::lock_guard guard(lock_);
    if (got) {
        silent_.erase(place);
        return std::move(got->body);
    }
    // What it says to one question, or has no time to say, is no reason to ask it no other.
    base::Code code = got.error().code;
    bool is_silent = code == base::Code::refused || code == base::Code::unresolved || code == base::Code::timed_out;
    if (is_silent && time >= fair_chance) {
        if (silent_.size() >= most_lists) silent_.clear();
        silent_[place] = now_() + silence;
    }
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
