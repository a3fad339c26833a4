// Panic: when most of an upstream is out of service, the judges may be the ones that err, and what is left would break
// under everything. Then all endpoints are chosen among, whatever is said about them. Any thread.
#pragma once

#include <atomic>
#include <memory>
#include <span>
#include <string>

#include "upstream/endpoint.h"

namespace upstream {

// Read by the picks of every core.
using PanicFlag = std::shared_ptr<const std::atomic<bool>>;

class Panic {
  public:
    // On while less than `threshold` per cent of the weight is in service; 0: never.
    Panic(std::string upstream_name, double threshold) : name_(std::move(upstream_name)), threshold_(threshold) {}

    [[nodiscard]] bool is_on() const { return flag_->load(std::memory_order_relaxed); }
    [[nodiscard]] PanicFlag flag() const { return flag_; }
    // True: it begins now. Both ends are logged.
    bool reconsider(std::span<const Endpoint> endpoints);

  private:
    std::string name_;
    double threshold_;
    std::shared_ptr<std::atomic<bool>> flag_ = std::make_shared<std::atomic<bool>>(false);
};

}  // namespace upstream
