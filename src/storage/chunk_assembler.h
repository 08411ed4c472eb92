// SPDX-License-Identifier: Apache-2.0
// Makes the chunks of one series in one block from chunks of any origin: head, late samples, other
// blocks. What lies apart is handed on byte by byte; only what overlaps in time, is deleted in
// part, or would stay needlessly small is decoded and encoded again.
#pragma once

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "storage/block/writer.h"
#include "varve/query.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

// A column of a source as it is called in the block being written; kNoColumn until it was added.
using ColumnSlot = std::uint32_t;
inline constexpr ColumnSlot kNoColumn = 0xffffffff;

// A chunk as it comes. What it points to lives until finish() returned.
struct ChunkPiece {
  block::ChunkKind kind = block::ChunkKind::kFloats;
  TimeRange range;
  std::uint32_t count = 0;
  std::string_view bytes;
  std::string_view times;               // encoded; of float chunks
  ColumnSlot* column = nullptr;         // of float chunks: where the source's column is remembered
  std::uint32_t rank = 0;  // of samples with one time the one of the lowest rank is kept
  std::span<const TimeRange> deleted;   // samples to leave out: ascending, apart
};

// One per block being written. Not thread-safe.
class ChunkAssembler {
 public:
  // A float chunk with fewer samples than this is put together with a neighbour if both fit one.
  static constexpr std::uint32_t kSmallChunk = 64;

  ChunkAssembler(block::Writer& writer, bool repack) : writer_(writer), repack_(repack) {}

  // Of one series, in any order.
  void add(const ChunkPiece& piece);
  void add(std::span<const Sample> samples, std::uint32_t rank);
  void add(std::span<const HistogramPoint> points, std::uint32_t rank);
  bool empty() const { return finished_ || pieces_.empty(); }

  // What was added since the last finish(), as chunks for Writer::add_series(): ascending, apart,
  // perhaps none. They live until the next add(). kCorruption if a chunk that must be decoded
  // cannot.
  Result<std::span<const block::ChunkToWrite>> finish();

 private:
  struct Point {
    Timestamp timestamp_ms = 0;
    std::uint32_t rank = 0;
    double value = 0;
    HistogramPtr histogram;  // null: a float
  };

  void begin_series();
  ChunkPiece encode(std::span<const Sample> samples, std::uint32_t rank);
  void encode(std::span<const HistogramPoint> points, std::uint32_t rank,
              std::vector<ChunkPiece>& out);
  void hand_on(const ChunkPiece& piece);
  Status decode(const ChunkPiece& piece);
  Status rewrite(std::span<const ChunkPiece> pieces);
  void write_floats(std::span<const Point> points);
  void write_histograms(std::span<const Point> points);
  std::string_view keep(std::string bytes);

  block::Writer& writer_;
  const bool repack_;
  std::vector<ChunkPiece> pieces_;
  std::vector<block::ChunkToWrite> chunks_;
  std::vector<Point> points_;
  std::deque<std::string> kept_;  // what was encoded here
  bool finished_ = false;         // the next add() begins a series
};

}  // namespace varve::storage
