// ReplyReader: bytes of a connection to Replies, as they come: split anywhere, many at once. hiredis does the parsing;
// this bounds its memory and refuses what no Redis would say. After an error nothing more can be read.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "redis/reply.h"
#include "redis/settings.h"

struct redisReader;
struct redisReadTask;

namespace redis {

class ReplyReader {
  public:
    explicit ReplyReader(const Limits& limits);
    ReplyReader(const ReplyReader&) = delete;  // hiredis points at it

    void feed(std::string_view bytes);
    // The next whole reply, or nothing until more is fed.
    base::Result<std::optional<Reply>> next();
    // Bytes held of a reply that is not whole yet, and of those behind it.
    [[nodiscard]] std::size_t held() const { return held_; }

  private:
    struct Making;  // the functions that hiredis calls to make values
    struct Free {
        void operator()(redisReader* reader) const;
    };
    Reply* place_for(const redisReadTask& task);
    base::Error broken(base::Code code, std::string_view why);

    std::size_t most_bytes_;
    std::size_t most_elements_;
    std::size_t held_ = 0;
    std::size_t elements_ = 0;  // of the reply being read
    bool has_too_many_ = false;
    bool is_broken_ = false;
    Reply reply_;
    std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace redis
