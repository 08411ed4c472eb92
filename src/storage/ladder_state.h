// SPDX-License-Identifier: Apache-2.0
// How far the levels have come, and what in them is out of date. Stands in the MANIFEST, so that it
// changes with the set of blocks in one edit: a bucket is never both written and still to be
// written, and what changed beneath one is known for as long as it has not been made again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/gone.h"
#include "varve/sample.h"

namespace varve::storage {

// A century. Buckets so long that their ends cannot be reckoned with have never been written.
inline constexpr std::int64_t kResolutionMaxMs = 100LL * 366 * 24 * 60 * 60 * 1000;
// No dirty stretch begins before it.
inline constexpr Timestamp kFirstDirtyMs = TimeRange::all().min_ms + kResolutionMaxMs;

struct LevelState {
  std::int64_t resolution_ms = 0;
  // Every bucket that ends at or before it has been written; a multiple of the resolution.
  Timestamp covered_ms = TimeRange::all().min_ms;
  // Buckets that end at or before it may be gone.
  Timestamp gone_ms = TimeRange::all().min_ms;
  // As last configured; holds on when the ladder has the level no more. 0: for ever.
  std::int64_t retention_ms = 0;
  // Likewise, of its sketches; none: it has none.
  std::optional<std::int32_t> sketch_schema;
  // Buckets whose samples have changed since, by their ends (both included): ascending, apart.
  std::vector<TimeRange> dirty;

  friend bool operator==(const LevelState&, const LevelState&) = default;
};

// What had gone when a hold was made: in its time nothing of its series has gone since.
struct HeldSince {
  std::string id;
  Gone gone;
  friend bool operator==(const HeldSince&, const HeldSince&) = default;
};

struct LadderState {
  // Samples at or before it may be gone.
  Timestamp raw_gone_ms = TimeRange::all().min_ms;
  std::vector<LevelState> levels;  // finest first
  std::vector<GoneOf> gone_of;     // beside what may be gone of everybody
  std::vector<HeldSince> holds;    // by age
  // ULIDs of blocks that were set aside: what was made without them is out of date if they come
  // back.
  std::vector<std::string> aside;

  LevelState* find(std::int64_t resolution_ms);
  const LevelState* find(std::int64_t resolution_ms) const;
  // As of now.
  Gone gone() const;
  // Samples (resolution 0), or buckets that end by it, may be gone of everybody.
  void note_gone(std::int64_t resolution_ms, Timestamp until_ms);
  // Samples of this time have changed. Buckets that are not written yet need no mark.
  void mark_dirty(TimeRange samples);

  friend bool operator==(const LadderState&, const LadderState&) = default;
};

// Buckets that end in `ends` are (not) up to date; `ends` are multiples of the resolution.
void add_dirty(LevelState& level, TimeRange ends);
void remove_dirty(LevelState& level, TimeRange ends);
// A lost state, or one from before the newest blocks, becomes that of blocks which are there:
// `windows` (begin, end] of all blocks of one level. What is between them has to be made anew, what
// is before them may be gone.
void restore_level(LadderState& ladder, std::int64_t resolution_ms, std::vector<TimeRange> windows);
// Whether a bucket that covers some of this time is out of date.
bool is_dirty(const LevelState& level, TimeRange samples);

}  // namespace varve::storage
