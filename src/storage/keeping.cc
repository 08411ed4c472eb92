// SPDX-License-Identifier: Apache-2.0
#include "storage/keeping.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "storage/bucket_fold.h"

namespace varve::storage {
namespace {

constexpr Timestamp kMin = TimeRange::all().min_ms;
constexpr Timestamp kMax = TimeRange::all().max_ms;

}  // namespace

Timestamp horizon(Timestamp newest_ms, std::int64_t age_ms) {
  Timestamp oldest = 0;
  if (newest_ms == kMin || age_ms <= 0) return kMin;
  return __builtin_sub_overflow(newest_ms, age_ms, &oldest) ? kMin : oldest;
}

bool matches(std::span<const model::Matcher> matchers, const Labels& labels) {
  return std::all_of(matchers.begin(), matchers.end(), [&](const model::Matcher& matcher) {
    return matcher.matches(labels.get(matcher.name()));
  });
}

Status check_ladder(const Ladder& ladder) {
  const auto refuse = [](std::string what) {
    return Error(ErrorCode::kInvalidArgument, "levels: " + std::move(what));
  };
  for (std::size_t i = 0; i < ladder.levels.size(); ++i) {
    const LevelOptions& level = ladder.levels[i];
    const std::int64_t own = level.resolution.count();
    if (own <= 0) return refuse("a resolution must be above 0");
    if (level.after.count() < 0 || level.retention.count() < 0) {
      return refuse(fmt::format("the level of {} ms has a negative time", own));
    }
    if (i == 0) continue;
    const LevelOptions& finer = ladder.levels[i - 1];
    const std::int64_t below = finer.resolution.count();
    if (own <= below || own % below != 0) {
      return refuse(fmt::format("{} ms is no multiple of the finer resolution, {} ms", own, below));
    }
    if (level.retention.count() != 0 &&
        (finer.retention.count() == 0 || level.retention < finer.retention)) {
      return refuse(fmt::format("the level of {} ms is kept shorter than the finer one, of {} ms",
                                own, below));
    }
    if (finer.retention.count() != 0 && level.after >= finer.retention) {
      return refuse(fmt::format(
          "the level of {} ms is written only when the finer one, of {} ms, is gone", own, below));
    }
  }
  return {};
}

const LevelOptions* Keeping::level(std::int64_t resolution_ms) const {
  for (const LevelOptions& level : ladder_.levels) {
    if (level.resolution.count() == resolution_ms) return &level;
  }
  return nullptr;
}

Policies Keeping::policies_of(const Ladder& ladder) {
  Policies policies;
  for (const RetentionPolicy& policy : ladder.policies) policies.push_back(policy.matchers);
  return policies;
}

std::int64_t Keeping::raw_retention_ms(std::size_t series_class, std::int64_t raw_ms) const {
  return series_class < ladder_.policies.size() ? ladder_.policies[series_class].raw.count()
                                                : raw_ms;
}

std::optional<std::int64_t> Keeping::level_retention_ms(std::size_t series_class,
                                                        const LevelState& level) const {
  const LevelOptions* configured = this->level(level.resolution_ms);
  if (configured == nullptr) return level.retention_ms;
  if (series_class >= ladder_.policies.size()) return configured->retention.count();
  for (const RetentionPolicy::OfLevel& own : ladder_.policies[series_class].levels) {
    if (own.resolution == configured->resolution) return own.retention.count();
  }
  return std::nullopt;
}

std::int64_t Keeping::stored_level_ms(std::size_t series_class, const LadderState& state,
                                      const LevelState& level, std::int64_t raw_ms) const {
  const auto longer = [](std::int64_t a, std::int64_t b) {
    return a == 0 || b == 0 ? 0 : std::max(a, b);
  };
  std::int64_t stored = raw_retention_ms(series_class, raw_ms);
  if (const auto own = level_retention_ms(series_class, level)) stored = longer(stored, *own);
  for (const LevelOptions& finer : ladder_.levels) {
    if (finer.resolution.count() >= level.resolution_ms) break;
    LevelState named;
    named.resolution_ms = finer.resolution.count();
    if (const auto kept = level_retention_ms(series_class, named)) stored = longer(stored, *kept);
  }
  for (const LevelState& finer : state.levels) {
    if (finer.resolution_ms >= level.resolution_ms) break;
    const bool lacking = this->level(finer.resolution_ms) == nullptr;
    if (lacking && level.resolution_ms % finer.resolution_ms == 0) {
      stored = longer(stored, finer.retention_ms);
    }
  }
  return stored;
}

Timestamp Keeping::raw_from_ms(std::size_t series_class, const LadderState& state,
                               Timestamp newest_ms, std::int64_t raw_ms) const {
  const Timestamp from_ms = horizon(newest_ms, raw_retention_ms(series_class, raw_ms));
  if (from_ms == kMin) return kMin;
  const Timestamp passed_on = passed_on_ms(series_class, state, 0, false);
  return passed_on >= from_ms ? from_ms : passed_on == kMin ? kMin : passed_on + 1;
}

PlanInput Keeping::plan_input(std::size_t series_class, std::span<const std::size_t> gone_classes,
                              const LadderState& state, Timestamp newest_ms, std::int64_t raw_ms,
                              std::int64_t max_source_resolution_ms) const {
  const Gone gone = state.gone();
  PlanInput input;
  input.raw_from_ms = raw_from_ms(series_class, state, newest_ms, raw_ms);
  for (const TimeRange& raw : gone.of_series(0, gone_classes)) {
    if (raw.min_ms == kMin) {
      input.raw_gone_ms = raw.max_ms;
    } else {
      input.raw_lost.push_back(raw);
    }
  }
  input.max_source_resolution_ms = max_source_resolution_ms;
  if (max_source_resolution_ms == kSourceRaw) return input;
  for (const LevelState& level : state.levels) {
    const Timestamp from_ms = shown_after_ms(series_class, state, level, newest_ms);
    if (from_ms >= level.covered_ms) continue;
    const TimeRange shown{from_ms == kMin ? kMin : from_ms + 1, level.covered_ms};
    for (const TimeRange& there :
         without({shown}, gone.of_series(level.resolution_ms, gone_classes))) {
      input.levels.push_back(
          {level.resolution_ms,
           there.min_ms == kMin ? kMin : floor_to(there.min_ms - 1, level.resolution_ms),
           floor_to(there.max_ms, level.resolution_ms)});
    }
  }
  return input;
}

std::size_t Keeping::next_of(const LevelState& level) const {
  std::size_t next = 0;
  while (next < ladder_.levels.size() &&
         (ladder_.levels[next].resolution.count() <= level.resolution_ms ||
          ladder_.levels[next].resolution.count() % level.resolution_ms != 0)) {
    ++next;
  }
  return next;
}

Timestamp Keeping::shown_after_ms(std::size_t series_class, const LadderState& state,
                                  const LevelState& level, Timestamp newest_ms) const {
  const Timestamp passed_on = passed_on_ms(series_class, state, next_of(level), false);
  const std::optional<std::int64_t> retention_ms = level_retention_ms(series_class, level);
  Timestamp after = passed_on;
  if (retention_ms) after = std::min(after, horizon(newest_ms, *retention_ms));
  return after == kMax ? kMax : floor_to(after, level.resolution_ms);
}

Timestamp Keeping::raw_expired_ms(std::size_t series_class, const LadderState& state,
                                  Timestamp newest_ms, std::int64_t raw_ms) const {
  const Timestamp from_ms = horizon(newest_ms, raw_retention_ms(series_class, raw_ms));
  if (from_ms == kMin) return kMin;
  Timestamp expired = from_ms - 1;
  const Timestamp passed_on = passed_on_ms(series_class, state, 0, true);
  if (passed_on == kMin || passed_on == kMax) return passed_on == kMin ? kMin : expired;
  return std::min(floor_to(expired, ladder_.levels.front().resolution.count()), passed_on);
}

Timestamp Keeping::passed_on_ms(std::size_t series_class, const LadderState& state,
                                std::size_t first, bool up_to_date) const {
  Timestamp passed_on = kMax;
  for (std::size_t i = first; i < ladder_.levels.size(); ++i) {
    LevelState named;
    named.resolution_ms = ladder_.levels[i].resolution.count();
    const LevelState* made = state.find(named.resolution_ms);
    if (made == nullptr || made->covered_ms == kMin) {
      // A level that is not there yet has none.
      passed_on = kMin;
    } else if (passed_on != kMin) {
      passed_on = std::min(passed_on, made->covered_ms);
      if (up_to_date && !made->dirty.empty()) {
        passed_on = std::min(passed_on, made->dirty.front().min_ms - made->resolution_ms);
      }
      passed_on = floor_to(passed_on, made->resolution_ms);
    }
    if (level_retention_ms(series_class, named)) return passed_on;
  }
  return kMax;
}

Timestamp Keeping::level_expired_ms(std::size_t series_class, const LadderState& state,
                                    const LevelState& level, Timestamp newest_ms,
                                    std::int64_t raw_ms) const {
  Timestamp expired = horizon(newest_ms, stored_level_ms(series_class, state, level, raw_ms));
  if (expired == kMin) return kMin;
  --expired;
  const std::size_t next = next_of(level);
  const Timestamp passed_on = passed_on_ms(series_class, state, next, true);
  if (passed_on == kMax) return expired;
  if (passed_on == kMin) return kMin;
  return floor_to(std::min(expired, passed_on), ladder_.levels[next].resolution.count());
}

Stretches Keeping::held_samples(const Hold& hold, const HeldSince* since,
                                std::span<const std::size_t> gone_classes) const {
  const Stretches range{held(hold)};
  return since == nullptr ? range : without(range, since->gone.of_series(0, gone_classes));
}

std::vector<KeptLevel> Keeping::held_levels(const HeldSince& since,
                                            std::span<const std::size_t> gone_classes,
                                            const LadderState& state,
                                            std::int64_t max_source_resolution_ms) const {
  std::vector<KeptLevel> levels;
  for (const LevelState& level : state.levels) {
    const bool asked =
        max_source_resolution_ms < 0 || level.resolution_ms <= max_source_resolution_ms;
    if (!asked || level.covered_ms == kMin || since.gone.before.count(level.resolution_ms) == 0)
      continue;
    for (const TimeRange& there : without(
             {{kMin, level.covered_ms}}, since.gone.of_series(level.resolution_ms, gone_classes))) {
      levels.push_back(
          {level.resolution_ms,
           there.min_ms == kMin ? kMin : floor_to(there.min_ms - 1, level.resolution_ms),
           floor_to(there.max_ms, level.resolution_ms)});
    }
  }
  return levels;
}

TimeRange Keeping::held(const Hold& hold) const {
  if (ladder_.levels.empty() || hold.range.empty()) return hold.range;
  const std::int64_t resolution_ms = ladder_.levels.back().resolution.count();
  TimeRange range = hold.range;
  if (range.min_ms != kMin) {
    const Timestamp before = bucket_floor(range.min_ms - 1, resolution_ms);
    range.min_ms = before == kMin ? kMin : before + 1;
  }
  range.max_ms = bucket_end(range.max_ms, resolution_ms);
  return range;
}

Timestamp Keeping::oldest_ms(const LadderState& state, Timestamp newest_ms,
                             std::int64_t raw_ms) const {
  Timestamp oldest = kMax;
  for (std::size_t c = 0; c < class_count(); ++c) {
    oldest = std::min(oldest, raw_from_ms(c, state, newest_ms, raw_ms));
    for (const LevelState& level : state.levels) {
      const Timestamp from_ms = shown_after_ms(c, state, level, newest_ms);
      if (from_ms < level.covered_ms)
        oldest = std::min(oldest, from_ms == kMin ? kMin : from_ms + 1);
    }
  }
  for (const Hold& hold : holds_) oldest = std::min(oldest, held(hold).min_ms);
  return oldest;
}

std::shared_ptr<const Keeping> CurrentKeeping::get() const {
  const std::lock_guard lock(mutex_);
  return current_;
}

void CurrentKeeping::set(Ladder ladder) {
  const std::lock_guard lock(mutex_);
  current_ = std::make_shared<const Keeping>(std::move(ladder), current_->holds());
}

void CurrentKeeping::set(std::vector<Hold> holds) {
  const std::lock_guard lock(mutex_);
  current_ = std::make_shared<const Keeping>(current_->ladder(), std::move(holds));
}

}  // namespace varve::storage
