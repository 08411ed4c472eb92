// SPDX-License-Identifier: Apache-2.0
// Any bytes as a remote write request: what is decoded must be consistent, and every key decodable
// or refused.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "wire/remote_write.h"

namespace {

// A guess whose keys are all keys is what decode() makes of the request (nullptr: it refuses it).
void check_guess(std::string_view request, const varve::storage::WriteBatch* decoded) {
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch guessed;
  if (!decoder.guess(request, guessed)) return;
  for (const auto& series : guessed.series) {
    const auto labels = guessed.decoder->decode(series.key);
    if (!labels.ok() && labels.error().code() == varve::ErrorCode::kCorruption) return;
  }
  VARVE_CHECK(decoded != nullptr && decoded->series.size() == guessed.series.size());
  for (std::size_t i = 0; i < guessed.series.size(); ++i) {
    VARVE_CHECK(guessed.series[i].key == decoded->series[i].key);
    VARVE_CHECK(guessed.series[i].samples_begin == decoded->series[i].samples_begin);
    VARVE_CHECK(guessed.series[i].samples_count == decoded->series[i].samples_count);
  }
  VARVE_CHECK(decoded->histograms.empty() && decoded->exemplars.empty() &&
              decoded->metadata.empty());
  VARVE_CHECK(guessed.samples.size() == decoded->samples.size());
  VARVE_CHECK(guessed.samples.empty() ||
              std::memcmp(guessed.samples.data(), decoded->samples.data(),
                          guessed.samples.size() * sizeof(varve::Sample)) == 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  varve::wire::WriteRequestDecoder decoder;
  varve::storage::WriteBatch batch;
  const std::string_view request(reinterpret_cast<const char*>(data), size);
  const auto report = decoder.decode(request, batch);
  check_guess(request, report.ok() ? &batch : nullptr);
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
