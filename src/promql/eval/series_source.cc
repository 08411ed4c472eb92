// SPDX-License-Identifier: Apache-2.0
// From sources to matrices and back.
#include "promql/eval/series_source.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/try.h"
#include "promql/value/function_impl.h"

namespace varve::promql {
namespace {

class MatrixSource final : public SeriesSource {
 public:
  MatrixSource(StepMatrix matrix, std::size_t steps)
      : matrix_(std::move(matrix)), steps_(steps) {}

  std::size_t size() const override { return matrix_.series.size(); }
  std::size_t steps() const override { return steps_; }
  Labels labels(std::size_t series) const override { return matrix_.series[series].labels; }
  bool drops_name(std::size_t series) const override { return matrix_.series[series].drop_name; }
  bool unique_without_name() const override { return false; }

  storage::LabelColumn label_column(std::string_view name) const override {
    return label_column_of(matrix_, name);
  }

  Result<std::unique_ptr<SeriesReader>> reader(std::size_t, std::size_t,
                                               AnnotationSink&) const override {
    return std::unique_ptr<SeriesReader>(std::make_unique<Reader>(matrix_));
  }

 private:
  class Reader final : public SeriesReader {
   public:
    explicit Reader(const StepMatrix& matrix) : matrix_(matrix) {}
    Status read(std::size_t series, StepSeries& out) override {
      const StepSeries& from = matrix_.series[series];
      out.values = from.values;
      out.kinds = from.kinds;
      out.histograms = from.histograms;
      return {};
    }

   private:
    const StepMatrix& matrix_;
  };

  StepMatrix matrix_;
  std::size_t steps_;
};

class ReadSource final : public SeriesSource {
 public:
  ReadSource(const SeriesSource& source, std::vector<StepSeries> read)
      : source_(source), read_(std::move(read)) {}

  std::size_t size() const override { return read_.size(); }
  std::size_t steps() const override { return source_.steps(); }
  Labels labels(std::size_t series) const override { return source_.labels(series); }
  storage::LabelColumn label_column(std::string_view name) const override {
    return source_.label_column(name);
  }
  bool drops_name(std::size_t series) const override { return source_.drops_name(series); }
  bool unique_without_name() const override { return source_.unique_without_name(); }

  Result<std::unique_ptr<SeriesReader>> reader(std::size_t, std::size_t,
                                               AnnotationSink&) const override {
    return std::unique_ptr<SeriesReader>(std::make_unique<Reader>(read_));
  }

 private:
  class Reader final : public SeriesReader {
   public:
    explicit Reader(std::vector<StepSeries>& read) : read_(read) {}
    Status read(std::size_t series, StepSeries& out) override {
      std::swap(out, read_[series]);
      return {};
    }

   private:
    std::vector<StepSeries>& read_;
  };

  const SeriesSource& source_;
  mutable std::vector<StepSeries> read_;  // of each series by the one task that reads it
};

}  // namespace

storage::LabelColumn label_column_of(const StepMatrix& matrix, std::string_view name) {
  storage::LabelColumn column;
  column.ids.reserve(matrix.series.size());
  column.values.emplace_back();
  std::unordered_map<std::string_view, std::uint32_t> ids;
  for (const StepSeries& series : matrix.series) {
    const std::string_view value = series.labels.get(name);
    if (value.empty()) {
      column.ids.push_back(0);
      continue;
    }
    const auto [at, fresh] =
        ids.try_emplace(value, static_cast<std::uint32_t>(column.values.size()));
    if (fresh) column.values.push_back(value);
    column.ids.push_back(at->second);
  }
  return column;
}

void reset_points(StepSeries& out, std::size_t steps) {
  out.values.resize(steps);
  out.kinds.assign(steps, PointKind::kNone);
  out.histograms.clear();
}

bool all_floats(const StepSeries& series) {
  const std::vector<PointKind>& kinds = series.kinds;
  return !kinds.empty() && kinds[0] == PointKind::kFloat &&
         std::memcmp(kinds.data(), kinds.data() + 1, kinds.size() - 1) == 0;
}

std::size_t count_points(const StepSeries& series) {
  std::size_t points = 0;
  for (const PointKind kind : series.kinds) points += kind != PointKind::kNone ? 1 : 0;
  return points;
}

Result<StepMatrix> materialize(const SeriesSource& source, QueryState& state) {
  const std::size_t series_count = source.size();
  std::vector<std::vector<StepSeries>> parts(
      QueryState::task_count(series_count, source.work_per_series()));
  const auto read_part = [&](std::size_t task, std::size_t begin, std::size_t end,
                             AnnotationSink& sink) -> Status {
    VARVE_TRY_ASSIGN(const auto reader, source.reader(begin, end, sink));
    for (std::size_t i = begin; i < end; ++i) {
      if (i % QueryState::kTaskItems == 0) VARVE_TRY(state.poll());
      StepSeries series;
      VARVE_TRY(reader->read(i, series));
      const std::size_t points = count_points(series);
      if (points == 0) continue;
      VARVE_TRY(state.charge(points));
      series.labels = source.labels(i);
      if (source.drops_name(i)) mark_name_dropped(series, state.features());
      parts[task].push_back(std::move(series));
    }
    return {};
  };
  VARVE_TRY(state.run_tasks(series_count, parts.size(), read_part));
  StepMatrix matrix;
  std::size_t total = 0;
  for (const auto& part : parts) total += part.size();
  matrix.series.reserve(total);
  for (auto& part : parts) {
    std::move(part.begin(), part.end(), std::back_inserter(matrix.series));
  }
  return matrix;
}

Result<SeriesSourcePtr> read_ahead(const SeriesSource& source, QueryState& state,
                                   std::uint64_t& points) {
  const std::size_t series_count = source.size();
  const std::size_t tasks = QueryState::task_count(series_count, source.work_per_series());
  std::vector<StepSeries> read(series_count);
  std::atomic<std::uint64_t> points_read{0};
  const auto read_part = [&](std::size_t, std::size_t begin, std::size_t end,
                             AnnotationSink& sink) -> Status {
    VARVE_TRY_ASSIGN(const auto reader, source.reader(begin, end, sink));
    for (std::size_t i = begin; i < end; ++i) {
      VARVE_TRY(reader->read(i, read[i]));
      const std::uint64_t held = count_points(read[i]);
      VARVE_TRY(state.charge(held));
      points_read.fetch_add(held, std::memory_order_relaxed);
    }
    return {};
  };
  VARVE_TRY(state.run_tasks(series_count, tasks, read_part));
  points += points_read.load();
  return SeriesSourcePtr(std::make_unique<ReadSource>(source, std::move(read)));
}

SeriesSourcePtr source_of_matrix(StepMatrix matrix, std::size_t steps) {
  return std::make_unique<MatrixSource>(std::move(matrix), steps);
}

}  // namespace varve::promql
