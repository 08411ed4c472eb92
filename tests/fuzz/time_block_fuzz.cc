// SPDX-License-Identifier: Apache-2.0
// Time blocks of unknown origin; the first byte is the count. What decodes survives a round trip.
#include <algorithm>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "storage/codec/times.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve;
  using namespace varve::storage::codec;
  if (size < 1) return 0;
  const std::size_t count = data[0] % kTimesMax + 1;
  Timestamp times[kTimesMax];
  const auto taken = decode_times({data + 1, size - 1}, count, times);
  if (!taken.ok()) return 0;
  VARVE_CHECK(*taken <= size - 1);
  std::uint8_t bytes[kTimesBytesMax];
  const std::size_t encoded = encode_times({times, count}, bytes);
  VARVE_CHECK(encoded <= kTimesBytesMax);
  Timestamp again[kTimesMax];
  const auto taken_again = decode_times({bytes, encoded}, count, again);
  VARVE_CHECK(taken_again.ok() && *taken_again == encoded);
  VARVE_CHECK(std::equal(times, times + count, again));
  return 0;
}
