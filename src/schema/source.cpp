#include "schema/source.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

namespace schema {

namespace {

class Descriptor {
  public:
    explicit Descriptor(int number) : number_(number) {}
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    ~Descriptor() {
        if (number_ >= 0) ::close(number_);
    }
    [[nodiscard]] int number() const { return number_; }

  private:
    int number_;
};

base::Error cannot_read(const std::string& path) {
    return base::Error::us(base::Code::invalid, fmt::format("{}: {}", path, std::strerror(errno)));
}

base::Error larger(const std::string& path, const Limits& limits) {
    return base::Error::us(
        base::Code::too_large,
        fmt::format("{}: larger than the limit of {} MiB for a configuration file", path, limits.bytes >> 20));
}

}  // namespace

Problem too_large(std::size_t size, std::uint16_t file, const Limits& limits) {
    return {.mark = {.line = 1, .column = 1, .file = file},
            .message = fmt::format("{} bytes are more than the limit of {} bytes for a configuration file", size,
                                   limits.bytes),
            .hint = "split the document into several files, or raise the limit"};
}

base::Result<SourceFile> read_file(const std::string& path, const Limits& limits) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.number() < 0) return cannot_read(path);
    struct stat status{};
    if (::fstat(file.number(), &status) != 0) return cannot_read(path);
    if (S_ISDIR(status.st_mode)) {
        errno = EISDIR;
        return cannot_read(path);
    }
    if (S_ISREG(status.st_mode) && static_cast<std::uint64_t>(status.st_size) > limits.bytes)
        return larger(path, limits);
    SourceFile source{.name = path};
    constexpr std::size_t step = 1 << 20;
    for (std::size_t length = 0;;) {
        source.bytes.resize(length + step);
        ssize_t got = ::read(file.number(), source.bytes.data() + length, step);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return cannot_read(path);
        length += static_cast<std::size_t>(got);
        if (length > limits.bytes) return larger(path, limits);
        if (got == 0) {
            source.bytes.resize(length);
            return source;
        }
    }
}

base::Result<std::vector<SourceFile>> read_sources(const std::vector<std::string>& paths, const Limits& limits) {
    namespace fs = std::filesystem;
    std::vector<std::string> files;
    for (const std::string& path : paths) {
        std::error_code error;
        if (!fs::is_directory(path, error)) {
            files.push_back(path);
            continue;
        }
        std::vector<std::string> inside;
        for (fs::directory_iterator entry(path, error), end; !error && entry != end; entry.increment(error)) {
            std::string extension = entry->path().extension().string();
            if (extension == ".yml" || extension == ".yaml" || extension == ".json")
                inside.push_back(entry->path().string());
        }
        if (error) return base::Error::us(base::Code::invalid, fmt::format("{}: {}", path, error.message()));
        if (inside.empty()) {
            return base::Error::us(base::Code::invalid,
                                   fmt::format("{}: no .yml, .yaml or .json file in this folder", path));
        }
        std::sort(inside.begin(), inside.end());
        files.insert(files.end(), inside.begin(), inside.end());
    }
    std::vector<SourceFile> sources;
    for (const std::string& file : files) {
        TRY(source, read_file(file, limits));
        sources.push_back(std::move(source));
    }
    return sources;
}

ParseResult parse(const SourceFile& source, std::uint16_t file, const Limits& limits) {
    std::string_view base_name = std::string_view(source.name).substr(source.name.find_last_of('/') + 1);
    std::size_t dot = base_name.find_last_of('.');
    std::string_view extension = dot == std::string_view::npos ? std::string_view() : base_name.substr(dot + 1);
    if (extension == "json") return parse_json(source.bytes, file, limits);
    if (extension == "yml" || extension == "yaml") return parse_yaml(source.bytes, file, limits);
    if (!extension.empty()) {
        return Problem{.mark = {.line = 1, .column = 1, .file = file},
                       .message = fmt::format("unknown file type: {}. (Accepted types: json, yaml)", base_name)};
    }
    ParseResult json = parse_json(source.bytes, file, limits);
    if (std::holds_alternative<Tree>(json)) return json;
    return parse_yaml(source.bytes, file, limits);
}

}  // namespace schema
