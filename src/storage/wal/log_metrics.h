// SPDX-License-Identifier: Apache-2.0
// What the log tells of itself. For the log's own files.
#pragma once

#include "base/metrics.h"
#include "storage/wal/log.h"

namespace varve::storage::wal {

struct Log::Metrics {
  base::HistogramMetric& sync_seconds;
  base::HistogramMetric& frame_bytes;
  base::Counter& frames;
  base::Counter& written_bytes;
  base::Counter& writes_failed;
  base::Counter& truncations;
  base::Gauge& segment_current;

  explicit Metrics(base::MetricsRegistry& registry)
      : sync_seconds(registry.histogram(
            "prometheus_tsdb_wal_fsync_duration_seconds", "Duration of write log fsync.",
            {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1, 5})),
        frame_bytes(registry.histogram(
            "varve_wal_frame_bytes", "Bytes of the frames written, one per group commit.",
            {1 << 10, 1 << 12, 1 << 14, 1 << 16, 1 << 18, 1 << 20, 1 << 22, 1 << 24})),
        frames(registry.counter("varve_wal_frames_total", "Frames written, one per group commit.")),
        written_bytes(
            registry.counter("varve_wal_written_bytes_total", "Bytes written to the log.")),
        writes_failed(registry.counter("prometheus_tsdb_wal_writes_failed_total",
                                       "Total number of write log writes that failed.")),
        truncations(registry.counter("prometheus_tsdb_wal_truncations_total",
                                     "Total number of write log truncations attempted.")),
        segment_current(registry.gauge("prometheus_tsdb_wal_segment_current",
                                       "Write log segment index that TSDB is currently writing "
                                       "to.")) {}
};

}  // namespace varve::storage::wal
