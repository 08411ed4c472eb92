// SPDX-License-Identifier: Apache-2.0
// The fold itself. The loops over floats run for every sample a dashboard aggregates, so they are
// flat, branch only where points are missing, and leave histograms to a second pass.
#include "promql/eval/accumulator.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "model/compensated_sum.h"
#include "promql/eval/series_source.h"
#include "promql/parser.h"
#include "promql/value/column_ops.h"

namespace varve::promql {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

// Where every point is a float (the common case) the loop needs no test.
template <typename Each>
void for_each_float(const StepSeries& series, bool complete, Each each) {
  const std::size_t steps = series.steps();
  const double* values = series.values.data();
  if (complete) {
    for (std::size_t step = 0; step < steps; ++step) each(step, values[step]);
    return;
  }
  const PointKind* kinds = series.kinds.data();
  for (std::size_t step = 0; step < steps; ++step) {
    if (kinds[step] == PointKind::kFloat) each(step, values[step]);
  }
}

}  // namespace

void FoldRemarks::histogram_ignored() const {
  sink.info("ignored histogram in " + std::string(to_string(op)) + " aggregation", where);
}
void FoldRemarks::bounds_reconciled() const {
  sink.info("mismatched custom buckets were reconciled during aggregation", where);
}
void FoldRemarks::mixed_schemas(std::string_view metric_name) const {
  sink.warning(
      "vector contains a mix of histograms with exponential and custom buckets schemas for metric "
      "name " + quote(metric_name),
      where);
}

Accumulator::Accumulator(AggregateOp op, std::size_t steps) : op_(op), count_(steps) {
  switch (op) {
    case AggregateOp::kSum:
    case AggregateOp::kAvg:
      // -0 is the neutral element: a sum of nothing but -0 stays -0.
      value_.assign(steps, -0.0);
      extra_.assign(steps, 0);
      break;
    case AggregateOp::kMin:
    case AggregateOp::kMax:
      value_.assign(steps, kNan);
      break;
    case AggregateOp::kStddev:
    case AggregateOp::kStdvar:
      value_.assign(steps, 0);
      extra_.assign(steps, 0);
      break;
    default:
      break;  // count and group need no values
  }
}

void Accumulator::add_to_mean(std::size_t step, double value) {
  const double count = ++count_[step];
  if (incremental_.empty() || incremental_[step] == 0) {
    double sum = value_[step];
    double compensation = extra_[step];
    model::add_compensated(value, sum, compensation);
    if (!std::isinf(sum) || count == 1) {
      value_[step] = sum;
      extra_[step] = compensation;
      return;
    }
    // The sum would overflow: from here on the mean is carried instead.
    if (incremental_.empty()) incremental_.resize(count_.size());
    incremental_[step] = 1;
    value_[step] /= count - 1;
    extra_[step] /= count - 1;
  }
  const double share = (count - 1) / count;
  value_[step] *= share;
  extra_[step] *= share;
  model::add_compensated(value / count, value_[step], extra_[step]);
}

// A float at every step: added up as sums are, a part at a time, and taken back where one of a part
// would overflow.
void Accumulator::add_to_means(const std::vector<double>& values) {
  constexpr std::size_t kPart = 128;
  std::array<double, kPart> value_before;
  std::array<double, kPart> extra_before;
  for (std::size_t begin = 0; begin < values.size(); begin += kPart) {
    const std::size_t size = std::min(kPart, values.size() - begin);
    double* const value = value_.data() + begin;
    double* const extra = extra_.data() + begin;
    std::copy_n(value, size, value_before.data());
    std::copy_n(extra, size, extra_before.data());
    bool sums = incremental_.empty();
    if (sums) {
      add_compensated(values.data() + begin, size, value, extra);
      bool infinite = false;
      for (std::size_t i = 0; i < size; ++i) infinite |= std::isinf(value[i]);
      sums = !infinite;
    }
    if (sums) {
      count_up(count_.data() + begin, size);
      continue;
    }
    std::copy_n(value_before.data(), size, value);
    std::copy_n(extra_before.data(), size, extra);
    for (std::size_t i = begin; i < begin + size; ++i) add_to_mean(i, values[i]);
  }
}

void Accumulator::add_floats(const StepSeries& series) {
  const bool complete = all_floats(series);
  std::uint32_t* count = count_.data();
  double* value = value_.data();
  double* extra = extra_.data();
  switch (op_) {
    case AggregateOp::kSum:
      if (complete) {
        add_compensated(series.values.data(), series.steps(), value, extra);
        count_up(count, series.steps());
        break;
      }
      for_each_float(series, complete, [=](std::size_t step, double sample) {
        model::add_compensated(sample, value[step], extra[step]);
        ++count[step];
      });
      break;
    case AggregateOp::kAvg:
      if (complete) {
        add_to_means(series.values);
        break;
      }
      for_each_float(series, complete,
                     [this](std::size_t step, double sample) { add_to_mean(step, sample); });
      break;
    case AggregateOp::kMin:
      for_each_float(series, complete, [=](std::size_t step, double sample) {
        if (value[step] > sample || std::isnan(value[step])) value[step] = sample;
        ++count[step];
      });
      break;
    case AggregateOp::kMax:
      for_each_float(series, complete, [=](std::size_t step, double sample) {
        if (value[step] < sample || std::isnan(value[step])) value[step] = sample;
        ++count[step];
      });
      break;
    case AggregateOp::kStddev:
    case AggregateOp::kStdvar:
      for_each_float(series, complete, [=](std::size_t step, double sample) {
        const double seen = ++count[step];
        if (seen == 1) {
          extra[step] = sample;
          value[step] = std::isfinite(sample) ? 0 : kNan;
          return;
        }
        const double difference = sample - extra[step];
        extra[step] += difference / seen;
        value[step] += difference * (sample - extra[step]);
      });
      break;
    default:
      for_each_float(series, complete, [=](std::size_t step, double) { ++count[step]; });
      break;
  }
}

HistogramAccumulator& Accumulator::histogram_at(std::size_t step) {
  if (histograms_.empty()) histograms_.resize(count_.size());
  if (histograms_[step] == nullptr) histograms_[step] = std::make_unique<HistogramAccumulator>();
  return *histograms_[step];
}

void Accumulator::add_histogram(std::size_t step, const Histogram& histogram,
                                std::string_view metric_name, const FoldRemarks& remarks) {
  HistogramAccumulator& into = histogram_at(step);
  if (into.incompatible) return;
  into.reset_seen |= histogram.counter_reset_hint == CounterResetHint::kReset;
  into.not_reset_seen |= histogram.counter_reset_hint == CounterResetHint::kNotReset;
  if (++into.count == 1) {
    into.sum = model::HistogramSum(histogram);
    return;
  }
  const double count = into.count;
  model::ArithmeticOutcome outcome;
  if (op_ == AggregateOp::kAvg && !into.incremental_mean) {
    model::HistogramSum next = into.sum;
    outcome = next.add(histogram);
    if (outcome.compatible && !model::has_overflow(next.uncompensated())) {
      into.sum = std::move(next);
    } else if (outcome.compatible) {
      into.incremental_mean = true;
      into.sum.divide(count - 1);
    }
  } else if (op_ == AggregateOp::kSum) {
    outcome = into.sum.add(histogram);
  }
  if (op_ == AggregateOp::kAvg && into.incremental_mean && outcome.compatible) {
    into.sum.multiply((count - 1) / count);
    Histogram share = histogram;
    model::divide(share, count);
    outcome = into.sum.add(share);
  }
  if (outcome.bounds_reconciled) remarks.bounds_reconciled();
  if (!outcome.compatible) {
    remarks.mixed_schemas(metric_name);
    into.incompatible = true;
  }
}

void Accumulator::add(const StepSeries& series, const Labels* labels, const FoldRemarks& remarks) {
  add_floats(series);
  if (series.histograms.empty()) return;
  const std::string_view name = labels != nullptr ? labels->get(kMetricName) : std::string_view();
  for (std::size_t step = 0; step < series.steps(); ++step) {
    if (series.kinds[step] != PointKind::kHistogram) continue;
    if (op_ == AggregateOp::kCount || op_ == AggregateOp::kGroup) {
      ++count_[step];
    } else if (uses_histograms()) {
      add_histogram(step, *series.histograms[step], name, remarks);
    } else {
      remarks.histogram_ignored();
    }
  }
}

void Accumulator::merge_sums(const Accumulator& later) {
  // Where the later one has nothing it adds -0 and 0, which change nothing.
  merge_compensated(later.value_.data(), later.extra_.data(), count_.size(), value_.data(),
                    extra_.data());
  for (std::size_t step = 0; step < count_.size(); ++step) count_[step] += later.count_[step];
}

void Accumulator::merge(const Accumulator& later, const FoldRemarks& remarks) {
  if (op_ == AggregateOp::kSum) merge_sums(later);
  for (std::size_t step = 0; op_ != AggregateOp::kSum && step < count_.size(); ++step) {
    const double mine = count_[step];
    const double theirs = later.count_[step];
    if (theirs == 0) continue;
    switch (op_) {
      case AggregateOp::kAvg: {
        const bool means = (!incremental_.empty() && incremental_[step] != 0) ||
                           (!later.incremental_.empty() && later.incremental_[step] != 0);
        double sum = value_[step];
        double compensation = extra_[step];
        model::add_compensated(later.value_[step], sum, compensation);
        if (mine == 0 || (!means && !std::isinf(sum))) {
          value_[step] = mine == 0 ? later.value_[step] : sum;
          extra_[step] = mine == 0 ? later.extra_[step] : compensation + later.extra_[step];
          if (mine == 0 && means) {
            if (incremental_.empty()) incremental_.resize(count_.size());
            incremental_[step] = 1;
          }
          break;
        }
        const auto mean = [step](const Accumulator& of, double count) {
          const bool is_mean = !of.incremental_.empty() && of.incremental_[step] != 0;
          return is_mean ? of.value_[step] + of.extra_[step]
                         : of.value_[step] / count + of.extra_[step] / count;
        };
        const double total = mine + theirs;
        const double joined =
            mean(*this, mine) * (mine / total) + mean(later, theirs) * (theirs / total);
        if (incremental_.empty()) incremental_.resize(count_.size());
        incremental_[step] = 1;
        value_[step] = joined;
        extra_[step] = 0;
        break;
      }
      case AggregateOp::kMin:
        if (value_[step] > later.value_[step] || std::isnan(value_[step])) {
          value_[step] = later.value_[step];
        }
        break;
      case AggregateOp::kMax:
        if (value_[step] < later.value_[step] || std::isnan(value_[step])) {
          value_[step] = later.value_[step];
        }
        break;
      case AggregateOp::kStddev:
      case AggregateOp::kStdvar:
        if (mine == 0) {
          value_[step] = later.value_[step];
          extra_[step] = later.extra_[step];
        } else {
          // Chan, Golub, LeVeque: joining the sums of squares of two sets.
          const double difference = later.extra_[step] - extra_[step];
          const double total = mine + theirs;
          value_[step] += later.value_[step] + difference * difference * (mine * theirs / total);
          extra_[step] += difference * (theirs / total);
        }
        break;
      default:
        break;
    }
    count_[step] += later.count_[step];
  }
  for (std::size_t step = 0; step < later.histograms_.size(); ++step) {
    if (later.histograms_[step] == nullptr) continue;
    const HistogramAccumulator& theirs = *later.histograms_[step];
    HistogramAccumulator& mine = histogram_at(step);
    if (mine.count == 0) {
      mine = theirs;
      continue;
    }
    mine.reset_seen |= theirs.reset_seen;
    mine.not_reset_seen |= theirs.not_reset_seen;
    mine.incompatible |= theirs.incompatible;
    if (mine.incompatible) continue;
    const auto total = static_cast<double>(mine.count + theirs.count);
    Histogram other = theirs.sum.result();
    if (op_ == AggregateOp::kAvg && (mine.incremental_mean || theirs.incremental_mean)) {
      if (!mine.incremental_mean) mine.sum.divide(mine.count);
      if (!theirs.incremental_mean) model::divide(other, theirs.count);
      mine.incremental_mean = true;
      mine.sum.multiply(mine.count / total);
      model::multiply(other, theirs.count / total);
    }
    const model::ArithmeticOutcome outcome = mine.sum.add(other);
    mine.count += theirs.count;
    if (outcome.bounds_reconciled) remarks.bounds_reconciled();
    if (!outcome.compatible) {
      remarks.mixed_schemas("");
      mine.incompatible = true;
    }
  }
}

StepSeries Accumulator::finish(const FoldRemarks& remarks) {
  const std::size_t steps = count_.size();
  StepSeries out;
  out.values = std::move(value_);
  out.values.resize(steps);
  out.kinds.assign(steps, PointKind::kNone);
  for (std::size_t step = 0; step < steps; ++step) {
    HistogramAccumulator* histograms =
        histograms_.empty() ? nullptr : histograms_[step].get();
    if (histograms != nullptr) {
      if (count_[step] > 0) {
        remarks.sink.warning("encountered a mix of histograms and floats for aggregation",
                             remarks.where);
        continue;
      }
      if (histograms->incompatible) continue;
      Histogram result = histograms->sum.result();
      if (op_ == AggregateOp::kAvg && !histograms->incremental_mean) {
        model::HistogramSum mean = std::move(histograms->sum);
        mean.divide(histograms->count);
        result = mean.result();
      }
      model::compact(result);
      if (histograms->reset_seen && histograms->not_reset_seen) {
        remarks.sink.warning("conflicting counter resets during histogram aggregation",
                             remarks.where);
      }
      out.set(step, std::make_shared<const Histogram>(std::move(result)));
      continue;
    }
    if (count_[step] == 0) continue;
    const double count = count_[step];
    double& value = out.values[step];
    switch (op_) {
      case AggregateOp::kSum: value += extra_[step]; break;
      case AggregateOp::kAvg:
        value = !incremental_.empty() && incremental_[step] != 0
                    ? value + extra_[step]
                    : value / count + extra_[step] / count;
        break;
      case AggregateOp::kCount: value = count; break;
      case AggregateOp::kGroup: value = 1; break;
      case AggregateOp::kStdvar: value /= count; break;
      case AggregateOp::kStddev: value = std::sqrt(value / count); break;
      default: break;
    }
    out.kinds[step] = PointKind::kFloat;
  }
  return out;
}

}  // namespace varve::promql
