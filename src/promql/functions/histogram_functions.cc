// SPDX-License-Identifier: Apache-2.0
// histogram_quantile, histogram_quantiles and histogram_fraction, over native histograms and over
// classic ones, which are series that differ in the label `le` alone. Where both kinds exist at one
// step under one name, neither is evaluated.
#include <algorithm>
#include <cmath>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "model/histogram_stats.h"
#include "model/number.h"
#include "promql/functions/annotation_texts.h"
#include "promql/functions/classic_histogram.h"
#include "promql/functions/implementations.h"

namespace varve::promql::function_impls {
namespace {

constexpr std::string_view kBucketLabel = "le";

// The series of one classic histogram, by ascending bound.
struct ClassicGroup {
  struct Member {
    double upper = 0;
    const StepSeries* series = nullptr;
  };
  Labels labels;  // without le
  bool drop_name = false;
  std::vector<Member> members;

  // The buckets present at a step.
  void buckets_at(std::size_t step, std::vector<ClassicBucket>& buckets) const {
    buckets.clear();
    for (const Member& member : members) {
      if (member.series->kinds[step] == PointKind::kFloat) {
        buckets.push_back({member.upper, member.series->values[step]});
      }
    }
  }
  bool any_at(std::size_t step) const {
    return std::any_of(members.begin(), members.end(), [step](const Member& member) {
      return member.series->kinds[step] == PointKind::kFloat;
    });
  }
};

bool has_kind(const StepSeries& series, PointKind kind) {
  return std::find(series.kinds.begin(), series.kinds.end(), kind) != series.kinds.end();
}

// The histograms of a vector, sorted out by kind.
class Histograms {
 public:
  Histograms(const StepMatrix& matrix, Position position, EvalContext& context)
      : context_(context), position_(position) {
    for (const StepSeries& series : matrix.series) add(series);
    for (ClassicGroup& group : classic_) {
      // NaN bounds go last, where they answer NaN.
      std::stable_sort(group.members.begin(), group.members.end(),
                       [](const ClassicGroup::Member& a, const ClassicGroup::Member& b) {
                         return std::isnan(b.upper) ? !std::isnan(a.upper) : a.upper < b.upper;
                       });
    }
    for (const StepSeries* series : native_) find_conflicts(*series);
  }

  std::span<const StepSeries* const> native() const { return native_; }
  std::span<const ClassicGroup> classic() const { return classic_; }

  // Whether a native histogram of these labels and a classic one collide at a step.
  bool conflict_at(const Labels& labels, std::size_t step) const {
    const auto found = conflicts_.find(labels.bytes());
    return found != conflicts_.end() && found->second[step];
  }

  // The name to show in a remark: without delayed name removal Prometheus no longer has it there.
  std::string_view name_of(const Labels& labels) const {
    return context_.features.delayed_name_removal ? labels.get(kMetricName) : std::string_view();
  }

 private:
  void add(const StepSeries& series) {
    if (has_kind(series, PointKind::kHistogram)) native_.push_back(&series);
    if (!has_kind(series, PointKind::kFloat)) return;
    const std::string_view le = series.labels.get(kBucketLabel);
    const std::optional<double> upper = model::parse_float(le);
    if (!upper) {
      context_.annotations.warning(texts::bad_bucket_label(name_of(series.labels), le), position_);
      return;
    }
    LabelsBuilder builder(series.labels);
    Labels labels = builder.remove(kBucketLabel).build();
    const auto [at, fresh] = index_.try_emplace(std::string(labels.bytes()), classic_.size());
    if (fresh) classic_.push_back({std::move(labels), series.drop_name, {}});
    classic_[at->second].members.push_back({*upper, &series});
  }

  void find_conflicts(const StepSeries& series) {
    const auto found = index_.find(std::string(series.labels.bytes()));
    if (found == index_.end()) return;
    const ClassicGroup& group = classic_[found->second];
    std::vector<bool> steps(series.steps());
    bool any = false;
    for (std::size_t step = 0; step < series.steps(); ++step) {
      if (series.kinds[step] == PointKind::kHistogram && group.any_at(step)) {
        steps[step] = true;
        any = true;
      }
    }
    if (!any) return;
    context_.annotations.warning(texts::mixed_classic_and_native(name_of(series.labels)),
                                 position_);
    conflicts_.emplace(series.labels.bytes(), std::move(steps));
  }

  EvalContext& context_;
  Position position_;
  std::vector<const StepSeries*> native_;
  std::vector<ClassicGroup> classic_;
  std::unordered_map<std::string, std::size_t> index_;  // labels without le → classic_
  std::unordered_map<std::string_view, std::vector<bool>> conflicts_;  // by labels of native_
};

// An output series for labels that lose their name.
StepSeries nameless(const Labels& labels, std::size_t steps, const EvalContext& context) {
  StepSeries series(labels, steps);
  mark_name_dropped(series, context.features);
  return series;
}

void append_nonempty(StepMatrix& result, StepSeries series) {
  if (!series.empty()) result.series.push_back(std::move(series));
}

using NativeEvaluation = std::function<double(const Histogram&, std::string_view name,
                                              std::size_t step)>;
using ClassicEvaluation = std::function<double(std::vector<ClassicBucket>&, std::string_view name,
                                               std::size_t step)>;

// One result series per histogram. `relabel` makes its labels.
void evaluate(const Histograms& histograms, EvalContext& context, StepMatrix& result,
              const std::function<Labels(const Labels&)>& relabel, const NativeEvaluation& native,
              const ClassicEvaluation& classic) {
  const std::size_t steps = context.grid.count;
  for (const StepSeries* series : histograms.native()) {
    const std::string_view name = histograms.name_of(series->labels);
    StepSeries out = nameless(relabel(series->labels), steps, context);
    for (std::size_t step = 0; step < steps; ++step) {
      if (series->kinds[step] != PointKind::kHistogram) continue;
      if (histograms.conflict_at(series->labels, step)) continue;
      out.set(step, native(*series->histograms[step], name, step));
    }
    append_nonempty(result, std::move(out));
  }
  std::vector<ClassicBucket> buckets;
  for (const ClassicGroup& group : histograms.classic()) {
    const std::string_view name = histograms.name_of(group.labels);
    StepSeries out = nameless(relabel(group.labels), steps, context);
    for (std::size_t step = 0; step < steps; ++step) {
      group.buckets_at(step, buckets);
      if (buckets.empty() || histograms.conflict_at(group.labels, step)) continue;
      out.set(step, classic(buckets, name, step));
    }
    append_nonempty(result, std::move(out));
  }
}

void remark_quantiles(const CallArgs& args, std::size_t arg, EvalContext& context) {
  for (std::size_t step = 0; step < context.grid.count; ++step) {
    const double q = args.scalar(arg, step);
    if (!(q >= 0 && q <= 1)) {
      context.annotations.warning(texts::invalid_quantile(q), args.position(arg));
    }
  }
}

// Evaluates the quantile that argument `quantile_arg` asks for.
void evaluate_quantile(const Histograms& histograms, const CallArgs& args,
                       std::size_t quantile_arg, Position position, EvalContext& context,
                       StepMatrix& result,
                       const std::function<Labels(const Labels&)>& relabel) {
  const NativeEvaluation native = [&](const Histogram& histogram, std::string_view name,
                                      std::size_t step) {
    const model::HistogramStatistic quantile =
        model::quantile(histogram, args.scalar(quantile_arg, step));
    if (quantile.nan_effect == model::NanEffect::kResultIsNan) {
      context.annotations.info(texts::quantile_is_nan(name), position);
    } else if (quantile.nan_effect == model::NanEffect::kResultIsSkewed) {
      context.annotations.info(texts::quantile_is_skewed(name), position);
    }
    return quantile.value;
  };
  const ClassicEvaluation classic = [&](std::vector<ClassicBucket>& buckets, std::string_view name,
                                        std::size_t step) {
    const ClassicQuantile quantile = classic_quantile(buckets, args.scalar(quantile_arg, step));
    if (quantile.forced_monotonic) {
      context.annotations.forced_monotonicity(name, position, context.grid.at(step),
                                              quantile.bucket_min, quantile.bucket_max,
                                              quantile.diff_max);
    }
    return quantile.value;
  };
  evaluate(histograms, context, result, relabel, native, classic);
}

// As OpenMetrics writes a float: always with a point or an exponent.
std::string quantile_text(double q) {
  std::string text = model::format_float_g(q);
  if (std::isfinite(q) && text.find_first_of("e.") == std::string::npos) text.append(".0");
  return text;
}

}  // namespace

Result<StepMatrix> histogram_quantile(const CallArgs& args, EvalContext& context) {
  remark_quantiles(args, 0, context);
  const Histograms histograms(*args.values[1].vector, args.position(1), context);
  StepMatrix result;
  evaluate_quantile(histograms, args, 0, args.position(1), context, result,
                    [](const Labels& labels) { return labels; });
  return result;
}

Result<StepMatrix> histogram_quantiles(const CallArgs& args, EvalContext& context) {
  for (std::size_t arg = 2; arg < args.size(); ++arg) remark_quantiles(args, arg, context);
  const Histograms histograms(*args.values[0].vector, args.position(0), context);
  StepMatrix result;
  for (std::size_t arg = 2; arg < args.size(); ++arg) {
    // The quantile becomes a label, so one that changes from step to step gives a series per value.
    std::vector<double> values;
    for (std::size_t step = 0; step < context.grid.count; ++step) {
      const double q = args.scalar(arg, step);
      const auto same = [q](double other) {
        return q == other || (std::isnan(q) && std::isnan(other));
      };
      if (std::none_of(values.begin(), values.end(), same)) values.push_back(q);
    }
    for (const double q : values) {
      const std::string text = quantile_text(q);
      StepMatrix part;
      evaluate_quantile(histograms, args, arg, args.position(0), context, part,
                        [&](const Labels& labels) {
                          LabelsBuilder builder(labels);
                          return builder.set(args.text(1), text).build();
                        });
      for (StepSeries& series : part.series) {
        for (std::size_t step = 0; values.size() > 1 && step < series.steps(); ++step) {
          if (quantile_text(args.scalar(arg, step)) != text) series.clear(step);
        }
        append_nonempty(result, std::move(series));
      }
    }
  }
  return result;
}

Result<StepMatrix> histogram_fraction(const CallArgs& args, EvalContext& context) {
  const Histograms histograms(*args.values[2].vector, args.position(2), context);
  StepMatrix result;
  evaluate(
      histograms, context, result, [](const Labels& labels) { return labels; },
      [&](const Histogram& histogram, std::string_view name, std::size_t step) {
        const model::HistogramStatistic fraction =
            model::fraction(histogram, args.scalar(0, step), args.scalar(1, step));
        if (fraction.nan_effect == model::NanEffect::kExcluded) {
          context.annotations.info(texts::fraction_excludes_nan(name), args.position(2));
        }
        return fraction.value;
      },
      [&](std::vector<ClassicBucket>& buckets, std::string_view, std::size_t step) {
        return classic_fraction(buckets, args.scalar(0, step), args.scalar(1, step));
      });
  return result;
}

}  // namespace varve::promql::function_impls
