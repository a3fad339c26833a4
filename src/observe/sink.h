// Sink: where log lines end: a file, a standard stream, nowhere, or a string (tests). Used by the one writer thread
// only. A sink that cannot write (disk full, reader gone or stalled) loses lines, counts them, and says so once when it
// works again.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace observe {

class Sink {
  public:
    // "off", "/dev/stderr", "/dev/stdout", or the path of a file, opened for appending.
    // A reader that takes nothing for `longest_stall` loses what is to be written then.
    static base::Result<Sink> open(std::string destination,
                                   std::chrono::milliseconds longest_stall = std::chrono::seconds(1));
    static Sink capture(std::string& into);
    Sink(Sink&& other) noexcept;
    Sink& operator=(Sink&&) = delete;
    ~Sink();

    // Whole lines. Never fails for the caller.
    void write(std::string_view lines);
    // After the file was moved away (logrotate). Keeps the old file if the new one cannot be opened.
    base::Result<void> reopen();

    [[nodiscard]] bool is_off() const { return kind_ == Kind::off; }
    [[nodiscard]] const std::string& destination() const { return destination_; }
    [[nodiscard]] std::uint64_t lost() const { return lost_; }
    // The line to write first now that the sink works again, once; else empty. The caller puts it into its own form.
    std::string take_recovery();

  private:
    enum class Kind : std::uint8_t { off, stream, file, capture };
    Sink(Kind kind, int descriptor, std::string destination)
        : kind_(kind), descriptor_(descriptor), destination_(std::move(destination)) {}
    void lose(std::string_view lines, int reason);

    Kind kind_;
    int descriptor_;
    std::string destination_;
    std::chrono::milliseconds longest_stall_{0};
    std::string* into_ = nullptr;
    bool is_torn_ = false;          // the last write ended inside a line
    std::uint64_t lost_ = 0;        // lines, in all
    std::uint64_t lost_since_ = 0;  // lines of the outage that goes on or just ended
    int reason_ = 0;                // errno of that outage
    bool is_failing_ = false;
};

}  // namespace observe
