// SPDX-License-Identifier: Apache-2.0
// One of the head's shards: the samples of every series whose id falls to it, under one mutex. It
// applies samples, hands out copies to read, and gives up what a cut has taken; it knows neither
// labels nor the log.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <span>
#include <unordered_map>
#include <vector>

#include "base/memory_account.h"
#include "storage/codec/gorilla.h"
#include "storage/codec/histogram.h"
#include "storage/head/block_arena.h"
#include "storage/head/chunk_list.h"
#include "storage/head/series.h"
#include "storage/head/shard_image.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"
#include "storage/write_batch.h"
#include "varve/query.h"
#include "varve/sample.h"

namespace varve::storage::head {

inline constexpr unsigned kShards = 32;
// Neighbours share a shard: what one scrape creates lies together in memory and in the log.
inline constexpr std::uint32_t kNeighbours = 16;
constexpr unsigned shard_of(SeriesId id) {
  return static_cast<std::uint32_t>(id) / kNeighbours % kShards;
}

enum class Appended : std::uint8_t {
  kAppended,     // newest of its series
  kOutOfOrder,   // kept beside the in-order samples
  kSame,         // already there, with the same bits: nothing changed
  kDuplicate,    // refused: another value has that time
  kRefusedOrder, // refused: older than the newest, and no window is open
  kOutOfBounds,  // refused: older than in_order_from_ms, and no window is open
  kTooOld,       // refused: older than the window
};

// Which samples are taken, and how. Prometheus's rule (tsdb/head_append.go, appendable()): one that
// is newer than its series and not before in_order_from_ms is in order; any other is late, and
// taken if the window is open and it lies in it.
struct OutOfOrderRule {
  Timestamp oldest_ms = TimeRange::all().max_ms;  // of the window, if it is open
  bool open = false;
  Timestamp in_order_from_ms = TimeRange::all().min_ms;  // at least the shard's cut_ms()
};

// A copy of what a range of a series needs: decoding it takes no lock. Reusable.
struct SeriesSnapshot {
  codec::GorillaState open;            // count 0: no open float chunk
  std::vector<std::uint64_t> words;    // of the open chunk
  std::vector<std::uint8_t> open_histograms;
  std::vector<ChunkRef> chunks;        // newest first
  std::vector<Sample> late_floats;     // out of order, ascending; may be newer than all others
  std::vector<HistogramPoint> late_histograms;
  // Deleted samples of the chunks, open ones included (not of the late ones): ascending, apart.
  std::vector<TimeRange> deleted;
  Timestamp open_first_ms = 0;
  void clear();
};

// What has come to a series so far; equal states of one id mean that nothing is held that came in
// between.
struct SeriesState {
  Timestamp newest_ms = TimeRange::all().min_ms;  // in order
  // Of the last change of its late samples, as counted by the shard: never the same twice, however
  // many came and went. 0: none are held.
  std::uint64_t late_change = 0;
  friend bool operator==(const SeriesState&, const SeriesState&) = default;
};

// What a block is made of: a copy of what a series has before a time. Reusable.
struct CutSeries {
  SeriesState state;
  std::vector<ChunkRef> chunks;     // oldest first
  std::vector<TimeRange> deleted;   // what to leave out of the chunks: ascending, apart
  std::vector<Sample> late_floats;  // ascending; one whose time the chunks have gives way
  std::vector<HistogramPoint> late_histograms;
};
enum class TakeLate : std::uint8_t {
  kFrozen,  // those put aside by freeze()
  kAll,     // all before the time
};

struct ShardCounts {
  std::uint64_t chunks_closed = 0;  // held
  std::uint64_t chunks_open = 0;
  std::uint64_t free_bytes = 0;  // given back, waiting for new chunks
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

  // Reading. What a reader takes from blocks it leaves out here: in-order samples before
  // `in_order_from_ms` (BlockSet::head_from_ms) and the late ones a cut at that time has frozen.
  void snapshot(const HotSeries& series, SeriesId id, TimeRange range, SeriesSnapshot& out,
                Timestamp in_order_from_ms = TimeRange::all().min_ms) const;
  // False: snapshot() would find nothing. Exact but for closed chunks.
  bool may_have(const HotSeries& series, SeriesId id, TimeRange range,
                Timestamp in_order_from_ms = TimeRange::all().min_ms) const;
  // Whether last_time() and last_value (or last_histogram()) are the newest sample of the series:
  // not if a late one is newer, nor if it is deleted.
  bool newest_is_last(const HotSeries& series, SeriesId id) const;
  // The oldest late sample after `after_ms`, frozen ones too, if it is not after `until_ms`; else
  // any time after that. Looks at all series that have late ones only where there may be one as
  // old.
  Timestamp oldest_late_ms(Timestamp after_ms, Timestamp until_ms);
  // A bound of the oldest sample, for leaving series out; exact while nothing is closed.
  Timestamp oldest_ms(const HotSeries& series) const;
  // The newest histogram, if the newest sample is one.
  HistogramPtr last_histogram(SeriesId id) const;

  // Cutting. -------------------------------------------------------------------------------------
  // From now on no sample before `before_ms` is taken in order. Late samples before it that are
  // held now are put aside: still read and never changed (but for deletes), until trim(). A second
  // freeze before a trim puts more beside them.
  void freeze(Timestamp before_ms);
  // Blocks have what was in order before `before_ms`, and are to have what has come late for that
  // time as well: puts it aside as freeze() does, but where all readers see it until trim(), as
  // those who began after the cut do not know the block to come.
  void freeze_late(Timestamp before_ms);
  // The block was not written: what was put aside is as it was before.
  void thaw();
  // The time of the last freeze or set_cut(); the minimum Timestamp if there was none.
  Timestamp cut_ms() const { return cut_ms_; }
  // For recovery: as freeze(), but what is held stays late.
  void set_cut(Timestamp before_ms) { cut_ms_ = before_ms; }
  // Closes the open chunk if it lies before `before_ms` (which chunk ranges end at; the maximum
  // Timestamp: in any case), then copies what lies before it. Changes nothing else.
  void take(HotSeries& series, SeriesId id, Timestamp before_ms, TakeLate late, CutSeries& out);
  // A block has them now and no reader looks for them here any more: forgets closed chunks that end
  // before `before_ms`, deletions of them, and what was frozen. The time of the oldest in-order
  // sample that is left; the maximum Timestamp if there is none.
  Timestamp trim(HotSeries& series, SeriesId id, Timestamp before_ms);
  SeriesState state(const HotSeries& series, SeriesId id) const;
  // Forgets the series and all its samples; its hot struct becomes that of an id nobody has.
  void retire(HotSeries& series, SeriesId id);

  // Snapshots. ------------------------------------------------------------------------------------
  // Touches what copy_series() reads of a few series, so that it waits for memory once for all of
  // them and not once for every block.
  void prefetch_blocks(std::span<const HotSeries> series) const;
  // Appends what the series has to the image; series come in the order of their ids.
  void copy_series(const HotSeries& series, SeriesId id, ShardImage& image) const;
  // For recovery: puts a known series without samples back. `words` of its open chunk; `chunks`
  // newest first, all of them held by the spill store and the columns.
  void restore_series(HotSeries& series, const HotSeries& hot, const std::uint64_t* words,
                      std::span<const ChunkRef> chunks);
  Status restore_histograms(HotSeries& series, const ShardImage::Histograms& from);
  // Beside what late samples it has already.
  void restore_late(HotSeries& series, ShardImage::Late from);
  void restore_deleted(HotSeries& series, ShardImage::Deleted from);
  // For recovery: everything in order before `before_ms` is in blocks, open chunks included, and
  // with kAll what was late, too. As trim() otherwise.
  Timestamp forget_before(HotSeries& series, SeriesId id, Timestamp before_ms, TakeLate late);

  // Forgets closed chunks and late samples that end before `time_ms`.
  void expire(HotSeries& series, SeriesId id, Timestamp time_ms);

  // Deletes what the series has now in `range`: late samples at once, the others are hidden from
  // then on. Whether there was any.
  bool delete_samples(HotSeries& series, SeriesId id, TimeRange range);

  ShardCounts counts() const {
    return {counts_.chunks_closed, counts_.chunks_open, arena_.free_bytes()};
  }
  // Touches what appending to the series will touch.
  void prefetch_open(const HotSeries& series) const {
    arena_.prefetch(series.words);
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
    std::uint64_t change = 0;  // SeriesState::late_change
    bool empty() const { return floats.empty() && histograms.empty(); }
  };
  using LateMap = std::unordered_map<std::uint32_t, LateSeries>;

  Appended append_old_float(HotSeries& series, SeriesId id, Timestamp t, double value,
                            const OutOfOrderRule& rule);
  // Adds words to the open chunk's chain, which has `before` of them.
  void add_words(HotSeries& series, std::size_t before, std::span<const std::uint64_t> words);
  // Copies the open chunk's words, word_count of them.
  void copy_words(const HotSeries& series, std::uint64_t* to) const;
  void begin_chunk(HotSeries& series, SeriesId id, Timestamp t);
  void close_floats(HotSeries& series);
  void reset_open(HotSeries& series);
  void close_histograms(HotSeries& series, HistogramSeries& histograms);
  void push(HotSeries& series, std::string_view bytes, ChunkRef::Tag tag, TimeColumnId column,
            Timestamp newest_ms);
  void recharge(HistogramSeries& histograms);
  void close_open(HotSeries& series, SeriesId id);
  void drop_chunks_before(HotSeries& series, Timestamp time_ms);
  void put_aside(Timestamp before_ms);
  void forget_late(LateMap& map, HotSeries& series, SeriesId id);
  // Whether there was any.
  bool erase_late(LateMap& map, HotSeries& series, SeriesId id, TimeRange range);
  Timestamp oldest_in_order_ms(const HotSeries& series, SeriesId id) const;

  BlockArena arena_;
  SpillStore& spill_;
  TimeColumns& columns_;
  base::MemoryAccount& side_account_;
  ShardCounts counts_;
  std::unordered_map<std::uint32_t, std::unique_ptr<HistogramSeries>> histograms_;
  LateMap late_;
  std::uint64_t late_changes_ = 0;  // never goes down
  // No late sample is older, frozen ones included.
  Timestamp late_from_ms_ = TimeRange::all().max_ms;
  LateMap frozen_;  // put aside by freeze(): all before frozen_before_ms_
  Timestamp frozen_before_ms_ = TimeRange::all().min_ms;
  // Readers that take in-order samples from this time on, or later, find what is frozen in blocks.
  Timestamp frozen_shown_before_ms_ = TimeRange::all().min_ms;
  Timestamp cut_ms_ = TimeRange::all().min_ms;
  std::unordered_map<std::uint32_t, std::vector<TimeRange>> deleted_;  // as SeriesSnapshot::deleted
  // The column interned last: most closes of a scrape repeat it.
  std::vector<Timestamp> last_times_;
  TimeColumnId last_column_ = 0;
};

// Whether two histograms are the same sample, by bits; the counter reset hint is not looked at.
bool same_histogram(const Histogram& a, const Histogram& b);

inline Appended Shard::append_float(HotSeries& series, SeriesId id, Timestamp t, double value,
                                    const OutOfOrderRule& rule) {
  codec::GorillaState& open = series.gorilla;
  if (t < rule.in_order_from_ms || (series.is(HotSeries::kHasSamples) && t <= open.last_time))
      [[unlikely]] {
    return append_old_float(series, id, t, value, rule);
  }
  if (open.count == 0 || t >= series.range_end ||
      open.word_count + codec::kGorillaAppendWordsMax > kChunkWordsMax ||
      !codec::gorilla_accepts(open, t)) [[unlikely]] {
    begin_chunk(series, id, t);
  }
  std::uint64_t words[codec::kGorillaAppendWordsMax];
  const std::size_t before = open.word_count;
  codec::gorilla_append(open, words, t, value);
  if (open.word_count != before)
    add_words(series, before, std::span(words, open.word_count - before));
  // At once and not at the next sample: until that comes, a full chunk would be the dearest to
  // hold.
  if (open.count >= series.samples_max) [[unlikely]] close_floats(series);
  return Appended::kAppended;
}

}  // namespace varve::storage::head
