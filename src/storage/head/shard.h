// SPDX-License-Identifier: Apache-2.0
// One of the head's shards: the samples of every series whose id falls to it, under one mutex. It
// applies samples and hands out copies to read; it knows neither labels nor the log.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "base/memory_account.h"
#include "storage/codec/gorilla.h"
#include "storage/codec/histogram.h"
#include "storage/head/block_arena.h"
#include "storage/head/chunk_list.h"
#include "storage/head/series.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"
#include "storage/write_batch.h"
#include "varve/query.h"
#include "varve/sample.h"

namespace varve::storage::head {

inline constexpr unsigned kShards = 32;
// Neighbours share a shard: what one scrape creates lies together in memory and in the log.
constexpr unsigned shard_of(SeriesId id) { return (static_cast<std::uint32_t>(id) >> 4) % kShards; }

enum class Appended : std::uint8_t {
  kAppended,     // newest of its series
  kOutOfOrder,   // kept beside the in-order samples
  kSame,         // already there, with the same bits: nothing changed
  kDuplicate,    // refused: another value has that time
  kRefusedOrder, // refused: older than the newest, and no window is open
  kTooOld,       // refused: older than the window
};

// Samples at or after this time may come out of order; the maximum Timestamp: none may.
struct OutOfOrderRule {
  Timestamp oldest_ms = TimeRange::all().max_ms;
  bool open = false;
};

// A copy of what a range of a series needs: decoding it takes no lock. Reusable.
struct SeriesSnapshot {
  codec::GorillaState open;            // count 0: no open float chunk
  std::vector<std::uint64_t> words;    // of the open chunk
  std::vector<std::uint8_t> open_histograms;
  std::vector<ChunkRef> chunks;        // newest first
  std::vector<Sample> late_floats;     // out of order, ascending
  std::vector<HistogramPoint> late_histograms;
  Timestamp open_first_ms = 0;
  void clear();
};

struct ShardCounts {
  std::uint64_t chunks_closed = 0;  // held
  std::uint64_t chunks_open = 0;
};

// All methods: the caller holds `mutex`, and the series belongs to this shard.
class Shard {
 public:
  Shard(BlockMemory& memory, SpillStore& spill, TimeColumns& columns,
        base::MemoryAccount& side_account);
  ~Shard();

  std::mutex mutex;  // guards the shard and its series; before TimeColumns' and SpillStore's

  Appended append_float(HotSeries& series, SeriesId id, Timestamp t, double value,
                        const OutOfOrderRule& rule);
  // Precondition: codec::check_histogram() holds.
  Appended append_histogram(HotSeries& series, SeriesId id, Timestamp t, const Histogram& histogram,
                            const OutOfOrderRule& rule);

  // For replay: a sample that is known to have been accepted out of order.
  Appended insert_late(HotSeries& series, SeriesId id, const Sample& sample);
  Appended insert_late(HotSeries& series, SeriesId id, HistogramPoint point);

  void snapshot(const HotSeries& series, SeriesId id, TimeRange range, SeriesSnapshot& out) const;
  // A bound of the oldest sample, for leaving series out; exact while nothing is closed.
  Timestamp oldest_ms(const HotSeries& series) const;
  // The newest histogram, if the newest sample is one.
  HistogramPtr last_histogram(SeriesId id) const;

  // Forgets closed chunks and late samples that end before `time_ms`.
  void expire(HotSeries& series, SeriesId id, Timestamp time_ms);

  const ShardCounts& counts() const { return counts_; }
  // Touches what appending to the series will touch.
  void prefetch_open(const HotSeries& series) const {
    __builtin_prefetch(arena_.at(series.words) + series.gorilla.word_count * sizeof(std::uint64_t), 1);
  }

 private:
  struct HistogramSeries {
    codec::HistogramAppender appender;
    Timestamp first_ms = 0;
    std::int64_t charged = 0;
  };
  struct LateSeries {
    std::vector<Sample> floats;
    std::vector<HistogramPoint> histograms;
  };

  Appended append_old_float(HotSeries& series, SeriesId id, Timestamp t, double value,
                            const OutOfOrderRule& rule);
  std::uint64_t* words(const HotSeries& series) const {
    return reinterpret_cast<std::uint64_t*>(arena_.at(series.words));
  }
  void grow_words(HotSeries& series);
  void begin_chunk(HotSeries& series, SeriesId id, Timestamp t);
  void close_floats(HotSeries& series);
  void close_histograms(HotSeries& series, HistogramSeries& histograms);
  void push(HotSeries& series, std::string_view bytes, ChunkRef::Tag tag, TimeColumnId column,
            Timestamp newest_ms);
  void recharge(HistogramSeries& histograms);

  BlockArena arena_;
  SpillStore& spill_;
  TimeColumns& columns_;
  base::MemoryAccount& side_account_;
  ShardCounts counts_;
  std::unordered_map<std::uint32_t, std::unique_ptr<HistogramSeries>> histograms_;
  std::unordered_map<std::uint32_t, LateSeries> late_;
  // The column interned last: most closes of a scrape repeat it.
  std::vector<Timestamp> last_times_;
  TimeColumnId last_column_ = 0;
};

// Whether two histograms are the same sample, by bits; the counter reset hint is not looked at.
bool same_histogram(const Histogram& a, const Histogram& b);

inline Appended Shard::append_float(HotSeries& series, SeriesId id, Timestamp t, double value,
                                    const OutOfOrderRule& rule) {
  codec::GorillaState& open = series.gorilla;
  if (series.is(HotSeries::kHasSamples) && t <= open.last_time) [[unlikely]] {
    return append_old_float(series, id, t, value, rule);
  }
  if (open.count == 0 || t >= series.range_end ||
      open.word_count + codec::kGorillaAppendWordsMax > kChunkWordsMax ||
      !codec::gorilla_accepts(open, t)) [[unlikely]] {
    begin_chunk(series, id, t);
  }
  const std::size_t words_needed = open.word_count + codec::kGorillaAppendWordsMax;
  if (series.words == 0 ||
      words_needed * sizeof(std::uint64_t) > kBlockBytes[series.words_class]) [[unlikely]] {
    grow_words(series);
  }
  codec::gorilla_append(open, words(series), t, value);
  // At once and not at the next sample: until that comes, a full chunk would be the dearest to hold.
  if (open.count >= series.samples_max) [[unlikely]] close_floats(series);
  return Appended::kAppended;
}

}  // namespace varve::storage::head
