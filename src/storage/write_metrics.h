// SPDX-License-Identifier: Apache-2.0
// What the write path counts: under Prometheus's names where it counts the same.
#pragma once

#include "base/metrics.h"

namespace varve::storage {

struct WriteMetrics {
  explicit WriteMetrics(base::MetricsRegistry& metrics);

  base::Counter& floats_appended;
  base::Counter& histograms_appended;
  base::Counter& late_appended;
  base::Counter& late_histograms_appended;
  base::Counter& out_of_order;
  base::Counter& out_of_order_histograms;
  base::Counter& too_old;
  base::Counter& too_old_histograms;
  base::Counter& out_of_bounds;
  base::Counter& out_of_bounds_histograms;
  base::Counter& duplicates;
};

}  // namespace varve::storage
