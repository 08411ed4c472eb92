// SPDX-License-Identifier: Apache-2.0
// What the head keeps of every series at hand: one cache line. Labels are the index's business; the
// id is the position in the array of these.
#pragma once

#include <cstdint>

#include "storage/codec/gorilla.h"
#include "storage/head/block_arena.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"
#include "varve/sample.h"

namespace varve::storage::head {

// Chunks do not cross these boundaries, so that a block of this length never splits one.
inline constexpr std::int64_t kChunkRangeMs = 2 * 60 * 60 * 1000;
// An open chunk is closed at this many samples or words, whichever comes first. 120 samples are
// half an hour at 15 s, what Prometheus aims at too; 1 KiB is what 120 values without any pattern
// take.
inline constexpr std::uint16_t kChunkSamplesMax = 120;
// The first chunk of a series in a range is closed at 10, 20 … or 120 samples. Series that began
// together (a restart, a new range) would otherwise all have their largest open chunk at the same
// time: the memory of chunks would be twice as large, and all closing would fall into one scrape of
// thirty minutes. With twelve kinds of first chunks, open ones have 60 to 70 samples on average at
// any time; with four of 30 to 120 they had 75 at the worst. A thousand neighbours keep step, so
// that the series of a target share columns; the next thousand are five kinds on, so that a small
// head has long and short ones too.
constexpr std::uint16_t first_chunk_samples_max(std::uint32_t id) {
  return static_cast<std::uint16_t>(10 * (1 + ((id >> 10) * 5 + 2) % 12));
}
inline constexpr std::uint16_t kChunkWordsMax = 1024 / sizeof(std::uint64_t);

// The first millisecond after the chunk range that t lies in. Saturates at the end of time.
constexpr Timestamp chunk_range_end(Timestamp t) {
  Timestamp start = t - t % kChunkRangeMs;
  if (t < 0 && start != t) {
    if (t < TimeRange::all().min_ms + kChunkRangeMs) return start;  // the first, cut range
    start -= kChunkRangeMs;
  }
  return start > TimeRange::all().max_ms - kChunkRangeMs ? TimeRange::all().max_ms
                                                         : start + kChunkRangeMs;
}

// Guarded by the shard's mutex. Invariants:
// 1. gorilla is the open float chunk. The bytes of its words fill a chain of blocks, the oldest
//    first; `words` is the newest, 0 if there are none. gorilla.count == 0: no float chunk is open.
// 2. gorilla.last_time is the time of the newest in-order sample of either kind, and
//    gorilla.last_value the newest in-order float, also while no chunk is open.
// 3. `chunks` lists the closed chunks, ascending in time (chunk_list.h).
struct HotSeries {
  enum Flag : std::uint8_t {
    kKnown = 1,          // the id is a series
    kHasSamples = 2,     // gorilla.last_time means something (late samples do not make it so)
    kLastHistogram = 4,  // the newest sample is a histogram
    kHasFloat = 8,       // gorilla.last_value means something
    kOutOfOrder = 16,    // the shard's side store has samples of this series
    kHistograms = 32,    // the shard has a histogram appender for this series
    kDeleted = 64,       // the shard has deleted ranges of this series
  };

  codec::GorillaState gorilla;
  BlockRef words = 0;
  BlockRef chunks = 0;
  Timestamp range_end = 0;  // of the open chunk of either kind
  std::uint32_t first_offset_ms =
      0;                            // the open chunk's first sample lies this far before range_end
  std::uint8_t value_exponent = 0;  // codec::ValueHint
  std::uint16_t samples_max = 0;    // the open chunk is closed at this many

  bool is(Flag flag) const { return (gorilla.owner_byte & flag) != 0; }
  void set(Flag flag) { gorilla.owner_byte = static_cast<std::uint8_t>(gorilla.owner_byte | flag); }
  void unset(Flag flag) {
    gorilla.owner_byte = static_cast<std::uint8_t>(gorilla.owner_byte & ~flag);
  }
  // The log segment that the newest float of this series was written to.
  std::uint32_t& log_segment() { return gorilla.owner_word; }
  Timestamp last_time() const { return gorilla.last_time; }
  Timestamp first_time() const { return range_end - first_offset_ms; }
};
static_assert(sizeof(HotSeries) == 64);

// A closed chunk: where its values are and which times they have.
struct ChunkRef {
  enum Tag : unsigned { kFloats = 1, kHistograms = 2 };  // of place
  SpillPlace place;
  TimeColumnId column = 0;
};

}  // namespace varve::storage::head
