// SPDX-License-Identifier: Apache-2.0
// How long what is kept, and where of a series samples answer and where buckets. What queries do
// not see any more and what retention takes away both follow from here, so that the first never
// shows less than the second has left.
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
#include "storage/series_plan.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage {

// kInvalidArgument: which level cannot be, and why.
Status check_ladder(const Ladder& ladder);

// What the configuration says, beside raw's default retention. Immutable.
class Keeping {
 public:
  Keeping(Ladder ladder, std::vector<Hold> holds)
      : ladder_(std::move(ladder)), policies_(policies_of(ladder_)), holds_(std::move(holds)) {}

  const Ladder& ladder() const { return ladder_; }
  const std::vector<Hold>& holds() const { return holds_; }
  const LevelOptions* level(std::int64_t resolution_ms) const;

  // Series of one class are kept alike: one for each policy, then those that none picks.
  const Policies& policies() const { return policies_; }
  std::size_t class_count() const { return policies_.size() + 1; }
  std::size_t class_of(const Labels& labels) const { return class_in(policies_, labels); }
  // 0: for ever. `raw_ms` is the default.
  std::int64_t raw_retention_ms(std::size_t series_class, std::int64_t raw_ms) const;
  // nullopt: the level is not kept. Levels that the ladder lacks keep the retention they had.
  std::optional<std::int64_t> level_retention_ms(std::size_t series_class,
                                                 const LevelState& level) const;

  // How long they stay on the disk, 0: for ever. Buckets are made of all series and stay as long as
  // what they are made of: then whatever the configuration will want of the time that it keeps now
  // is there, or can be made. That goes for finer levels that the ladder lacks, too.
  std::int64_t stored_level_ms(std::size_t series_class, const LadderState& state,
                               const LevelState& level, std::int64_t raw_ms) const;

  // Of series that are in these classes of `state.gone_of`. `newest_ms`: from when ages are
  // counted; the minimum Timestamp: nothing has an age.
  PlanInput plan_input(std::size_t series_class, std::span<const std::size_t> gone_classes,
                       const LadderState& state, Timestamp newest_ms, std::int64_t raw_ms,
                       std::int64_t max_source_resolution_ms) const;
  // Up to which time all samples of a class may go, as levels have them or nothing is to.
  Timestamp raw_expired_ms(std::size_t series_class, const LadderState& state, Timestamp newest_ms,
                           std::int64_t raw_ms) const;
  // The same for the buckets of a level, by their ends.
  Timestamp level_expired_ms(std::size_t series_class, const LadderState& state,
                             const LevelState& level, Timestamp newest_ms,
                             std::int64_t raw_ms) const;
  // What a hold has made stay of series that are in these classes of `since.gone.of`: samples, and
  // the buckets of the time before there were all of them.
  Stretches held_samples(const Hold& hold, const HeldSince* since,
                         std::span<const std::size_t> gone_classes) const;
  std::vector<KeptLevel> held_levels(const HeldSince& since,
                                     std::span<const std::size_t> gone_classes,
                                     const LadderState& state,
                                     std::int64_t max_source_resolution_ms) const;
  // The time that is kept for a hold: whole buckets of the coarsest level, so that samples and
  // buckets can meet at its ends.
  TimeRange held(const Hold& hold) const;
  // Nothing of any series from before it is shown.
  Timestamp oldest_ms(const LadderState& state, Timestamp newest_ms, std::int64_t raw_ms) const;

 private:
  static Policies policies_of(const Ladder& ladder);
  // Up to which time the levels from `first` on have what a class keeps: those up to the first that
  // it keeps, as what it does not keep is not shown. All of time if it keeps none of them.
  // `up_to_date`: without what has changed since.
  Timestamp passed_on_ms(std::size_t series_class, const LadderState& state, std::size_t first,
                         bool up_to_date) const;
  // Of the ladder, the next coarser one that can be made of a level, which the ladder may lack; the
  // number of its levels if there is none.
  std::size_t next_of(const LevelState& level) const;
  // Buckets of a level that end after it are shown of a class: those it keeps, and those that no
  // coarser one has yet. The end of time: none.
  Timestamp shown_after_ms(std::size_t series_class, const LadderState& state,
                           const LevelState& level, Timestamp newest_ms) const;
  // The oldest sample that is shown of a class; what no level has yet is shown as long as it is
  // there.
  Timestamp raw_from_ms(std::size_t series_class, const LadderState& state, Timestamp newest_ms,
                        std::int64_t raw_ms) const;

  const Ladder ladder_;
  const Policies policies_;
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
