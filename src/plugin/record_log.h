// RecordLog: what the plugins share that log Kong's record: the record with the fields that a user adds, and the queue
// that takes it to its place. For prepare() and on_log().
#pragma once

#include <string>
#include <string_view>

#include "plugin/custom_fields.h"
#include "plugin/log_queue.h"

namespace plugin {

class RecordLog {
  public:
    // As LogQueue::open.
    base::Result<void> open(const Setup& setup, const CustomFieldTexts& custom_fields, const std::string& name,
                            const std::string& settings_text, const delivery::QueueSettings& settings,
                            LogQueue::MakeSender make_sender);

    // In the exchange's arena, or memory of the thread that is used again with the next call.
    [[nodiscard]] std::string_view record(Exchange& exchange) const;
    void put(std::string_view entry) const { queue_.put(entry); }
    void put(Exchange& exchange) const { put(record(exchange)); }

  private:
    LogQueue queue_;
    CustomFields custom_fields_;
};

}  // namespace plugin
