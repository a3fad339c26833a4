#include "delivery/http_sender.h"

#include "http/http1/body.h"
#include "http/http1/head_scanner.h"
#include "http/http1/parse.h"
#include "http/http1/write.h"

namespace delivery {

namespace {
using base::Code;
using base::Error;
using base::Result;
using base::Retry;

// Empty: something in the settings may not stand in a request.
std::string head_of(const HttpSettings& settings, std::size_t body_size) {
    std::size_t room = 512 + settings.path.size() + settings.authority.size() + settings.content_type.size();
    for (const auto& [name, value] : settings.headers) room += http1::field_size(name, value);
    std::string head(room, '\0');
    http1::HeadWriter writer(head);
    writer.request_line(settings.method, settings.path);
    writer.header("Host", settings.authority);
    writer.header("Content-Type", settings.content_type);
    for (const auto& [name, value] : settings.headers) writer.header(name, value);
    writer.framing(http1::Framing::of_length(body_size));
    head.resize(writer.finish());
    return head;
}
}  // namespace

Result<void> HttpSender::check(const HttpSettings& settings) {
    if (head_of(settings, 0).empty())
        return Error::us(Code::invalid, "a header name or value, or the path, may not stand in a request");
    return {};
}

base::Task<Result<void>> HttpSender::send(Batch batch) {
    std::size_t size = 0;
    for (const std::string& entry : batch) size += entry.size() + settings_.between.size();
    std::string body;
    body.reserve(size + settings_.before.size() + settings_.after.size());
    bool is_list = batch.size() > 1;
    if (is_list) body += settings_.before;
    for (std::size_t i = 0; i < batch.size(); ++i) {
        if (i > 0) body += settings_.between;
        body += batch[i];
    }
    if (is_list) body += settings_.after;
    std::string request = head_of(settings_, body.size());
    if (request.empty()) co_return Error::us(Code::invalid, "a request that may not be sent");
    request += body;
    if (socket_ && (socket_->has_input() || socket_->input_ended())) socket_.reset();
    bool was_open = socket_ != nullptr;
    Result<void> result = co_await exchange(request);
    // The connection had been closed at the other side just when it was used again: nobody's failure.
    if (!result && was_open && result.error().code == Code::reset) result = co_await exchange(std::move(request));
    co_return result;
}

base::Task<Result<void>> HttpSender::exchange(std::string request) {
    net::Loop& loop = dialer_.loop();
    if (!socket_) {
        auto connected = co_await dialer_.connect(net::after(loop.now(), settings_.timeout));
        if (!connected) co_return std::move(connected).error();
        socket_ = std::move(*connected);
    }
    may_stay_open_ = false;
    // Not waited for: a server may answer before it has read everything.
    net::Pieces pieces;
    pieces.push(slice_of(loop, request));
    socket_->start_send(pieces, net::after(loop.now(), settings_.timeout));
    Result<int> status = co_await read_answer();
    if (status && may_stay_open_ && socket_->is_send_settled()) {
        if (socket_->is_sending()) may_stay_open_ = false;
        net::IoStatus sent = co_await socket_->sent();
        may_stay_open_ = may_stay_open_ && sent == net::IoStatus::ok;
    } else {
        may_stay_open_ = false;
    }
    used_at_ = loop.now();
    if (!may_stay_open_) socket_.reset();
    if (!status) co_return std::move(status).error();
    if (*status >= 300)
        co_return Error::upstream(Code::malformed, Retry::always,
                                  settings_.place.text() + " answered " + std::to_string(*status));
    co_return base::success();
}

// The status of the answer; its body is read and dropped.
base::Task<Result<int>> HttpSender::read_answer() {
    net::Instant deadline = net::after(dialer_.loop().now(), settings_.timeout);
    std::string bytes;
    http::ResponseHead head;
    http1::HeadScanner scanner(http1::MessageKind::response);
    const std::string where = "waiting for " + settings_.place.text();
    while (true) {
        http1::HeadScanner::State state = scanner.scan(bytes, limits_);
        if (state == http1::HeadScanner::State::fault)
            co_return Error::upstream(Code::malformed, Retry::always, where + ": no HTTP answer");
        if (state == http1::HeadScanner::State::complete) {
            http1::Fault fault = http1::parse_response_head(scanner.head(bytes), limits_, http::Method::post, head);
            if (fault != http1::Fault::none)
                co_return Error::upstream(Code::malformed, Retry::always, where + ": no HTTP answer");
            if (head.status >= 200) break;
            bytes.erase(0, scanner.consumed());  // 100 and the like
            scanner.reset();
            continue;
        }
        net::Received received = co_await socket_->receive(deadline);
        if (received.status != net::IoStatus::ok)
            co_return received.status == net::IoStatus::ended ? lost(net::IoStatus::reset, where)
                                                              : lost(received.status, where);
        bytes += received.slice.text();
    }
    int status = head.status;
    bool keep_alive = head.keep_alive;
    http1::BodyDecoder decoder;
    decoder.start(head.framing, head.content_length, limits_);
    std::string rest = bytes.substr(scanner.consumed());
    while (decoder.state() == http1::BodyDecoder::State::more) {
        while (!rest.empty() && decoder.state() == http1::BodyDecoder::State::more)
            rest.erase(0, decoder.feed(rest).consumed);
        if (decoder.state() != http1::BodyDecoder::State::more) break;
        if (decoder.received() > HttpSettings::most_answer) co_return status;
        net::Received received = co_await socket_->receive(deadline);
        if (received.status != net::IoStatus::ok) co_return status;  // the status is what counts
        rest = received.slice.text();
    }
    may_stay_open_ = keep_alive && rest.empty() && decoder.state() == http1::BodyDecoder::State::done &&
                     head.framing != http::BodyFraming::until_close;
    co_return status;
}

}  // namespace delivery
