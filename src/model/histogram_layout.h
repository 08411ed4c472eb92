// SPDX-License-Identifier: Apache-2.0
// Inside model/: one side of a histogram as a flat list of buckets. Operations that change the
// layout turn spans into cells, work on cells, and write spans again; operations on equal layouts
// never get here.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "varve/sample.h"

namespace varve::model::layout {

// A bucket. Indices are wider than on the wire: offsets of unknown origin may add up beyond 32
// bits.
struct Cell {
  std::int64_t index = 0;
  double count = 0;
  double error = 0;  // compensation of count; 0 where nobody compensates
};
using Cells = std::vector<Cell>;  // ascending by index, unique in valid histograms

// The buckets of a side, at most counts.size() of them. `errors` is empty or parallel to counts.
Cells cells_of(std::span<const HistogramSpan> spans, std::span<const double> counts,
               std::span<const double> errors = {});

// Writes cells back. Neighbours share a span; `errors` may be null.
void store(const Cells& cells, std::vector<HistogramSpan>& spans, std::vector<double>& counts,
           std::vector<double>* errors = nullptr);

// Merges buckets from one exponential schema to a lower one.
enum class Summation : std::uint8_t { kPlain, kCompensated };
void reduce(Cells& cells, std::int32_t from_schema, std::int32_t to_schema, Summation summation);

// Removes the leading buckets that lie within [0, threshold].
void drop_below(Cells& cells, std::int32_t schema, double threshold);

// into += sign * other, bucket by bucket.
void merge(Cells& into, const Cells& other, double sign, Summation summation);

// Re-buckets custom buckets to bounds that are a subset of theirs; cells of `from` are added into
// `target`, which has one cell per bucket of the subset (bounds.size() + 1).
void map_custom(const Cells& from, std::span<const double> from_bounds,
                std::span<const double> bounds, double sign, Cells& target);

// The bounds both have.
std::vector<double> shared_bounds(std::span<const double> a, std::span<const double> b);

}  // namespace varve::model::layout
