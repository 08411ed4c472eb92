// SPDX-License-Identifier: Apache-2.0
// How long what is kept, and where of a series samples answer and where buckets. What queries do not
// see any more and what retention takes away both follow from here, so that the first never shows
// less than the second has left.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "storage/ladder_state.h"
#include "storage/levels.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage {

// What holds for one series: the samples of `raw` (ascending, apart, both ends included) and the
// buckets of `spans`.
struct SeriesPlan {
  std::vector<TimeRange> raw;
  std::vector<LevelSpan> spans;
};

// A level as a plan sees it: its buckets that end in (from_ms, until_ms].
struct KeptLevel {
  std::int64_t resolution_ms = 0;
  Timestamp from_ms = TimeRange::all().min_ms;
  Timestamp until_ms = TimeRange::all().min_ms;
};

struct PlanInput {
  std::vector<KeptLevel> levels;  // finest first
  Timestamp raw_from_ms = TimeRange::all().min_ms;  // samples at or after it are kept
  Timestamp raw_gone_ms = TimeRange::all().min_ms;  // samples up to it may be gone
  std::int64_t max_source_resolution_ms = 0;
};
SeriesPlan make_plan(const PlanInput& input);
// Gives the time of `held` back to samples. Ranges that are no multiples of the resolutions around
// them are made smaller.
void give_back(SeriesPlan& plan, TimeRange held);

// kInvalidArgument: which level cannot be, and why.
Status check_ladder(const Ladder& ladder);

// What the configuration says, beside raw's default retention. Immutable.
class Keeping {
 public:
  Keeping(Ladder ladder, std::vector<Hold> holds)
      : ladder_(std::move(ladder)), holds_(std::move(holds)) {}

  const Ladder& ladder() const { return ladder_; }
  const std::vector<Hold>& holds() const { return holds_; }
  const LevelOptions* level(std::int64_t resolution_ms) const;

  // Series of one class are kept alike: one for each policy, then those that none picks.
  std::size_t class_count() const { return ladder_.policies.size() + 1; }
  std::size_t class_of(const Labels& labels) const;
  // 0: for ever. `raw_ms` is the default.
  std::int64_t raw_retention_ms(std::size_t series_class, std::int64_t raw_ms) const;
  // nullopt: the level is not kept. Levels that the ladder lacks keep the retention they had.
  std::optional<std::int64_t> level_retention_ms(std::size_t series_class,
                                                 const LevelState& level) const;

  // Whether buckets of the ladder's level are made for a class: it keeps them, or coarser ones, which
  // are made of these.
  bool makes_level(std::size_t series_class, std::int64_t resolution_ms) const;

  // `newest_ms`: from when ages are counted; the minimum Timestamp: nothing has an age.
  PlanInput plan_input(std::size_t series_class, const LadderState& state, Timestamp newest_ms,
                       std::int64_t raw_ms, std::int64_t max_source_resolution_ms) const;
  // Up to which time all samples of a class may go, as levels have them or nothing is to.
  Timestamp raw_expired_ms(std::size_t series_class, const LadderState& state, Timestamp newest_ms,
                           std::int64_t raw_ms) const;
  // The same for the buckets of a level, by their ends.
  Timestamp level_expired_ms(std::size_t series_class, const LadderState& state,
                             const LevelState& level, Timestamp newest_ms) const;
  // The time that is kept for a hold: whole buckets of the coarsest level, so that samples and buckets
  // can meet at its ends.
  TimeRange held(const Hold& hold) const;
  // Nothing of any series from before it is shown.
  Timestamp oldest_ms(const LadderState& state, Timestamp newest_ms, std::int64_t raw_ms) const;

 private:
  // Up to which time the levels from `first` on have what a class keeps: those up to the first that it
  // keeps, as what it does not keep is not shown. All of time if it keeps none of them.
  Timestamp passed_on_ms(std::size_t series_class, const LadderState& state,
                         std::size_t first) const;

  const Ladder ladder_;
  const std::vector<Hold> holds_;
};

// The one that counts now. Thread-safe.
class CurrentKeeping {
 public:
  CurrentKeeping(Ladder ladder, std::vector<Hold> holds)
      : current_(std::make_shared<const Keeping>(std::move(ladder), std::move(holds))) {}

  std::shared_ptr<const Keeping> get() const;
  void set(Ladder ladder);
  void set(std::vector<Hold> holds);

 private:
  mutable std::mutex mutex_;  // guards current_
  std::shared_ptr<const Keeping> current_;
};

// `newest_ms` less an age; the minimum Timestamp if there is none or the age is 0.
Timestamp horizon(Timestamp newest_ms, std::int64_t age_ms);
bool matches(std::span<const model::Matcher> matchers, const Labels& labels);

}  // namespace varve::storage
