// SPDX-License-Identifier: Apache-2.0
// What scraping says about itself, under Prometheus's names.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/metrics.h"
#include "base/recent_quantiles.h"

namespace varve::scrape {

using base::RecentQuantiles;

// Thread-safe. Takes its callbacks back when destroyed.
class Metrics {
 public:
  explicit Metrics(base::MetricsRegistry& registry);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // The time between two scrapes of a target that has this interval.
  void observe_interval(std::chrono::milliseconds interval, double seconds);
  base::Gauge& pool_targets(const std::string& pool);
  base::Gauge& pool_target_limit(const std::string& pool);
  base::Counter& pool_syncs(const std::string& pool);
  base::Counter& sync_failures(const std::string& pool);

  base::Counter& pools_total;
  base::Counter& pool_reloads;
  base::Counter& exceeded_target_limit;
  base::Counter& exceeded_body_size;
  base::Counter& exceeded_sample_limit;
  base::Counter& exceeded_label_limits;
  base::Counter& duplicate_timestamp;
  base::Counter& out_of_order;
  base::Counter& out_of_bounds;
  base::Counter& skipped;  // a scrape was due while the one before it was still under way
  base::HistogramMetric& duration;

 private:
  struct Interval {
    RecentQuantiles quantiles;
    base::Counter sum;
    base::Counter count;
  };

  base::MetricsRegistry& registry_;
  std::mutex mutex_;  // guards intervals_
  std::map<std::int64_t, std::unique_ptr<Interval>> intervals_;
};

}  // namespace varve::scrape
