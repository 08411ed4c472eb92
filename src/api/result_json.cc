// SPDX-License-Identifier: Apache-2.0
#include "api/result_json.h"

#include <fmt/format.h>

#include "api/call.h"
#include "api/json.h"
#include "model/duration.h"
#include "model/number.h"

namespace varve::api {
namespace {

constexpr std::size_t kPieceBytes = 64 << 10;

// Walks a result and remembers where it stopped between pieces.
class ResultWriter {
 public:
  ResultWriter(std::shared_ptr<const QueryResult> result, std::size_t limit, StatsDetail stats,
               std::shared_ptr<const promql::StepSamples> steps)
      : owner_(std::move(result)), result_(*owner_), stats_(stats), steps_(std::move(steps)) {
    if (const auto* vector = std::get_if<Vector>(&result_.value)) size_ = vector->size();
    if (const auto* matrix = std::get_if<Matrix>(&result_.value)) size_ = matrix->size();
    truncated_ = limit != 0 && size_ > limit;
    if (truncated_) size_ = limit;
  }

  // Whether there is much more of points than of all else.
  bool mostly_points() const {
    const auto* matrix = std::get_if<Matrix>(&result_.value);
    if (matrix == nullptr) return false;
    constexpr std::size_t kPointsOfSeries = 8;  // in as many bytes as the labels
    std::size_t points = 0;
    for (const Series& series : std::span(*matrix).first(size_)) {
      if (!series.histograms.empty()) return false;
      points += series.floats.size();
    }
    return points >= size_ * kPointsOfSeries;
  }

  bool next(std::string& out) {
    const std::size_t goal = out.size() + kPieceBytes;
    if (!begun_) {
      begun_ = true;
      out += "{\"status\":\"success\",\"data\":{\"resultType\":";
      if (!write_head(out)) return finish(out);
    }
    while (out.size() < goal) {
      const bool more = std::holds_alternative<Matrix>(result_.value) ? write_series(out, goal)
                                                                      : write_vector_sample(out);
      if (!more) {
        out += ']';
        return finish(out);
      }
    }
    return true;
  }

 private:
  // True if a list follows.
  bool write_head(std::string& out) {
    if (const auto* scalar = std::get_if<ScalarValue>(&result_.value)) {
      out += "\"scalar\",\"result\":";
      append_json_sample(out, {scalar->timestamp_ms, scalar->value});
      return false;
    }
    if (const auto* string = std::get_if<StringValue>(&result_.value)) {
      out += "\"string\",\"result\":[";
      append_json_time(out, string->timestamp_ms);
      out += ',';
      append_json_string(out, string->value);
      out += ']';
      return false;
    }
    out += std::holds_alternative<Matrix>(result_.value) ? "\"matrix\"" : "\"vector\"";
    out += ",\"result\":[";
    return true;
  }

  bool write_vector_sample(std::string& out) {
    const Vector& vector = std::get<Vector>(result_.value);
    if (series_ == size_) return false;
    const VectorSample& sample = vector[series_];
    out += series_ > 0 ? ",{\"metric\":" : "{\"metric\":";
    append_json_labels(out, sample.labels);
    if (sample.histogram) {
      out += ",\"histogram\":";
      write_histogram(out, {sample.timestamp_ms, sample.histogram});
    } else {
      out += ",\"value\":";
      append_json_sample(out, {sample.timestamp_ms, sample.value});
    }
    out += '}';
    ++series_;
    return true;
  }

  // Writes up to `goal` bytes of the series at hand; false when there is none left.
  bool write_series(std::string& out, std::size_t goal) {
    const Matrix& matrix = std::get<Matrix>(result_.value);
    if (series_ == size_) return false;
    const Series& series = matrix[series_];
    if (!series_begun_) {
      series_begun_ = true;
      out += series_ > 0 ? ",{\"metric\":" : "{\"metric\":";
      append_json_labels(out, series.labels);
      if (!series.floats.empty()) out += ",\"values\":[";
    }
    while (point_ < series.floats.size()) {
      if (out.size() >= goal) return true;
      if (point_ > 0) out += ',';
      point_ += append_json_samples(out, std::span(series.floats).subspan(point_), goal);
    }
    if (!floats_closed_) {
      floats_closed_ = true;
      if (!series.floats.empty()) out += ']';
      if (!series.histograms.empty()) out += ",\"histograms\":[";
    }
    for (; histogram_ < series.histograms.size(); ++histogram_) {
      if (out.size() >= goal) return true;
      if (histogram_ > 0) out += ',';
      write_histogram(out, series.histograms[histogram_]);
    }
    if (!series.histograms.empty()) out += ']';
    out += '}';
    ++series_;
    point_ = histogram_ = 0;
    series_begun_ = floats_closed_ = false;
    return true;
  }

  static void write_histogram(std::string& out, const HistogramPoint& point) {
    out += '[';
    append_json_time(out, point.timestamp_ms);
    out += ',';
    append_json_histogram(out, *point.histogram);
    out += ']';
  }

  // As a member with a comma behind it; empty without. No more than there may be points of a
  // series.
  std::string samples_per_step() const {
    if (!steps_) return {};
    std::string out = "\"totalQueryableSamplesPerStep\":[";
    for (std::size_t step = 0; step < steps_->counts.size(); ++step) {
      out += step == 0 ? "[" : ",[";
      const Timestamp at = steps_->start_ms + static_cast<std::int64_t>(step) * steps_->step_ms;
      model::append_float(out, static_cast<double>(at) / 1000);
      out += fmt::format(",{}]", steps_->counts[step]);
    }
    out += "],";
    return out;
  }

  bool finish(std::string& out) {
    if (stats_ != StatsDetail::kNone) {
      const QueryStats& stats = result_.stats;
      std::vector<std::string> resolutions;
      for (const std::int64_t resolution_ms : stats.resolutions_ms) {
        resolutions.push_back(
            resolution_ms == 0 ? "\"raw\"" : '"' + model::format_duration(resolution_ms) + '"');
      }
      out += fmt::format(
          ",\"stats\":{{\"timings\":{{\"evalTotalTime\":{},\"resultSortTime\":0,"
          "\"queryPreparationTime\":{},\"innerEvalTime\":{},\"execQueueTime\":{},"
          "\"execTotalTime\":{}}},\"samples\":{{{}\"totalQueryableSamples\":{},"
          "\"peakSamples\":{}}},\"series\":{},\"resolutions\":[{}]}}",
          stats.parse_s + stats.eval_s, stats.parse_s, stats.eval_s, stats.queue_s,
          stats.queue_s + stats.parse_s + stats.eval_s, samples_per_step(), stats.samples_total,
          stats.samples_peak,
          stats.series_count, fmt::join(resolutions, ","));
    }
    out += '}';
    Annotations annotations = result_.annotations;
    if (truncated_) annotations.warnings.emplace_back(kTruncatedWarning);
    append_annotations(out, annotations);
    out += '}';
    return false;
  }

  const std::shared_ptr<const QueryResult> owner_;
  const QueryResult& result_;
  const StatsDetail stats_;
  const std::shared_ptr<const promql::StepSamples> steps_;
  std::size_t size_ = 0;  // how much of a list to write
  bool truncated_ = false;
  bool begun_ = false;
  // Where write_series() stopped inside the series at hand.
  bool series_begun_ = false;
  bool floats_closed_ = false;
  std::size_t series_ = 0;
  std::size_t point_ = 0;
  std::size_t histogram_ = 0;
};

}  // namespace

http::Response query_response(std::shared_ptr<const QueryResult> result, std::size_t limit,
                              StatsDetail stats,
                              std::shared_ptr<const promql::StepSamples> steps) {
  http::Response response;
  response.headers.emplace_back("Content-Type", "application/json");
  auto writer = std::make_shared<ResultWriter>(std::move(result), limit, stats, std::move(steps));
  response.points = writer->mostly_points();
  // Most answers fit one piece: those go out with a Content-Length, without chunked framing.
  if (writer->next(response.body)) {
    response.next_piece = [writer, first = std::move(response.body),
                           sent = false](std::string& piece) mutable {
      if (!sent) {
        sent = true;
        piece += first;
        first = {};
        return true;
      }
      return writer->next(piece);
    };
    response.body.clear();
  }
  return response;
}

}  // namespace varve::api
