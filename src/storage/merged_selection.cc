// SPDX-License-Identifier: Apache-2.0
#include "storage/merged_selection.h"

#include <algorithm>
#include <numeric>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "storage/chunk_decode.h"
#include "storage/sample_merge.h"

namespace varve::storage {
namespace {

// The entry of each id of the head: by their hashes, looked up a batch at a time. Ids without an
// entry become new ones behind them; the number of all.
std::size_t join_head(const index::Ids& ids, std::span<const index::SeriesHash> entries,
                      const head::KeyTable& keys, MergedSelection::Source& in_head) {
  in_head.at.assign(entries.size(), MergedSelection::kAbsent);
  // Positions by id where the ids lie close together, else they are searched.
  const std::uint32_t first = ids.empty() ? 0 : static_cast<std::uint32_t>(ids.front());
  const std::uint64_t span =
      ids.empty() ? 0 : std::uint64_t{static_cast<std::uint32_t>(ids.back())} - first + 1;
  std::vector<std::uint32_t> position_of;
  if (span <= ids.size() * 8 + 4096) {
    position_of.assign(span, MergedSelection::kAbsent);
    for (std::uint32_t i = 0; i < ids.size(); ++i) {
      position_of[static_cast<std::uint32_t>(ids[i]) - first] = i;
    }
  }
  const auto position = [&](SeriesId id) {
    if (ids.empty() || id < ids.front() || id > ids.back()) return MergedSelection::kAbsent;
    if (!position_of.empty()) return position_of[static_cast<std::uint32_t>(id) - first];
    const auto found = std::lower_bound(ids.begin(), ids.end(), id);
    return *found == id ? static_cast<std::uint32_t>(found - ids.begin())
                        : MergedSelection::kAbsent;
  };
  std::vector<bool> joined(ids.size());
  constexpr std::size_t kBatch = 1024;
  for (std::size_t begin = 0; begin < entries.size() && !ids.empty(); begin += kBatch) {
    const std::size_t end = std::min(entries.size(), begin + kBatch);
    const head::KeyTable::Reader reader(keys);
    constexpr std::size_t kAhead = 16;
    for (std::size_t e = begin; e < end; ++e) {
      if (e + kAhead < end) reader.prefetch(entries[e + kAhead]);
      const SeriesId id = reader.find(entries[e]);
      if (id == SeriesId::kNone) continue;
      const std::uint32_t at = position(id);
      if (at == MergedSelection::kAbsent) continue;
      in_head.at[e] = at;
      joined[at] = true;
    }
  }
  for (std::uint32_t i = 0; i < ids.size(); ++i) {
    if (!joined[i]) in_head.at.push_back(i);
  }
  return in_head.at.size();
}

// In order before late, each ascending in time; what overlaps in time, by which sample counts: the
// first one read stays. Sorting all by that alone would read old times after new ones.
void sort_for_reading(std::vector<BlockPart>& parts) {
  const auto range = [](const BlockPart& part) { return part.reader->time_range(); };
  // Blocks of levels stand behind all others: their labels are for series that nothing else has.
  const auto levels = std::stable_partition(parts.begin(), parts.end(), [](const BlockPart& part) {
    return part.reader->block().meta().resolution_ms == 0;
  });
  std::stable_sort(levels, parts.end(), [&](const BlockPart& a, const BlockPart& b) {
    return range(a).min_ms < range(b).min_ms;
  });
  std::stable_sort(parts.begin(), levels, [&](const BlockPart& a, const BlockPart& b) {
    return std::pair(a.late, range(a).min_ms) < std::pair(b.late, range(b).min_ms);
  });
  for (auto begin = parts.begin(); begin != levels;) {
    Timestamp max_ms = range(*begin).max_ms;
    auto end = begin + 1;
    for (; end != levels && end->late == begin->late && range(*end).min_ms <= max_ms; ++end) {
      max_ms = std::max(max_ms, range(*end).max_ms);
    }
    std::sort(begin, end, [](const BlockPart& a, const BlockPart& b) {
      return block::counts_before(a.reader->block().meta(), b.reader->block().meta());
    });
    begin = end;
  }
}

}  // namespace

std::unique_ptr<MergedSelection> make_merged_selection(std::unique_ptr<HeadSelection> head,
                                                 const head::KeyTable& keys, Timestamp head_from_ms,
                                                 std::vector<BlockPart> parts, TimeRange range,
                                                 ReadContext& context) {
  sort_for_reading(parts);
  SeriesJoin join;
  std::vector<MergedSelection::BlockSource> blocks;
  std::vector<MergedSelection::BlockSource> levels;
  std::vector<index::SeriesHash> hashes;
  for (BlockPart& part : parts) {
    hashes.resize(part.ordinals.size());
    if (Status read = part.reader->block().hashes(part.ordinals, hashes); !read.ok()) {
      part.reader->damaged(read.error());
      continue;
    }
    MergedSelection::BlockSource source;
    source.at = join.add(hashes);
    for (std::uint32_t& at : source.at) {
      if (at != MergedSelection::kAbsent) at = part.ordinals[at];
    }
    source.reader = std::move(part.reader);
    source.late = part.late;
    const bool of_level = source.reader->block().meta().resolution_ms != 0;
    (of_level ? levels : blocks).push_back(std::move(source));
  }
  MergedSelection::Source in_head;
  std::size_t size = join.size();
  if (head != nullptr) size = join_head(head->ids(), join.entries(), keys, in_head);
  return std::make_unique<MergedSelection>(std::move(head), std::move(in_head), head_from_ms,
                                           std::move(blocks), std::move(levels), size, range,
                                           context);
}

MergedSelection::MergedSelection(std::unique_ptr<HeadSelection> head, Source in_head,
                                 Timestamp head_from_ms, std::vector<BlockSource> blocks,
                                 std::vector<BlockSource> levels, std::size_t size,
                                 TimeRange range, ReadContext& context)
    : head_(std::move(head)),
      in_head_(std::move(in_head)),
      head_from_ms_(head_from_ms),
      blocks_(std::move(blocks)),
      levels_(std::move(levels)),
      size_(size),
      range_(range),
      context_(context),
      newest_first_(blocks_.size()) {
  std::iota(newest_first_.begin(), newest_first_.end(), 0U);
  std::stable_sort(
      newest_first_.begin(), newest_first_.end(), [this](std::uint32_t a, std::uint32_t b) {
        return blocks_[a].reader->time_range().max_ms > blocks_[b].reader->time_range().max_ms;
      });
  for (const auto* sources : {&blocks_, &levels_}) {
    for (const BlockSource& block : *sources) with_labels_.push_back(&block);
  }
  label_sources_.resize(1 + with_labels_.size());
  for (std::size_t b = 0; b < with_labels_.size(); ++b)
    label_sources_[1 + b].block = with_labels_[b];
  for (std::uint32_t series = 0; series < size_; ++series) {
    std::size_t source = 0;
    if (in_head_.of(series) == kAbsent) {
      do ++source;
      while (with_labels_[source - 1]->of(series) == kAbsent);
    }
    label_sources_[source].series.push_back(series);
  }
  std::erase_if(label_sources_, [](const LabelSource& source) { return source.series.empty(); });
}

Labels MergedSelection::labels(std::size_t series) const {
  if (const std::uint32_t at = in_head_.of(series); at != kAbsent) return head_->labels(at);
  Labels labels;
  for (const BlockSource* block : with_labels_) {
    const std::uint32_t ordinal = block->of(series);
    if (ordinal == kAbsent) continue;
    auto read = block->reader->block().labels(ordinal);
    if (read.ok()) return std::move(read).value();
    block->reader->damaged(read.error());
  }
  return labels;
}

LabelColumn MergedSelection::column_of(const LabelSource& source, std::string_view name) const {
  if (source.block == nullptr) {
    index::Ids ids;
    ids.reserve(source.series.size());
    for (const std::uint32_t series : source.series)
      ids.push_back(head_->ids()[in_head_.of(series)]);
    return head_->label_column(ids, name);
  }
  // Ascending: a series looks for its labels here if no block before had it, so these became
  // entries of the join in the order of this block.
  block::Ordinals ordinals;
  ordinals.reserve(source.series.size());
  for (const std::uint32_t series : source.series) ordinals.push_back(source.block->of(series));
  LabelColumn column;
  auto read = source.block->reader->block().label_column(ordinals, name);
  if (!read.ok()) {
    source.block->reader->damaged(read.error());
    column.ids.resize(ordinals.size());
    column.values.emplace_back();
    return column;
  }
  column.ids = std::move(read->ids);
  column.values = std::move(read->values);
  const std::lock_guard lock(mutex_);
  kept_.push_back(std::move(read->keeps));
  return column;
}

LabelColumn MergedSelection::label_column(std::string_view name) const {
  LabelColumn all;
  all.ids.resize(size_);
  all.values.emplace_back();
  std::unordered_map<std::string_view, std::uint32_t> known;
  for (const LabelSource& source : label_sources_) {
    LabelColumn column = column_of(source, name);
    if (label_sources_.size() == 1 && source.series.size() == size_) {
      // One source has them all, in which order it was asked: that of the series.
      return column;
    }
    std::vector<std::uint32_t> number(column.values.size());
    for (std::size_t v = 1; v < column.values.size(); ++v) {
      const auto [at, is_new] =
          known.try_emplace(column.values[v], static_cast<std::uint32_t>(all.values.size()));
      if (is_new) all.values.push_back(column.values[v]);
      number[v] = at->second;
    }
    for (std::size_t i = 0; i < source.series.size(); ++i) {
      all.ids[source.series[i]] = number[column.ids[i]];
    }
  }
  return all;
}

void MergedSelection::add_block(const BlockSource& block, std::size_t series, TimeRange range,
                                SeriesSamples& out, bool& known) const {
  const std::uint32_t ordinal = block.of(series);
  const TimeRange has = block.reader->time_range();
  if (ordinal == kAbsent || !has.overlaps(range)) return;
  if (newest_time(out) < std::max(has.min_ms, range.min_ms) ||
      (out.float_times.empty() && out.histogram_times.empty())) {
    known &= block.reader->append(ordinal, range, out);
    return;
  }
  // The block may have something older than what is there: only reading it tells.
  static thread_local SeriesSamples more;
  more.clear();
  known &= block.reader->append(ordinal, range, more);
  if (more.float_times.empty() && more.histogram_times.empty()) return;
  if (oldest_time(more) > newest_time(out)) {
    append_samples(out, more);
  } else {
    merge_samples(out, more);
    known = false;
  }
}

Status MergedSelection::read(std::size_t series, TimeRange range, SeriesSamples& out) const {
  out.clear();
  range = intersection(range, range_);
  if (range.empty()) return {};
  bool known = true;
  std::size_t next = 0;
  for (; next < blocks_.size() && !blocks_[next].late; ++next) {
    add_block(blocks_[next], series, range, out, known);
  }
  const std::uint32_t at = in_head_.of(series);
  if (at != kAbsent) {
    const bool none = out.float_times.empty() && out.histogram_times.empty();
    if (none || newest_time(out) < std::max(range.min_ms, head_from_ms_)) {
      known &= head_->append_in_order(at, range, out);
    } else {
      // A series that was cut early, as it was idle, and of which the head still has something.
      static thread_local SeriesSamples more;
      more.clear();
      known &= head_->append_in_order(at, range, more);
      if (!more.float_times.empty() || !more.histogram_times.empty()) {
        merge_samples(out, more);
        known = false;
      }
    }
  }
  for (; next < blocks_.size(); ++next) add_block(blocks_[next], series, range, out, known);
  if (at != kAbsent) head_->merge_late_of_last(out);
  if (!known) out.times_id = 0;
  return {};
}

Status MergedSelection::read_last(std::span<const std::uint32_t> series, TimeRange range,
                                  std::span<LastSample> out) const {
  range = intersection(range, range_);
  std::vector<std::uint32_t> positions;  // in the head
  std::vector<std::uint32_t> which;      // indexes into `series`
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    out[i] = {};
    const std::uint32_t at = in_head_.of(series[i]);
    if (at == kAbsent) continue;
    positions.push_back(at);
    which.push_back(i);
  }
  if (!positions.empty()) {
    std::vector<LastSample> last(positions.size());
    static_cast<void>(head_->read_last(positions, range, last).ok());
    for (std::size_t i = 0; i < which.size(); ++i) out[which[i]] = std::move(last[i]);
  }
  if (range.empty()) return {};
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    LastSample& last = out[i];
    bool tied = false;  // several places have a sample of that time
    for (const std::uint32_t b : newest_first_) {
      const TimeRange has = blocks_[b].reader->time_range();
      if (has.max_ms < range.min_ms) break;
      if (last.kind != LastSample::Kind::kNone && has.max_ms < last.timestamp_ms) break;
      const std::uint32_t ordinal = blocks_[b].of(series[i]);
      if (ordinal == kAbsent || has.min_ms > range.max_ms) continue;
      TimeRange left = range;
      if (last.kind != LastSample::Kind::kNone) left.min_ms = last.timestamp_ms;
      LastSample found;
      blocks_[b].reader->read_last(ordinal, left, found);
      if (found.kind == LastSample::Kind::kNone) continue;
      tied = last.kind != LastSample::Kind::kNone && found.timestamp_ms == last.timestamp_ms;
      if (!tied) last = std::move(found);
    }
    if (!tied) continue;
    // Which of them counts is for read() to say.
    static thread_local SeriesSamples samples;
    VARVE_TRY(read(series[i], {last.timestamp_ms, last.timestamp_ms}, samples));
    last = {};
    take_newest(samples, last);
  }
  return {};
}

}  // namespace varve::storage
