#include "redis/reply_reader.h"

#include <fmt/format.h>
#include <hiredis/read.h>

#include <new>

namespace redis {

namespace {
// A line (status, error, integer or length) is searched from its beginning each time bytes come: so it may not be long.
constexpr std::size_t most_line = 64 * 1024;
// What is incomplete is a bulk string behind its length: it may be long. hiredis has taken the type's character off.
bool is_inside_bulk(const redisReader& reader) {
    bool is_bulk = reader.ridx >= 0 && reader.rstack[reader.ridx].type == REDIS_REPLY_STRING;
    constexpr std::size_t longest_number = 24;
    return is_bulk && std::string_view(reader.buf + reader.pos, longest_number).find('\r') != std::string_view::npos;
}
}  // namespace

// hiredis keeps what these return as the place of a value; null ends the reading.
struct ReplyReader::Making {
    static ReplyReader& reader(const redisReadTask* task) { return *static_cast<ReplyReader*>(task->privdata); }

    static void* text(const redisReadTask* task, char* text, std::size_t size) {
        // It reads the line end behind bulk strings without looking at it.
        if (text[size] != '\r' || text[size + 1] != '\n') return nullptr;
        Reply* place = reader(task).place_for(*task);
        if (place == nullptr) return nullptr;
        Reply::Kind kind = task->type == REDIS_REPLY_STATUS  ? Reply::Kind::status
                           : task->type == REDIS_REPLY_ERROR ? Reply::Kind::error
                                                             : Reply::Kind::bytes;
        *place = Reply::of(kind, {text, size});
        return place;
    }
    static void* array(const redisReadTask* task, int size) {
        ReplyReader& self = reader(task);
        // Room is made as elements come: an announced billion costs nothing.
        if (static_cast<std::size_t>(size) > self.most_elements_ - self.elements_) {
            self.has_too_many_ = true;
            return nullptr;
        }
        self.elements_ += static_cast<std::size_t>(size);
        Reply* place = self.place_for(*task);
        if (place != nullptr) *place = Reply::array();
        return place;
    }
    static void* integer(const redisReadTask* task, long long value) {
        Reply* place = reader(task).place_for(*task);
        if (place != nullptr) *place = Reply::of(value);
        return place;
    }
    static void* nil(const redisReadTask* task) { return reader(task).place_for(*task); }
    static void free(void*) {}  // reply_ owns everything

    static inline redisReplyObjectFunctions functions{text, array, integer, nil, free};
};

void ReplyReader::Free::operator()(redisReader* reader) const { redisReaderFree(reader); }

ReplyReader::ReplyReader(const Limits& limits)
    : most_bytes_(limits.reply_bytes),
      most_elements_(limits.reply_elements),
      reader_(redisReaderCreateWithFunctions(&Making::functions)) {
    if (!reader_) throw std::bad_alloc();
    reader_->privdata = this;
}

// A place among the parent's elements does not move while hiredis fills it: those of a list grow only between two of
// its elements.
Reply* ReplyReader::place_for(const redisReadTask& task) {
    if (task.parent == nullptr) return &(reply_ = Reply());
    return &static_cast<Reply*>(task.parent->obj)->add(Reply());
}

void ReplyReader::feed(std::string_view bytes) {
    if (is_broken_) return;
    if (redisReaderFeed(reader_.get(), bytes.data(), bytes.size()) != REDIS_OK) throw std::bad_alloc();
    held_ += bytes.size();
}

base::Error ReplyReader::broken(base::Code code, std::string_view why) {
    is_broken_ = true;
    return base::Error::us(code, fmt::format("Redis: {}", why));
}

base::Result<std::optional<Reply>> ReplyReader::next() {
    if (is_broken_) return broken(base::Code::malformed, "not the protocol of Redis");
    if (held_ == 0) return std::optional<Reply>();
    void* made = nullptr;
    if (redisReaderGetReply(reader_.get(), &made) != REDIS_OK) {
        if (has_too_many_) return broken(base::Code::too_large, "a reply of too many elements");
        return broken(base::Code::malformed, "not the protocol of Redis");
    }
    if (made == nullptr) {
        if (held_ > most_bytes_) return broken(base::Code::too_large, "a reply of too many bytes");
        std::size_t unread = reader_->len - reader_->pos;
        if (unread > most_line && !is_inside_bulk(*reader_))
            return broken(base::Code::malformed, "a line without an end");
        return std::optional<Reply>();
    }
    held_ = reader_->len - reader_->pos;
    elements_ = 0;
    return std::optional<Reply>(std::move(reply_));
}

}  // namespace redis
