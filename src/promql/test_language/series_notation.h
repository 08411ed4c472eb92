// SPDX-License-Identifier: Apache-2.0
// The notation of series and their values in the test language: `name{l="v"} 1 2+3x4 _ stale
// {{…}}`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::promql::test_language {

// How many values one item may expand to, and a line in all.
inline constexpr std::size_t kValuesMax = 1'000'000;

// One position of a sequence: nothing, a float or a histogram.
struct SequenceValue {
  enum class Kind : std::uint8_t { kOmitted, kFloat, kHistogram };
  Kind kind = Kind::kOmitted;
  double value = 0;
  HistogramPtr histogram;
  bool hint_written = false;  // counter_reset_hint stands in the notation
};

struct SeriesLine {
  Labels labels;
  std::vector<SequenceValue> values;
  // For `series@st` lines, which have no values: per position the start timestamp as an offset to
  // the sample's, in ms.
  bool start_times = false;
  std::vector<std::optional<std::int64_t>> start_offsets_ms;
};

// kInvalidArgument says what is wrong with the line.
Result<SeriesLine> parse_series_line(std::string_view line);

// A line that is only a number says that the result is a scalar.
std::optional<double> parse_scalar_line(std::string_view line);

}  // namespace varve::promql::test_language
