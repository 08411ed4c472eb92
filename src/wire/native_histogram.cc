// SPDX-License-Identifier: Apache-2.0
// Source of the field numbers: prometheus prompb/types.proto, message Histogram.
#include "wire/native_histogram.h"

#include <protozero/pbf_reader.hpp>
#include <vector>

#include "base/try.h"
#include "model/histogram.h"

namespace varve::wire {
namespace {

using protozero::pbf_wire_type;

constexpr protozero::pbf_tag_type kCountInt = 1, kCountFloat = 2, kSum = 3, kSchema = 4,
                                  kZeroThreshold = 5, kZeroCountInt = 6, kZeroCountFloat = 7,
                                  kNegativeSpans = 8, kNegativeDeltas = 9, kNegativeCounts = 10,
                                  kPositiveSpans = 11, kPositiveDeltas = 12, kPositiveCounts = 13,
                                  kResetHint = 14, kTimestamp = 15, kCustomValues = 16;

HistogramSpan decode_span(protozero::pbf_reader message) {
  HistogramSpan span;
  while (message.next()) {
    switch (message.tag_and_type()) {
      case protozero::tag_and_type(1, pbf_wire_type::varint): span.offset = message.get_sint32(); break;
      case protozero::tag_and_type(2, pbf_wire_type::varint): span.length = message.get_uint32(); break;
      default: message.skip();
    }
  }
  return span;
}

// Repeated numbers may come packed or one by one.
void decode_doubles(protozero::pbf_reader& message, std::vector<double>& out) {
  if (message.wire_type() == pbf_wire_type::length_delimited) {
    const auto packed = message.get_packed_double();
    out.insert(out.end(), packed.begin(), packed.end());
  } else if (message.wire_type() == pbf_wire_type::fixed64) {
    out.push_back(message.get_double());
  } else {
    message.skip();
  }
}

// The running count of a side's buckets is unsigned so that absurd deltas wrap instead of being
// undefined; a wrapped count is refused by the validation.
void decode_deltas(protozero::pbf_reader& message, std::uint64_t& running, std::vector<double>& out) {
  const auto add = [&](std::int64_t delta) {
    running += static_cast<std::uint64_t>(delta);
    out.push_back(static_cast<double>(static_cast<std::int64_t>(running)));
  };
  if (message.wire_type() == pbf_wire_type::length_delimited) {
    for (const std::int64_t delta : message.get_packed_sint64()) add(delta);
  } else if (message.wire_type() == pbf_wire_type::varint) {
    add(message.get_sint64());
  } else {
    message.skip();
  }
}

CounterResetHint reset_hint(std::int32_t value) {
  switch (value) {
    case 1: return CounterResetHint::kReset;
    case 2: return CounterResetHint::kNotReset;
    case 3: return CounterResetHint::kGauge;
    default: return CounterResetHint::kUnknown;
  }
}

}  // namespace

Status decode_native_histogram(std::string_view message, std::size_t& max_bytes,
                               storage::HistogramSample& out) {
  // Every byte of a packed delta becomes a double, two bytes an (empty) span.
  const std::size_t cost = sizeof(storage::HistogramSample) + message.size() * sizeof(double);
  if (cost > max_bytes) {
    return Error(ErrorCode::kLimitExceeded, "the histograms of the request take too much memory");
  }
  max_bytes -= cost;

  Histogram& histogram = out.histogram;
  histogram.integer = true;  // what Prometheus takes a message without any count for
  std::vector<double> positive_floats, negative_floats;
  std::uint64_t positive_running = 0, negative_running = 0;
  protozero::pbf_reader reader(message.data(), message.size());
  using protozero::tag_and_type;
  while (reader.next()) {
    switch (reader.tag()) {
      case kNegativeDeltas:
        decode_deltas(reader, negative_running, histogram.negative_counts);
        continue;
      case kPositiveDeltas:
        decode_deltas(reader, positive_running, histogram.positive_counts);
        continue;
      case kNegativeCounts: decode_doubles(reader, negative_floats); continue;
      case kPositiveCounts: decode_doubles(reader, positive_floats); continue;
      case kCustomValues: decode_doubles(reader, histogram.custom_bounds); continue;
      default: break;
    }
    switch (reader.tag_and_type()) {
      case tag_and_type(kCountInt, pbf_wire_type::varint):
        histogram.count = static_cast<double>(reader.get_uint64());
        histogram.integer = true;
        break;
      case tag_and_type(kCountFloat, pbf_wire_type::fixed64):
        histogram.count = reader.get_double();
        histogram.integer = false;
        break;
      case tag_and_type(kSum, pbf_wire_type::fixed64): histogram.sum = reader.get_double(); break;
      case tag_and_type(kSchema, pbf_wire_type::varint): histogram.schema = reader.get_sint32(); break;
      case tag_and_type(kZeroThreshold, pbf_wire_type::fixed64):
        histogram.zero_threshold = reader.get_double();
        break;
      case tag_and_type(kZeroCountInt, pbf_wire_type::varint):
        histogram.zero_count = static_cast<double>(reader.get_uint64());
        break;
      case tag_and_type(kZeroCountFloat, pbf_wire_type::fixed64):
        histogram.zero_count = reader.get_double();
        break;
      case tag_and_type(kNegativeSpans, pbf_wire_type::length_delimited):
        histogram.negative_spans.push_back(decode_span(reader.get_message()));
        break;
      case tag_and_type(kPositiveSpans, pbf_wire_type::length_delimited):
        histogram.positive_spans.push_back(decode_span(reader.get_message()));
        break;
      case tag_and_type(kResetHint, pbf_wire_type::varint):
        histogram.counter_reset_hint = reset_hint(reader.get_enum());
        break;
      case tag_and_type(kTimestamp, pbf_wire_type::varint): out.timestamp_ms = reader.get_int64(); break;
      default: reader.skip();
    }
  }
  if (!histogram.integer) {
    histogram.positive_counts = std::move(positive_floats);
    histogram.negative_counts = std::move(negative_floats);
  }
  return model::validate(histogram);
}

}  // namespace varve::wire
