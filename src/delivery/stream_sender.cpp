#include "delivery/stream_sender.h"

namespace delivery {

base::Task<base::Result<void>> StreamSender::send(Batch batch) {
    net::Loop& loop = dialer_.loop();
    // Nobody is meant to answer; whatever came is dropped, and an end that came means a new connection.
    while (socket_ && socket_->has_input()) [[maybe_unused]]
        net::Received dropped = socket_->take_input();
    if (socket_ && socket_->input_ended()) socket_.reset();
    if (!socket_) {
        auto connected = co_await dialer_.connect(net::after(loop.now(), settings_.timeout));
        if (!connected) co_return std::move(connected).error();
        socket_ = std::move(*connected);
    }
    std::string bytes;
    for (const std::string& entry : batch) bytes.append(entry).append(settings_.ending);
    net::IoStatus status = co_await socket_->send(slice_of(loop, bytes), net::after(loop.now(), settings_.timeout));
    used_at_ = loop.now();
    if (status == net::IoStatus::ok) co_return base::success();
    socket_.reset();
    co_return lost(status, "sending to " + settings_.place.text());
}

}  // namespace delivery
