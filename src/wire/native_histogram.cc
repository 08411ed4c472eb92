// SPDX-License-Identifier: Apache-2.0
// Source of the field numbers: prometheus prompb/types.proto, message Histogram.
#include "wire/native_histogram.h"

#include <protozero/pbf_reader.hpp>
#include <vector>

#include "base/try.h"
#include "model/histogram.h"
#include "wire/batch_budget.h"
#include "wire/bucket_fields.h"

namespace varve::wire {
namespace {

using protozero::pbf_wire_type;

constexpr protozero::pbf_tag_type kCountInt = 1, kCountFloat = 2, kSum = 3, kSchema = 4,
                                  kZeroThreshold = 5, kZeroCountInt = 6, kZeroCountFloat = 7,
                                  kNegativeSpans = 8, kNegativeDeltas = 9, kNegativeCounts = 10,
                                  kPositiveSpans = 11, kPositiveDeltas = 12, kPositiveCounts = 13,
                                  kResetHint = 14, kTimestamp = 15, kCustomValues = 16;

CounterResetHint reset_hint(std::int32_t value) {
  switch (value) {
    case 1: return CounterResetHint::kReset;
    case 2: return CounterResetHint::kNotReset;
    case 3: return CounterResetHint::kGauge;
    default: return CounterResetHint::kUnknown;
  }
}

}  // namespace

Status decode_native_histogram(std::string_view message, BatchBudget& budget,
                               storage::HistogramSample& out) {
  // Every byte of a packed delta becomes a double, two bytes an (empty) span.
  VARVE_TRY(budget.charge(sizeof(storage::HistogramSample) + message.size() * sizeof(double)));

  Histogram& histogram = out.histogram;
  histogram.integer = true;  // what Prometheus takes a message without any count for
  std::vector<double> positive_floats, negative_floats;
  std::uint64_t positive_running = 0, negative_running = 0;
  protozero::pbf_reader reader(message.data(), message.size());
  using protozero::tag_and_type;
  while (reader.next()) {
    switch (reader.tag()) {
      case kNegativeDeltas:
        read_deltas(reader, negative_running, histogram.negative_counts);
        continue;
      case kPositiveDeltas:
        read_deltas(reader, positive_running, histogram.positive_counts);
        continue;
      case kNegativeCounts: read_doubles(reader, negative_floats); continue;
      case kPositiveCounts: read_doubles(reader, positive_floats); continue;
      case kCustomValues: read_doubles(reader, histogram.custom_bounds); continue;
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
      case tag_and_type(kSchema, pbf_wire_type::varint):
        histogram.schema = reader.get_sint32();
        break;
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
        histogram.negative_spans.push_back(read_span(reader.get_message()));
        break;
      case tag_and_type(kPositiveSpans, pbf_wire_type::length_delimited):
        histogram.positive_spans.push_back(read_span(reader.get_message()));
        break;
      case tag_and_type(kResetHint, pbf_wire_type::varint):
        histogram.counter_reset_hint = reset_hint(reader.get_enum());
        break;
      case tag_and_type(kTimestamp, pbf_wire_type::varint):
        out.timestamp_ms = reader.get_int64();
        break;
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
