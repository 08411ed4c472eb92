// SPDX-License-Identifier: Apache-2.0
#include "storage/write_metrics.h"

namespace varve::storage {

WriteMetrics::WriteMetrics(base::MetricsRegistry& metrics)
    : floats_appended(metrics.counter("prometheus_tsdb_head_samples_appended_total",
                                      "Total number of appended samples.", {{"type", "float"}})),
      histograms_appended(metrics.counter("prometheus_tsdb_head_samples_appended_total",
                                          "Total number of appended samples.",
                                          {{"type", "histogram"}})),
      late_appended(metrics.counter("prometheus_tsdb_head_out_of_order_samples_appended_total",
                                    "Total number of appended out of order samples.",
                                    {{"type", "float"}})),
      late_histograms_appended(metrics.counter(
          "prometheus_tsdb_head_out_of_order_samples_appended_total",
          "Total number of appended out of order samples.", {{"type", "histogram"}})),
      out_of_order(metrics.counter(
          "prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due to out of order "
          "being disabled.",
          {{"type", "float"}})),
      out_of_order_histograms(metrics.counter(
          "prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due to out of order "
          "being disabled.",
          {{"type", "histogram"}})),
      too_old(metrics.counter(
          "prometheus_tsdb_too_old_samples_total",
          "Total number of out of order samples ingestion failed attempts with out of support "
          "enabled, but sample outside of time window.",
          {{"type", "float"}})),
      too_old_histograms(metrics.counter(
          "prometheus_tsdb_too_old_samples_total",
          "Total number of out of order samples ingestion failed attempts with out of support "
          "enabled, but sample outside of time window.",
          {{"type", "histogram"}})),
      out_of_bounds(metrics.counter(
          "prometheus_tsdb_out_of_bound_samples_total",
          "Total number of out of bound samples ingestion failed attempts with out of order "
          "support disabled.",
          {{"type", "float"}})),
      out_of_bounds_histograms(metrics.counter(
          "prometheus_tsdb_out_of_bound_samples_total",
          "Total number of out of bound samples ingestion failed attempts with out of order "
          "support disabled.",
          {{"type", "histogram"}})),
      duplicates(metrics.counter("varve_duplicate_samples_total",
                                 "Samples refused because their time already had another value.")) {
}

}  // namespace varve::storage
