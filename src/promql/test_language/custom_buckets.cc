// SPDX-License-Identifier: Apache-2.0
#include "promql/test_language/custom_buckets.h"

#include <cmath>
#include <limits>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include "model/histogram.h"
#include "model/number.h"

namespace varve::promql::test_language {
namespace {

constexpr std::string_view kBucketLabel = "le";

// What the classic series say about one histogram at one time.
struct ClassicHistogram {
  std::map<double, double> cumulative;  // by upper bound
  std::optional<double> count;
  double sum = 0;
};

std::optional<Histogram> convert(const ClassicHistogram& classic) {
  constexpr double kInf = std::numeric_limits<double>::infinity();
  std::map<double, double> cumulative = classic.cumulative;
  const double highest = cumulative.empty() ? 0 : cumulative.rbegin()->second;
  const double count = classic.count.value_or(highest);
  cumulative.try_emplace(kInf, count);
  Histogram histogram;
  histogram.schema = kCustomBucketsSchema;
  histogram.sum = classic.sum;
  histogram.count = count;
  double previous = 0;
  for (const auto& [bound, total] : cumulative) {
    if (total < previous) return std::nullopt;
    histogram.positive_counts.push_back(total - previous);
    if (bound != kInf) histogram.custom_bounds.push_back(bound);
    previous = total;
  }
  histogram.positive_spans = {
      {0, static_cast<std::uint32_t>(histogram.positive_counts.size())}};
  model::compact(histogram);
  return histogram;
}

}  // namespace

void load_custom_buckets(std::span<const SeriesLine> lines, std::int64_t step_ms,
                         MemoryStorage& storage) {
  std::map<Labels, std::map<Timestamp, ClassicHistogram>> histograms;
  for (const SeriesLine& line : lines) {
    const std::string_view name = line.labels.get(kMetricName);
    enum class Part { kBucket, kSum, kCount } part = Part::kBucket;
    std::string_view suffix = "_bucket";
    double bound = 0;
    if (name.ends_with("_sum")) {
      part = Part::kSum;
      suffix = "_sum";
    } else if (name.ends_with("_count")) {
      part = Part::kCount;
      suffix = "_count";
    } else {
      if (!name.ends_with(suffix)) continue;
      const std::optional<double> parsed = model::parse_float(line.labels.get(kBucketLabel));
      if (!parsed || std::isnan(*parsed)) continue;
      bound = *parsed;
    }
    LabelsBuilder builder(line.labels);
    builder.set(kMetricName, name.substr(0, name.size() - suffix.size()));
    builder.remove(kBucketLabel);
    auto& times = histograms[builder.build()];
    for (std::size_t i = 0; i < line.values.size(); ++i) {
      const SequenceValue& value = line.values[i];
      if (value.kind != SequenceValue::Kind::kFloat) continue;
      ClassicHistogram& classic = times[static_cast<std::int64_t>(i) * step_ms];
      switch (part) {
        case Part::kBucket: classic.cumulative[bound] = value.value; break;
        case Part::kSum: classic.sum = value.value; break;
        case Part::kCount: classic.count = value.value; break;
      }
    }
  }
  for (const auto& [labels, times] : histograms) {
    for (const auto& [time_ms, classic] : times) {
      if (std::optional<Histogram> histogram = convert(classic)) {
        storage.add(labels, time_ms, std::make_shared<const Histogram>(std::move(*histogram)));
      }
    }
  }
}

}  // namespace varve::promql::test_language
