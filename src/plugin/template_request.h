// The environment of a request's templates (kong.md 4.11): what an exchange has at the time of asking.
#pragma once

#include "plugin/exchange.h"
#include "plugin/template.h"

namespace plugin {

class RequestEnvironment final : public TemplateEnvironment {
  public:
    explicit RequestEnvironment(Exchange& exchange) : exchange_(exchange) {}
    TemplateValue find(TemplateArea area, const TemplateKey& key, base::Arena& arena) const override;

  private:
    Exchange& exchange_;
};

}  // namespace plugin
