// SPDX-License-Identifier: Apache-2.0
// A selection whose series have samples for some of the time and buckets of levels for the rest.
// What is past its retention is in neither, whether or not it is still on the disk.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "storage/keeping.h"
#include "storage/merged_selection.h"
#include "storage/querier.h"

namespace varve::storage {

// Thread-safe.
class LevelSelection final : public Selection {
 public:
  // `levels` are those blocks of `samples` that hold buckets; it may be no MergedSelection where
  // there are none. Series i has plans[plan_of[i]], all series plans[0] if `plan_of` is empty.
  LevelSelection(std::unique_ptr<Selection> samples,
                 const std::vector<MergedSelection::BlockSource>* levels,
                 std::vector<SeriesPlan> plans, std::vector<std::uint32_t> plan_of,
                 TimeRange range);

  std::size_t size() const override { return samples_->size(); }
  Labels labels(std::size_t series) const override { return samples_->labels(series); }
  LabelColumn label_column(std::string_view name) const override {
    return samples_->label_column(name);
  }
  Status read(std::size_t series, TimeRange range, SeriesSamples& out) const override;
  Status read_last(std::span<const std::uint32_t> series, TimeRange range,
                   std::span<LastSample> out) const override;
  std::span<const LevelSpan> levels(std::size_t series) const override {
    return plan(series).spans;
  }
  Status read_buckets(std::size_t series, std::size_t span, TimeRange ends, BucketColumns columns,
                      SeriesBuckets& out) const override;

 private:
  const SeriesPlan& plan(std::size_t series) const {
    return plans_[plan_of_.empty() ? 0 : plan_of_[series]];
  }

  const std::unique_ptr<Selection> samples_;
  const std::vector<MergedSelection::BlockSource>* const levels_;  // may be null
  const std::vector<SeriesPlan> plans_;
  const std::vector<std::uint32_t> plan_of_;
  const TimeRange range_;  // of samples and of ends
};

}  // namespace varve::storage
