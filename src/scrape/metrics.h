// SPDX-License-Identifier: Apache-2.0
// What scraping says about itself, under Prometheus's names.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/recent_quantiles.h"

namespace varve::scrape {

// What one pool says about itself, for as long as the pool is there. Thread-safe.
class PoolMetrics {
 public:
  PoolMetrics(base::MetricsRegistry& registry, const std::string& pool);
  ~PoolMetrics();
  PoolMetrics(const PoolMetrics&) = delete;
  PoolMetrics& operator=(const PoolMetrics&) = delete;

  void observe_sync(double seconds);

  base::Gauge targets;
  base::Gauge target_limit;
  base::Counter syncs;
  base::Counter sync_failures;
  // Of the loops of the pool; they keep it up to date.
  base::Gauge metadata_entries;
  base::Gauge metadata_bytes;
  base::Gauge cached_series;

 private:
  base::MetricsRegistry& registry_;
  base::RecentQuantiles sync_quantiles_;
  base::Counter sync_sum_;
  base::Counter sync_count_;
  base::HistogramMetric& sync_histogram_;
};

// Thread-safe. Takes its callbacks back when destroyed.
class Metrics {
 public:
  explicit Metrics(base::MetricsRegistry& registry);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The time between two scrapes of a target that has this interval.
  void observe_interval(std::chrono::milliseconds interval, double seconds);
  // How long the pools of this interval took to take new settings.
  void observe_reload(std::chrono::milliseconds interval, double seconds);
  base::MetricsRegistry& registry() { return registry_; }

  base::Counter& pools_total;
  base::Counter& pools_failed;
  base::Counter& pool_reloads;
  base::Counter& pool_reloads_failed;
  base::Counter& exceeded_target_limit;
  base::Counter& exceeded_body_size;
  base::Counter& exceeded_sample_limit;
  base::Counter& exceeded_bucket_limit;
  base::Counter& exceeded_label_limits;
  base::Counter& duplicate_timestamp;
  base::Counter& out_of_order;
  base::Counter& out_of_bounds;
  base::Counter& exemplar_out_of_order;
  base::Counter& cache_flush_forced;
  base::Counter& skipped;  // a scrape was due while the one before it was still under way
  base::HistogramMetric& duration;

 private:
  // A summary by interval.
  struct Interval {
    base::RecentQuantiles quantiles;
    base::Counter sum;
    base::Counter count;
    std::atomic<base::HistogramMetric*> histogram = nullptr;
  };
  using Intervals = std::map<std::int64_t, std::unique_ptr<Interval>>;
  Interval& interval_of(Intervals& intervals, std::chrono::milliseconds interval,
                        std::string_view name, std::string_view help);

  base::MetricsRegistry& registry_;
  std::mutex mutex_;  // guards the maps
  Intervals intervals_;
  Intervals reloads_;
};

}  // namespace varve::scrape
