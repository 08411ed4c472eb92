// SPDX-License-Identifier: Apache-2.0
// An immutable block, open for reading: an inverted index over series ordinals, and their chunks.
// It is mapped, not loaded: opening costs the same for any size, and every page is verified against
// its checksum the first time it is touched. See FORMAT.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "model/matcher.h"
#include "storage/block/meta.h"
#include "storage/block/tombstones.h"
#include "storage/block/writer.h"
#include "storage/index/series_hash.h"
#include "varve/labels.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::block {

// Series of a block are numbered 0..n-1 in the order of their labels. Lists of ordinals ascend.
using Ordinals = std::vector<std::uint32_t>;
using OrdinalSpan = std::span<const std::uint32_t>;

// The times of chunks. Equal ids of one block mean equal times.
struct Column {
  TimeRange range;  // both ends included
  std::uint32_t count = 0;
  std::string_view times;  // codec::decode_times; empty if the chunks hold their own
};

// A chunk as stored; views live as long as the block.
struct ChunkView {
  ChunkKind kind = ChunkKind::kFloats;
  std::uint32_t column = 0;
  std::string_view bytes;
};

// A label of some series, as storage::LabelColumn: value 0 is "absent", values[0] is "". Strings
// are stored front-coded, so the values are made here and not the block's: they live as long as
// `keeps` (which moves and copies with the column, and outlives the block).
struct BlockLabelColumn {
  std::vector<std::uint32_t> ids;        // one per asked ordinal
  std::vector<std::string_view> values;  // by id: those that occur, in ascending order
  std::shared_ptr<const void> keeps;
};

// What a part of the files takes, all series together.
struct BlockPart {
  std::string_view name;
  std::uint64_t bytes = 0;
};

// Immutable but for its tombstones; all methods may be called from several threads. Every method
// that reads pages can answer kCorruption, naming file and offset; nothing else is affected by
// that.
class Block {
 public:
  // kCorruption, kIo; kInvalidArgument if the format is newer or it belongs to another database
  // (hash fingerprint; 0: not asked). Deletes older than generation `deletes_min` are damage.
  static Result<std::shared_ptr<Block>> open(fs::FileSystem& files, std::string directory,
                                             std::uint64_t hash_fingerprint = 0,
                                             std::uint64_t deletes_min = 0);
  virtual ~Block() = default;

  virtual const BlockMeta& meta() const = 0;
  virtual const std::string& directory() const = 0;
  virtual std::size_t series_count() const = 0;
  // Where the bytes of the two files go; they add up to meta().bytes.
  virtual Result<std::vector<BlockPart>> parts() const = 0;

  // Series. ---------------------------------------------------------------------------------------
  // Ordinals of the series that satisfy all matchers (model/matcher.h); an empty list of matchers
  // is every series.
  virtual Result<Ordinals> select(std::span<const model::Matcher> matchers) const = 0;
  virtual Result<Labels> labels(std::uint32_t ordinal) const = 0;
  // Of many, which is several times cheaper per series; ordinals ascend.
  virtual Result<std::vector<Labels>> labels(OrdinalSpan ordinals) const = 0;
  virtual Result<index::SeriesHash> hash(std::uint32_t ordinal) const = 0;
  // out.size() == ordinals.size(); the fast way for many.
  virtual Status hashes(OrdinalSpan ordinals, std::span<index::SeriesHash> out) const = 0;
  virtual Result<BlockLabelColumn> label_column(OrdinalSpan ordinals,
                                                std::string_view name) const = 0;
  // Sorted and unique; of all series, or of some.
  virtual Result<std::vector<std::string>> label_names() const = 0;
  virtual Result<std::vector<std::string>> label_names(OrdinalSpan ordinals) const = 0;
  virtual Result<std::vector<std::string>> label_values(std::string_view name) const = 0;
  virtual Result<std::vector<std::string>> label_values(std::string_view name,
                                                        OrdinalSpan ordinals) const = 0;

  // Samples. --------------------------------------------------------------------------------------
  // Appends the chunks of a series that overlap `range`, oldest first; touches no bytes of others.
  virtual Status chunks(std::uint32_t ordinal, TimeRange range,
                        std::vector<ChunkView>& out) const = 0;
  virtual Result<Column> column(std::uint32_t id) const = 0;
  virtual std::size_t column_count() const = 0;

  // Deletes. --------------------------------------------------------------------------------------
  // As of now; never null. Readers keep what they took.
  virtual std::shared_ptr<const Tombstones> tombstones() const = 0;
  // Writes the file under the next generation, then shows them to readers. One caller at a time.
  virtual Status set_tombstones(fs::FileSystem& files, Tombstones tombstones) = 0;

  // Reads and checks everything: pages, structure, and every chunk by decoding it. Each finding
  // goes to `report` (file, offset, what); the number of findings.
  virtual std::size_t verify(const std::function<void(const Error&)>& report) const = 0;
};

}  // namespace varve::storage::block
