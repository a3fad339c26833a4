// Staples: what authorities say about the certificates that we show (OCSP), kept at hand so that a handshake can bring
// it along (RFC 6066 8). Fetched on a thread of its own, renewed long before it ends; a handshake takes what is there
// and never waits. Only an answer that says `good`, signed and in force, is ever shown.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/fetch.h"
#include "net/tls/revocation.h"

struct ssl_st;

namespace net::tls {

class Staples {
  public:
    struct Pauses {
        std::chrono::milliseconds least{5'000};  // between two fetches for one certificate
        std::chrono::milliseconds most{12 * 3600 * 1'000};
        std::chrono::milliseconds after_failure{5'000};  // doubled with each, up to:
        std::chrono::milliseconds longest_after_failure{600'000};
        std::chrono::seconds without_end{3600};  // how long an answer is shown that names no end
    };
    using Fetch = std::function<base::Result<net::Fetched>(const std::string& url, const std::atomic<bool>& stop,
                                                           const net::FetchLimits& limits)>;

    // One certificate's. Any thread.
    class Slot {
      public:
        Slot(const x509_st* certificate, const x509_st* issuer)
            : certificate_(shared(certificate)), issuer_(shared(issuer)) {}
        // DER; null: none that may be shown at that time.
        [[nodiscard]] std::shared_ptr<const std::string> answer(std::int64_t now_s) const;
        [[nodiscard]] bool is_of(const x509_st* certificate) const;

      private:
        friend class Staples;
        void set(std::shared_ptr<const std::string> answer, std::int64_t until_s);

        CertificatePointer certificate_;
        CertificatePointer issuer_;
        mutable std::mutex lock_;
        std::shared_ptr<const std::string> answer_;
        std::int64_t until_s_ = 0;
    };

    explicit Staples(Fetch fetch = {}) : Staples(std::move(fetch), Pauses()) {}
    Staples(Fetch fetch, Pauses pauses);
    ~Staples();  // ends the thread, and a fetch under way
    Staples(const Staples&) = delete;

    // The slot of a certificate, the same over reloads; kept filled as long as somebody holds it. Null: the certificate
    // names nobody to ask.
    [[nodiscard]] std::shared_ptr<const Slot> slot(const x509_st* certificate, const x509_st* issuer);

  private:
    using Clock = std::chrono::steady_clock;
    struct Entry {
        std::weak_ptr<Slot> slot;
        Clock::time_point due;
        std::chrono::milliseconds pause{0};  // after the last failure; 0: it went well
    };
    void work();
    // How long until the next one; nothing: it failed.
    [[nodiscard]] base::Result<std::chrono::milliseconds> renew(Slot& slot) const;

    const Fetch fetch_;
    const Pauses pauses_;
    std::atomic<bool> is_over_{false};
    std::mutex lock_;  // of what follows
    std::condition_variable changed_;
    std::unordered_map<std::string, Entry> entries_;  // by certificate
    std::thread thread_;                              // from the first slot on
};

}  // namespace net::tls
