// SPDX-License-Identifier: Apache-2.0
// The storage engine's front door: one directory, opened by one process.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/block/meta.h"
#include "storage/holds.h"
#include "storage/levels.h"
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
  Ladder ladder;  // no levels, no policies: everything as long as `retention`
  std::vector<Hold> holds;
  // How far behind the newest sample of the head a sample may come out of order; 0: not at all.
  std::chrono::milliseconds out_of_order_window = std::chrono::hours(1);
  // The windows blocks are cut for and compacted to, each a multiple of the one before. The first
  // is fixed by the head's chunks (head::kChunkRangeMs). The second is there for the first day:
  // labels and postings are about a tenth of a block of 2h, and up to eleven of those would wait
  // for a day to end.
  std::vector<std::chrono::milliseconds> block_windows = {
      std::chrono::hours(2), std::chrono::hours(8), std::chrono::hours(24),
      std::chrono::hours(24 * 7)};
  // Series without samples for this long leave memory.
  std::chrono::milliseconds idle_after = std::chrono::hours(1);
  // Kept free for a full disk: deleting and retention need some space themselves (a line of the
  // MANIFEST, tombstones). Small beside any database, as it counts as the database's. 0: none.
  std::uint64_t reserve_bytes = std::uint64_t{8} << 20;
  // A snapshot of the head is due when the log has grown by this since the last one, and by twice
  // what that one has: less would write more, more would replay longer. 0: at every maintain(), in
  // tests.
  std::uint64_t snapshot_log_bytes = std::uint64_t{16} << 20;
  // Preallocated size of a segment of the log.
  std::uint64_t log_segment_bytes = std::uint64_t{16} << 20;
  // Cuts, compaction, retention and snapshots run by themselves, on a thread of low priority. Off
  // in tests, which call maintain().
  bool background = true;
  // Lets opening set aside what is damaged and go on where it would otherwise refuse.
  bool repair = false;
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

  // What a configuration that is loaded again may change; see Options.
  virtual void set_retention(std::chrono::milliseconds time, std::uint64_t bytes) = 0;
  virtual void set_out_of_order_window(std::chrono::milliseconds window) = 0;
  // kInvalidArgument, and nothing changed, for a ladder that cannot be. What a new one adds is made
  // of what there is; what it lacks goes only once nothing else has its time.
  virtual Status set_ladder(Ladder ladder) = 0;
  // All holds that count beside those of add_hold().
  virtual void set_holds(std::vector<Hold> holds) = 0;

  // One round of what the background thread does: idle series, cuts that are due, retention,
  // compaction, a snapshot of the head if the log has grown. The first error; the rest is done.
  virtual Status maintain() = 0;

  // Administration. One at a time; waits for background work under way.
  // ------------------------------ Hides the samples in `range` (both ends included) of all series
  // that one of the selectors picks, durably when it returns. Later samples in the range are seen
  // again, except in blocks.
  virtual Status delete_series(std::span<const std::vector<model::Matcher>> selectors,
                               TimeRange range) = 0;
  // Rewrites the blocks that have deleted samples without them.
  virtual Status clean_tombstones() = 0;
  // Makes `<path>/snapshots/<name>`, a data directory of its own with all blocks (as hard links)
  // and, unless skip_head, the head as blocks. The name.
  virtual Result<std::string> snapshot(bool skip_head) = 0;
  // Cuts and compacts everything that can be, and answers when done.
  virtual Status compact() = 0;
  virtual std::vector<block::BlockMeta> blocks() const = 0;
  // Keeps the samples in `range` of all series that one of the selectors picks from every
  // retention, durably when it returns, until it is released. kInvalidArgument, kLimitExceeded (too
  // many).
  virtual Result<HoldRecord> add_hold(TimeRange range, std::span<const model::Matchers> selectors,
                                      std::string comment) = 0;
  virtual Status release_hold(std::string_view id) = 0;  // kNotFound
  virtual std::vector<HoldRecord> holds() const = 0;     // by age, oldest first

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
