// SPDX-License-Identifier: Apache-2.0
// The protobuf format that scrape targets answer: io.prometheus.client.MetricFamily messages, each
// behind its length. It is read as the same entries as the text formats, a metric's series named as
// the text format would name them, so that whoever reads a scrape need not know the difference.
#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

#include "varve/result.h"
#include "wire/exposition.h"

namespace varve::wire {

// What becomes of a histogram that has native buckets.
struct ProtoExpositionOptions {
  bool native = true;    // false: it is read by its classic buckets alone
  bool classic = false;  // its classic buckets are read too, after the native ones
  // All native histograms of a body together, decoded: eight times their packed size.
  std::size_t histograms_max_bytes = std::size_t{256} << 20;
};

// Reads one body, which must outlive it. For one thread. Families without metrics are passed over.
class ProtoExpositionParser {
 public:
  ProtoExpositionParser(std::string_view body, ProtoExpositionOptions options = {});
  ~ProtoExpositionParser();

  // As ExpositionParser's: HELP, UNIT and TYPE of a family, then its samples; kEnd from the end on.
  // The first error is final: kInvalidArgument for broken protobuf, names that are not UTF-8, types
  // that are unknown, units that are not part of the name and histograms that contradict
  // themselves; kLimitExceeded past histograms_max_bytes.
  Result<ExpositionEntry> next();

  const ExpositionSample& sample() const;
  const ExpositionMetadata& metadata() const;
  std::string_view family() const;
  std::string_view family_type() const;
  // There are no lines.
  std::size_t line() const { return 0; }

 private:
  struct Rep;  // keeps protozero out of the header
  std::unique_ptr<Rep> rep_;
};

}  // namespace varve::wire
