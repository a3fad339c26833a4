#include "net/tls/context.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <cstdint>
#include <mutex>
#include <vector>

#include "base/ensure.h"
#include "net/address.h"
#include "net/tls/pem.h"

namespace net::tls {

namespace {

using base::Code;
using base::Error;

struct FileState {
    std::string path;
    std::int64_t changed_s = 0;
    std::int64_t changed_ns = 0;
    std::int64_t size = 0;
    bool operator==(const FileState&) const = default;
};

struct Known {
    FileState file;
    ClientContext context;
};

// Made on configuration's threads, used by all; a context that was replaced lives on in its users.
std::mutex known_lock;
std::vector<Known>& known() {
    static std::vector<Known> contexts;
    return contexts;
}

std::string why() {
    unsigned long error = ERR_get_error();
    ERR_clear_error();
    const char* reason = error == 0 ? nullptr : ERR_reason_error_string(error);
    return reason == nullptr ? "unknown error" : reason;
}

}  // namespace

namespace {
SSL_CTX* new_context() {
    SSL_CTX* made = SSL_CTX_new(TLS_client_method());
    if (made == nullptr) return nullptr;
    SSL_CTX_set_min_proto_version(made, TLS1_2_VERSION);
    SSL_CTX_set_options(made, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_mode(made,
                     SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    return made;
}
}  // namespace

void FreeSession::operator()(ssl_st* session) const { SSL_free(session); }

void FreeResumption::operator()(ssl_session_st* resumption) const { SSL_SESSION_free(resumption); }

ClientContext::ClientContext(const ClientContext& other) : context_(other.context_) { SSL_CTX_up_ref(context_); }

ClientContext::~ClientContext() { SSL_CTX_free(context_); }

base::Result<ClientContext> ClientContext::make(const std::string& authorities) {
    FileState file{authorities};
    if (!authorities.empty()) {
        struct stat state{};
        if (::stat(authorities.c_str(), &state) != 0)
            return Error::us(Code::invalid, fmt::format("cannot read the certificates in {}", authorities));
        file.changed_s = state.st_mtim.tv_sec;
        file.changed_ns = state.st_mtim.tv_nsec;
        file.size = state.st_size;
    }
    std::lock_guard guard(known_lock);
    for (const Known& each : known())
        if (each.file == file) return each.context;

    ERR_clear_error();
    SSL_CTX* made = new_context();
    if (made == nullptr) return Error::us(Code::exhausted, fmt::format("TLS: {}", why()));
    ClientContext context(made);
    bool has_loaded = authorities.empty() ? SSL_CTX_set_default_verify_paths(made) == 1
                                          : SSL_CTX_load_verify_file(made, authorities.c_str()) == 1;
    if (!has_loaded) return Error::us(Code::invalid, fmt::format("no certificates in {}: {}", authorities, why()));
    std::erase_if(known(), [&](const Known& each) { return each.file.path == authorities; });
    known().push_back({std::move(file), context});
    return context;
}

namespace {

// Takes over the reference if it answers 1.
int keep(SSL* session, SSL_SESSION* given) {
    auto* resumption = static_cast<Resumption*>(SSL_get_app_data(session));
    if (resumption == nullptr) return 0;
    resumption->kept.reset(given);
    return 1;
}

}  // namespace

std::string fingerprint(std::string_view text) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    if (EVP_Digest(text.data(), text.size(), digest, &size, EVP_sha256(), nullptr) != 1) throw std::bad_alloc();
    std::string out;
    for (unsigned i = 0; i < size; ++i) out += fmt::format("{:02x}", digest[i]);
    return out;
}

base::Result<ClientContext> ClientContext::make(const Trust& trusted) {
    ERR_clear_error();
    SSL_CTX* made = new_context();
    if (made == nullptr) return Error::us(Code::exhausted, fmt::format("TLS: {}", why()));
    ClientContext out(made);
    SSL_CTX_set_session_cache_mode(made, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL_STORE);
    SSL_CTX_sess_set_new_cb(made, &keep);
    if (trusted.depth >= 0) SSL_CTX_set_verify_depth(made, trusted.depth);
    if (!trusted.identity.certificate.empty()) TRY_VOID(show(made, trusted.identity));
    if (trusted.verify == Verify::nothing) return out;
    for (const std::string& authority : trusted.authorities) TRY_VOID(trust(made, authority));
    if (trusted.authorities.empty() && SSL_CTX_set_default_verify_paths(made) != 1)
        return failed("the system's authorities");
    return out;
}

Session ClientContext::session(std::string name, Verify verify, Resumption* resumption) const {
    Session out(SSL_new(context_));
    if (!out) throw std::bad_alloc();
    SSL_set_connect_state(out.get());
    bool is_address = IpAddress::parse(name).ok();
    // The dot of a whole name is neither sent nor certified (RFC 6066 3).
    if (!is_address && name.ends_with('.')) name.pop_back();
    if (!is_address && !name.empty()) {
        if (SSL_set_tlsext_host_name(out.get(), name.c_str()) != 1) return nullptr;
    }
    if (resumption != nullptr) {
        SSL_set_app_data(out.get(), resumption);
        if (resumption->kept) SSL_set_session(out.get(), resumption->kept.get());
    }
    if (verify == Verify::nothing) {
        SSL_set_verify(out.get(), SSL_VERIFY_NONE, nullptr);
        return out;
    }
    SSL_set_verify(out.get(), SSL_VERIFY_PEER, nullptr);
    X509_VERIFY_PARAM* parameters = SSL_get0_param(out.get());
    X509_VERIFY_PARAM_set_hostflags(parameters, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    // Without a name nobody could be told from anybody.
    bool is_set = is_address ? X509_VERIFY_PARAM_set1_ip_asc(parameters, name.c_str()) == 1
                             : !name.empty() && X509_VERIFY_PARAM_set1_host(parameters, name.data(), name.size()) == 1;
    if (!is_set) return nullptr;
    return out;
}

void ClientContext::offer(const Session& session, Offer protocols) {
    static constexpr std::string_view both = "\x02h2\x08http/1.1";
    std::string_view list = protocols == Offer::http2 ? both.substr(0, 3) : both;
    // Answers 0 where all is well.
    if (SSL_set_alpn_protos(session.get(), reinterpret_cast<const unsigned char*>(list.data()),
                            static_cast<unsigned>(list.size())) != 0)
        throw std::bad_alloc();
}

}  // namespace net::tls
