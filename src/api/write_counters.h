// SPDX-License-Identifier: Apache-2.0
// Prometheus's counters of what its remote-write receiver takes.
#pragma once

namespace varve::base {
class Counter;
class MetricsRegistry;
}  // namespace varve::base
namespace varve::storage {
struct WriteOutcome;
}
namespace varve::wire {
struct DecodeReport;
}

namespace varve::api {

// Made anew as often as one likes: the counters are the registry's. Thread-safe.
class WriteCounters {
 public:
  explicit WriteCounters(base::MetricsRegistry& registry);

  // After a request. Of a refused series one sample is counted: senders have no more of each.
  void count(const wire::DecodeReport& report, const storage::WriteOutcome& outcome);

 private:
  base::Counter& invalid_labels_;
  base::Counter& without_metadata_;
};

}  // namespace varve::api
