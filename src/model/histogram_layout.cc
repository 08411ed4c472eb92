// SPDX-License-Identifier: Apache-2.0
// Cells: flat lists of buckets.
#include "model/histogram_layout.h"

#include <algorithm>

#include "model/compensated_sum.h"
#include "model/histogram.h"

namespace varve::model::layout {
namespace {

void accumulate(Cell& into, double count, double error, Summation summation) {
  if (summation == Summation::kPlain) {
    into.count += count;
    return;
  }
  add_compensated(count, into.count, into.error);
  if (error != 0) add_compensated(error, into.count, into.error);
}

}  // namespace

Cells cells_of(std::span<const HistogramSpan> spans, std::span<const double> counts,
               std::span<const double> errors) {
  Cells cells;
  cells.reserve(counts.size());
  std::int64_t index = 0;
  for (const HistogramSpan& span : spans) {
    index += span.offset;
    for (std::uint32_t i = 0; i < span.length; ++i) {
      const std::size_t at = cells.size();
      if (at == counts.size()) return cells;
      cells.push_back({index, counts[at], errors.empty() ? 0 : errors[at]});
      ++index;
    }
  }
  return cells;
}

void store(const Cells& cells, std::vector<HistogramSpan>& spans, std::vector<double>& counts,
           std::vector<double>* errors) {
  spans.clear();
  counts.clear();
  if (errors != nullptr) errors->clear();
  std::int64_t end = 0;  // index after the last bucket written
  for (const Cell& cell : cells) {
    if (spans.empty() || cell.index != end) {
      spans.push_back({static_cast<std::int32_t>(cell.index - end), 0});
    }
    ++spans.back().length;
    end = cell.index + 1;
    counts.push_back(cell.count);
    if (errors != nullptr) errors->push_back(cell.error);
  }
}

void reduce(Cells& cells, std::int32_t from_schema, std::int32_t to_schema, Summation summation) {
  if (from_schema == to_schema) return;
  const int shift = from_schema - to_schema;
  std::size_t kept = 0;
  for (const Cell& cell : cells) {
    const std::int64_t index = ((cell.index - 1) >> shift) + 1;
    if (kept > 0 && cells[kept - 1].index == index) {
      accumulate(cells[kept - 1], cell.count, cell.error, summation);
    } else {
      cells[kept++] = {index, cell.count, cell.error};
    }
  }
  cells.resize(kept);
}

void drop_below(Cells& cells, std::int32_t schema, double threshold) {
  if (threshold == 0 || schema == kCustomBucketsSchema) return;
  const auto first = std::find_if(cells.begin(), cells.end(), [&](const Cell& cell) {
    return !(bucket_bound(cell.index, schema, {}) <= threshold);
  });
  cells.erase(cells.begin(), first);
}

void merge(Cells& into, const Cells& other, double sign, Summation summation) {
  Cells merged;
  merged.reserve(into.size() + other.size());
  std::size_t at = 0;
  for (const Cell& cell : other) {
    while (at < into.size() && into[at].index < cell.index) merged.push_back(into[at++]);
    if (at < into.size() && into[at].index == cell.index) {
      accumulate(into[at], sign * cell.count, sign * cell.error, summation);
      merged.push_back(into[at++]);
    } else {
      merged.push_back({cell.index, sign * cell.count, sign * cell.error});
    }
  }
  merged.insert(merged.end(), into.begin() + static_cast<std::ptrdiff_t>(at), into.end());
  into = std::move(merged);
}

void map_custom(const Cells& from, std::span<const double> from_bounds,
                std::span<const double> bounds, double sign, Cells& target) {
  std::size_t at = 0;  // both lists of bounds rise, so it never goes back
  for (const Cell& cell : from) {
    std::size_t to = bounds.size();
    if (cell.index >= 0 && cell.index < static_cast<std::int64_t>(from_bounds.size())) {
      const double bound = from_bounds[static_cast<std::size_t>(cell.index)];
      while (at < bounds.size() && bounds[at] < bound) ++at;
      to = at;
    }
    accumulate(target[to], sign * cell.count, 0, Summation::kCompensated);
    if (cell.error != 0) accumulate(target[to], sign * cell.error, 0, Summation::kCompensated);
  }
}

std::vector<double> shared_bounds(std::span<const double> a, std::span<const double> b) {
  std::vector<double> shared;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(shared));
  return shared;
}

}  // namespace varve::model::layout
