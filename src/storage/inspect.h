// SPDX-License-Identifier: Apache-2.0
// Looking at a data directory without changing it, with or without a process that has it open: what
// is there, whether it is whole, what takes the space. Nothing here takes the lock. Beside a
// running database a file may go while it is looked at; what then fails is tried again.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "fs/file_system.h"
#include "model/matcher.h"
#include "storage/block/meta.h"
#include "storage/holds.h"
#include "storage/querier.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

struct BlockListing {
  block::BlockMeta meta;  // as the MANIFEST has it, if it can not be opened
  std::string folder;     // its name in varve/dense
  std::uint64_t series_with_deletes = 0;
  std::string problem;  // why it cannot be read; empty if it can
};

// Files of one kind, other than blocks that count.
struct FileGroup {
  std::string what;
  std::uint64_t files = 0;
  std::uint64_t bytes = 0;
};

// What is not in blocks.
struct HeadListing {
  std::uint64_t series = 0;
  std::uint64_t chunks = 0;
  TimeRange range{0, -1};  // of samples that came in order
  std::uint64_t log_segments = 0, log_samples = 0, log_samples_lost = 0;
};

struct DirectoryListing {
  std::vector<BlockListing> blocks;  // by time
  std::vector<FileGroup> files;
  std::uint64_t bytes = 0;  // all of it
  std::optional<HeadListing> head;
  std::vector<HoldRecord> holds;
  std::vector<std::string> problems;
};

// kNotFound if this is no data directory of Varve's. `with_head` replays the log in memory, which
// takes as long as a start of the database.
Result<DirectoryListing> list_directory(fs::FileSystem& files, const std::string& path,
                                        bool with_head);

// Reads every byte of blocks, log, snapshots and head files. Each finding names file and offset.
// How many there are; an error if this is no data directory at all.
Result<std::size_t> verify_directory(fs::FileSystem& files, const std::string& path,
                                     const std::function<void(const Error&)>& report);

struct CodecShare {
  std::string name;
  std::uint64_t chunks = 0, samples = 0, bytes = 0;
};
struct MetricShare {
  std::string name;
  std::uint64_t series = 0, samples = 0, bytes = 0;
};
struct LabelShare {
  std::string name;
  std::uint64_t values = 0;       // distinct
  std::uint64_t series = 0;       // that have it
  std::uint64_t value_bytes = 0;  // of the distinct ones
};
struct PairShare {
  std::string pair;  // name=value
  std::uint64_t series = 0;
};
struct PartShare {
  std::string name;
  std::uint64_t bytes = 0;
};
// The series of one window against those of the window before.
struct ChurnShare {
  Timestamp window_begin_ms = 0, window_end_ms = 0;
  std::uint64_t series = 0, appeared = 0, vanished = 0;
};

// Blocks of one resolution together; 0: samples.
struct LevelShare {
  std::int64_t resolution_ms = 0;
  std::uint64_t blocks = 0;
  std::uint64_t series = 0;   // of the block that has most
  std::uint64_t buckets = 0;  // of floats and of histograms; samples where the resolution is 0
  std::uint64_t bytes = 0;
  TimeRange range{0, -1};
};

// All but `levels` is of blocks of samples.
struct Analysis {
  std::uint64_t blocks = 0;
  TimeRange range{0, -1};
  std::uint64_t series = 0;  // distinct over all blocks
  std::uint64_t chunks = 0, floats = 0, histograms = 0;
  std::uint64_t bytes = 0, label_pairs = 0;
  // Of series that have that few samples, as short-lived ones do.
  std::uint64_t series_under_ten_samples = 0;
  std::vector<PartShare> parts;
  std::vector<CodecShare> codecs;    // by bytes
  std::vector<MetricShare> metrics;  // by bytes, `limit` of each list
  std::vector<MetricShare> metrics_by_series;
  std::vector<LabelShare> labels;  // by distinct values
  std::vector<LabelShare> labels_by_bytes;
  std::vector<PairShare> pairs;   // by series
  std::vector<ChurnShare> churn;  // by time
  std::vector<LevelShare> levels;  // finest first, whatever the matchers
};

struct AnalyzeOptions {
  std::string ulid;                      // of one block; empty: all
  std::vector<model::Matcher> matchers;  // empty: all series
  std::size_t limit = 20;
};
// Of blocks. kNotFound: no such block, or none at all.
Result<Analysis> analyze_directory(fs::FileSystem& files, const std::string& path,
                                   const AnalyzeOptions& options);

// Speed of reading on this machine, from what there is, on one thread.
struct SpeedRow {
  std::string what;
  std::uint64_t items = 0;  // series or samples
  std::uint64_t bytes = 0;
  double seconds = 0;
};
Result<std::vector<SpeedRow>> time_directory(fs::FileSystem& files, const std::string& path);

// All samples there are, through the same read path as queries: blocks and head. Warnings: what
// could not be read, to be asked for at the end.
class Archive {
 public:
  static Result<std::unique_ptr<Archive>> open(fs::FileSystem& files, const std::string& path);
  virtual ~Archive() = default;
  virtual const Queryable& samples() const = 0;
  virtual HeadListing head() const = 0;
  virtual std::vector<std::string> warnings() const = 0;
};

}  // namespace varve::storage
