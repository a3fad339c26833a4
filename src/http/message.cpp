#include "http/message.h"

namespace http {

void RequestHead::reset() {
    method = Method::get;
    form = TargetForm::origin;
    method_token = target = raw_path = query = authority = host = upgrade_protocol = {};
    has_query = expect_continue = expect_unknown = accepts_trailers = upgrade = false;
    port = 0;
    minor_version = major_version = 1;
    headers.reset();
    connection.reset();
    framing = BodyFraming::none;
    content_length = 0;
    keep_alive = true;
}

void ResponseHead::reset() {
    status = 0;
    reason = upgrade_protocol = {};
    minor_version = 1;
    headers.reset();
    connection.reset();
    framing = BodyFraming::none;
    content_length = 0;
    declared_length.reset();
    keep_alive = true;
    upgrade = false;
}

}  // namespace http
