// SPDX-License-Identifier: Apache-2.0
// Which blocks to merge next. Pure: looks at metas only.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "storage/block/meta.h"
#include "varve/sample.h"

namespace varve::storage {

struct CompactionInput {
  std::span<const block::BlockMeta> blocks;
  std::span<const std::int64_t> windows_ms;  // ascending, each a multiple of the one before
  // Blocks get no more samples from before this, but for what comes late beyond all expectation.
  Timestamp settled_ms = TimeRange::all().min_ms;
  // Also merge what would otherwise wait for its window to end, or for more to merge.
  bool force = false;
  // Windows that are not to be merged now, smaller ones within them may be.
  std::span<const TimeRange> set_aside = {};  // [begin, end)
};

struct CompactionPlan {
  std::vector<std::string> sources;  // ULIDs, two or more
  Timestamp window_begin_ms = 0, window_end_ms = 0;
  bool repack = false;  // a long window: small chunks are put together
};

// The next merge, or nullopt. Doing what it says, again and again, ends.
std::optional<CompactionPlan> plan_compaction(const CompactionInput& input);

// The first millisecond of the window of that length that t lies in; saturates at the beginning of
// time.
Timestamp window_begin(Timestamp t, std::int64_t window_ms);

}  // namespace varve::storage
