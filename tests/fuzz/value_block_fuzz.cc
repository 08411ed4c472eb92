// SPDX-License-Identifier: Apache-2.0
// Value blocks of unknown origin; the first byte is the count. What decodes survives a round trip.
#include <cstdint>
#include <cstring>
#include <span>

#include "base/check.h"
#include "storage/codec/dense.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve::storage::codec;
  if (size < 1) return 0;
  const std::size_t count = data[0] % kDenseSamplesMax + 1;
  double values[kDenseSamplesMax];
  const auto taken = decode_values({data + 1, size - 1}, count, values);
  if (!taken.ok()) return 0;
  VARVE_CHECK(*taken <= size - 1);
  std::uint8_t bytes[kDenseValuesBytesMax];
  ValueHint hint{data[0]};
  const std::size_t encoded = encode_values({values, count}, hint, bytes);
  VARVE_CHECK(encoded <= kDenseValuesBytesMax);
  double again[kDenseSamplesMax];
  const auto taken_again = decode_values({bytes, encoded}, count, again);
  VARVE_CHECK(taken_again.ok() && *taken_again == encoded);
  VARVE_CHECK(std::memcmp(values, again, count * sizeof(double)) == 0);
  return 0;
}
