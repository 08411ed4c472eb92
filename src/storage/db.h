// SPDX-License-Identifier: Apache-2.0
// The storage engine's front door: one directory, opened by one process.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "storage/querier.h"
#include "storage/write_batch.h"
#include "varve/result.h"

namespace varve::base {
class Clock;
class Logger;
class MetricsRegistry;
class ThreadPool;
}  // namespace varve::base
namespace varve::fs {
class FileSystem;
}

namespace varve::storage {

enum class SyncMode : std::uint8_t {
  kAlways,    // acknowledged means fdatasync'ed
  kInterval,  // synced every sync_interval; a power cut can lose that much
  kOff,       // left to the kernel; survives kill -9, not a power cut
};

struct Options {
  std::string path = "data/";
  SyncMode sync = SyncMode::kAlways;
  std::chrono::milliseconds sync_interval{100};
  std::chrono::milliseconds retention = std::chrono::hours(24 * 15);  // 0: for ever
  std::uint64_t retention_bytes = 0;                                  // 0: no bound
  std::chrono::milliseconds out_of_order_window = std::chrono::hours(0);
  // Samples further in the future than this are refused, so that a wrong clock cannot make the
  // head refuse the present.
  std::chrono::milliseconds future_max = std::chrono::minutes(10);
  bool lock_directory = true;
  std::size_t exemplars_max = 100'000;
  std::size_t series_max = 0;  // 0: no bound
  std::size_t recovery_threads = 2;
};

struct NameCount {
  std::string name;
  std::uint64_t count = 0;
};

// /api/v1/status/tsdb.
struct HeadStats {
  std::uint64_t series_count = 0;
  std::uint64_t label_pair_count = 0;
  std::uint64_t chunk_count = 0;
  Timestamp min_time_ms = 0;
  Timestamp max_time_ms = 0;
  std::vector<NameCount> series_by_metric;       // largest first, `limit` of each
  std::vector<NameCount> values_by_label;
  std::vector<NameCount> bytes_by_label;
  std::vector<NameCount> series_by_label_pair;   // "name=value"
};

// Thread-safe. Destroying it without close() is a crash as far as the directory is concerned:
// nothing acknowledged is lost.
class Db : public Appendable, public Queryable {
 public:
  // What recovery did, for the log and for /api/v1/status/walreplay.
  struct RecoveryReport {
    std::uint64_t segments = 0, frames = 0, samples = 0, series = 0;
    std::uint64_t frames_lost = 0, samples_lost = 0;  // to corruption, never to a torn tail
    std::uint64_t torn_bytes = 0;
    double seconds = 0;
  };

  // kUnavailable if another process holds the directory (the message says which), kCorruption or
  // kIo with file and offset. The references must outlive the database.
  static Result<std::unique_ptr<Db>> open(Options options, fs::FileSystem& files,
                                          const base::Clock& clock, base::Logger& log,
                                          base::MetricsRegistry& metrics);

  virtual const RecoveryReport& recovery() const = 0;
  // Syncs and releases everything; the first error that occurred. Appends fail from then on.
  virtual Status close() = 0;

  virtual HeadStats stats(std::size_t limit) const = 0;
  // Metric family metadata, sorted by family; all families if `family` is empty.
  virtual std::vector<MetadataEntry> metadata(std::string_view family) const = 0;
  virtual Result<std::vector<SeriesExemplars>> exemplars(
      std::span<const std::vector<model::Matcher>> selectors, TimeRange range) const = 0;
  // The time of the oldest sample, or the maximum Timestamp if there is none.
  virtual Timestamp min_time_ms() const = 0;
  virtual Timestamp max_time_ms() const = 0;
};

}  // namespace varve::storage
