// SPDX-License-Identifier: Apache-2.0
// Metric families as text (0.0.4) and as delimited protobuf (io.prometheus.client.MetricFamily),
// the way Prometheus's /federate writes them: samples with times, floats untyped, native histograms
// in protobuf only.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::wire {

enum class WrittenFormat : std::uint8_t { kText, kProtobuf };
// How names that not every reader takes are written (prometheus/common model.EscapeName).
enum class NameEscaping : std::uint8_t { kNone, kUnderscores, kDots, kValues };

struct WrittenForm {
  WrittenFormat format = WrittenFormat::kText;
  NameEscaping escaping = NameEscaping::kUnderscores;

  // What an Accept header asks for: of what can be written the most wanted; text if it asks for
  // nothing that can be.
  static WrittenForm negotiate(std::string_view accept);
  std::string content_type() const;
};

std::string escape_name(std::string_view name, NameEscaping escaping);

struct WrittenSample {
  Labels labels;  // with the metric name
  Timestamp timestamp_ms = 0;
  double value = 0;
  HistogramPtr histogram;  // if set, instead of the value
};

// Appends samples, those of one metric name and kind behind each other, so that each family begins
// once. Not thread-safe.
class FamilyWriter {
 public:
  // `extra` labels are appended to the samples that have none of that name, with empty values too.
  FamilyWriter(WrittenForm form, Labels extra, bool extra_empty_instance)
      : form_(form), extra_(std::move(extra)), extra_empty_instance_(extra_empty_instance) {}

  // Leaves out what the format cannot say: samples without a name, histograms in text, custom
  // buckets.
  void add(const WrittenSample& sample, std::string& out);
  // The end of the last family.
  void finish(std::string& out);

 private:
  enum class Kind : std::uint8_t { kNone, kUntyped, kHistogram, kGaugeHistogram };
  void begin(std::string_view name, Kind kind, std::string& out);
  void add_text(const WrittenSample& sample, std::string_view name, std::string& out) const;
  void add_protobuf(const WrittenSample& sample);
  template <typename Each>
  void each_label(const Labels& labels, const Each& each) const;

  const WrittenForm form_;
  const Labels extra_;
  const bool extra_empty_instance_;
  std::string name_;
  Kind kind_ = Kind::kNone;
  std::string family_;  // protobuf: the family at hand, without its length
};

}  // namespace varve::wire
