// WireReader: HTTP/1 as the tests read it, written apart from src/http so that a fault there cannot hide itself here.
// Takes one direction of a connection as it comes, splits it into messages and complains about anything but the
// canonical form that the gateway promises to write. For requests at upstreams and responses at clients.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace gateway {

struct WireMessage {
    enum class Framing : std::uint8_t { none, length, chunked, until_close };
    std::string first;
    std::vector<std::pair<std::string, std::string>> fields;
    std::vector<std::pair<std::string, std::string>> trailers;
    std::string body;
    Framing framing = Framing::none;
    std::uint64_t length = 0;
    bool is_complete = false;

    [[nodiscard]] std::string method() const { return first.substr(0, first.find(' ')); }
    [[nodiscard]] std::string target() const {
        std::size_t from = first.find(' ') + 1;
        return first.substr(from, first.rfind(' ') - from);
    }
    [[nodiscard]] int status() const { return first.size() < 12 ? 0 : std::atoi(first.c_str() + 9); }
    [[nodiscard]] std::size_t count(std::string_view name) const {
        std::size_t found = 0;
        for (const auto& field : fields) found += equal(field.first, name);
        return found;
    }
    // All fields of that name, joined by ", ".
    [[nodiscard]] std::string field(std::string_view name) const {
        std::string out;
        bool is_first = true;
        for (const auto& [key, value] : fields) {
            if (!equal(key, name)) continue;
            out += (is_first ? "" : ", ") + value;
            is_first = false;
        }
        return out;
    }
    [[nodiscard]] bool says_close() const { return field("Connection").ends_with("close"); }
    static bool equal(std::string_view a, std::string_view b) {
        if (a.size() != b.size()) return false;
        for (std::size_t i = 0; i < a.size(); ++i) {
            auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
            if (lower(a[i]) != lower(b[i])) return false;
        }
        return true;
    }
};

class WireReader {
  public:
    enum class Kind : std::uint8_t { requests, responses };
    explicit WireReader(Kind kind) : kind_(kind) {}

    // Responses need to know what they answer, in order.
    void expect(std::string method) { methods_.push_back(std::move(method)); }
    void feed(std::string_view bytes) {
        rest_ += bytes;
        while (fault.empty() && step()) {
        }
        rest_.erase(0, at_);
        at_ = 0;
    }
    void end() {
        has_ended = true;
        if (state_ != State::until_close) return;
        messages.back().is_complete = true;
        state_ = State::head;
    }
    // Between two messages.
    [[nodiscard]] bool is_at_border() const { return state_ == State::head && rest_.empty(); }
    [[nodiscard]] bool is_in_message() const { return state_ != State::head && state_ != State::tunnel; }
    // Bytes that are not (yet) part of a message.
    [[nodiscard]] std::string_view rest() const { return rest_; }

    std::deque<WireMessage> messages;  // the last one may be incomplete
    std::string tunnel;                // everything behind a 101
    std::string fault;
    bool has_ended = false;

  private:
    enum class State : std::uint8_t { head, content, chunk_line, chunk, chunk_end, trailers, until_close, tunnel };

    bool step() {
        switch (state_) {
            case State::head:
                return read_head();
            case State::content:
                return read_content(State::head, true);
            case State::chunk_line:
                return read_chunk_line();
            case State::chunk:
                return read_content(State::chunk_end, false);
            case State::chunk_end:
                return read_chunk_end();
            case State::trailers:
                return read_trailers();
            case State::until_close:
                messages.back().body.append(rest_, at_);
                at_ = rest_.size();
                return false;
            case State::tunnel:
                tunnel.append(rest_, at_);
                at_ = rest_.size();
                return false;
        }
        return false;
    }
    bool broken(std::string why) {
        fault = std::move(why);
        return false;
    }
    [[nodiscard]] std::string_view input() const { return std::string_view(rest_).substr(at_); }
    bool take_line(std::string& line) {
        std::size_t end = rest_.find("\r\n", at_);
        if (end == std::string::npos) return false;
        line = rest_.substr(at_, end - at_);
        at_ = end + 2;
        return true;
    }

    bool add_field(std::vector<std::pair<std::string, std::string>>& to, std::string_view line) {
        std::size_t colon = line.find(':');
        if (colon == line.npos || colon == 0) return broken("no field: " + std::string(line));
        for (char c : line.substr(0, colon))
            if (c <= ' ' || c >= 127 || std::string_view("()<>@,;\\\"/[]?={}").find(c) != std::string_view::npos)
                return broken("odd field name: " + std::string(line));
        for (char c : line)
            if (static_cast<unsigned char>(c) < ' ' && c != '\t') return broken("control character in a field");
        std::string_view value = line.substr(colon + 1);
        while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
        to.emplace_back(line.substr(0, colon), value);
        return true;
    }

    bool read_head() {
        if (kind_ == Kind::responses && !input().empty() &&
            !std::string_view("HTTP/1.1 ").starts_with(input().substr(0, 9)))
            return broken("no status line: " + std::string(input().substr(0, 40)));
        std::size_t end = rest_.find("\r\n\r\n", at_);
        if (end == std::string::npos) return false;
        std::string_view head = std::string_view(rest_).substr(at_, end + 2 - at_);
        WireMessage message;
        for (std::size_t from = 0; from < head.size();) {
            std::size_t to = head.find("\r\n", from);
            std::string_view line = head.substr(from, to - from);
            from = to + 2;
            if (message.first.empty())
                message.first = line;
            else if (!add_field(message.fields, line))
                return false;
        }
        at_ = end + 4;
        return kind_ == Kind::requests ? begin_request(std::move(message)) : begin_response(std::move(message));
    }
    bool read_framing(WireMessage& message) {
        std::size_t lengths = message.count("Content-Length");
        std::size_t encodings = message.count("Transfer-Encoding");
        if (lengths + encodings > 1) return broken("framed twice");
        if (encodings == 1) {
            if (message.field("Transfer-Encoding") != "chunked") return broken("odd Transfer-Encoding");
            message.framing = WireMessage::Framing::chunked;
        } else if (lengths == 1) {
            std::string digits = message.field("Content-Length");
            if (digits.empty() || digits.find_first_not_of("0123456789") != std::string::npos)
                return broken("odd Content-Length");
            message.framing = WireMessage::Framing::length;
            message.length = std::strtoull(digits.c_str(), nullptr, 10);
        }
        return true;
    }
    bool begin_request(WireMessage message) {
        std::string_view first = message.first;
        std::size_t space = first.find(' ');
        std::size_t last = first.rfind(' ');
        if (space == 0 || space == first.npos || last == space || first.substr(last) != " HTTP/1.1")
            return broken("no request line: " + message.first);
        if (first.substr(space + 1, last - space - 1).find(' ') != std::string_view::npos)
            return broken("space in the target");
        if (message.count("Host") != 1) return broken("not one Host");
        if (!read_framing(message)) return false;
        return begin_body(std::move(message));
    }
    bool begin_response(WireMessage message) {
        int status = message.status();
        if (status < 100 || status > 599 || message.first.size() < 13) return broken("odd status: " + message.first);
        if (!read_framing(message)) return false;
        if (status < 200 && status != 101) {
            if (message.framing != WireMessage::Framing::none) return broken("interim response with a body");
            message.is_complete = true;
            messages.push_back(std::move(message));
            return true;
        }
        if (methods_.empty()) return broken("answer that nobody asked for: " + message.first);
        std::string method = std::move(methods_.front());
        methods_.pop_front();
        if (status == 101) {
            message.is_complete = true;
            messages.push_back(std::move(message));
            state_ = State::tunnel;
            return true;
        }
        if (status == 204 && message.framing != WireMessage::Framing::none) return broken("204 with framing");
        // A head that never came whole (408) is answered without its method being known, and the connection closed.
        if ((method == "HEAD" && status != 408) || status == 204 || status == 304)
            message.framing = WireMessage::Framing::none;
        else if (message.framing == WireMessage::Framing::none)
            message.framing = WireMessage::Framing::until_close;
        return begin_body(std::move(message));
    }
    bool begin_body(WireMessage message) {
        using Framing = WireMessage::Framing;
        remaining_ = message.length;
        bool is_empty = message.framing == Framing::none || (message.framing == Framing::length && message.length == 0);
        message.is_complete = is_empty;
        if (!is_empty)
            state_ = message.framing == Framing::length    ? State::content
                     : message.framing == Framing::chunked ? State::chunk_line
                                                           : State::until_close;
        messages.push_back(std::move(message));
        return true;
    }
    bool read_content(State then, bool is_end) {
        std::size_t size = std::min<std::uint64_t>(remaining_, rest_.size() - at_);
        messages.back().body.append(rest_, at_, size);
        at_ += size;
        remaining_ -= size;
        if (remaining_ > 0) return false;
        if (is_end) messages.back().is_complete = true;
        state_ = then;
        return true;
    }
    bool read_chunk_line() {
        std::string line;
        if (!take_line(line)) return false;
        if (line.empty() || line.size() > 8 || line.find_first_not_of("0123456789abcdefABCDEF") != std::string::npos)
            return broken("odd chunk size: " + line);
        remaining_ = std::strtoull(line.c_str(), nullptr, 16);
        state_ = remaining_ == 0 ? State::trailers : State::chunk;
        return true;
    }
    bool read_chunk_end() {
        if (rest_.size() - at_ < 2) return false;
        if (input().substr(0, 2) != "\r\n") return broken("chunk without an end");
        at_ += 2;
        state_ = State::chunk_line;
        return true;
    }
    bool read_trailers() {
        std::string line;
        if (!take_line(line)) return false;
        if (!line.empty()) return add_field(messages.back().trailers, line);
        messages.back().is_complete = true;
        state_ = State::head;
        return true;
    }

    Kind kind_;
    State state_ = State::head;
    std::string rest_;
    std::size_t at_ = 0;
    std::uint64_t remaining_ = 0;
    std::deque<std::string> methods_;
};

// A body as chunks of `size` bytes.
inline std::string chunked(std::string_view body, std::size_t size, std::string_view trailers = {}) {
    std::string out;
    for (std::size_t at = 0; at < body.size(); at += size) {
        std::string_view piece = body.substr(at, size);
        char line[20];
        std::snprintf(line, sizeof line, "%zx\r\n", piece.size());
        out += line;
        out += piece;
        out += "\r\n";
    }
    out += "0\r\n";
    out += trailers;
    out += "\r\n";
    return out;
}

}  // namespace gateway
