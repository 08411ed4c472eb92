// SPDX-License-Identifier: Apache-2.0
#include "storage/compaction_plan.h"

#include <algorithm>
#include <map>
#include <utility>

namespace varve::storage {
namespace {

using block::BlockMeta;

// Late blocks beside a compacted one make reading dearer, merging them rewrites it: worth it once
// they are this many or this part of it.
constexpr std::size_t kLateBlocksMax = 4;
constexpr std::uint64_t kLatePart = 8;
constexpr std::int64_t kHourMs = 60LL * 60 * 1000;
// From this window on small chunks are put together: what one every five minutes makes is one
// chunk.
constexpr std::int64_t kRepackMs = 8 * kHourMs;
// A window that goes on is merged on demand up to this length. A longer one would be written again
// and again with what comes.
constexpr std::int64_t kUnfinishedMaxMs = 24 * kHourMs;

struct Candidates {
  std::vector<const BlockMeta*> blocks;
  std::uint64_t bytes_whole = 0;  // of those that already are of this very window
  std::uint64_t bytes_parts = 0;
  std::size_t parts = 0;
};

bool worth_it(const Candidates& found, bool force) {
  if (found.blocks.size() < 2) return false;
  const bool has_whole = found.parts < found.blocks.size();
  if (force || !has_whole) return true;
  if (found.blocks.size() - found.parts > 1) return true;  // two of the same window
  return found.parts >= kLateBlocksMax || found.bytes_parts * kLatePart >= found.bytes_whole;
}

CompactionPlan make_plan(const Candidates& found, Timestamp begin, std::int64_t window_ms) {
  CompactionPlan plan;
  for (const BlockMeta* meta : found.blocks) plan.sources.push_back(meta->ulid);
  plan.window_begin_ms = begin;
  plan.window_end_ms = begin + window_ms;
  plan.repack = window_ms >= kRepackMs;
  return plan;
}

}  // namespace

Timestamp window_begin(Timestamp t, std::int64_t window_ms) {
  Timestamp begin = t - t % window_ms;
  if (begin > t && __builtin_sub_overflow(begin, window_ms, &begin)) {
    return TimeRange::all().min_ms;
  }
  return begin;
}

std::optional<CompactionPlan> plan_compaction(const CompactionInput& input) {
  // The largest first: what goes into a week at once need not go into its days before.
  for (std::size_t level = input.windows_ms.size(); level-- > 0;) {
    const std::int64_t window_ms = input.windows_ms[level];
    std::map<Timestamp, Candidates> windows;
    for (const BlockMeta& meta : input.blocks) {
      const std::int64_t length_ms = meta.window_end_ms - meta.window_begin_ms;
      if (length_ms <= 0 || length_ms > window_ms) continue;
      Candidates& found = windows[window_begin(meta.window_begin_ms, window_ms)];
      found.blocks.push_back(&meta);
      if (length_ms == window_ms) {
        found.bytes_whole += meta.bytes;
      } else {
        found.bytes_parts += meta.bytes;
        ++found.parts;
      }
    }
    for (const auto& [begin, found] : windows) {
      const bool ended = begin + window_ms <= input.settled_ms;
      if (!ended && !(input.force && window_ms <= kUnfinishedMaxMs)) continue;
      const TimeRange window{begin, begin + window_ms};
      if (std::find(input.set_aside.begin(), input.set_aside.end(), window) !=
          input.set_aside.end()) {
        continue;
      }
      if (worth_it(found, input.force)) return make_plan(found, begin, window_ms);
    }
  }
  return std::nullopt;
}

}  // namespace varve::storage
