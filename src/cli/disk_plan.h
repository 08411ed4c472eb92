// SPDX-License-Identifier: Apache-2.0
// How much disk a database will take: arithmetic only. Where the bytes of a sample and of a bucket
// come from is the caller's to find out, and to say.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/levels.h"

namespace varve::cli {

// Bytes of one thing, and how that is known.
struct UnitCost {
  double bytes = 0;
  std::string source;  // "measured, 12 blocks" or "assumed"
};

// What is assumed where nothing can be measured. Blocks of a day or more, index included; a sketch
// is most of the bytes of a bucket that has one.
inline constexpr double kAssumedSampleBytes = 1.3;
inline constexpr double kAssumedBucketBytes = 9;
inline constexpr double kAssumedSketchBytes = 60;
// Log, head files and snapshots of the head, per sample of the newest hours.
inline constexpr double kAssumedHeadBytes = 6;

struct PlanInput {
  std::uint64_t series = 0;
  std::chrono::milliseconds interval{0};
  std::chrono::milliseconds raw_retention{0};  // 0: for ever
  storage::Ladder ladder;
  UnitCost sample;
  std::vector<UnitCost> buckets;  // by level of the ladder
  UnitCost head;                  // of a sample of the newest hours
};

struct PlanRow {
  std::string what;
  std::chrono::milliseconds resolution{0};  // 0: samples
  std::chrono::milliseconds kept{0};        // 0: for ever; `count` and `bytes` are of one year then
  double count = 0;                         // samples or buckets
  UnitCost unit;
  double bytes = 0;
};

struct Plan {
  std::vector<PlanRow> rows;
  double bytes = 0;           // of what has an end, and a year of what has none
  double bytes_per_year = 0;  // by which it goes on growing
};

// Preconditions: interval > 0, a cost for each level.
Plan plan_disk(const PlanInput& input);

}  // namespace varve::cli
