// SPDX-License-Identifier: Apache-2.0
#include "storage/level_selection.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "storage/chunk_decode.h"
#include "storage/sample_merge.h"

namespace varve::storage {

LevelSelection::LevelSelection(std::unique_ptr<Selection> samples,
                               const std::vector<MergedSelection::BlockSource>* levels,
                               std::vector<SeriesPlan> plans, std::vector<std::uint32_t> plan_of,
                               TimeRange range)
    : samples_(std::move(samples)),
      levels_(levels),
      plans_(std::move(plans)),
      plan_of_(std::move(plan_of)),
      range_(range) {
  VARVE_CHECK(!plans_.empty());
}

Status LevelSelection::read(std::size_t series, TimeRange range, SeriesSamples& out) const {
  out.clear();
  const std::vector<TimeRange>& raw = plan(series).raw;
  bool first = true;
  for (const TimeRange& stretch : raw) {
    const TimeRange part = intersection(range, stretch);
    if (part.empty()) continue;
    if (std::exchange(first, false)) {
      VARVE_TRY(samples_->read(series, part, out));
      continue;
    }
    static thread_local SeriesSamples more;
    VARVE_TRY(samples_->read(series, part, more));
    if (!more.float_times.empty() || !more.histogram_times.empty()) {
      append_samples(out, more);
      out.times_id = 0;
    }
  }
  return {};
}

Status LevelSelection::read_last(std::span<const std::uint32_t> series, TimeRange range,
                                 std::span<LastSample> out) const {
  if (plan_of_.empty() && plans_[0].raw.size() == 1) {
    return samples_->read_last(series, intersection(range, plans_[0].raw[0]), out);
  }
  // By plan, and of each the newest stretch first.
  std::vector<std::uint32_t> left;
  std::vector<std::uint32_t> which;
  std::vector<LastSample> found;
  for (LastSample& last : out) last = {};
  for (std::uint32_t p = 0; p < plans_.size(); ++p) {
    for (std::size_t r = plans_[p].raw.size(); r-- > 0;) {
      const TimeRange part = intersection(range, plans_[p].raw[r]);
      if (part.empty()) continue;
      left.clear();
      which.clear();
      for (std::uint32_t i = 0; i < series.size(); ++i) {
        if (&plan(series[i]) != &plans_[p] || out[i].kind != LastSample::Kind::kNone) continue;
        left.push_back(series[i]);
        which.push_back(i);
      }
      if (left.empty()) break;
      found.assign(left.size(), LastSample());
      VARVE_TRY(samples_->read_last(left, part, found));
      for (std::size_t i = 0; i < which.size(); ++i) out[which[i]] = std::move(found[i]);
    }
  }
  return {};
}

Status LevelSelection::read_buckets(std::size_t series, std::size_t span, TimeRange ends,
                                    BucketColumns columns, SeriesBuckets& out) const {
  out.clear();
  const std::vector<LevelSpan>& spans = plan(series).spans;
  VARVE_CHECK(span < spans.size());
  const std::int64_t resolution_ms = spans[span].resolution_ms;
  out.resolution_ms = resolution_ms;
  ends = intersection(intersection(ends, spans[span].ends), range_);
  if (ends.empty() || levels_ == nullptr) return {};
  bool known = true;
  for (const MergedSelection::BlockSource& level : *levels_) {
    const block::BlockMeta& meta = level.reader->block().meta();
    const std::uint32_t ordinal = level.of(series);
    if (meta.resolution_ms != resolution_ms || ordinal == MergedSelection::kAbsent) continue;
    if (!meta.range.overlaps(ends)) continue;
    known = level.reader->append_buckets(ordinal, ends, columns, out) && known;
  }
  if (!known) out.ends_id = 0;
  return {};
}

}  // namespace varve::storage
