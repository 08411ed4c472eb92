// SPDX-License-Identifier: Apache-2.0
// Series that can be computed one at a time: what lets an aggregation fold its input without ever
// holding it. A source knows how many series there are and what they are called before the first
// sample is read.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "promql/value/annotations.h"
#include "promql/eval/query_state.h"
#include "promql/value/value.h"
#include "storage/querier.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::promql {

// Reads a contiguous part of a source's series, in any order. Belongs to one task.
class SeriesReader {
 public:
  virtual ~SeriesReader() = default;
  // Fills values, kinds and histograms (not labels) of `out`, sized to the grid. Ordinals are those
  // of the source.
  virtual Status read(std::size_t series, StepSeries& out) = 0;
};

// Immutable once built; thread-safe.
class SeriesSource {
 public:
  virtual ~SeriesSource() = default;
  virtual std::size_t size() const = 0;
  virtual std::size_t steps() const = 0;
  // The labels a series started with: the metric name is there even if drops_name().
  virtual Labels labels(std::size_t series) const = 0;
  virtual storage::LabelColumn label_column(std::string_view name) const = 0;
  // Whether the metric name of this series goes (delayed or at once).
  virtual bool drops_name(std::size_t series) const = 0;
  // Whether no two series differ by name, type or unit label alone.
  virtual bool unique_without_name() const = 0;
  // About how long one series takes, in nanoseconds; of the query alone, never of what is stored.
  virtual std::uint64_t work_per_series() const { return 0; }
  // For the series [begin, end).
  virtual Result<std::unique_ptr<SeriesReader>> reader(std::size_t begin, std::size_t end,
                                                       AnnotationSink& sink) const = 0;
};

using SeriesSourcePtr = std::unique_ptr<SeriesSource>;

// Empties `out` for `steps` steps, keeping its buffers.
void reset_points(StepSeries& out, std::size_t steps);
// Whether there is a point at every step, and each of them a float.
bool all_floats(const StepSeries& series);
// Points present.
std::size_t count_points(const StepSeries& series);

// All of a source's series that have a point, in its order, names dropped at once unless the
// feature delays that. Charges their points. Does not look for equal label sets.
Result<StepMatrix> materialize(const SeriesSource& source, QueryState& state);

// The same series, read at once by as many tasks as their work is worth. Each can be read once, and
// `source` has to outlive it. Charges their points and adds them to `points`.
Result<SeriesSourcePtr> read_ahead(const SeriesSource& source, QueryState& state,
                                   std::uint64_t& points);

// A label of series that are there: equal ids mean equal values, as in storage's columns. The
// values live as long as the matrix.
storage::LabelColumn label_column_of(const StepMatrix& matrix, std::string_view name);

// A source over values that are there already.
SeriesSourcePtr source_of_matrix(StepMatrix matrix, std::size_t steps);

}  // namespace varve::promql
