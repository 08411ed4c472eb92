// SPDX-License-Identifier: Apache-2.0
// Varve's metrics about itself, rendered in the text format 0.0.4 at /metrics.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace varve::base {

// All operations are thread-safe and wait-free.
class Counter {
 public:
  void add(double by = 1) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

class Gauge {
 public:
  void set(double value) { value_.store(value, std::memory_order_relaxed); }
  void add(double by) { value_.fetch_add(by, std::memory_order_relaxed); }
  double value() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<double> value_{0};
};

// A classic histogram with fixed upper bounds, ascending, without +Inf.
class HistogramMetric {
 public:
  explicit HistogramMetric(std::vector<double> bounds);
  void observe(double value);

 private:
  friend class MetricsRegistry;
  std::vector<double> bounds_;
  std::vector<std::atomic<std::uint64_t>> buckets_;  // one more than bounds_, not cumulative
  std::atomic<double> sum_{0};
};

// What a summary shows at one moment. A quantile of nothing observed is NaN.
struct SummaryValues {
  std::vector<std::pair<double, double>> quantiles;  // 0.5 → the median
  double sum = 0;
  double count = 0;
};

using MetricLabels = std::vector<std::pair<std::string, std::string>>;

// Owns the metrics; references stay valid for its lifetime. Registering takes a lock, so keep the
// reference; asking twice for one name and labels gives the same metric.
class MetricsRegistry {
 public:
  Counter& counter(std::string_view name, std::string_view help, MetricLabels labels = {});
  Gauge& gauge(std::string_view name, std::string_view help, MetricLabels labels = {});
  HistogramMetric& histogram(std::string_view name, std::string_view help,
                             std::vector<double> bounds, MetricLabels labels = {});
  // A value read when rendered. The function must be thread-safe and outlive the registry's use;
  // remove_callbacks(owner) takes those of an object that dies earlier.
  enum class CallbackKind : std::uint8_t { kGauge, kCounter };
  void callback(CallbackKind kind, std::string_view name, std::string_view help,
                std::function<double()> read, MetricLabels labels = {},
                const void* owner = nullptr);
  // The same for a summary.
  void summary(std::string_view name, std::string_view help, std::function<SummaryValues()> read,
               MetricLabels labels = {}, const void* owner = nullptr);
  void remove_callbacks(const void* owner);

  // The whole exposition, families sorted by name.
  std::string render() const;

 private:
  struct Child {
    std::string labels;  // rendered, without braces
    std::unique_ptr<Counter> counter;
    std::unique_ptr<Gauge> gauge;
    std::unique_ptr<HistogramMetric> histogram;
    std::function<double()> read;
    std::function<SummaryValues()> summary;
    const void* owner = nullptr;
  };
  struct Family {
    std::string name;
    std::string help;
    std::string_view type;
    std::vector<Child> children;
  };
  Child& child(std::string_view name, std::string_view help, std::string_view type,
               const MetricLabels& labels);

  mutable std::mutex mutex_;  // guards families_
  std::vector<std::unique_ptr<Family>> families_;
};

}  // namespace varve::base
