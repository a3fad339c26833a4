// ClientRules: which clients are asked for a certificate in the handshake, by the name that they ask for (SNI). Made of
// the uses of whatever verifies certificates afterwards; a name that no use covers is asked nothing. Immutable once
// sealed by being shared; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace net::tls {

class ClientRules {
  public:
    enum class Kind : std::uint8_t { exact, suffix, prefix };  // "a.b", ".b" of "*.b", "a." of "a.*"

    // One use. `authorities`: DER names that clients are told, so that they show the right certificate; empty: all do.
    std::uint32_t add(std::vector<std::string> authorities);
    // What it covers: names in lower case without a dot at the end, or every handshake.
    void cover(std::uint32_t use, Kind kind, const std::string& name);
    void cover_all(std::uint32_t use);

    // The uses that cover a name, ascending; empty: no certificate is asked for. Two names with the same answer may
    // share a connection.
    [[nodiscard]] std::vector<std::uint32_t> covering(std::string_view name) const;
    // The names to be told to who is covered by these; empty: none, since one of them takes any.
    [[nodiscard]] std::vector<std::string> authorities_of(const std::vector<std::uint32_t>& uses) const;
    // Every handshake has the same answer.
    [[nodiscard]] bool is_same_for_all() const { return by_name_.empty(); }
    [[nodiscard]] bool is_empty() const { return all_.empty() && by_name_.empty(); }

  private:
    using Uses = std::vector<std::uint32_t>;
    std::vector<std::vector<std::string>> authorities_;  // by use
    Uses all_;
    std::unordered_map<std::string, Uses> by_name_;  // the kind's digit, then the name
};

}  // namespace net::tls
