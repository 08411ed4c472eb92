// SPDX-License-Identifier: Apache-2.0
#include "scrape/metrics.h"

#include "model/duration.h"

namespace varve::scrape {

Metrics::Metrics(base::MetricsRegistry& registry)
    : pools_total(registry.counter("prometheus_target_scrape_pools_total",
                                   "Total number of scrape pool creation attempts.")),
      pool_reloads(registry.counter("prometheus_target_scrape_pool_reloads_total",
                                    "Total number of scrape pool reloads.")),
      exceeded_target_limit(registry.counter(
          "prometheus_target_scrape_pool_exceeded_target_limit_total",
          "Total number of times scrape pools hit the target limit, during sync or config reload.")),
      exceeded_body_size(registry.counter(
          "prometheus_target_scrapes_exceeded_body_size_limit_total",
          "Total number of scrapes that hit the body size limit")),
      exceeded_sample_limit(registry.counter(
          "prometheus_target_scrapes_exceeded_sample_limit_total",
          "Total number of scrapes that hit the sample limit and were rejected.")),
      exceeded_label_limits(registry.counter(
          "prometheus_target_scrape_pool_exceeded_label_limits_total",
          "Total number of times scrape pools hit the label limits, during sync or config reload.")),
      duplicate_timestamp(registry.counter(
          "prometheus_target_scrapes_sample_duplicate_timestamp_total",
          "Total number of samples rejected due to duplicate timestamps but different values.")),
      out_of_order(registry.counter(
          "prometheus_target_scrapes_sample_out_of_order_total",
          "Total number of samples rejected due to not being out of the expected order.")),
      out_of_bounds(registry.counter(
          "prometheus_target_scrapes_sample_out_of_bounds_total",
          "Total number of samples rejected due to timestamp falling outside of the time bounds.")),
      skipped(registry.counter(
          "varve_target_scrapes_skipped_total",
          "Scrapes left out because the one before of the same target was still under way.")),
      duration(registry.histogram("prometheus_target_scrape_duration_seconds",
                                  "Total duration of the scrape from start to commit completion.",
                                  {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60})),
      registry_(registry) {}

Metrics::~Metrics() { registry_.remove_callbacks(this); }

void Metrics::observe_interval(std::chrono::milliseconds interval, double seconds) {
  Interval* entry = nullptr;
  {
    const std::lock_guard lock(mutex_);
    auto& slot = intervals_[interval.count()];
    if (!slot) {
      slot = std::make_unique<Interval>();
      registry_.summary(
          "prometheus_target_interval_length_seconds", "Actual intervals between scrapes.",
          [recorded = slot.get()] {
            base::SummaryValues values{{}, recorded->sum.value(), recorded->count.value()};
            for (const double q : {0.01, 0.05, 0.5, 0.9, 0.99}) {
              values.quantiles.emplace_back(q, recorded->quantiles.quantile(q));
            }
            return values;
          },
          {{"interval", model::format_duration(interval.count())}}, this);
    }
    entry = slot.get();
  }
  entry->quantiles.observe(seconds);
  entry->sum.add(seconds);
  entry->count.add();
}

base::Gauge& Metrics::pool_targets(const std::string& pool) {
  return registry_.gauge("prometheus_target_scrape_pool_targets",
                         "Current number of targets in this scrape pool.", {{"scrape_job", pool}});
}

base::Gauge& Metrics::pool_target_limit(const std::string& pool) {
  return registry_.gauge("prometheus_target_scrape_pool_target_limit",
                         "Maximum number of targets allowed in this scrape pool.",
                         {{"scrape_job", pool}});
}

base::Counter& Metrics::pool_syncs(const std::string& pool) {
  return registry_.counter("prometheus_target_scrape_pool_sync_total",
                           "Total number of syncs that were executed on a scrape pool.",
                           {{"scrape_job", pool}});
}

base::Counter& Metrics::sync_failures(const std::string& pool) {
  return registry_.counter("prometheus_target_sync_failed_total",
                           "Total number of target sync failures.", {{"scrape_job", pool}});
}

}  // namespace varve::scrape
