// SPDX-License-Identifier: Apache-2.0
#include "scrape/metrics.h"

#include "model/duration.h"

namespace varve::scrape {
namespace {

constexpr double kQuantiles[] = {0.01, 0.05, 0.5, 0.9, 0.99};
// The bounds of Prometheus's client where nobody names others.
const std::vector<double> kDefaultBounds{0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10};

base::SummaryValues summary_of(const base::RecentQuantiles& quantiles, const base::Counter& sum,
                               const base::Counter& count) {
  base::SummaryValues values{{}, sum.value(), count.value()};
  for (const double q : kQuantiles) values.quantiles.emplace_back(q, quantiles.quantile(q));
  return values;
}

}  // namespace

PoolMetrics::PoolMetrics(base::MetricsRegistry& registry, const std::string& pool)
    : registry_(registry),
      sync_histogram_(registry.histogram("prometheus_target_sync_length_histogram_seconds",
                                         "Actual interval to sync the scrape pool, as a histogram.",
                                         kDefaultBounds, {{"scrape_job", pool}})) {
  using Kind = base::MetricsRegistry::CallbackKind;
  const auto show = [&](Kind kind, std::string_view name, std::string_view help,
                        const auto& metric) {
    registry.callback(
        kind, name, help, [&metric] { return metric.value(); }, {{"scrape_job", pool}}, this);
  };
  show(Kind::kGauge, "prometheus_target_scrape_pool_targets",
       "Current number of targets in this scrape pool.", targets);
  show(Kind::kGauge, "prometheus_target_scrape_pool_target_limit",
       "Maximum number of targets allowed in this scrape pool.", target_limit);
  show(Kind::kCounter, "prometheus_target_scrape_pool_sync_total",
       "Total number of syncs that were executed on a scrape pool.", syncs);
  show(Kind::kCounter, "prometheus_target_sync_failed_total",
       "Total number of target sync failures.", sync_failures);
  show(Kind::kGauge, "prometheus_target_metadata_cache_entries",
       "Total number of metric metadata entries in the cache", metadata_entries);
  show(Kind::kGauge, "prometheus_target_metadata_cache_bytes",
       "The number of bytes that are currently used for storing metric metadata in the cache",
       metadata_bytes);
  show(Kind::kGauge, "prometheus_target_scrape_pool_symboltable_items",
       "Series texts that the pool's targets know.", cached_series);
  registry.summary(
      "prometheus_target_sync_length_seconds", "Actual interval to sync the scrape pool.",
      [this] { return summary_of(sync_quantiles_, sync_sum_, sync_count_); },
      {{"scrape_job", pool}}, this);
}

PoolMetrics::~PoolMetrics() { registry_.remove_callbacks(this); }

void PoolMetrics::observe_sync(double seconds) {
  syncs.add();
  sync_quantiles_.observe(seconds);
  sync_sum_.add(seconds);
  sync_count_.add();
  sync_histogram_.observe(seconds);
}

Metrics::Metrics(base::MetricsRegistry& registry)
    : pools_total(registry.counter("prometheus_target_scrape_pools_total",
                                   "Total number of scrape pool creation attempts.")),
      pools_failed(registry.counter("prometheus_target_scrape_pools_failed_total",
                                    "Total number of scrape pool creations that failed.")),
      pool_reloads(registry.counter("prometheus_target_scrape_pool_reloads_total",
                                    "Total number of scrape pool reloads.")),
      pool_reloads_failed(registry.counter("prometheus_target_scrape_pool_reloads_failed_total",
                                           "Total number of failed scrape pool reloads.")),
      exceeded_target_limit(
          registry.counter("prometheus_target_scrape_pool_exceeded_target_limit_total",
                           "Total number of times scrape pools hit the target limit, during sync "
                           "or config reload.")),
      exceeded_body_size(
          registry.counter("prometheus_target_scrapes_exceeded_body_size_limit_total",
                           "Total number of scrapes that hit the body size limit")),
      exceeded_sample_limit(
          registry.counter("prometheus_target_scrapes_exceeded_sample_limit_total",
                           "Total number of scrapes that hit the sample limit and were rejected.")),
      exceeded_bucket_limit(registry.counter(
          "prometheus_target_scrapes_exceeded_native_histogram_bucket_limit_total",
          "Total number of scrapes that hit the native histogram bucket limit and were rejected.")),
      exceeded_label_limits(
          registry.counter("prometheus_target_scrape_pool_exceeded_label_limits_total",
                           "Total number of times scrape pools hit the label limits, during sync "
                           "or config reload.")),
      duplicate_timestamp(registry.counter(
          "prometheus_target_scrapes_sample_duplicate_timestamp_total",
          "Total number of samples rejected due to duplicate timestamps but different values.")),
      out_of_order(registry.counter(
          "prometheus_target_scrapes_sample_out_of_order_total",
          "Total number of samples rejected due to not being out of the expected order.")),
      out_of_bounds(registry.counter(
          "prometheus_target_scrapes_sample_out_of_bounds_total",
          "Total number of samples rejected due to timestamp falling outside of the time bounds.")),
      exemplar_out_of_order(registry.counter(
          "prometheus_target_scrapes_exemplar_out_of_order_total",
          "Total number of exemplar rejected due to not being out of the expected order.")),
      cache_flush_forced(registry.counter("prometheus_target_scrapes_cache_flush_forced_total",
                                          "How many times a scrape cache was flushed due to "
                                          "getting big while scrapes are failing.")),
      skipped(registry.counter(
          "varve_target_scrapes_skipped_total",
          "Scrapes left out because the one before of the same target was still under way.")),
      duration(registry.histogram("prometheus_target_scrape_duration_seconds",
                                  "Total duration of the scrape from start to commit completion.",
                                  {0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60})),
      registry_(registry) {}

Metrics::~Metrics() { registry_.remove_callbacks(this); }

Metrics::Interval& Metrics::interval_of(Intervals& intervals, std::chrono::milliseconds interval,
                                        std::string_view name, std::string_view help) {
  const std::lock_guard lock(mutex_);
  auto& entry = intervals[interval.count()];
  if (!entry) {
    entry = std::make_unique<Interval>();
    registry_.summary(
        name, help, [of = entry.get()] { return summary_of(of->quantiles, of->sum, of->count); },
        {{"interval", model::format_duration(interval.count())}}, this);
  }
  return *entry;
}

void Metrics::observe_interval(std::chrono::milliseconds interval, double seconds) {
  Interval& of = interval_of(intervals_, interval, "prometheus_target_interval_length_seconds",
                             "Actual intervals between scrapes.");
  base::HistogramMetric* histogram = of.histogram.load();
  if (histogram == nullptr) {
    // Asked twice by two threads at once, the registry gives the same.
    histogram =
        &registry_.histogram("prometheus_target_interval_length_histogram_seconds",
                             "Actual intervals between scrapes as a histogram.", kDefaultBounds,
                             {{"interval", model::format_duration(interval.count())}});
    of.histogram.store(histogram);
  }
  histogram->observe(seconds);
  of.quantiles.observe(seconds);
  of.sum.add(seconds);
  of.count.add();
}

void Metrics::observe_reload(std::chrono::milliseconds interval, double seconds) {
  Interval& of =
      interval_of(reloads_, interval, "prometheus_target_reload_length_seconds",
                  "Actual interval to reload the scrape pool with a given configuration.");
  of.quantiles.observe(seconds);
  of.sum.add(seconds);
  of.count.add();
}

}  // namespace varve::scrape
