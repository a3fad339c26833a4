// Script: a Lua script that Redis runs as one atomic step, sent by its digest. A constant of the program: it outlives
// every Client that runs it, and all cores share it.
#pragma once

#include <string>
#include <string_view>

namespace redis {

class Script {
  public:
    explicit Script(std::string_view source);
    [[nodiscard]] std::string_view source() const { return source_; }
    [[nodiscard]] std::string_view digest() const { return digest_; }  // 40 hexadecimal digits

  private:
    std::string_view source_;
    std::string digest_;
};

}  // namespace redis
