// SPDX-License-Identifier: Apache-2.0
// Two pointers leap over the times once; the cache spares that.
#include "promql/eval/window_index.h"

#include <algorithm>
#include <cstring>

#include "promql/eval/plan.h"

namespace varve::promql {

TimeRange WindowShape::span() const {
  if (count == 0) return {1, 0};
  const Timestamp start =
      saturating_subtract(saturating_subtract(first_end_ms, range_ms), reach_back_ms);
  return {saturating_add(start, 1), saturating_add(end_ms(count - 1), reach_forward_ms)};
}

std::uint64_t work_of(const WindowShape& shape) {
  constexpr std::int64_t kSampleMs = 15'000;
  constexpr std::uint64_t kLooksPerNanosecond = 8;
  if (shape.count == 0) return 0;
  const std::int64_t last_ms =
      saturating_subtract(shape.end_ms(shape.count - 1), shape.first_end_ms);
  const auto samples =
      static_cast<std::uint64_t>(saturating_add(last_ms, shape.range_ms) / kSampleMs);
  const auto window = static_cast<std::uint64_t>(shape.range_ms / kSampleMs);
  return samples + shape.count * (1 + window / kLooksPerNanosecond);
}

namespace {

// The first position from `from` on whose time is after `limit`. Samples come evenly, so it is
// looked for first where it was the last time, `stride` further on.
std::uint32_t first_after(std::span<const Timestamp> times, std::uint32_t from, Timestamp limit,
                          std::uint32_t& stride) {
  const auto size = static_cast<std::uint32_t>(times.size());
  std::uint32_t at = from;
  if (stride != 0 && stride < size - from && times[from + stride - 1] <= limit) at += stride;
  while (at < size && times[at] <= limit) ++at;
  stride = at - from;
  return at;
}

// Whether these are the first positions after both limits. Mostly both have moved as far as at the
// step before, and one branch says so; false where an end of the times is near.
bool stand_at(std::span<const Timestamp> times, std::uint32_t hi, Timestamp end, std::uint32_t lo,
              Timestamp start) {
  if (lo == 0 || hi >= times.size() || lo > hi) return false;
  const Timestamp* const at = times.data();
  const bool of_hi = (at[hi - 1] <= end) & (at[hi] > end);
  const bool of_lo = (at[lo - 1] <= start) & (at[lo] > start);
  return of_hi & of_lo;
}

}  // namespace

WindowIndex index_windows(std::span<const Timestamp> times, const WindowShape& shape) {
  WindowIndex index;
  index.lo.resize(shape.count);
  index.hi.resize(shape.count);
  std::uint32_t lo = 0;
  std::uint32_t hi = 0;
  std::uint32_t lo_stride = 0;
  std::uint32_t hi_stride = 0;
  for (std::size_t step = 0; step < shape.count; ++step) {
    const Timestamp end = saturating_add(shape.end_ms(step), shape.reach_forward_ms);
    const Timestamp start = saturating_subtract(
        saturating_subtract(shape.end_ms(step), shape.range_ms), shape.reach_back_ms);
    if (stand_at(times, hi + hi_stride, end, lo + lo_stride, start)) {
      hi += hi_stride;
      lo += lo_stride;
    } else {
      hi = first_after(times, hi, end, hi_stride);
      lo = first_after(times.first(hi), lo, start, lo_stride);
    }
    index.lo[step] = lo;
    index.hi[step] = hi;
    index.samples_total += hi - lo;
    index.widest = std::max(index.widest, hi - lo);
  }
  return index;
}

std::shared_ptr<const SharedWindowIndex> WindowIndexCache::get(
    std::uint64_t times_id, std::span<const Timestamp> times) {
  const auto build = [&] {
    return std::make_shared<const SharedWindowIndex>(index_windows(times, shape_), times);
  };
  if (times_id == 0) return build();
  {
    const std::lock_guard lock(mutex_);
    const auto found = by_id_.find(times_id);
    if (found != by_id_.end()) return found->second->fits(times) ? found->second : build();
  }
  // Two tasks may compute the same index; that is cheaper than making one wait.
  auto index = build();
  const std::lock_guard lock(mutex_);
  if ((by_id_.size() + 1) * shape_.count * kStepBytes <= kBytesMax) {
    const auto [at, is_new] = by_id_.try_emplace(times_id, index);
    if (is_new || at->second->fits(times)) return at->second;
  }
  return index;
}

const SharedWindowIndex& WindowIndexLookup::find(std::uint64_t times_id,
                                                 std::span<const Timestamp> times) {
  const bool same =
      last_ != nullptr && times_id == last_id_ &&
      (times_id != 0 ? last_->fits(times)
                     : times.size() == last_times_.size() &&
                           (times.empty() || std::memcmp(times.data(), last_times_.data(),
                                                         times.size_bytes()) == 0));
  if (!same) {
    last_ = cache_.get(times_id, times);
    last_id_ = times_id;
    if (times_id == 0) last_times_.assign(times.begin(), times.end());
  }
  return *last_;
}

}  // namespace varve::promql
