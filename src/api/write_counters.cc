// SPDX-License-Identifier: Apache-2.0
#include "api/write_counters.h"

#include <algorithm>

#include "base/metrics.h"
#include "storage/write_batch.h"
#include "wire/remote_write.h"

namespace varve::api {

WriteCounters::WriteCounters(base::MetricsRegistry& registry)
    : invalid_labels_(registry.counter(
          "prometheus_api_remote_write_invalid_labels_samples_total",
          "The total number of received remote write samples and histogram samples which were "
          "rejected due to invalid labels.")),
      without_metadata_(registry.counter(
          "prometheus_api_remote_write_without_metadata_appended_samples_total",
          "The total number of received remote write samples (and histogram samples) which were "
          "ingested without corresponding metadata.")) {}

void WriteCounters::count(const wire::DecodeReport& report, const storage::WriteOutcome& outcome) {
  const std::uint64_t refused = report.refused_series + outcome.invalid_series;
  if (refused > 0) invalid_labels_.add(static_cast<double>(refused));
  const std::uint64_t appended = outcome.samples_appended + outcome.histograms_appended;
  const std::uint64_t bare = std::min(report.samples_without_metadata, appended);
  if (bare > 0) without_metadata_.add(static_cast<double>(bare));
}

}  // namespace varve::api
