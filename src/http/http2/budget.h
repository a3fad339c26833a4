// Budget: an Allowance that is being used up. Whoever runs dry is told to calm down.
#pragma once

#include <algorithm>
#include <cstdint>

#include "http/http2/limits.h"
#include "net/time.h"

namespace http2 {

class Budget {
  public:
    explicit Budget(const Allowance& allowance) : allowance_(allowance), thousandths_(full()) {}

    // False: there is none left.
    [[nodiscard]] bool take(net::Instant now) {
        if (now > refilled_) {
            std::uint64_t earned = static_cast<std::uint64_t>(now - refilled_) * allowance_.per_second;
            thousandths_ = std::min(full(), thousandths_ + (refilled_ == 0 ? 0 : earned));
            refilled_ = now;
        }
        if (thousandths_ < 1000) return false;
        thousandths_ -= 1000;
        return true;
    }
    void earn(std::uint32_t count) { thousandths_ = std::min(full(), thousandths_ + std::uint64_t{count} * 1000); }

  private:
    [[nodiscard]] std::uint64_t full() const { return std::uint64_t{allowance_.burst} * 1000; }
    Allowance allowance_;
    std::uint64_t thousandths_;
    net::Instant refilled_ = 0;
};

}  // namespace http2
