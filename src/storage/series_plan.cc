// SPDX-License-Identifier: Apache-2.0
#include "storage/series_plan.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "storage/bucket_fold.h"
#include "storage/source_resolution.h"

namespace varve::storage {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;
constexpr Timestamp kMax = TimeRange::all().max_ms;

Timestamp ceil_to(Timestamp t, std::int64_t resolution_ms) {
  return t == kMin ? kMin : bucket_end(t, resolution_ms);
}

// Which of two levels a query prefers where both could answer: the coarsest of those whose buckets
// give what finer ones would (or that were asked for), then the finest.
class Preference {
 public:
  explicit Preference(std::int64_t max_source_resolution_ms)
      : is_auto_(is_auto(max_source_resolution_ms)),
        limit_ms_(is_auto_ ? whole_of(max_source_resolution_ms) : max_source_resolution_ms) {}

  bool operator()(const KeptLevel& a, const KeptLevel& b) const {
    const bool a_coarse = coarse(a);
    if (a_coarse != coarse(b)) return a_coarse;
    return a_coarse ? a.resolution_ms > b.resolution_ms : a.resolution_ms < b.resolution_ms;
  }

 private:
  bool coarse(const KeptLevel& level) const {
    if (!is_auto_) return level.resolution_ms <= limit_ms_;
    return limit_ms_ > 0 && limit_ms_ % level.resolution_ms == 0;
  }

  bool is_auto_;
  std::int64_t limit_ms_;
};

// Goes back in time from `end` on, from one level to the next.
class Walk {
 public:
  Walk(std::span<const KeptLevel> levels, Preference preferred)
      : levels_(levels), preferred_(preferred) {}

  std::vector<LevelSpan> run(Timestamp end) {
    std::vector<LevelSpan> newest_first;
    // Where a span begins no earlier one of its level follows, but behind a preferred level.
    std::vector<const KeptLevel*> ended;
    for (;;) {
      const KeptLevel* best = nullptr;
      Timestamp next = kMin;  // where the next one begins to answer, if none does here
      for (const KeptLevel& level : levels_) {
        if (std::find(ended.begin(), ended.end(), &level) != ended.end()) continue;
        const Timestamp until = floor_to(std::min(level.until_ms, end), level.resolution_ms);
        if (until <= level.from_ms) continue;
        if (until < end) {
          next = std::max(next, until);
        } else if (best == nullptr || preferred_(level, *best)) {
          best = &level;
        }
      }
      if (best == nullptr) {
        if (next == kMin) break;
        end = next;
        continue;
      }
      bool own = true;
      const Timestamp begin = begin_of(*best, end, own);
      if (own || begin >= end) ended.push_back(best);
      if (begin >= end) continue;
      const Timestamp first = begin == kMin ? kMin : begin + best->resolution_ms;
      newest_first.push_back({best->resolution_ms, {first, end}});
      if (begin == kMin) break;
      end = begin;
    }
    std::reverse(newest_first.begin(), newest_first.end());
    return newest_first;
  }

 private:
  // Where a span that ends at `last` begins: where its level does, or where a preferred one ends.
  Timestamp begin_of(const KeptLevel& level, Timestamp last, bool& own) const {
    Timestamp begin = level.from_ms;
    for (const KeptLevel& other : levels_) {
      const std::int64_t common = std::lcm(level.resolution_ms, other.resolution_ms);
      const Timestamp until = floor_to(std::min(other.until_ms, last), common);
      if (until >= last || until <= other.from_ms) continue;
      if (!preferred_(other, level) || until <= begin) continue;
      begin = until;
      own = false;
    }
    // The preferred one can end there. Else whoever goes on before it must be able to.
    if (begin == kMin || !own) return begin;
    std::int64_t common = level.resolution_ms;
    for (const KeptLevel& other : levels_) {
      if (other.from_ms < begin && other.until_ms >= begin) {
        common = std::lcm(common, other.resolution_ms);
      }
    }
    return ceil_to(begin, common);
  }

  const std::span<const KeptLevel> levels_;
  const Preference preferred_;
};

}  // namespace

Timestamp floor_to(Timestamp t, std::int64_t resolution_ms) {
  return t == kMin ? kMin : bucket_floor(t, resolution_ms);
}

Stretches answered_by(std::span<const LevelSpan> spans) {
  Stretches answered;
  for (const LevelSpan& span : spans) {
    const Timestamp first = span.ends.min_ms;
    add_stretch(answered,
                {first == kMin ? kMin : first - span.resolution_ms + 1, span.ends.max_ms});
  }
  return answered;
}

SeriesPlan make_plan(const PlanInput& input) {
  SeriesPlan plan;
  std::vector<KeptLevel> levels;
  const std::int64_t at_most_ms = input.max_source_resolution_ms;
  for (const KeptLevel& level : input.levels) {
    if (level.until_ms == kMin || level.until_ms <= level.from_ms) continue;
    if (is_auto(at_most_ms) || level.resolution_ms <= at_most_ms) levels.push_back(level);
  }
  if (levels.empty()) {
    plan.raw.push_back({input.raw_from_ms, kMax});
    return plan;
  }
  Timestamp covered = kMin;
  for (const KeptLevel& level : levels) covered = std::max(covered, level.until_ms);
  // Samples answer behind the seam.
  Timestamp seam = covered;
  if (is_auto(at_most_ms)) {
    const Timestamp kept = input.raw_from_ms == kMin ? kMin : input.raw_from_ms - 1;
    seam = std::min(std::max(kept, input.raw_gone_ms), covered);
    if (seam == kMin) {
      plan.raw.push_back(TimeRange::all());
      for (const TimeRange& lost : input.raw_lost) answer_by_buckets(plan, levels, lost);
      return plan;
    }
    // The finest level that can end at it, or near it: where the samples of a bucket that it is in
    // have gone in part, it is moved to the bucket's end, else to its begin.
    std::vector<const KeptLevel*> at_seam;
    for (const KeptLevel& level : levels) {
      if (level.from_ms < seam && level.until_ms >= seam) at_seam.push_back(&level);
    }
    std::sort(at_seam.begin(), at_seam.end(), [](const KeptLevel* a, const KeptLevel* b) {
      return a->resolution_ms < b->resolution_ms;
    });
    for (const KeptLevel* level : at_seam) {
      const std::int64_t resolution_ms = level->resolution_ms;
      const Timestamp below = floor_to(seam, resolution_ms);
      const Timestamp above =
          std::min(ceil_to(seam, resolution_ms), floor_to(level->until_ms, resolution_ms));
      const Timestamp moved = below >= input.raw_gone_ms ? below : std::max(above, below);
      std::vector<LevelSpan> spans = Walk(levels, Preference(at_most_ms)).run(moved);
      // Else it begins only there, and nothing would answer before.
      if (spans.empty() || spans.back().ends.max_ms != moved) continue;
      plan.spans = std::move(spans);
      break;
    }
  }
  if (plan.spans.empty()) plan.spans = Walk(levels, Preference(at_most_ms)).run(seam);
  // Also where levels have not been for ever.
  TimeRange rest{input.raw_from_ms, kMax};
  if (!plan.spans.empty()) rest.min_ms = std::min(rest.min_ms, plan.spans.back().ends.max_ms + 1);
  plan.raw = without({rest}, answered_by(plan.spans));
  if (is_auto(at_most_ms)) {
    for (const TimeRange& lost : input.raw_lost) answer_by_buckets(plan, levels, lost);
  }
  return plan;
}

void give_back(SeriesPlan& plan, TimeRange held) {
  if (held.empty()) return;
  std::vector<LevelSpan> spans;
  for (const LevelSpan& span : plan.spans) {
    const std::int64_t resolution_ms = span.resolution_ms;
    const Timestamp begin =
        span.ends.min_ms == kMin ? kMin : span.ends.min_ms - resolution_ms;  // not included
    // (after, until] goes to samples.
    const Timestamp after =
        std::max(begin, held.min_ms == kMin ? kMin : ceil_to(held.min_ms - 1, resolution_ms));
    const Timestamp until = std::min(
        span.ends.max_ms, held.max_ms == kMax ? kMax : floor_to(held.max_ms, resolution_ms));
    if (after >= until) {
      spans.push_back(span);
      continue;
    }
    if (after > begin) spans.push_back({resolution_ms, {span.ends.min_ms, after}});
    if (until < span.ends.max_ms) {
      spans.push_back({resolution_ms, {until + resolution_ms, span.ends.max_ms}});
    }
  }
  for (const TimeRange& one : without({held}, answered_by(spans))) add_stretch(plan.raw, one);
  plan.spans = std::move(spans);
}

void give_back_buckets(SeriesPlan& plan, std::span<const KeptLevel> levels, TimeRange held) {
  Stretches answered = answered_by(plan.spans);
  for (const TimeRange& one : plan.raw) add_stretch(answered, one);
  for (const TimeRange& open : without({held}, answered)) {
    std::vector<KeptLevel> within;
    Timestamp end = kMin;
    for (const KeptLevel& level : levels) {
      const std::int64_t resolution_ms = level.resolution_ms;
      KeptLevel part = level;
      if (open.min_ms != kMin) {
        part.from_ms = std::max(part.from_ms, ceil_to(open.min_ms - 1, resolution_ms));
      }
      part.until_ms = std::min(part.until_ms, floor_to(open.max_ms, resolution_ms));
      if (part.until_ms == kMin || part.until_ms <= part.from_ms) continue;
      end = std::max(end, part.until_ms);
      within.push_back(part);
    }
    if (within.empty()) continue;
    for (const LevelSpan& span : Walk(within, Preference(kSourceAuto)).run(end))
      plan.spans.push_back(span);
  }
  std::sort(plan.spans.begin(), plan.spans.end(),
            [](const LevelSpan& a, const LevelSpan& b) { return a.ends.min_ms < b.ends.min_ms; });
}

void answer_by_buckets(SeriesPlan& plan, std::span<const KeptLevel> levels, TimeRange lost) {
  const TimeRange whole = to_whole_buckets(lost, levels);
  const Stretches before = plan.raw;
  plan.raw = without(plan.raw, {whole});
  give_back_buckets(plan, levels, whole);
  plan.raw = without(before, answered_by(plan.spans));
}

TimeRange to_whole_buckets(TimeRange range, std::span<const KeptLevel> levels) {
  const auto bucket_of = [&](Timestamp t) {
    for (const KeptLevel& level : levels) {
      const Timestamp end_ms = bucket_end(t, level.resolution_ms);
      if (end_ms > level.from_ms && end_ms <= level.until_ms) {
        return TimeRange{end_ms - level.resolution_ms + 1, end_ms};
      }
    }
    return TimeRange{t, t};
  };
  if (range.empty()) return range;
  return {range.min_ms == kMin ? kMin : bucket_of(range.min_ms).min_ms,
          range.max_ms == kMax ? kMax : bucket_of(range.max_ms).max_ms};
}

}  // namespace varve::storage
