// SPDX-License-Identifier: Apache-2.0
// Any bytes as a remote write 2 request: what is decoded must be consistent, and every key
// decodable or refused, of the zeros too.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "wire/remote_write2.h"

namespace {

void check(const varve::storage::WriteBatch& batch) {
  std::size_t samples = 0, histograms = 0;
  for (const auto& series : batch.series) {
    VARVE_CHECK(series.samples_count + series.histograms_count > 0);
    samples += series.samples_count;
    histograms += series.histograms_count;
    VARVE_CHECK(series.samples_begin + series.samples_count <= batch.samples.size());
    VARVE_CHECK(series.histograms_begin + series.histograms_count <= batch.histograms.size());
    const auto labels = batch.decoder->decode(series.key);
    if (labels.ok()) VARVE_CHECK(varve::Labels::valid_bytes(labels->bytes()));
  }
  VARVE_CHECK(samples == batch.samples.size() && histograms == batch.histograms.size());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static varve::wire::WriteRequest2Decoder decoder;  // keeps what it knows of metadata
  varve::storage::WriteBatch batch, zeros;
  const auto report = decoder.decode({reinterpret_cast<const char*>(data), size}, batch, &zeros);
  if (!report.ok()) return 0;
  check(batch);
  check(zeros);
  const auto labelled = decoder.decode({reinterpret_cast<const char*>(data), size}, batch, &zeros,
                                       varve::wire::MetadataLabels::kTypeAndUnit);
  if (!labelled.ok()) return 0;  // it looks at the metadata of every series
  check(batch);
  check(zeros);
  return 0;
}
