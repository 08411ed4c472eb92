// SPDX-License-Identifier: Apache-2.0
// Bucket chunks of unknown origin. The first byte: above 128 a chunk of histograms' buckets, else
// one of so many floats' buckets. What decodes survives a round trip.
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "base/check.h"
#include "storage/codec/bucket_chunk.h"

namespace {

using namespace varve::storage::codec;

void floats(std::span<const std::uint8_t> bytes, std::size_t count) {
  std::vector<varve::Timestamp> ends(count);
  for (std::size_t i = 0; i < count; ++i) ends[i] = static_cast<varve::Timestamp>(i + 1) * 300'000;
  std::vector<Bucket> buckets;
  if (!decode_buckets(bytes, ends, buckets).ok()) return;
  VARVE_CHECK(buckets.size() == count);
  const std::string again = encode_buckets(buckets);
  std::vector<Bucket> twice;
  const auto decoded = decode_buckets(
      {reinterpret_cast<const std::uint8_t*>(again.data()), again.size()}, ends, twice);
  VARVE_CHECK(decoded.ok());
  for (std::size_t i = 0; i < count; ++i) {
    VARVE_CHECK(std::memcmp(&buckets[i].count, &twice[i].count, sizeof(double)) == 0);
    VARVE_CHECK(std::memcmp(&buckets[i].sum, &twice[i].sum, sizeof(double)) == 0);
    VARVE_CHECK(std::memcmp(&buckets[i].min, &twice[i].min, sizeof(double)) == 0);
    VARVE_CHECK(std::memcmp(&buckets[i].max, &twice[i].max, sizeof(double)) == 0);
    VARVE_CHECK(std::memcmp(&buckets[i].first, &twice[i].first, sizeof(double)) == 0);
    VARVE_CHECK(std::memcmp(&buckets[i].last, &twice[i].last, sizeof(double)) == 0);
    VARVE_CHECK(buckets[i].stale_ms == twice[i].stale_ms);
  }
}

void histograms(std::span<const std::uint8_t> bytes) {
  std::vector<HistogramBucketRow> rows;
  if (!decode_histogram_buckets(bytes, rows).ok()) return;
  VARVE_CHECK(!rows.empty());
  for (const HistogramBucketRow& row : rows) VARVE_CHECK(row.first && row.last);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::span<const std::uint8_t> bytes(data + 1, size - 1);
  if (data[0] > kBucketsMax) {
    histograms(bytes);
  } else if (data[0] > 0) {
    floats(bytes, data[0]);
  }
  return 0;
}
