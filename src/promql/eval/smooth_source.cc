// SPDX-License-Identifier: Apache-2.0
// Instant selectors with `smoothed`: values between samples, looking as far ahead as back.
#include <algorithm>
#include <utility>

#include "base/try.h"
#include "promql/eval/level_plan.h"
#include "promql/eval/plan.h"
#include "promql/eval/read_tally.h"
#include "promql/eval/selector_source.h"
#include "promql/eval/window_index.h"
#include "promql/functions/extended_rate.h"

namespace varve::promql {
namespace {

class SmoothSource final : public SeriesSource {
 public:
  SmoothSource(std::shared_ptr<storage::Selection> selection, const WindowShape& shape,
               Position position, bool one_name, QueryState& state)
      : selection_(std::move(selection)),
        shape_(shape),
        position_(position),
        one_name_(one_name),
        state_(state) {}

  std::size_t size() const override { return selection_->size(); }
  std::size_t steps() const override { return shape_.count; }
  Labels labels(std::size_t series) const override { return selection_->labels(series); }
  storage::LabelColumn label_column(std::string_view name) const override {
    return selection_->label_column(name);
  }
  bool drops_name(std::size_t) const override { return false; }
  bool unique_without_name() const override { return one_name_; }
  Result<std::unique_ptr<SeriesReader>> reader(std::size_t, std::size_t,
                                               AnnotationSink& sink) const override {
    return std::unique_ptr<SeriesReader>(std::make_unique<Reader>(*this, sink));
  }

 private:
  class Reader final : public SeriesReader {
   public:
    Reader(const SmoothSource& source, AnnotationSink& sink)
        : source_(source), sink_(sink), tally_(source.state_) {}

    Status read(std::size_t series, StepSeries& out) override {
      const WindowShape& shape = source_.shape_;
      VARVE_TRY(source_.selection_->read(series, shape.span(), samples_));
      note_buckets(series);
      remove_stale(samples_);
      reset_points(out, shape.count);
      const WindowIndex floats = index_windows(samples_.float_times, shape);
      const WindowIndex histograms = index_windows(samples_.histogram_times, shape);
      const SeriesRef ref(*source_.selection_, series);
      for (std::size_t step = 0; step < shape.count; ++step) {
        Window window;
        window.float_times = part(samples_.float_times, floats, step);
        window.float_values = part(samples_.float_values, floats, step);
        window.histogram_times = part(samples_.histogram_times, histograms, step);
        window.histograms = part(samples_.histograms, histograms, step);
        if (window.float_values.empty() && window.histograms.empty()) continue;
        tally_.add(step, window.float_values.size() + window.histograms.size());
        window.series = &ref;
        const Timestamp at_ms =
            shape.first_end_ms + static_cast<std::int64_t>(step) * shape.step_ms;
        out.set(step, function_impls::smoothed_value(window, at_ms, source_.position_, sink_));
      }
      return {};
    }

   private:
    // Between the samples that buckets know nothing can be said of the others.
    void note_buckets(std::size_t series) {
      for (const storage::LevelSpan& span : source_.selection_->levels(series)) {
        const Covered covered = covered_by(span);
        const TimeRange missing{
            std::max(source_.shape_.span().min_ms, saturating_add(covered.start_ms, 1)),
            std::min(source_.shape_.span().max_ms, covered.end_ms)};
        if (missing.empty()) continue;
        LevelNotes notes;
        notes.add({LevelNotes::Kind::kNoAnswer, span.resolution_ms, source_.position_, 0,
                   "smoothed"},
                  missing);
        source_.state_.note_levels(notes);
      }
    }

    template <typename Column>
    static std::span<const typename Column::value_type> part(const Column& values,
                                                             const WindowIndex& index,
                                                             std::size_t step) {
      return std::span(values).subspan(index.lo[step], index.hi[step] - index.lo[step]);
    }

    const SmoothSource& source_;
    AnnotationSink& sink_;
    ReadTally tally_;
    storage::SeriesSamples samples_;
  };

  std::shared_ptr<storage::Selection> selection_;
  WindowShape shape_;
  Position position_;
  bool one_name_;
  QueryState& state_;
};

}  // namespace

SeriesSourcePtr source_of_smoothed_selector(std::shared_ptr<storage::Selection> selection,
                                            const WindowShape& shape, Position position,
                                            bool one_name, QueryState& state) {
  return std::make_unique<SmoothSource>(std::move(selection), shape, position, one_name, state);
}

}  // namespace varve::promql
