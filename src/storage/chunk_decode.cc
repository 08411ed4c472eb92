// SPDX-License-Identifier: Apache-2.0
#include "storage/chunk_decode.h"

#include <algorithm>

#include "base/try.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"
#include "storage/codec/times.h"

namespace varve::storage {

std::pair<std::size_t, std::size_t> clip(std::span<const Timestamp> times, TimeRange range) {
  std::size_t begin = 0;
  std::size_t end = times.size();
  if (!times.empty() && times.front() < range.min_ms) {
    begin = static_cast<std::size_t>(
        std::lower_bound(times.begin(), times.end(), range.min_ms) - times.begin());
  }
  if (!times.empty() && times.back() > range.max_ms) {
    end = static_cast<std::size_t>(
        std::upper_bound(times.begin(), times.end(), range.max_ms) - times.begin());
  }
  return {begin, std::max(begin, end)};
}

Result<DecodedTimes> decode_times_of(std::span<const std::uint8_t> bytes, std::size_t count) {
  DecodedTimes decoded;
  decoded.times.resize(count);
  VARVE_TRY(codec::decode_times(bytes, count, decoded.times.data()));
  decoded.key = codec::hash_times(decoded.times);
  return decoded;
}

Status append_floats(std::string_view bytes, const DecodedTimes& column, TimeRange range,
                     SeriesSamples& out) {
  const std::span<const std::uint8_t> input(reinterpret_cast<const std::uint8_t*>(bytes.data()),
                                            bytes.size());
  const std::span<const Timestamp> times = column.times;
  const auto [begin, end] = clip(times, range);
  if (begin == end) return {};
  if (times.size() > codec::kDenseSamplesMax) {
    return Error(ErrorCode::kCorruption, "time column is longer than a chunk");
  }
  const std::size_t before = out.float_values.size();
  if (begin == 0) {
    // Whole, or cut at its end: decoded in place.
    out.float_values.resize(before + times.size());
    const auto decoded =
        codec::decode_values(input, times.size(), out.float_values.data() + before);
    out.float_values.resize(before + (decoded.ok() ? end : 0));
    if (!decoded.ok()) return decoded.error();
  } else {
    double values[codec::kDenseSamplesMax];
    VARVE_TRY(codec::decode_values(input, times.size(), values));
    out.float_values.append({values + begin, end - begin});
  }
  out.times_id = mix_times(mix_times(out.times_id, column.key), (begin << 8) | end);
  out.float_times.append(times.subspan(begin, end - begin), out.times_id);
  return {};
}

Status append_histograms(std::span<const std::uint8_t> bytes, TimeRange range, SeriesSamples& out) {
  static thread_local std::vector<Timestamp> times;
  static thread_local std::vector<HistogramPtr> histograms;
  times.clear();
  histograms.clear();
  VARVE_TRY(codec::decode_histograms(bytes, times, histograms));
  for (std::size_t i = 0; i < times.size(); ++i) {
    if (!range.contains(times[i])) continue;
    out.histogram_times.push_back(times[i]);
    out.histograms.push_back(std::move(histograms[i]));
  }
  histograms.clear();
  return {};
}

}  // namespace varve::storage
