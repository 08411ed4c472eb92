// SPDX-License-Identifier: Apache-2.0
// What rules and notifications say about themselves, under Prometheus's names.
#pragma once

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/metrics.h"
#include "base/recent_quantiles.h"

namespace varve::rules {

// Quantiles, sum and count of something that takes time, and the same as a histogram.
class Durations {
 public:
  // Registers `name` as a summary and, if `histogram_name` is not empty, the histogram. The
  // callbacks belong to `owner`, who outlives their use.
  Durations(base::MetricsRegistry& registry, std::string_view name, std::string_view help,
            std::string_view histogram_name, std::string_view histogram_help,
            std::vector<double> quantiles, std::vector<double> bounds, base::MetricLabels labels,
            const void* owner);
  void observe(std::chrono::nanoseconds duration);

 private:
  base::RecentQuantiles recent_;
  base::Counter sum_;
  base::Counter count_;
  base::HistogramMetric* histogram_ = nullptr;
};

// What all groups share. Takes its callbacks back when destroyed.
class Metrics {
 public:
  explicit Metrics(base::MetricsRegistry& registry);
  ~Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  base::MetricsRegistry& registry;
  Durations rule_duration;
  Durations group_duration;
};

// Of one group, by file and name; lives on when a reload changes the group, and ends with it.
struct GroupMetrics {
  GroupMetrics(Metrics& shared, const std::string& key);
  ~GroupMetrics();
  GroupMetrics(const GroupMetrics&) = delete;
  GroupMetrics& operator=(const GroupMetrics&) = delete;
  // The group is gone: /metrics tells nothing of it any more.
  void hide() { all.registry.remove_callbacks(this); }

  Metrics& all;
  base::Counter iterations, iterations_missed, evaluations, failures;
  base::Gauge interval, last_evaluation, last_duration, last_rule_duration_sum,
      last_restore_duration, rules, samples;
};

}  // namespace varve::rules
