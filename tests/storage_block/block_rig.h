// SPDX-License-Identifier: Apache-2.0
// Series as a test thinks of them, written as a block and opened again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "fs/fault_fs.h"
#include "storage/block/block.h"
#include "storage/block/writer.h"
#include "varve/labels.h"
#include "varve/sample.h"

namespace varve::storage::block {

struct RigChunk {
  std::vector<Timestamp> times;
  std::vector<double> values;            // or
  std::vector<HistogramPtr> histograms;  // these
};

struct RigSeries {
  Labels labels;
  index::SeriesHash hash;
  std::vector<RigChunk> chunks;
};

// Sorted by labels, unique. Metrics with targets, names on some series only, unique values,
// constants, histograms, series that start late; from a seed.
std::vector<RigSeries> some_series(std::uint64_t seed, std::size_t count);

BlockMeta rig_meta();
Result<BlockMeta> write_block(fs::FileSystem& files, const std::string& directory,
                              const std::vector<RigSeries>& series);
// Writes "block" into a new file system's root and opens it.
struct Rig {
  fs::FaultFs files;
  BlockMeta meta;
  std::shared_ptr<Block> block;
};
std::unique_ptr<Rig> make_rig(const std::vector<RigSeries>& series);

// The samples of a series as they read back: times and the bits of values, chunk by chunk, and the
// sums of histograms.
struct ReadBack {
  std::vector<Timestamp> times;
  std::vector<std::uint64_t> value_bits;
  friend bool operator==(const ReadBack&, const ReadBack&) = default;
};
Result<ReadBack> read_series(const Block& block, std::uint32_t ordinal,
                             TimeRange range = TimeRange::all());
ReadBack expected(const RigSeries& series, TimeRange range = TimeRange::all());

}  // namespace varve::storage::block
