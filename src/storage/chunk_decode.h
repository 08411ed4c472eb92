// SPDX-License-Identifier: Apache-2.0
// From a closed chunk to the columns of a read, the same for the head's chunks and for those of
// blocks.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "storage/querier.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

constexpr TimeRange intersection(TimeRange a, TimeRange b) {
  return {a.min_ms > b.min_ms ? a.min_ms : b.min_ms, a.max_ms < b.max_ms ? a.max_ms : b.max_ms};
}

// Positions [begin, end) of the times inside a range. The times ascend.
std::pair<std::size_t, std::size_t> clip(std::span<const Timestamp> times, TimeRange range);

// A step of SeriesSamples::times_id: equal sequences of steps mean equal times. Never 0. Depends on
// all bits of `value`; what has two parts takes two steps rather than shifting one beside the
// other.
constexpr std::uint64_t mix_times(std::uint64_t state, std::uint64_t value) {
  state = (state ^ value) * 0x9fb21c651e98df25ULL;
  return (state ^ (state >> 32)) | 1;
}

// The times of a chunk, decoded, and what stands for them: a hash of what they are, so that it
// means the same in any block and any selection.
struct DecodedTimes {
  std::vector<Timestamp> times;
  std::uint64_t key = 0;
};
Result<DecodedTimes> decode_times_of(std::span<const std::uint8_t> bytes, std::size_t count);

// Appends the samples of a value block (codec/dense.h) that lie in the range, and takes its step of
// times_id. On an error `out` is as before.
Status append_floats(std::string_view bytes, const DecodedTimes& column, TimeRange range,
                     SeriesSamples& out);

// The same for a histogram chunk (codec/histogram.h), which holds its own times.
Status append_histograms(std::span<const std::uint8_t> bytes, TimeRange range, SeriesSamples& out);

}  // namespace varve::storage
