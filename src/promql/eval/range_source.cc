// SPDX-License-Identifier: Apache-2.0
// Functions over range vectors: reads a series once, finds the windows of all steps, and hands them
// to the function, all at once where it has a kernel for that.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/try.h"
#include "promql/eval/level_range.h"
#include "promql/eval/plan.h"
#include "promql/eval/read_tally.h"
#include "promql/eval/selector_source.h"
#include "promql/eval/window_index.h"
#include "promql/parser.h"
#include "promql/value/column_ops.h"

namespace varve::promql {
namespace {

// Where the samples come from: a selection of storage, or the points of a subquery.
class RangeInput {
 public:
  virtual ~RangeInput() = default;
  virtual std::size_t size() const = 0;
  virtual Labels labels(std::size_t series) const = 0;
  virtual storage::LabelColumn label_column(std::string_view name) const = 0;
  virtual bool drops_name(std::size_t series) const = 0;
  virtual bool unique_without_name() const = 0;
  virtual SeriesRef ref(std::size_t series) const = 0;
  // What may have buckets instead of samples; null: nothing has.
  virtual const storage::Selection* levels() const { return nullptr; }
  // Stale markers are in it if may_be_stale().
  virtual Status read(std::size_t series, TimeRange range, storage::SeriesSamples& out) const = 0;
  virtual bool may_be_stale() const = 0;
};

class SelectionInput final : public RangeInput {
 public:
  SelectionInput(std::shared_ptr<storage::Selection> selection, bool one_name, bool levels)
      : selection_(std::move(selection)), one_name_(one_name), levels_(levels) {}
  std::size_t size() const override { return selection_->size(); }
  Labels labels(std::size_t series) const override { return selection_->labels(series); }
  storage::LabelColumn label_column(std::string_view name) const override {
    return selection_->label_column(name);
  }
  bool drops_name(std::size_t) const override { return false; }
  bool unique_without_name() const override { return one_name_; }
  SeriesRef ref(std::size_t series) const override { return {*selection_, series}; }
  const storage::Selection* levels() const override { return levels_ ? selection_.get() : nullptr; }
  Status read(std::size_t series, TimeRange range, storage::SeriesSamples& out) const override {
    return selection_->read(series, range, out);
  }
  bool may_be_stale() const override { return true; }

 private:
  std::shared_ptr<storage::Selection> selection_;
  bool one_name_;
  bool levels_;
};

class SubqueryInput final : public RangeInput {
 public:
  SubqueryInput(StepMatrix points, const StepGrid& grid) : grid_(grid), points_(std::move(points)) {
    times_.resize(grid.count);
    for (std::size_t step = 0; step < grid.count; ++step) times_[step] = grid.at(step);
    for (StepSeries& series : points_.series) forget_reset_hints(series);
  }
  std::size_t size() const override { return points_.series.size(); }
  Labels labels(std::size_t series) const override { return points_.series[series].labels; }
  storage::LabelColumn label_column(std::string_view name) const override {
    return label_column_of(points_, name);
  }
  bool drops_name(std::size_t series) const override { return points_.series[series].drop_name; }
  bool unique_without_name() const override { return false; }
  SeriesRef ref(std::size_t series) const override {
    return SeriesRef(points_.series[series].labels);
  }

  Status read(std::size_t series, TimeRange, storage::SeriesSamples& out) const override {
    out.clear();
    const StepSeries& points = points_.series[series];
    if (all_floats(points)) {
      out.times_id = kAllSteps;
      out.float_times.append(times_, kAllSteps);
      out.float_values.append(points.values);
      return {};
    }
    for (std::size_t step = 0; step < grid_.count; ++step) {
      if (points.kinds[step] == PointKind::kFloat) {
        out.float_times.push_back(times_[step]);
        out.float_values.push_back(points.values[step]);
      } else if (points.kinds[step] == PointKind::kHistogram) {
        out.histogram_times.push_back(times_[step]);
        out.histograms.push_back(points.histograms[step]);
      }
    }
    return {};
  }
  bool may_be_stale() const override { return false; }

 private:
  // The hints relate a histogram to the sample before it in storage, which a subquery need not
  // contain, or contains twice.
  static void forget_reset_hints(StepSeries& series) {
    for (HistogramPtr& histogram : series.histograms) {
      if (histogram == nullptr) continue;
      const CounterResetHint hint = histogram->counter_reset_hint;
      if (hint != CounterResetHint::kReset && hint != CounterResetHint::kNotReset) continue;
      auto copy = std::make_shared<Histogram>(*histogram);
      copy->counter_reset_hint = CounterResetHint::kUnknown;
      histogram = std::move(copy);
    }
  }

  static constexpr std::uint64_t kAllSteps = 1;  // a times_id
  StepGrid grid_;
  StepMatrix points_;
  std::vector<Timestamp> times_;  // of the steps
};

bool looks_like_counter(std::string_view name) {
  return name.empty() || name.ends_with("_total") || name.ends_with("_sum") ||
         name.ends_with("_count") || name.ends_with("_bucket");
}

class RangeSource final : public SeriesSource {
 public:
  RangeSource(std::unique_ptr<RangeInput> input, const WindowShape& shape, const StepGrid& grid,
              RangeExtension extension, const FunctionImpl& function, BoundArgs args,
              QueryState& state)
      : input_(std::move(input)),
        windows_(shape),
        grid_(grid),
        extension_(extension),
        function_(function),
        args_(std::move(args)),
        state_(state),
        starts_used_(function.uses_starts && state.features().use_start_timestamps) {
    if (!function.expects_counter) return;
    names_ = input_->label_column(kMetricName);
    if (state.features().type_and_unit_labels) {
      types_ = input_->label_column(kTypeLabel);
      return;
    }
    for (const std::string_view name : names_.values) {
      counter_name_.push_back(looks_like_counter(name));
    }
  }

  std::size_t size() const override { return input_->size(); }
  std::size_t steps() const override { return grid_.count; }
  Labels labels(std::size_t series) const override { return input_->labels(series); }
  storage::LabelColumn label_column(std::string_view name) const override {
    return input_->label_column(name);
  }
  bool drops_name(std::size_t series) const override {
    return !function_.keeps_name || input_->drops_name(series);
  }
  bool unique_without_name() const override { return input_->unique_without_name(); }
  std::uint64_t work_per_series() const override { return work_of(windows_.shape()); }
  Result<std::unique_ptr<SeriesReader>> reader(std::size_t, std::size_t,
                                               AnnotationSink& sink) const override;

 private:
  class Reader;

  std::unique_ptr<RangeInput> input_;
  mutable WindowIndexCache windows_;
  StepGrid grid_;
  RangeExtension extension_;
  const FunctionImpl& function_;
  mutable BoundArgs args_;  // ArgValue is not const for vector functions; nothing here changes it
  QueryState& state_;
  bool starts_used_;
  storage::LabelColumn names_;
  std::vector<bool> counter_name_;  // by value id of names_; empty where types_ say it
  storage::LabelColumn types_;
};

class RangeSource::Reader final : public SeriesReader {
 public:
  Reader(const RangeSource& source, AnnotationSink& sink)
      : source_(source),
        lookup_(source.windows_),
        tally_(source.state_),
        args_(source.args_.view()),
        context_{source.grid_, source.state_.features(), sink,
                 source.state_.settings().lookback_ms} {
    if (const storage::Selection* selection = source.input_->levels()) {
      levels_.emplace(*selection, source.windows_.shape(), args_.call, args_.range_position(),
                      source.extension_ != RangeExtension::kNone, source.state_);
    }
  }

  Status read(std::size_t series, StepSeries& out) override {
    const WindowShape& shape = source_.windows_.shape();
    const LevelPlan* plan = levels_ ? levels_->plan_of(series) : nullptr;
    TimeRange span = shape.span();
    if (plan != nullptr) {
      span.min_ms = std::min(span.min_ms, saturating_add(plan->window_starts.front(), 1));
    }
    VARVE_TRY(source_.input_->read(series, span, samples_));
    // One look at the values of a counter mostly tells that it has neither markers nor resets.
    rising_ = source_.function_.expects_counter && rises(samples_.float_values);
    if (source_.input_->may_be_stale() && !(rising_ && samples_.histograms.empty())) {
      remove_stale(samples_);
    }
    reset_points(out, shape.count);
    const bool any = !samples_.float_times.empty() || !samples_.histogram_times.empty();
    if (!any && plan == nullptr) return {};
    const SeriesRef ref = source_.input_->ref(series);
    if (any) VARVE_TRY(read_samples(ref, out));
    if (levels_) levels_->note_samples(samples_);
    if (plan != nullptr) {
      VARVE_TRY(levels_->lay_over(series, *plan, samples_, ref, args_, context_, out));
    }
    remark_on_name(series, out);
    return {};
  }

 private:
  Status read_samples(const SeriesRef& ref, StepSeries& out) {
    const SharedWindowIndex& shared = lookup_.find(samples_.times_id, samples_.float_times);
    const WindowIndex& floats = shared.index;
    tally_.add_windows(floats.lo, floats.hi, floats.samples_total);
    if (floats.widest > source_.state_.settings().samples_max) {
      return source_.state_.charge(floats.widest);
    }
    const bool started = source_.starts_used_ && !samples_.float_starts.empty();
    if (samples_.histogram_times.empty() && source_.function_.series_kernel != nullptr &&
        source_.extension_ == RangeExtension::kNone && !started) {
      run_kernel(shared, ref, out);
    } else {
      run_windows(floats, ref, out);
    }
    return {};
  }

  void run_kernel(const SharedWindowIndex& shared, const SeriesRef& ref, StepSeries& out) {
    const WindowShape& shape = source_.windows_.shape();
    SeriesWindows windows;
    windows.times = samples_.float_times;
    windows.values = samples_.float_values;
    windows.lo = shared.index.lo;
    windows.hi = shared.index.hi;
    windows.memo = &shared.memo;
    windows.first_range_end_ms = shape.first_end_ms;
    windows.range_step_ms = shape.step_ms;
    windows.range_ms = shape.range_ms;
    windows.series = &ref;
    windows.rising = rising_;
    source_.function_.series_kernel(windows, args_, context_, out.values, out.kinds);
  }

  void run_windows(const WindowIndex& floats, const SeriesRef& ref, StepSeries& out) {
    const WindowShape& shape = source_.windows_.shape();
    const WindowIndex histograms = index_windows(samples_.histogram_times, shape);
    count_histograms(histograms);
    Window window;
    window.extension = source_.extension_;
    window.series = &ref;
    const auto cut = [](const auto& all, const WindowIndex& index, std::size_t step) {
      return std::span(all).subspan(index.lo[step], index.hi[step] - index.lo[step]);
    };
    for (std::size_t step = 0; step < shape.count; ++step) {
      window.float_times = cut(samples_.float_times, floats, step);
      window.histogram_times = cut(samples_.histogram_times, histograms, step);
      if (window.float_times.empty() && window.histogram_times.empty()) continue;
      window.float_values = cut(samples_.float_values, floats, step);
      window.histograms = cut(samples_.histograms, histograms, step);
      if (source_.starts_used_) {
        if (!samples_.float_starts.empty()) {
          window.float_starts = cut(samples_.float_starts, floats, step);
        }
        if (!samples_.histogram_starts.empty()) {
          window.histogram_starts = cut(samples_.histogram_starts, histograms, step);
        }
      }
      window.range_end_ms = shape.end_ms(step);
      window.range_start_ms = saturating_subtract(window.range_end_ms, shape.range_ms);
      window.eval_ms = source_.grid_.at(step);
      window.step = step;
      out.set(step, source_.function_.window(window, args_, context_));
    }
  }

  void count_histograms(const WindowIndex& windows) {
    if (samples_.histograms.empty()) return;
    std::vector<std::uint64_t> before{0};  // how much all histograms before one count for
    for (const HistogramPtr& histogram : samples_.histograms) {
      before.push_back(before.back() + samples_in(*histogram));
    }
    for (std::size_t step = 0; step < windows.lo.size(); ++step) {
      tally_.add(step, before[windows.hi[step]] - before[windows.lo[step]]);
    }
  }

  void remark_on_name(std::size_t series, const StepSeries& out) {
    if (!source_.function_.expects_counter) return;
    const std::uint32_t name = source_.names_.ids[series];
    if (name == 0) return;
    const bool by_type = source_.state_.features().type_and_unit_labels;
    const std::string_view type =
        by_type ? source_.types_.values[source_.types_.ids[series]] : std::string_view();
    if (by_type ? type == "counter" || type == "histogram" : source_.counter_name_[name]) return;
    if (std::find(out.kinds.begin(), out.kinds.end(), PointKind::kFloat) == out.kinds.end()) return;
    std::string remark = "metric might not be a counter, ";
    if (by_type) {
      remark += "__type__ label is not set to \"counter\" or \"histogram\", got " + quote(type);
    } else {
      remark += "name does not end in _total/_sum/_count/_bucket";
    }
    context_.annotations.info(remark + ": " + quote(source_.names_.values[name]),
                              args_.position(0));
  }

  const RangeSource& source_;
  WindowIndexLookup lookup_;
  ReadTally tally_;
  CallArgs args_;
  EvalContext context_;
  storage::SeriesSamples samples_;
  std::optional<LevelRange> levels_;  // if buckets may answer
  bool rising_ = false;  // samples_.float_values
};

Result<std::unique_ptr<SeriesReader>> RangeSource::reader(std::size_t, std::size_t,
                                                          AnnotationSink& sink) const {
  if (function_.check != nullptr) VARVE_TRY(function_.check(args_.view(), grid_.count));
  return std::unique_ptr<SeriesReader>(std::make_unique<Reader>(*this, sink));
}

WindowShape shape_of(const Timing& timing, const StepGrid& grid) {
  WindowShape shape;
  shape.first_end_ms = timing.first_reference(grid);
  shape.step_ms = timing.reference_step(grid);
  shape.range_ms = timing.range_ms;
  shape.count = grid.count;
  return shape;
}

}  // namespace

void remove_stale(storage::SeriesSamples& samples) {
  if (contains_bits(samples.float_values, kStaleNanBits)) {
    std::size_t kept = 0;
    const bool started = !samples.float_starts.empty();
    Timestamp* const times = samples.float_times.mutable_data();
    for (std::size_t i = 0; i < samples.float_values.size(); ++i) {
      if (is_stale(samples.float_values[i])) continue;
      if (started) samples.float_starts[kept] = samples.float_starts[i];
      samples.float_values[kept] = samples.float_values[i];
      times[kept++] = times[i];
    }
    samples.float_values.resize(kept);
    samples.float_times.resize(kept);
    if (started) samples.float_starts.resize(kept);
    samples.times_id = 0;
  }
  std::size_t kept = 0;
  const bool started = !samples.histogram_starts.empty();
  for (std::size_t i = 0; i < samples.histograms.size(); ++i) {
    if (samples.histograms[i]->is_stale()) continue;
    if (started) samples.histogram_starts[kept] = samples.histogram_starts[i];
    if (kept != i) samples.histograms[kept] = std::move(samples.histograms[i]);
    samples.histogram_times[kept++] = samples.histogram_times[i];
  }
  samples.histograms.resize(kept);
  samples.histogram_times.resize(kept);
  if (started) samples.histogram_starts.resize(kept);
}

SeriesSourcePtr source_of_range_call(std::shared_ptr<storage::Selection> selection,
                                     const MatrixSelector& selector, const Timing& timing,
                                     const StepGrid& grid, const FunctionImpl& function,
                                     bool one_name, BoundArgs args, QueryState& state) {
  WindowShape shape = shape_of(timing, grid);
  const RangeExtension extension = selector.selector->extension;
  if (extension != RangeExtension::kNone) shape.reach_back_ms = state.settings().lookback_ms;
  if (extension == RangeExtension::kSmoothed) shape.reach_forward_ms = state.settings().lookback_ms;
  return std::make_unique<RangeSource>(
      std::make_unique<SelectionInput>(std::move(selection), one_name, state.levels_allowed()),
      shape, grid, extension, function, std::move(args), state);
}

SeriesSourcePtr source_of_subquery_call(StepMatrix points, const StepGrid& inner_grid,
                                        const Timing& timing, const StepGrid& grid,
                                        const FunctionImpl& function, BoundArgs args,
                                        QueryState& state) {
  return std::make_unique<RangeSource>(
      std::make_unique<SubqueryInput>(std::move(points), inner_grid), shape_of(timing, grid), grid,
      RangeExtension::kNone, function, std::move(args), state);
}

}  // namespace varve::promql
