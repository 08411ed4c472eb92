// SPDX-License-Identifier: Apache-2.0
#include "cli/disk_plan.h"

#include <algorithm>

#include "model/duration.h"

namespace varve::cli {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kYear = std::chrono::hours(24 * 365);
constexpr milliseconds kDay = std::chrono::hours(24);
// Samples of this time are in the log and the head's files.
constexpr milliseconds kHead = std::chrono::hours(3);

double ratio(milliseconds a, milliseconds b) {
  return static_cast<double>(a.count()) / static_cast<double>(b.count());
}

// The longest block there will be: a block goes as a whole, and a merge needs its room twice.
milliseconds longest_block(milliseconds retention) {
  const milliseconds most = std::chrono::hours(24 * 7);
  return retention.count() == 0 ? most : std::clamp(retention / 10, kDay, most);
}

}  // namespace

Plan plan_disk(const PlanInput& input) {
  Plan plan;
  const auto series = static_cast<double>(input.series);
  const auto add = [&](std::string what, milliseconds resolution, milliseconds every,
                       milliseconds kept, const UnitCost& unit) {
    PlanRow row{std::move(what), resolution, kept, 0, unit, 0};
    row.count = series * ratio(kept.count() == 0 ? kYear : kept, every);
    row.bytes = row.count * unit.bytes;
    plan.bytes += row.bytes;
    if (kept.count() == 0) plan.bytes_per_year += row.bytes;
    plan.rows.push_back(std::move(row));
  };
  add("samples", milliseconds(0), input.interval, input.raw_retention, input.sample);
  for (std::size_t i = 0; i < input.ladder.levels.size(); ++i) {
    const storage::LevelOptions& level = input.ladder.levels[i];
    add("buckets of " + model::format_duration(level.resolution.count()), level.resolution,
        // No more buckets than samples to put into them.
        std::max(level.resolution, input.interval), level.retention, input.buckets[i]);
  }
  const milliseconds block = longest_block(input.raw_retention);
  add("merges, blocks that go as a whole", milliseconds(0), input.interval, 2 * block,
      input.sample);
  add("log and head", milliseconds(0), input.interval, kHead, input.head);
  return plan;
}

}  // namespace varve::cli
