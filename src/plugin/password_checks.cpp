#include "plugin/password_checks.h"

#include <algorithm>
#include <array>
#include <span>

#include "base/ensure.h"
#include "observe/request_id.h"

namespace plugin {

namespace {

crypto::HmacKey random_key() {
    std::array<std::byte, 32> bytes{};
    observe::system_entropy(bytes);
    std::string_view secret(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    return std::move(*crypto::HmacKey::make(crypto::Hash::sha256, secret));
}

}  // namespace

PasswordChecks::PasswordChecks(net::Loop& loop) : loop_(loop), key_(random_key()) {}

PasswordChecks::~PasswordChecks() {
    {
        std::lock_guard guard(lock_);
        is_over_ = true;
        jobs_.clear();
    }
    changed_.notify_all();
    if (thread_.joinable()) thread_.join();
}

PasswordChecks::Job::~Job() { std::fill(password.begin(), password.end(), '\0'); }

std::string PasswordChecks::memory_key(std::string_view hash, std::string_view password) const {
    std::string text(hash);  // holds no NUL, so the two parts cannot be shifted against each other
    text += '\0';
    text += password;
    return std::string(key_.sign(text).view());
}

bool PasswordChecks::remembers(std::string_view hash, std::string_view password) const {
    return remembered_.contains(memory_key(hash, password));
}

bool PasswordChecks::is_full(std::string_view hash_text) const {
    std::lock_guard guard(lock_);
    auto is_same = [&](const std::shared_ptr<Job>& job) { return job->hash_text == hash_text; };
    return jobs_.size() >= most_waiting ||
           std::count_if(jobs_.begin(), jobs_.end(), is_same) >= static_cast<std::ptrdiff_t>(most_of_one);
}

void PasswordChecks::Check::await_suspend(std::coroutine_handle<> coroutine) {
    job_->waiting = coroutine;
    std::lock_guard guard(checks_.lock_);
    ensure(checks_.jobs_.size() < most_waiting, checks_.jobs_.size());
    checks_.jobs_.push_back(job_);
    if (!checks_.thread_.joinable()) checks_.thread_ = std::thread([checks = &checks_] { checks->work(); });
    checks_.changed_.notify_one();
}

bool PasswordChecks::Check::await_resume() {
    if (!job_->is_right) return false;
    if (checks_.remembered_.size() >= most_remembered) checks_.remembered_.clear();
    checks_.remembered_.insert(checks_.memory_key(job_->hash_text, job_->password));
    return true;
}

// If the request is gone, nobody is to be resumed, and what waits takes no place any more.
PasswordChecks::Check::~Check() {
    job_->waiting = nullptr;
    std::lock_guard guard(checks_.lock_);
    std::erase(checks_.jobs_, job_);
}

void PasswordChecks::work() {
    for (;;) {
        std::shared_ptr<Job> job;
        {
            std::unique_lock guard(lock_);
            changed_.wait(guard, [this] { return is_over_ || !jobs_.empty(); });
            if (is_over_) return;
            job = std::move(jobs_.front());
            jobs_.pop_front();
        }
        bool is_right = job->hash.verify(job->password);
        loop_.post([done = std::move(job), is_right] {
            done->is_right = is_right;
            if (done->waiting) done->waiting.resume();
        });
    }
}

}  // namespace plugin
