// SPDX-License-Identifier: Apache-2.0
// Any bytes as an exposition: all views stay within the body, labels are valid or refused.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "wire/exposition.h"

namespace varve::fuzz {

inline int read_exposition(const std::uint8_t* data, std::size_t size,
                           wire::ExpositionFormat format) {
  using namespace wire;
  const std::string_view body(reinterpret_cast<const char*>(data), size);
  ExpositionParser parser(body, format);
  for (;;) {
    const auto entry = parser.next();
    if (!entry.ok() || *entry == ExpositionEntry::kEnd) return 0;
    if (*entry != ExpositionEntry::kSample) continue;
    const ExpositionSample& sample = parser.sample();
    VARVE_CHECK(sample.series.data() >= body.data());
    VARVE_CHECK(sample.series.data() + sample.series.size() <= body.data() + body.size());
    const auto labels = parse_series_text(sample.series);
    if (labels.ok()) VARVE_CHECK(Labels::valid_bytes(labels->bytes()));
    for (const ExpositionExemplar& exemplar : sample.exemplars) {
      static_cast<void>(parse_label_set(exemplar.labels_text).ok());
    }
  }
}

}  // namespace varve::fuzz
