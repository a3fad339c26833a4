#include "observe/series.h"

#include <algorithm>
#include <charconv>

#include "base/ensure.h"
#include "observe/label.h"

namespace observe {

namespace {
// Cells of one series: a histogram has its buckets, +Inf and the sum of the values.
std::size_t width(const Family& family) { return family.bounds.empty() ? 1 : family.bounds.size() + 2; }

constexpr std::size_t widest = 32;
// What the closed labels of overflowing families can still make of status codes and the like.
constexpr std::size_t most_overflow_series = 16 * 1024;

std::atomic<std::uint64_t> last_number{0};

template <typename T>
T* zeroed(std::size_t count) {
    auto* memory = static_cast<T*>(std::calloc(count, sizeof(T)));
    ensure(memory != nullptr, count);
    return memory;
}

void put_number(std::string& out, std::uint64_t value) {
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
}

void put_head(std::string& out, std::string_view name, std::string_view help, std::string_view type) {
    out.append("# HELP ").append(name).append(" ").append(help).append("\n# TYPE ").append(name).append(" ");
    out.append(type).append("\n");
}
}  // namespace

Series::Series(std::size_t most_series)
    : number_(last_number.fetch_add(1) + 1),
      most_series_(most_series),
      most_members_(most_series + most_overflow_series),
      most_chunks_(most_members_ * widest / chunk_cells + 2),
      members_(zeroed<std::atomic<const Member*>>(most_members_)) {}

Series::~Series() {
    for (std::size_t i = 0; i < size(); ++i) delete members_[i].load(std::memory_order_relaxed);
}

Series::Shard::~Shard() {
    for (std::size_t i = 0; i < count; ++i) std::free(chunks[i].load(std::memory_order_relaxed));
}

FamilyId Series::family(const Family& family) {
    std::lock_guard guard(growing_);
    std::uint16_t count = family_count_.load(std::memory_order_relaxed);
    for (FamilyId id = 0; id < count; ++id)
        if (families_[id]->name == family.name) return id;
    ensure(count < most_families && width(family) <= widest, count);
    families_[count] = std::make_unique<const Family>(family);
    family_count_.store(count + 1, std::memory_order_release);
    return count;
}

// A series lies in one chunk.
std::uint32_t Series::place(std::size_t cells) {
    if (next_cell_ % chunk_cells + cells > chunk_cells)
        next_cell_ = static_cast<std::uint32_t>((next_cell_ / chunk_cells + 1) * chunk_cells);
    std::uint32_t at = next_cell_;
    next_cell_ += static_cast<std::uint32_t>(cells);
    return at;
}

SeriesId Series::open(FamilyId id, std::span<const std::string_view> values) {
    const Family& family = *families_[id];
    ensure(values.size() == family.labels.size(), values.size(), family.labels.size());
    auto text_of = [&](bool overflows) {
        std::string labels;
        for (std::size_t i = 0; i < values.size(); ++i)
            put_label(labels, family.labels[i].name,
                      overflows && family.labels[i].is_open ? overflow_label : values[i]);
        labels += static_cast<char>(id + 1);  // the key; not shown
        return labels;
    };
    auto index_of = [&](const std::string& key) -> auto& {
        return index_[std::hash<std::string_view>()(key) % index_count];
    };
    std::string key = text_of(false);
    std::lock_guard guard(growing_);
    auto* index = &index_of(key);
    if (auto known = index->find(key); known != index->end()) return known->second->id;
    std::size_t size = size_.load(std::memory_order_relaxed);
    if (size >= most_series_) {
        overflows_.store(overflows_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
        key = text_of(true);
        index = &index_of(key);
        if (auto known = index->find(key); known != index->end()) return known->second->id;
        ensure(size < most_members_, size);  // closed labels have few values
    }
    auto* member = new Member{std::move(key), {place(width(family)), id}};
    index->emplace(member->labels, member);
    members_[size].store(member, std::memory_order_relaxed);
    size_.store(size + 1, std::memory_order_release);
    return member->id;
}

void Series::record(SeriesId series, std::uint64_t value) {
    const std::vector<std::uint64_t>& bounds = families_[series.family]->bounds;
    Cell* first = cells(series);
    auto bucket = std::lower_bound(bounds.begin(), bounds.end(), value) - bounds.begin();
    bump(first[bucket], 1);
    bump(first[bounds.size() + 1], value);
}

void Series::find_local() {
    // Threads are few and use one Series each; tests use several.
    static thread_local std::vector<Known> all;
    for (const Known& known : all)
        if (known.number == number_) {
            known_ = known;
            return;
        }
    auto shard = std::make_unique<Shard>();
    shard->chunks.reset(zeroed<std::atomic<Cell*>>(most_chunks_));
    shard->count = most_chunks_;
    known_ = {number_, shard.get()};
    all.push_back(known_);
    std::lock_guard guard(shards_lock_);
    shards_.push_back(std::move(shard));
}

Series::Cell* Series::add_chunk(Shard& shard, std::size_t index) {
    Cell* chunk = zeroed<Cell>(chunk_cells);
    shard.chunks[index].store(chunk, std::memory_order_release);
    return chunk;
}

std::vector<const Series::Shard*> Series::shards() const {
    std::vector<const Shard*> out;
    std::lock_guard guard(shards_lock_);
    for (const auto& shard : shards_) out.push_back(shard.get());
    return out;
}

void Series::read(std::span<const Shard* const> shards, SeriesId series, std::span<std::uint64_t> sums) {
    std::fill(sums.begin(), sums.end(), 0);
    for (const Shard* shard : shards) {
        const Cell* chunk = shard->chunks[series.cell / chunk_cells].load(std::memory_order_acquire);
        if (chunk == nullptr) continue;
        const Cell* first = chunk + series.cell % chunk_cells;
        for (std::size_t i = 0; i < sums.size(); ++i) sums[i] += first[i].load(std::memory_order_relaxed);
    }
}

std::uint64_t Series::total(SeriesId series) const {
    const Family& family = *families_[series.family];
    std::array<std::uint64_t, widest> sums{};
    std::size_t counts = family.bounds.empty() ? 1 : family.bounds.size() + 1;
    read(shards(), series, std::span(sums.data(), counts));
    std::uint64_t out = 0;
    for (std::size_t i = 0; i < counts; ++i) out += sums[i];
    return out;
}

std::vector<Series::Sorted> Series::sort_members() {
    std::lock_guard guard(sorting_);
    std::size_t size = this->size();
    std::vector<std::vector<const Member*>> added(family_count_.load(std::memory_order_acquire));
    for (std::size_t i = sorted_size_; i < size; ++i) {
        const Member* member = members_[i].load(std::memory_order_relaxed);
        added[member->id.family].push_back(member);
    }
    sorted_size_ = size;
    sorted_.resize(added.size());
    auto is_before = [](const Member* a, const Member* b) { return a->labels < b->labels; };
    for (std::size_t id = 0; id < added.size(); ++id) {
        if (added[id].empty() && sorted_[id]) continue;
        std::sort(added[id].begin(), added[id].end(), is_before);
        std::vector<const Member*> before;
        if (sorted_[id]) before = *sorted_[id];
        auto all = std::make_shared<std::vector<const Member*>>(before.size() + added[id].size());
        std::merge(before.begin(), before.end(), added[id].begin(), added[id].end(), all->begin(), is_before);
        sorted_[id] = std::move(all);
    }
    return sorted_;
}

// ---- page

SeriesPage::SeriesPage(Series& series, std::vector<GaugeFamily> gauges) : gauges_(std::move(gauges)) {
    std::vector<Series::Sorted> sorted = series.sort_members();
    shards_ = series.shards();
    for (std::size_t id = 0; id < sorted.size(); ++id)
        if (!sorted[id]->empty())
            sections_.push_back({series.families_[id]->name, series.families_[id].get(), nullptr, sorted[id]});
    for (const GaugeFamily& gauge : gauges_)
        if (!gauge.members.empty()) sections_.push_back({gauge.name, nullptr, &gauge, nullptr});
    std::sort(sections_.begin(), sections_.end(), [](const Section& a, const Section& b) { return a.name < b.name; });
}

bool SeriesPage::next(std::string& out, std::size_t size) {
    std::size_t end = out.size() + size;
    while (section_ < sections_.size() && out.size() < end) put(out, sections_[section_]);
    return section_ < sections_.size();
}

// One step: a head, or the lines of one member.
void SeriesPage::put(std::string& out, const Section& section) {
    if (section.gauges != nullptr) {
        const GaugeFamily& gauges = *section.gauges;
        put_head(out, gauges.name, gauges.help, gauges.type);
        for (const auto& [labels, value] : gauges.members) {
            out.append(gauges.name);
            if (!labels.empty()) out.append("{").append(labels).append("}");
            out += ' ';
            put_number(out, value);
            out += '\n';
        }
        return next_section();
    }
    const Family& family = *section.family;
    bool is_counter = family.bounds.empty();
    if (part_ == Part::head) {
        put_head(out, family.name, family.help, is_counter ? "counter" : "histogram");
        totals_.clear();
        return go_on(Part::values);
    }
    if (member_ == section.members->size()) {
        if (is_counter || part_ == Part::sums) return next_section();
        return go_on(part_ == Part::values ? Part::counts : Part::sums);
    }
    const Series::Member& member = *(*section.members)[member_++];
    if (is_counter) return put_counter(out, section, member);
    if (part_ == Part::values) return put_buckets(out, family, member);
    const Total& total = totals_[member_ - 1];
    if (total.count == 0) return;
    bool is_count = part_ == Part::counts;
    out.append(family.name).append(is_count ? "_count{" : "_sum{");
    out.append(member.labels, 0, member.labels.size() - 1).append("} ");
    put_number(out, is_count ? total.count : total.sum);
    out += '\n';
}

void SeriesPage::put_counter(std::string& out, const Section& section, const Series::Member& member) {
    std::uint64_t value = 0;
    Series::read(shards_, member.id, std::span(&value, 1));
    if (value == 0) return;
    out.append(section.name).append("{").append(member.labels, 0, member.labels.size() - 1).append("} ");
    put_number(out, value);
    out += '\n';
}

// Kong has no bucket before the first one that counts anything.
void SeriesPage::put_buckets(std::string& out, const Family& family, const Series::Member& member) {
    scratch_.resize(family.bounds.size() + 2);
    Series::read(shards_, member.id, scratch_);
    std::uint64_t below = 0;
    for (std::size_t i = 0; i <= family.bounds.size(); ++i) {
        below += scratch_[i];
        if (below == 0) continue;
        out.append(family.name).append("_bucket{").append(member.labels, 0, member.labels.size() - 1);
        out.append(",le=\"");
        if (i == family.bounds.size())
            out.append("+Inf");
        else
            put_number(out, family.bounds[i]);
        out.append("\"} ");
        put_number(out, below);
        out += '\n';
    }
    // The count is the last bucket, not read again: the two must agree.
    totals_.push_back({below, scratch_[family.bounds.size() + 1]});
}

}  // namespace observe
