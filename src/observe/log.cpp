#include "observe/log.h"

#include <unistd.h>

#include <mutex>

#include "observe/log_line.h"

namespace observe {

namespace {
constexpr std::size_t longest_value = 1024;
constexpr std::size_t longest_message = 2048;

struct Target {
    Writer* writer = nullptr;
    SinkId sink = 0;
    std::uint64_t generation =
        0;  // of set_log and unset_log, so that a thread sees that its channel is of an older one
};
std::mutex target_mutex;
Target target;
std::atomic<std::uint64_t> current_generation{0};

// This thread's channel; given back when the thread ends.
struct Mine {
    Channel* channel = nullptr;
    std::uint64_t generation = ~std::uint64_t{0};
    ~Mine() {
        std::lock_guard lock(target_mutex);
        if (channel != nullptr && generation == target.generation) channel->retire();
    }
};

Channel* mine() {
    static thread_local Mine mine;
    if (mine.generation != current_generation.load(std::memory_order_acquire)) {
        std::lock_guard lock(target_mutex);
        mine.channel = target.writer == nullptr ? nullptr : &target.writer->open_channel(target.sink);
        mine.generation = target.generation;
    }
    return mine.channel;
}

void set_target(Writer* writer, SinkId sink) {
    std::lock_guard lock(target_mutex);
    target = {writer, sink, target.generation + 1};
    current_generation.store(target.generation, std::memory_order_release);
}

std::size_t put_line(char* at, WallTime time, Level level, std::string_view component, std::string_view message,
                     std::initializer_list<Field> fields) {
    Text text(at, longest_log_line - 1);
    put_log_prefix(text, time, name(level), component);
    text.escaped(message, Escape::log, longest_message);
    for (const Field& field : fields) {
        text.put(' ');
        field.put(text);
    }
    std::size_t size = text.size();
    at[size++] = '\n';
    return size;
}
}  // namespace

void Field::put(Text& text) const {
    text.put(key_);
    text.put('=');
    switch (kind_) {
        case Kind::text:
            text.value(text_, longest_value);
            break;
        case Kind::whole:
            text.number(whole_);
            break;
        case Kind::negative:
            text.number(static_cast<std::int64_t>(whole_));
            break;
        case Kind::real:
            text.number(real_);
            break;
    }
}

void set_log(Writer& writer, SinkId sink, Level level) {
    set_target(&writer, sink);
    set_level(level);
}

void unset_log() { set_target(nullptr, 0); }

void set_level(Level level) { detail::level.store(level, std::memory_order_relaxed); }

void write_log(Level level, std::string_view component, std::string_view message, std::initializer_list<Field> fields) {
    if (Channel* channel = mine()) {
        char* at = channel->reserve(longest_log_line);
        if (at != nullptr) channel->commit(put_line(at, channel->writer().now(), level, component, message, fields));
        return;
    }
    char line[longest_log_line];
    std::size_t size = put_line(line, system_wall_clock(), level, component, message, fields);
    [[maybe_unused]] ssize_t written = ::write(STDERR_FILENO, line, size);
}

}  // namespace observe
