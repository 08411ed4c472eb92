// SPDX-License-Identifier: Apache-2.0
// Any bytes as a remote write request: what is decoded must be consistent, and every key decodable
// or refused.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "wire/remote_write.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  const auto report = decoder.decode({reinterpret_cast<const char*>(data), size}, batch);
  if (!report.ok()) return 0;
  std::size_t samples = 0;
  for (const auto& series : batch.series) {
    VARVE_CHECK(series.samples_begin == samples);
    samples += series.samples_count;
    const auto labels = batch.decoder->decode(series.key);
    if (labels.ok()) VARVE_CHECK(varve::Labels::valid_bytes(labels->bytes()));
  }
  VARVE_CHECK(samples == batch.samples.size());
  return 0;
}
