// SPDX-License-Identifier: Apache-2.0
// Buckets of native histograms as both protobuf formats write them: remote write's and that of
// exposition. These functions throw protozero::exception for broken bytes: call them where that is
// caught.
#pragma once

#include <cstdint>
#include <protozero/pbf_reader.hpp>
#include <vector>

#include "varve/sample.h"

namespace varve::wire {

inline HistogramSpan read_span(protozero::pbf_reader message) {
  using protozero::tag_and_type;
  HistogramSpan span;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case tag_and_type(1, protozero::pbf_wire_type::varint):
        span.offset = message.get_sint32();
        break;
      case tag_and_type(2, protozero::pbf_wire_type::varint):
        span.length = message.get_uint32();
        break;
      default:
        message.skip();
    }
  }
  return span;
}

// Repeated numbers come packed or one by one.
inline void read_doubles(protozero::pbf_reader& message, std::vector<double>& out) {
  if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
    const auto packed = message.get_packed_double();
    out.insert(out.end(), packed.begin(), packed.end());
  } else if (message.wire_type() == protozero::pbf_wire_type::fixed64) {
    out.push_back(message.get_double());
  } else {
    message.skip();
  }
}

// The running count of a side's buckets is unsigned so that absurd deltas wrap instead of being
// undefined; a wrapped count is refused by the validation.
inline void read_deltas(protozero::pbf_reader& message, std::uint64_t& running,
                        std::vector<double>& out) {
  const auto add = [&](std::int64_t delta) {
    running += static_cast<std::uint64_t>(delta);
    out.push_back(static_cast<double>(static_cast<std::int64_t>(running)));
  };
  if (message.wire_type() == protozero::pbf_wire_type::length_delimited) {
    for (const std::int64_t delta : message.get_packed_sint64()) add(delta);
  } else if (message.wire_type() == protozero::pbf_wire_type::varint) {
    add(message.get_sint64());
  } else {
    message.skip();
  }
}

}  // namespace varve::wire
