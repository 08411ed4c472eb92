// SPDX-License-Identifier: Apache-2.0
// Any bytes as a protobuf exposition: what is read is valid, and its texts read back.
#include <cstddef>
#include <cstdint>

#include "base/check.h"
#include "model/histogram.h"
#include "wire/classic_histogram.h"
#include "wire/exposition_proto.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace varve::wire;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  ProtoExpositionParser parser(body, {.classic = true, .histograms_max_bytes = 1 << 20});
  for (;;) {
    const auto entry = parser.next();
    if (!entry.ok() || *entry == ExpositionEntry::kEnd) return 0;
    if (*entry != ExpositionEntry::kSample) continue;
    const ExpositionSample& sample = parser.sample();
    const auto labels = parse_series_text(sample.series);
    if (labels.ok()) VARVE_CHECK(varve::Labels::valid_bytes(labels->bytes()));
    if (sample.histogram != nullptr) VARVE_CHECK(varve::model::validate(*sample.histogram).ok());
    static_cast<void>(classic_part(sample.series, parser.family()));
    for (const ExpositionExemplar& exemplar : sample.exemplars) {
      static_cast<void>(parse_label_set(exemplar.labels_text).ok());
    }
  }
}
