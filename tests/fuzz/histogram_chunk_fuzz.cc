// SPDX-License-Identifier: Apache-2.0
// Histogram chunks of unknown origin. What decodes can be appended and decodes to the same times.
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "storage/codec/histogram.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve;
  using namespace varve::storage::codec;
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  if (!decode_histograms({data, size}, times, histograms).ok()) {
    VARVE_CHECK(times.empty() && histograms.empty());
    return 0;
  }
  HistogramAppender appender;
  for (std::size_t i = 0; i < times.size(); ++i) {
    VARVE_CHECK(check_histogram(*histograms[i]).ok());
    appender.append(times[i], *histograms[i]);
  }
  std::vector<Timestamp> times_again;
  std::vector<HistogramPtr> histograms_again;
  VARVE_CHECK(decode_histograms(appender.bytes(), times_again, histograms_again).ok());
  VARVE_CHECK(times == times_again);
  return 0;
}
