// ServerCertificates: what we show to clients: a certificate by the name that they ask for (SNI), with the versions and
// ciphers that we speak. Immutable; any thread may make sessions from it, and keeps it while one is being greeted.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.h"
#include "net/tls/client_rules.h"
#include "net/tls/identity.h"
#include "net/tls/session.h"
#include "net/tls/staples.h"

struct ssl_ctx_st;

namespace net::tls {

enum class CipherSuite : std::uint8_t { modern, intermediate, custom };

struct ServerRules {
    CipherSuite suite = CipherSuite::intermediate;
    std::string ciphers;  // of TLS 1.2, with `custom`
    bool has_tls12 = true;
    bool has_tls13 = true;
    bool has_staples = false;  // what authorities say of our certificates is shown with them
};

// What a listener may agree on by ALPN (RFC 7301).
enum class Offer : std::uint8_t { http1, http2_and_http1 };

class ServerCertificates {
  public:
    // Shown for `names`: exact, `*.rest`, `first.*` or `*`. Several identities: of different kinds of key.
    struct Entry {
        std::vector<Identity> identities;
        std::vector<std::string> names;
    };
    // `fallback` is shown where no name fits; it must not be empty. Clients that `clients` covers are asked for a
    // certificate: it is theirs to show one, and whoever serves them to verify it (PeerChain).
    static base::Result<std::shared_ptr<const ServerCertificates>> make(const ServerRules& rules,
                                                                        const std::vector<Entry>& entries,
                                                                        const std::vector<Identity>& fallback,
                                                                        ClientRules clients = {},
                                                                        std::shared_ptr<Staples> staples = {});
    ServerCertificates(const ServerCertificates&) = delete;
    ~ServerCertificates() = default;

    [[nodiscard]] Session session(Offer offer) const;
    [[nodiscard]] const ClientRules& clients() const { return clients_; }

  private:
    friend struct Choice;
    using Shown = std::shared_ptr<ssl_ctx_st>;

    ServerCertificates() = default;
    [[nodiscard]] ssl_ctx_st* shown_for(std::string_view name) const;

    std::shared_ptr<Staples> staples_;  // null: none are shown
    // The slots of one context's certificates; they outlive it.
    using Stapled = std::vector<std::shared_ptr<const Staples::Slot>>;
    std::vector<std::unique_ptr<Stapled>> stapled_;
    void staple(ssl_ctx_st* context);

    Shown fallback_;
    ClientRules clients_;
    std::unordered_map<std::string, Shown> by_name_;
};

// A certificate for `localhost` that nobody has signed but itself, with a fresh key of P-256.
base::Result<Identity> make_self_signed();

}  // namespace net::tls
