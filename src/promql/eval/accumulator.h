// SPDX-License-Identifier: Apache-2.0
// What one group of an aggregation has gathered so far, at all steps. The arithmetic follows
// Prometheus 3.14 (promql/engine.go, aggregation): compensated sums, means that turn incremental
// when the sum overflows, Welford's variance, minima that ignore NaN.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "model/histogram.h"
#include "promql/value/annotations.h"
#include "promql/value/value.h"
#include "promql/ast.h"

namespace varve::promql {

// Histograms of one group at one step; only sum and avg look into them.
struct HistogramAccumulator {
  model::HistogramSum sum;  // of avg after an overflow: the mean so far
  std::uint32_t count = 0;
  bool incremental_mean = false;
  bool incompatible = false;  // exponential and custom buckets met: no result at this step
  bool reset_seen = false;
  bool not_reset_seen = false;
};

// Where remarks of an aggregation point to and what they call it.
struct FoldRemarks {
  AnnotationSink& sink;
  Position where;
  AggregateOp op;

  void histogram_ignored() const;
  void bounds_reconciled() const;
  void mixed_schemas(std::string_view metric_name) const;
};

class Accumulator {
 public:
  Accumulator(AggregateOp op, std::size_t steps);

  // The points of one more series.
  void add(const StepSeries& series, const Labels* labels, const FoldRemarks& remarks);
  // What another accumulator gathered from later series.
  void merge(const Accumulator& later, const FoldRemarks& remarks);
  // The group's result (without labels). Consumes the accumulator.
  StepSeries finish(const FoldRemarks& remarks);

 private:
  void add_floats(const StepSeries& series);
  void add_histogram(std::size_t step, const Histogram& histogram, std::string_view metric_name,
                     const FoldRemarks& remarks);
  void merge_sums(const Accumulator& later);
  void add_to_mean(std::size_t step, double value);
  void add_to_means(const std::vector<double>& values);
  bool uses_histograms() const { return op_ == AggregateOp::kSum || op_ == AggregateOp::kAvg; }
  HistogramAccumulator& histogram_at(std::size_t step);

  AggregateOp op_;
  // By step, only those the operator needs. count_: floats seen (count and group: all points).
  std::vector<std::uint32_t> count_;
  std::vector<double> value_;  // sum, minimum, maximum, sum of squared differences
  std::vector<double> extra_;  // compensation of the sum, mean of the variance
  std::vector<std::uint8_t> incremental_;  // avg: value_ is a mean; empty while no sum overflowed
  std::vector<std::unique_ptr<HistogramAccumulator>> histograms_;  // empty while there are none
};

}  // namespace varve::promql
