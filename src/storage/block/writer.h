// SPDX-License-Identifier: Apache-2.0
// Writes one block: the caller gives series in label order with chunks as the codecs made them, and
// nothing is decoded. Used by the head's cut, by compaction and by snapshots. See FORMAT.md.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "fs/file_system.h"
#include "storage/block/meta.h"
#include "storage/index/series_hash.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::block {

enum class ChunkKind : std::uint8_t { kFloats = 0, kHistograms = 1 };

// A column of this writer.
enum class ColumnId : std::uint32_t {};

// A chunk to be written. `bytes` is a value block (codec/dense.h) with as many values as its column
// has times, or a histogram chunk (codec/histogram.h), whose column only gives bounds and count.
struct ChunkToWrite {
  ChunkKind kind = ChunkKind::kFloats;
  ColumnId column{};
  std::string_view bytes;
};

// Not thread-safe. Invariants:
// 1. Memory is bounded by O(series * 40 B + distinct label strings + columns * 24 B), never by
// bytes
//    of samples, which are written as they come.
// 2. Nothing in the directory means anything before finish() returned: files and directory are
//    synced then (the parent's entry is the caller's to sync, and the MANIFEST decides).
// The first error of the disk ends the writer: all later calls return it.
class Writer {
 public:
  // Creates `directory`, which must not exist.
  static Result<std::unique_ptr<Writer>> create(fs::FileSystem& files, std::string directory);
  virtual ~Writer() = default;  // without finish(): the files stay as rubbish for the caller

  // The times of float chunks, encoded by codec::encode_times: equal ones become one column.
  // `range` and `count` must be theirs. The bytes are not looked into.
  virtual ColumnId add_times(std::string_view encoded, TimeRange range, std::uint32_t count) = 0;
  // A column without times, for one histogram chunk.
  virtual ColumnId add_bounds(TimeRange range, std::uint32_t count) = 0;

  // Precondition: labels are above those of the series before; chunks ascend by their first time,
  // those of one kind do not overlap (in a block of samples those of both neither), and there is at
  // least one.
  virtual Status add_series(const Labels& labels, const index::SeriesHash& hash,
                            std::span<const ChunkToWrite> chunks) = 0;

  // Of `meta`: ulid, window, level, out_of_order, sources and hash_fingerprint are the caller's,
  // the rest is filled in. Writes the index, syncs everything.
  virtual Result<BlockMeta> finish(BlockMeta meta) = 0;
};

}  // namespace varve::storage::block
