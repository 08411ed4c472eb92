// SPDX-License-Identifier: Apache-2.0
// Bodies of the protobuf exposition, as client libraries write them and as they never would.
#pragma once

#include <cstdint>
#include <functional>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <string_view>

namespace varve::wire::testing {

using Fill = std::function<void(protozero::pbf_writer&)>;

// Puts a message into another.
inline void put(protozero::pbf_writer& into, std::uint32_t field, const Fill& fill) {
  protozero::pbf_writer message(into, field);
  fill(message);
}

inline void put_label(protozero::pbf_writer& into, std::string_view name, std::string_view value) {
  put(into, 1, [&](protozero::pbf_writer& pair) {
    pair.add_string(1, name.data(), name.size());
    pair.add_string(2, value.data(), value.size());
  });
}

inline void put_time(protozero::pbf_writer& into, std::uint32_t field, std::int64_t seconds,
                     std::int32_t nanos) {
  put(into, field, [&](protozero::pbf_writer& time) {
    time.add_int64(1, seconds);
    time.add_int32(2, nanos);
  });
}

// One family behind its length; `metrics` adds fields 4 (and 5, the unit).
inline std::string family(std::string_view name, int type, const Fill& metrics,
                          std::string_view help = "") {
  std::string message;
  protozero::pbf_writer writer(message);
  writer.add_string(1, name.data(), name.size());
  if (!help.empty()) writer.add_string(2, help.data(), help.size());
  writer.add_enum(3, type);
  metrics(writer);
  std::string out;
  protozero::write_varint(std::back_inserter(out), message.size());
  return out + message;
}

// A classic histogram with buckets 0.5 → 1, 1 → 3 and count 4, sum 5.5; `more` adds native fields.
inline void put_histogram(protozero::pbf_writer& metric, const Fill& more = {}) {
  put(metric, 7, [&](protozero::pbf_writer& histogram) {
    histogram.add_uint64(1, 4);
    histogram.add_double(2, 5.5);
    for (const auto& [bound, count] : {std::pair{0.5, 1U}, std::pair{1.0, 3U}}) {
      put(histogram, 3, [b = bound, c = count](protozero::pbf_writer& bucket) {
        bucket.add_uint64(1, c);
        bucket.add_double(2, b);
      });
    }
    if (more) more(histogram);
  });
}

// Native fields that agree with the classic ones: schema 0, buckets 1 and 3.
inline void put_native(protozero::pbf_writer& histogram) {
  histogram.add_sint32(5, 0);
  histogram.add_double(6, 0.001);
  put(histogram, 12, [](protozero::pbf_writer& span) {
    span.add_sint32(1, -1);
    span.add_uint32(2, 2);
  });
  const std::int64_t deltas[] = {1, 2};
  histogram.add_packed_sint64(13, std::begin(deltas), std::end(deltas));
}

}  // namespace varve::wire::testing
