#include "plugin/record_log.h"

#include <utility>

#include "plugin/log_entry.h"

namespace plugin {

base::Result<void> RecordLog::open(const Setup& setup, const CustomFieldTexts& custom_fields, const std::string& name,
                                   const std::string& settings_text, const delivery::QueueSettings& settings,
                                   LogQueue::MakeSender make_sender) {
    TRY(compiled, CustomFields::compile(custom_fields));
    TRY(queue, LogQueue::open(setup, name, settings_text, settings, std::move(make_sender)));
    custom_fields_ = std::move(compiled);
    queue_ = std::move(queue);
    return {};
}

std::string_view RecordLog::record(Exchange& exchange) const {
    return custom_fields_.apply(exchange, log_entry(exchange));
}

}  // namespace plugin
