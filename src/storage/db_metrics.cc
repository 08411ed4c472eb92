// SPDX-License-Identifier: Apache-2.0
#include "storage/db_metrics.h"

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "varve/sample.h"

namespace varve::storage {

void register_metrics(const MeasuredDb& db, const void* owner, base::MetricsRegistry& metrics) {
  using Kind = base::MetricsRegistry::CallbackKind;
  const auto gauge = [&metrics, owner](std::string_view name, std::string_view help,
                                       std::function<double()> read,
                                       base::MetricLabels labels = {}) {
    metrics.callback(Kind::kGauge, name, help, std::move(read), std::move(labels), owner);
  };
  const auto counter = [&metrics, owner](std::string_view name, std::string_view help,
                                         std::function<double()> read) {
    metrics.callback(Kind::kCounter, name, help, std::move(read), {}, owner);
  };
  // Prometheus shows 0 where there are no samples.
  const auto or_zero = [](Timestamp t) {
    return t == TimeRange::all().min_ms || t == TimeRange::all().max_ms ? 0.0
                                                                        : static_cast<double>(t);
  };
  const auto min = [db, or_zero] { return or_zero(db.head.min_time_ms()); };
  const auto max = [db, or_zero] { return or_zero(db.head.max_time_ms()); };
  const auto lowest = [db, or_zero] { return or_zero(db.min_time_ms()); };
  gauge("prometheus_tsdb_head_series", "Total number of series in the head block.",
        [db] { return static_cast<double>(db.head.index()->series_count()); });
  gauge("prometheus_tsdb_head_chunks", "Total number of chunks in the head block.", [db] {
    const head::ShardCounts counts = db.head.counts();
    return static_cast<double>(counts.chunks_open + counts.chunks_closed);
  });
  counter("prometheus_tsdb_head_series_created_total",
          "Total number of series created in the head.",
          [db] { return static_cast<double>(db.head.series_created()); });
  gauge("prometheus_tsdb_head_min_time",
        "Minimum time bound of the head block. The unit is decided by the library consumer.", min);
  gauge("prometheus_tsdb_head_max_time",
        "Maximum timestamp of the head block. The unit is decided by the library consumer.", max);
  gauge("prometheus_tsdb_head_min_time_seconds", "Minimum time bound of the head block.",
        [min] { return min() / 1000; });
  gauge("prometheus_tsdb_head_max_time_seconds", "Maximum timestamp of the head block.",
        [max] { return max() / 1000; });
  gauge("prometheus_tsdb_lowest_timestamp",
        "Lowest timestamp value stored in the database. The unit is decided by the library "
        "consumer.",
        lowest);
  gauge("prometheus_tsdb_lowest_timestamp_seconds",
        "Lowest timestamp value stored in the database.", [lowest] { return lowest() / 1000; });
  gauge("prometheus_tsdb_blocks_loaded", "Number of currently loaded data blocks",
        [db] { return static_cast<double>(db.blocks.current()->blocks.size()); });
  gauge("prometheus_tsdb_storage_blocks_bytes",
        "The number of bytes that are currently used for local storage by all blocks.",
        [db] { return static_cast<double>(db.blocks.bytes()); });
  gauge("prometheus_tsdb_retention_limit_bytes",
        "Max number of bytes to be retained in the tsdb blocks, configured 0 means disabled",
        [db] { return static_cast<double>(db.limits.retention_bytes.load()); });
  gauge("varve_blocks_unreadable", "Blocks that were set aside because they cannot be read.",
        [db] { return static_cast<double>(db.blocks.current()->unreadable.size()); });
  gauge("prometheus_tsdb_exemplar_exemplars_in_storage",
        "Number of exemplars currently in circular storage.",
        [db] { return static_cast<double>(db.head.exemplars().stats().exemplars); });
  gauge("prometheus_tsdb_retention_limit_seconds",
        "Max. retention time of the database, 0: for ever.",
        [db] { return static_cast<double>(db.limits.retention_ms.load()) / 1000; });
  gauge("varve_head_spill_bytes", "Size of the files that hold the head's closed chunks.",
        [db] { return static_cast<double>(db.head.spill().size_bytes()); });
  gauge("varve_head_free_bytes",
        "Memory that chunks have given back and that waits for new ones, part of "
        "varve_memory_bytes.",
        [db] { return static_cast<double>(db.head.counts().free_bytes); });
  gauge("varve_wal_staged_bytes", "Bytes that wait to be written to the log.",
        [db] { return static_cast<double>(db.write_path.staged_bytes()); });

  const auto held = [&](const char* by, std::function<double()> bytes) {
    gauge("varve_memory_bytes", "Memory that is reserved, by owner.", std::move(bytes),
          {{"owner", by}});
  };
  held("head_exemplars", [db] { return static_cast<double>(db.head.exemplars().memory_bytes()); });
  held("head_metadata", [db] { return static_cast<double>(db.head.metadata().text_bytes()); });
  held("wal_staging", [db] { return static_cast<double>(db.write_path.staged_bytes()); });
  head::HeadMemory& memory = db.head.memory();
  for (const base::MemoryAccount* account : std::initializer_list<const base::MemoryAccount*>
       {&memory.series, &memory.chunks, &memory.keys, &memory.index, &memory.columns, &memory.spill,
        &memory.side, &db.query_memory}) {
    gauge("varve_memory_bytes", "Memory that is reserved, by owner.",
          [account] { return static_cast<double>(account->bytes()); },
          {{"owner", std::string(account->owner())}});
  }
}

}  // namespace varve::storage
