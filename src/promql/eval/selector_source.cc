// SPDX-License-Identifier: Apache-2.0
// Instant vector selectors: lookback, staleness, offset and @, for a whole series at a time.
#include "promql/eval/selector_source.h"

#include <bit>
#include <numeric>
#include <optional>
#include <utility>

#include "base/try.h"
#include "promql/eval/level_instant.h"
#include "promql/eval/read_tally.h"
#include "promql/eval/window_index.h"

namespace varve::promql {
namespace {

double seconds(Timestamp time_ms) { return static_cast<double>(time_ms) / 1000; }

class SelectorSource final : public SeriesSource {
 public:
  SelectorSource(std::shared_ptr<storage::Selection> selection, const WindowShape& shape,
                 SelectorValue value, bool one_name, QueryState& state)
      : selection_(std::move(selection)),
        windows_(shape),
        value_(value),
        one_name_(one_name),
        state_(state) {}

  std::size_t size() const override { return selection_->size(); }
  std::size_t steps() const override { return windows_.shape().count; }
  Labels labels(std::size_t series) const override { return selection_->labels(series); }
  storage::LabelColumn label_column(std::string_view name) const override {
    return selection_->label_column(name);
  }
  bool drops_name(std::size_t) const override { return value_ != SelectorValue::kSample; }
  bool unique_without_name() const override { return one_name_; }
  Result<std::unique_ptr<SeriesReader>> reader(std::size_t begin, std::size_t end,
                                               AnnotationSink& sink) const override;

 private:
  class StepsReader;
  class InstantReader;

  std::shared_ptr<storage::Selection> selection_;
  mutable WindowIndexCache windows_;
  SelectorValue value_;
  bool one_name_;
  QueryState& state_;
};

// Many steps: decodes the series once and looks its points up by index.
class SelectorSource::StepsReader final : public SeriesReader {
 public:
  explicit StepsReader(const SelectorSource& source)
      : source_(source), lookup_(source.windows_), tally_(source.state_) {
    if (source.state_.levels_allowed()) {
      levels_.emplace(*source.selection_, source.windows_.shape(), source.value_, source.state_);
    }
  }

  Status read(std::size_t series, StepSeries& out) override {
    const WindowShape& shape = source_.windows_.shape();
    VARVE_TRY(source_.selection_->read(series, shape.span(), samples_));
    reset_points(out, shape.count);
    if (!samples_.histogram_times.empty() || source_.value_ == SelectorValue::kStart) {
      read_mixed(shape, out);
    } else if (!samples_.float_times.empty()) {
      read_floats(shape.count, out);
    }
    return levels_ ? levels_->lay_over(series, samples_, out) : Status();
  }

 private:
  void read_floats(std::size_t steps, StepSeries& out) {
    const WindowIndex& index = lookup_.find(samples_.times_id, samples_.float_times).index;
    const bool time = source_.value_ == SelectorValue::kTime;
    const double* values = samples_.float_values.data();
    for (std::size_t step = 0; step < steps; ++step) {
      if (index.lo[step] == index.hi[step]) continue;
      const std::size_t at = index.hi[step] - 1;
      const bool stale = std::bit_cast<std::uint64_t>(values[at]) == kStaleNanBits;
      out.values[step] = time ? seconds(samples_.float_times[at]) : values[at];
      out.kinds[step] = stale ? PointKind::kNone : PointKind::kFloat;
      tally_.add(step, stale ? 0 : 1);
    }
  }

  // Floats and histograms in one series: the newer of the two newest counts.
  void read_mixed(const WindowShape& shape, StepSeries& out) {
    const WindowIndex floats = index_windows(samples_.float_times, shape);
    const WindowIndex histograms = index_windows(samples_.histogram_times, shape);
    const SelectorValue wanted = source_.value_;
    for (std::size_t step = 0; step < shape.count; ++step) {
      const bool have_float = floats.lo[step] != floats.hi[step];
      const bool have_histogram = histograms.lo[step] != histograms.hi[step];
      if (!have_float && !have_histogram) continue;
      const std::size_t f = have_float ? floats.hi[step] - 1 : 0;
      const std::size_t h = have_histogram ? histograms.hi[step] - 1 : 0;
      const bool is_float =
          have_float &&
          (!have_histogram || samples_.float_times[f] >= samples_.histogram_times[h]);
      if (is_float) {
        if (is_stale(samples_.float_values[f])) continue;
        if (wanted == SelectorValue::kSample) {
          out.set(step, samples_.float_values[f]);
        } else {
          out.set(step, moment(samples_.float_times, samples_.float_starts, f));
        }
      } else {
        if (samples_.histograms[h]->is_stale()) continue;
        if (wanted == SelectorValue::kSample) {
          out.set(step, samples_.histograms[h]);
        } else {
          out.set(step, moment(samples_.histogram_times, samples_.histogram_starts, h));
        }
        tally_.add(step, samples_in(*samples_.histograms[h]));
        continue;
      }
      tally_.add(step, 1);
    }
  }

  // The time or the start time of sample i, in seconds.
  double moment(std::span<const Timestamp> times, std::span<const Timestamp> starts,
                std::size_t i) const {
    if (source_.value_ == SelectorValue::kTime) return seconds(times[i]);
    return starts.empty() ? 0 : seconds(starts[i]);
  }

  const SelectorSource& source_;
  WindowIndexLookup lookup_;
  ReadTally tally_;
  storage::SeriesSamples samples_;
  std::optional<LevelInstant> levels_;
};

// One step: asks storage for the last samples of the whole task at once.
class SelectorSource::InstantReader final : public SeriesReader {
 public:
  static Result<std::unique_ptr<SeriesReader>> create(const SelectorSource& source,
                                                      std::size_t begin, std::size_t end) {
    auto reader = std::unique_ptr<InstantReader>(new InstantReader);
    reader->begin_ = begin;
    reader->wanted_ = source.value_;
    std::vector<std::uint32_t> ordinals(end - begin);
    std::iota(ordinals.begin(), ordinals.end(), static_cast<std::uint32_t>(begin));
    reader->last_.resize(end - begin);
    VARVE_TRY(source.selection_->read_last(ordinals, source.windows_.shape().span(),
                                           reader->last_));
    ReadTally tally(source.state_);
    for (const storage::LastSample& last : reader->last_) {
      if (last.kind == storage::LastSample::Kind::kFloat)
        tally.add(0, is_stale(last.value) ? 0 : 1);
      if (last.kind == storage::LastSample::Kind::kHistogram && !last.histogram->is_stale()) {
        tally.add(0, samples_in(*last.histogram));
      }
    }
    if (source.state_.levels_allowed()) {
      reader->levels_.emplace(*source.selection_, source.windows_.shape(), source.value_,
                              source.state_);
    }
    return std::unique_ptr<SeriesReader>(std::move(reader));
  }

  Status read(std::size_t series, StepSeries& out) override {
    reset_points(out, 1);
    read_sample(series, out);
    if (!levels_) return {};
    const storage::LastSample& last = last_[series - begin_];
    times_.float_times.clear();
    if (last.kind != storage::LastSample::Kind::kNone) {
      times_.float_times.push_back(last.timestamp_ms);
    }
    return levels_->lay_over(series, times_, out);
  }

 private:
  InstantReader() = default;

  void read_sample(std::size_t series, StepSeries& out) {
    storage::LastSample& last = last_[series - begin_];
    using Kind = storage::LastSample::Kind;
    if (last.kind == Kind::kNone) return;
    const bool stale =
        last.kind == Kind::kFloat ? is_stale(last.value) : last.histogram->is_stale();
    if (stale) return;
    if (wanted_ == SelectorValue::kTime) {
      out.set(0, seconds(last.timestamp_ms));
    } else if (wanted_ == SelectorValue::kStart) {
      out.set(0, seconds(last.start_ms));
    } else if (last.kind == Kind::kFloat) {
      out.set(0, last.value);
    } else {
      out.set(0, last.histogram);
    }
  }

  std::vector<storage::LastSample> last_;
  std::size_t begin_ = 0;
  SelectorValue wanted_ = SelectorValue::kSample;
  std::optional<LevelInstant> levels_;
  storage::SeriesSamples times_;  // of the sample there is, for levels_
};

Result<std::unique_ptr<SeriesReader>> SelectorSource::reader(std::size_t begin, std::size_t end,
                                                             AnnotationSink&) const {
  if (windows_.shape().count == 1) return InstantReader::create(*this, begin, end);
  return std::unique_ptr<SeriesReader>(std::make_unique<StepsReader>(*this));
}

}  // namespace

SeriesSourcePtr source_of_selector(std::shared_ptr<storage::Selection> selection,
                                   const Timing& timing, const StepGrid& grid,
                                   SelectorValue value, bool one_name, QueryState& state) {
  WindowShape shape;
  shape.first_end_ms = timing.first_reference(grid);
  shape.step_ms = timing.reference_step(grid);
  shape.range_ms = state.settings().lookback_ms;
  shape.count = grid.count;
  return std::make_unique<SelectorSource>(std::move(selection), shape, value, one_name, state);
}

}  // namespace varve::promql
