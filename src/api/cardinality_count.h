// SPDX-License-Identifier: Apache-2.0
// Counts what the series of one time range consist of, or of two for comparison: by metric, by
// label, by pair of label and value. Works label by label on columns, so that memory is a few words
// a series and one label's values, whatever the labels are.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "promql/query_memory.h"
#include "storage/querier.h"
#include "varve/result.h"

namespace varve::api {

struct CardinalityQuery {
  model::Matchers matchers;           // at least one that does not match ""
  TimeRange range;                    // counted
  std::optional<TimeRange> before;    // compared with
  std::size_t limit = 20;             // entries of each list
  bool by_growth = false;             // the largest differences first, else the largest counts
  std::function<Status()> interrupt;  // asked now and then; an error ends the counting with it
  promql::QueryMemory* memory = nullptr;  // charged while counting; null: nobody counts it
};

// A thing and its count in the range, and in the one compared with.
struct CardinalityEntry {
  std::string name;
  std::string value;  // of a pair, else ""
  std::uint64_t count = 0;
  std::uint64_t before = 0;
  std::uint64_t fresh = 0;  // of a metric: series that the range compared with does not have
};

struct Cardinality {
  std::uint64_t series = 0, series_before = 0;
  std::uint64_t fresh = 0, gone = 0;        // series that only one of the two ranges has
  std::vector<CardinalityEntry> by_metric;  // series of each
  std::vector<CardinalityEntry> by_label;   // distinct values of each
  std::vector<CardinalityEntry> by_pair;    // series of each, metric names left out
  std::vector<std::string> warnings;        // what could not be read
};

// More series than this in one range are refused (kLimitExceeded): about 100 bytes each.
inline constexpr std::size_t kCardinalitySeriesMax = 5'000'000;

// A series counts where it has a sample in the range, however coarse the blocks are that it lies
// in.
Result<Cardinality> count_cardinality(const storage::Queryable& storage,
                                      const CardinalityQuery& query);

}  // namespace varve::api
