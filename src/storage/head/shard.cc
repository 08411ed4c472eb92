// SPDX-License-Identifier: Apache-2.0
#include "storage/head/shard.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "storage/codec/dense.h"
#include "storage/codec/times.h"
#include "storage/head/late_memory.h"

namespace varve::storage::head {
namespace {

// A histogram chunk is closed at this size, so that with one more histogram of the largest kind it
// stays below SpillPlace::kLengthMax.
constexpr std::size_t kHistogramChunkBytesMax = 16 * 1024;

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

bool same_bits(const std::vector<double>& a, const std::vector<double>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(double)) == 0);
}

std::string_view as_view(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

// Inserts into a list that ascends in time. `same` compares an entry at the same time.
template <typename Entry, typename Same>
Appended insert_sorted(std::vector<Entry>& entries, Entry entry, const Same& same) {
  const auto at = std::lower_bound(entries.begin(), entries.end(), entry.timestamp_ms,
                                   [](const Entry& e, Timestamp t) { return e.timestamp_ms < t; });
  if (at != entries.end() && at->timestamp_ms == entry.timestamp_ms) {
    return same(*at, entry) ? Appended::kSame : Appended::kDuplicate;
  }
  entries.insert(at, std::move(entry));
  return Appended::kOutOfOrder;
}

// The entry of a frozen series at a time, if there is one.
template <typename Map, typename Entries>
auto find_frozen(const Map& frozen, SeriesId id, const Entries& entries, Timestamp t)
    -> decltype((frozen.begin()->second.*entries).data()) {
  if (frozen.empty()) return nullptr;
  const auto found = frozen.find(static_cast<std::uint32_t>(id));
  if (found == frozen.end()) return nullptr;
  const auto& list = found->second.*entries;
  const auto at = std::lower_bound(list.begin(), list.end(), t, [](const auto& e, Timestamp time) {
    return e.timestamp_ms < time;
  });
  return at != list.end() && at->timestamp_ms == t ? &*at : nullptr;
}

}  // namespace

bool same_histogram(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && a.integer == b.integer &&
         bits(a.zero_threshold) == bits(b.zero_threshold) &&
         bits(a.zero_count) == bits(b.zero_count) && bits(a.count) == bits(b.count) &&
         bits(a.sum) == bits(b.sum) && a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans && same_bits(a.positive_counts, b.positive_counts) &&
         same_bits(a.negative_counts, b.negative_counts) &&
         same_bits(a.custom_bounds, b.custom_bounds);
}

void SeriesSnapshot::clear() {
  open = {};
  words.clear();
  open_histograms.clear();
  chunks.clear();
  late_floats.clear();
  late_histograms.clear();
  deleted.clear();
}

Shard::Shard(BlockMemory& memory, SpillStore& spill, TimeColumns& columns,
             base::MemoryAccount& side_account)
    : arena_(memory), spill_(spill), columns_(columns), side_account_(side_account) {}

Shard::~Shard() {
  for (const auto& [id, histograms] : histograms_) side_account_.release(histograms->charged);
  for (const LateMap* map : {&late_, &frozen_}) {
    for (const auto& [id, late] : *map) {
      side_account_.release(memory_of(late.floats) + memory_of(late.histograms));
    }
  }
}

Appended Shard::append_old_float(HotSeries& series, SeriesId id, Timestamp t, double value,
                                 const OutOfOrderRule& rule) {
  if (t >= rule.in_order_from_ms && t == series.last_time()) {
    const bool same =
        !series.is(HotSeries::kLastHistogram) && bits(series.gorilla.last_value) == bits(value);
    return same ? Appended::kSame : Appended::kDuplicate;
  }
  if (rule.open) {
    return t < rule.oldest_ms ? Appended::kTooOld : insert_late(series, id, Sample{t, value});
  }
  return t < rule.in_order_from_ms ? Appended::kOutOfBounds : Appended::kRefusedOrder;
}

Appended Shard::insert_late(HotSeries& series, SeriesId id, const Sample& sample) {
  const auto same = [](const Sample& a, const Sample& b) { return bits(a.value) == bits(b.value); };
  if (const Sample* frozen = find_frozen(frozen_, id, &LateSeries::floats, sample.timestamp_ms)) {
    return same(*frozen, sample) ? Appended::kSame : Appended::kDuplicate;
  }
  LateSeries& late = late_[static_cast<std::uint32_t>(id)];
  series.set(HotSeries::kOutOfOrder);
  const Appended result = insert_sorted(late.floats, sample, same);
  if (result != Appended::kOutOfOrder) return result;
  late.change = ++late_changes_;
  late_from_ms_ = std::min(late_from_ms_, sample.timestamp_ms);
  side_account_.charge(memory_of(sample));
  return result;
}

Appended Shard::insert_late(HotSeries& series, SeriesId id, HistogramPoint point) {
  const auto same = [](const HistogramPoint& a, const HistogramPoint& b) {
    return same_histogram(*a.histogram, *b.histogram);
  };
  if (const auto* frozen = find_frozen(frozen_, id, &LateSeries::histograms, point.timestamp_ms)) {
    return same(*frozen, point) ? Appended::kSame : Appended::kDuplicate;
  }
  LateSeries& late = late_[static_cast<std::uint32_t>(id)];
  series.set(HotSeries::kOutOfOrder);
  const std::int64_t bytes = memory_of(point);
  const Timestamp time_ms = point.timestamp_ms;
  const Appended result = insert_sorted(late.histograms, std::move(point), same);
  if (result != Appended::kOutOfOrder) return result;
  late.change = ++late_changes_;
  late_from_ms_ = std::min(late_from_ms_, time_ms);
  side_account_.charge(bytes);
  return result;
}

void Shard::add_words(HotSeries& series, std::size_t before,
                      std::span<const std::uint64_t> words) {
  // By halves, which blocks have room for a whole number of.
  constexpr std::size_t kHalf = sizeof(std::uint32_t);
  static_assert(sizeof(Block::bytes) % kHalf == 0);
  const auto* from = reinterpret_cast<const std::byte*>(words.data());
  std::size_t at = before * sizeof(std::uint64_t) % sizeof(Block::bytes);
  for (std::size_t left = 2 * words.size(); left > 0; --left, from += kHalf) {
    if (at == 0) series.words = arena_.allocate(series.words);
    std::memcpy(arena_.at(series.words).bytes.data() + at, from, kHalf);
    at = at + kHalf == sizeof(Block::bytes) ? 0 : at + kHalf;
  }
}

void Shard::copy_words(const HotSeries& series, std::uint64_t* to) const {
  auto* const bytes = reinterpret_cast<std::byte*>(to);
  BlockRef block = series.words;
  for (std::size_t end = series.gorilla.word_count * sizeof(std::uint64_t); end > 0;) {
    const std::size_t begin = (end - 1) / sizeof(Block::bytes) * sizeof(Block::bytes);
    std::memcpy(bytes + begin, arena_.at(block).bytes.data(), end - begin);
    block = arena_.at(block).older;
    end = begin;
  }
}

void Shard::begin_chunk(HotSeries& series, SeriesId id, Timestamp t) {
  if (series.gorilla.count > 0) close_floats(series);
  if (series.is(HotSeries::kLastHistogram)) {
    HistogramSeries& histograms = *histograms_.at(static_cast<std::uint32_t>(id));
    if (histograms.appender.size() > 0) close_histograms(series, histograms);
    series.unset(HotSeries::kLastHistogram);
  }
  const Timestamp range_end = chunk_range_end(t);
  series.samples_max = range_end == series.range_end
                           ? kChunkSamplesMax
                           : first_chunk_samples_max(static_cast<std::uint32_t>(id));
  series.range_end = range_end;
  series.first_offset_ms = static_cast<std::uint32_t>(series.range_end - t);
  series.set(HotSeries::kHasSamples);
  series.set(HotSeries::kHasFloat);
  ++counts_.chunks_open;
}

void Shard::push(HotSeries& series, std::string_view bytes, ChunkRef::Tag tag, TimeColumnId column,
                 Timestamp newest_ms) {
  ChunkRef chunk;
  chunk.place = spill_.append(bytes, tag, newest_ms);
  chunk.column = column;
  push_chunks(arena_, series, std::span(&chunk, 1));
  ++counts_.chunks_closed;
  --counts_.chunks_open;
}

void Shard::close_floats(HotSeries& series) {
  static_assert(kChunkSamplesMax <= codec::kDenseSamplesMax &&
                kChunkSamplesMax <= codec::kTimesMax);
  codec::GorillaState& open = series.gorilla;
  Timestamp times[codec::kTimesMax];
  double values[codec::kDenseSamplesMax];
  std::uint64_t words[kChunkWordsMax];
  copy_words(series, words);
  codec::gorilla_decode(open, words, times, values);

  const std::span<const Timestamp> column(times, open.count);
  if (!std::equal(column.begin(), column.end(), last_times_.begin(), last_times_.end())) {
    last_column_ = columns_.intern(column);
    last_times_.assign(column.begin(), column.end());
  }
  std::uint8_t bytes[codec::kDenseValuesBytesMax];
  codec::ValueHint hint{series.value_exponent};
  const std::size_t size = codec::encode_values(std::span(values, open.count), hint, bytes);
  series.value_exponent = hint.exponent;
  push(series, as_view(bytes, size), ChunkRef::kFloats, last_column_, times[open.count - 1]);

  reset_open(series);
}

void Shard::reset_open(HotSeries& series) {
  codec::GorillaState& open = series.gorilla;
  arena_.release(series.words);
  series.words = 0;
  codec::GorillaState next;
  next.last_time = open.last_time;
  next.last_value = open.last_value;
  next.owner_byte = open.owner_byte;
  next.owner_word = open.owner_word;
  open = next;
}

Appended Shard::append_histogram(HotSeries& series, SeriesId id, Timestamp t,
                                 const Histogram& histogram, const OutOfOrderRule& rule) {
  if (t < rule.in_order_from_ms || (series.is(HotSeries::kHasSamples) && t <= series.last_time())) {
    if (t >= rule.in_order_from_ms && t == series.last_time()) {
      const HistogramPtr last = last_histogram(id);
      const bool same = series.is(HotSeries::kLastHistogram) && last != nullptr &&
                        same_histogram(*last, histogram);
      return same ? Appended::kSame : Appended::kDuplicate;
    }
    if (rule.open) {
      if (t < rule.oldest_ms) return Appended::kTooOld;
      return insert_late(series, id, {t, std::make_shared<const Histogram>(histogram)});
    }
    return t < rule.in_order_from_ms ? Appended::kOutOfBounds : Appended::kRefusedOrder;
  }
  if (series.gorilla.count > 0) close_floats(series);
  auto& slot = histograms_[static_cast<std::uint32_t>(id)];
  if (!slot) slot = std::make_unique<HistogramSeries>();
  HistogramSeries& histograms = *slot;
  if (histograms.appender.size() > 0 &&
      (t >= series.range_end || histograms.appender.size() >= kChunkSamplesMax ||
       histograms.appender.bytes().size() >= kHistogramChunkBytesMax)) {
    close_histograms(series, histograms);
  }
  if (histograms.appender.size() == 0) {
    series.range_end = chunk_range_end(t);
    histograms.first_ms = t;
    ++counts_.chunks_open;
  }
  histograms.appender.append(t, histogram);
  recharge(histograms);
  series.gorilla.last_time = t;
  series.set(HotSeries::kHasSamples);
  series.set(HotSeries::kLastHistogram);
  series.set(HotSeries::kHistograms);
  return Appended::kAppended;
}

void Shard::close_histograms(HotSeries& series, HistogramSeries& histograms) {
  const auto count = static_cast<std::uint32_t>(histograms.appender.size());
  const TimeRange range{histograms.first_ms, histograms.appender.last_time()};
  const std::vector<std::uint8_t> bytes = histograms.appender.finish();
  push(series, as_view(bytes.data(), bytes.size()), ChunkRef::kHistograms,
       columns_.add_bounds(range, count), range.max_ms);
  recharge(histograms);
}

void Shard::recharge(HistogramSeries& histograms) {
  const auto held = static_cast<std::int64_t>(histograms.appender.memory_bytes());
  side_account_.charge(held - histograms.charged);
  histograms.charged = held;
}

HistogramPtr Shard::last_histogram(SeriesId id) const {
  const auto found = histograms_.find(static_cast<std::uint32_t>(id));
  return found == histograms_.end() ? nullptr : found->second->appender.last();
}

}  // namespace varve::storage::head
