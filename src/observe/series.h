// Labelled counters and histograms, for numbers by route, status and consumer (the prometheus plugin). A series begins
// with its first use and lives as long as the process. Its cells are the thread's own: adding is a load and a store,
// and a reader on any thread never stops a writer. SeriesPage renders them as Kong does, sorted, piece by piece.
//
// There are at most `most_series` label sets. Beyond them the labels that grow with configuration and clients take the
// value `__overflow__`, so that totals stay right, and overflows() counts the label sets that found no room.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace observe {

inline constexpr std::string_view overflow_label = "__overflow__";

struct Family {
    struct Label {
        std::string_view name;
        bool is_open = false;  // as many values as there are routes or consumers: `__overflow__` beyond the bound
    };
    std::string_view name;  // the whole of it, such as kong_http_requests_total
    std::string_view help;
    std::vector<Label> labels;          // in the order of the page
    std::vector<std::uint64_t> bounds;  // upper bounds of a histogram's buckets; a counter has none
};

using FamilyId = std::uint16_t;

// One label set of one family. Good for every thread, for ever.
struct SeriesId {
    static constexpr std::uint32_t none = ~std::uint32_t{0};
    std::uint32_t cell = none;  // the first one
    FamilyId family = 0;
    explicit operator bool() const { return cell != none; }
};

class Series {
  public:
    static constexpr std::size_t most_families = 64;
    static constexpr std::size_t default_most_series = 200'000;

    explicit Series(std::size_t most_series = default_most_series);
    Series(const Series&) = delete;
    ~Series();

    // A family of that name, made if there is none. Any thread; names live for ever.
    FamilyId family(const Family& family);
    // The series of these values, one per label. Takes a lock for less than a microsecond: keep the answer.
    SeriesId open(FamilyId family, std::span<const std::string_view> values);

    // The calling thread's own cells.
    void add(SeriesId series, std::uint64_t amount = 1) { bump(cells(series)[0], amount); }
    void record(SeriesId series, std::uint64_t value);

    // Over all threads.
    [[nodiscard]] std::uint64_t total(SeriesId series) const;  // of a histogram: how many values
    [[nodiscard]] std::size_t size() const { return size_.load(std::memory_order_acquire); }
    [[nodiscard]] std::uint64_t overflows() const { return overflows_.load(std::memory_order_relaxed); }

  private:
    friend class SeriesPage;
    using Cell = std::atomic<std::uint64_t>;
    struct Free {
        void operator()(void* memory) const { std::free(memory); }
    };
    template <typename T>
    using Pages = std::unique_ptr<T[], Free>;  // zeroed, and touched only where it is used
    struct Shard {
        Pages<std::atomic<Cell*>> chunks;
        std::size_t count = 0;
        ~Shard();
    };
    struct Member {
        std::string labels;  // service="a",route="b"
        SeriesId id;
    };
    using Sorted = std::shared_ptr<const std::vector<const Member*>>;

    static constexpr std::size_t chunk_cells = 4096;
    static void bump(Cell& cell, std::uint64_t amount) {
        cell.store(cell.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
    }
    Cell* cells(SeriesId series) {
        Shard& shard = local();
        Cell* chunk = shard.chunks[series.cell / chunk_cells].load(std::memory_order_relaxed);
        if (chunk == nullptr) [[unlikely]]
            chunk = add_chunk(shard, series.cell / chunk_cells);
        return chunk + series.cell % chunk_cells;
    }
    struct Known {
        std::uint64_t number;
        Shard* shard;
    };
    Shard& local() {
        if (known_.number != number_) [[unlikely]]
            find_local();
        return *known_.shard;
    }
    void find_local();
    Cell* add_chunk(Shard& shard, std::size_t index);
    [[nodiscard]] std::vector<const Shard*> shards() const;
    // Sums of the cells of one series.
    static void read(std::span<const Shard* const> shards, SeriesId series, std::span<std::uint64_t> sums);
    // All members there are, by family and sorted by their labels.
    std::vector<Sorted> sort_members();
    std::uint32_t place(std::size_t cells);

    static inline thread_local Known known_{0, nullptr};  // the shard used last on this thread
    const std::uint64_t number_;              // tells one Series from another that stood at the same place
    const std::size_t most_series_;
    const std::size_t most_members_;  // with those of the overflow
    const std::size_t most_chunks_;

    std::array<std::unique_ptr<const Family>, most_families> families_;
    std::atomic<std::uint16_t> family_count_{0};

    // Held for a moment only, and never by a reader: one of low priority could stop a core then.
    std::mutex growing_;
    static constexpr std::size_t index_count = 64;  // small tables, so that growing one takes no time that shows
    std::array<std::unordered_map<std::string_view, const Member*>, index_count> index_;  // views into Member
    std::uint32_t next_cell_ = 0;
    Pages<std::atomic<const Member*>> members_;
    std::atomic<std::size_t> size_{0};
    std::atomic<std::uint64_t> overflows_{0};

    mutable std::mutex shards_lock_;  // a thread's first use, and readers
    std::vector<std::unique_ptr<Shard>> shards_;

    std::mutex sorting_;  // readers only
    std::vector<Sorted> sorted_;
    std::size_t sorted_size_ = 0;
};

// A number kept elsewhere, shown among the families.
struct GaugeFamily {
    std::string name;
    std::string help;
    std::string type = "gauge";
    std::vector<std::pair<std::string, std::uint64_t>> members;  // labels as put_label() writes them; empty: none
};

// One scrape. Begins with what there is now; each piece reads its numbers when it is made. Any thread, one at a time;
// `series` outlives it.
class SeriesPage {
  public:
    SeriesPage(Series& series, std::vector<GaugeFamily> gauges);
    // Appends about `size` bytes. False: that was the end.
    bool next(std::string& out, std::size_t size);

  private:
    struct Section {
        std::string_view name;
        const Family* family = nullptr;  // or
        const GaugeFamily* gauges = nullptr;
        Series::Sorted members;
    };
    enum class Part : std::uint8_t { head, values, counts, sums };
    struct Total {
        std::uint64_t count = 0;
        std::uint64_t sum = 0;
    };
    void put(std::string& out, const Section& section);
    void put_counter(std::string& out, const Section& section, const Series::Member& member);
    void put_buckets(std::string& out, const Family& family, const Series::Member& member);
    void go_on(Part part) {
        part_ = part;
        member_ = 0;
    }
    void next_section() {
        ++section_;
        go_on(Part::head);
    }

    std::vector<GaugeFamily> gauges_;
    std::vector<const Series::Shard*> shards_;
    std::vector<Section> sections_;
    std::size_t section_ = 0;
    Part part_ = Part::head;
    std::size_t member_ = 0;
    std::vector<Total> totals_;  // of the histogram under way: all buckets come first, then counts, then sums
    std::vector<std::uint64_t> scratch_;
};

}  // namespace observe
