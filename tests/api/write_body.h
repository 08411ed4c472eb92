// SPDX-License-Identifier: Apache-2.0
// Remote write 1.0 bodies by hand: just enough protobuf.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/sample.h"

namespace varve::test {

inline void put_varint(std::string& out, std::uint64_t value) {
  while (value >= 0x80) {
    out += static_cast<char>(value | 0x80);
    value >>= 7;
  }
  out += static_cast<char>(value);
}

inline void put_bytes(std::string& out, unsigned field, std::string_view bytes) {
  put_varint(out, field << 3 | 2);
  put_varint(out, bytes.size());
  out += bytes;
}

// One TimeSeries of a WriteRequest; requests are joined by putting them one after another.
inline std::string time_series(const std::vector<std::pair<std::string, std::string>>& labels,
                        const std::vector<Sample>& samples) {
  std::string series;
  for (const auto& [name, value] : labels) {
    std::string label;
    put_bytes(label, 1, name);
    put_bytes(label, 2, value);
    put_bytes(series, 1, label);
  }
  for (const Sample& sample : samples) {
    std::string encoded;
    put_varint(encoded, 1 << 3 | 1);
    const auto bits = std::bit_cast<std::uint64_t>(sample.value);
    for (int i = 0; i < 8; ++i) encoded += static_cast<char>(bits >> (8 * i));
    put_varint(encoded, 2 << 3 | 0);
    put_varint(encoded, static_cast<std::uint64_t>(sample.timestamp_ms));
    put_bytes(series, 2, encoded);
  }
  std::string request;
  put_bytes(request, 1, series);
  return request;
}

}  // namespace varve::test
