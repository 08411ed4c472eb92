// SPDX-License-Identifier: Apache-2.0
// What a PromQL query answers.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "varve/labels.h"
#include "varve/sample.h"

namespace varve {

struct HistogramPoint {
  Timestamp timestamp_ms = 0;
  HistogramPtr histogram;
};

// One series of a matrix. Both lists are in order of time and share no timestamp.
struct Series {
  Labels labels;
  std::vector<Sample> floats;
  std::vector<HistogramPoint> histograms;
};

// One element of an instant vector: a histogram if that is set, else the float.
struct VectorSample {
  Labels labels;
  Timestamp timestamp_ms = 0;
  double value = 0;
  HistogramPtr histogram;
};

struct ScalarValue {
  Timestamp timestamp_ms = 0;
  double value = 0;
};

struct StringValue {
  Timestamp timestamp_ms = 0;
  std::string value;
};

using Vector = std::vector<VectorSample>;
using Matrix = std::vector<Series>;
using QueryValue = std::variant<ScalarValue, StringValue, Vector, Matrix>;

// Remarks on a result, complete as the HTTP API shows them ("PromQL warning: … (1:6)"), unique, in
// the order in which they first occurred.
struct Annotations {
  std::vector<std::string> warnings;
  std::vector<std::string> infos;
};

struct QueryStats {
  std::uint64_t samples_total =
      0;  // samples the evaluator looked at (Prometheus's totalQueryableSamples)
  std::uint64_t samples_peak = 0;   // most held at one time
  std::uint64_t series_count = 0;   // series the selectors matched
  // What answered, finest first: samples (0), buckets of downsampled data by their resolution.
  std::vector<std::int64_t> resolutions_ms;
  double parse_s = 0;
  double queue_s = 0;
  double eval_s = 0;
};

struct QueryResult {
  QueryValue value;
  Annotations annotations;
  QueryStats stats;
};

}  // namespace varve
