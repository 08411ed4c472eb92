// SPDX-License-Identifier: Apache-2.0
#include "api/live_event.h"

#include <fmt/format.h>

#include <bit>
#include <iterator>

#include "api/call.h"
#include "api/json.h"
#include "model/histogram.h"

namespace varve::api {
namespace {

// The same sample; two NaN of one bit pattern are.
bool same(const Series& a, const Series& b, Timestamp time_ms) {
  for (const Sample& sample : b.floats) {
    if (sample.timestamp_ms != time_ms) continue;
    for (const Sample& old : a.floats) {
      if (old.timestamp_ms == time_ms) {
        return std::bit_cast<std::uint64_t>(old.value) ==
               std::bit_cast<std::uint64_t>(sample.value);
      }
    }
    return false;
  }
  for (const HistogramPoint& point : b.histograms) {
    if (point.timestamp_ms != time_ms) continue;
    for (const HistogramPoint& old : a.histograms) {
      if (old.timestamp_ms == time_ms) return model::same_data(*old.histogram, *point.histogram);
    }
    return false;
  }
  return true;  // there is none
}

// Writes one series' points from `from_ms` on; nothing if it has none.
void append_series(std::string& out, const Series& series, Timestamp from_ms) {
  std::string floats;
  for (const Sample& sample : series.floats) {
    if (sample.timestamp_ms < from_ms) continue;
    if (!floats.empty()) floats += ',';
    append_json_sample(floats, sample);
  }
  std::string histograms;
  for (const HistogramPoint& point : series.histograms) {
    if (point.timestamp_ms < from_ms) continue;
    histograms += histograms.empty() ? "[" : ",[";
    append_json_time(histograms, point.timestamp_ms);
    histograms += ',';
    append_json_histogram(histograms, *point.histogram);
    histograms += ']';
  }
  if (floats.empty() && histograms.empty()) return;
  out += out.back() == '[' ? "{\"metric\":" : ",{\"metric\":";
  append_json_labels(out, series.labels);
  if (!floats.empty()) out += ",\"values\":[" + floats + ']';
  if (!histograms.empty()) out += ",\"histograms\":[" + histograms + ']';
  out += '}';
}

}  // namespace

std::optional<std::string> live_points(const QueryResult& now, const Matrix* before,
                                       Timestamp known_to_ms, Timestamp to_ms,
                                       std::int64_t step_ms, std::size_t bytes_max) {
  std::string out = ",\"step\":";
  append_json_time(out, step_ms);
  out += ",\"from\":";
  append_json_time(out, known_to_ms + step_ms);
  out += ",\"to\":";
  append_json_time(out, to_ms);
  out += ",\"result\":[";
  std::size_t old = 0;
  for (const Series& series : std::get<Matrix>(now.value)) {
    Timestamp from_ms = known_to_ms + 1;
    if (before != nullptr) {
      while (old < before->size() && (*before)[old].labels < series.labels) ++old;
      const bool known = old < before->size() && (*before)[old].labels == series.labels &&
                         same((*before)[old], series, known_to_ms);
      if (!known) from_ms = known_to_ms;
    }
    append_series(out, series, from_ms);
    if (out.size() > bytes_max) return std::nullopt;
  }
  out += ']';
  append_annotations(out, now.annotations);
  out += '}';
  return out;
}

std::string live_failure(const Error& error) {
  const ApiError shown = to_api_error(error);
  std::string out = fmt::format(",\"errorType\":\"{}\",\"error\":", to_string(shown.type));
  append_json_string(out, shown.message);
  out += '}';
  return out;
}

std::string live_head(std::string_view event, std::size_t query, std::optional<Timestamp> id_ms) {
  std::string out;
  if (id_ms) out = fmt::format("id: {}\n", *id_ms);
  fmt::format_to(std::back_inserter(out), "event: {}\ndata: {{\"query\":{}", event, query);
  return out;
}

}  // namespace varve::api
