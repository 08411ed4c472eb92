// SPDX-License-Identifier: Apache-2.0
#include "storage/chunk_assembler.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/try.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"
#include "storage/codec/times.h"

namespace varve::storage {
namespace {

// As the head closes them, so that chunks made here look like its own.
constexpr std::size_t kChunkSamples = 120;
constexpr std::size_t kHistogramChunkBytesMax = 16 * 1024;
static_assert(kChunkSamples <= codec::kDenseSamplesMax && kChunkSamples <= codec::kTimesMax);

std::span<const std::uint8_t> as_bytes(std::string_view text) {
  return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

std::string as_string(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

bool is_deleted(std::span<const TimeRange> deleted, Timestamp t) {
  return std::any_of(deleted.begin(), deleted.end(),
                     [t](const TimeRange& range) { return range.contains(t); });
}

bool touched(const ChunkPiece& piece) {
  return std::any_of(piece.deleted.begin(), piece.deleted.end(),
                     [&piece](const TimeRange& range) { return range.overlaps(piece.range); });
}

bool gone(const ChunkPiece& piece) {
  return std::any_of(piece.deleted.begin(), piece.deleted.end(), [&piece](const TimeRange& range) {
    return range.min_ms <= piece.range.min_ms && range.max_ms >= piece.range.max_ms;
  });
}

}  // namespace

std::string_view ChunkAssembler::keep(std::string bytes) {
  return kept_.emplace_back(std::move(bytes));
}

void ChunkAssembler::begin_series() {
  if (!std::exchange(finished_, false)) return;
  pieces_.clear();
  kept_.clear();
}

void ChunkAssembler::add(const ChunkPiece& piece) {
  begin_series();
  pieces_.push_back(piece);
}

void ChunkAssembler::add(std::span<const Sample> samples, std::uint32_t rank) {
  begin_series();
  for (std::size_t at = 0; at < samples.size(); at += kChunkSamples) {
    pieces_.push_back(
        encode(samples.subspan(at, std::min(kChunkSamples, samples.size() - at)), rank));
  }
}

void ChunkAssembler::add(std::span<const HistogramPoint> points, std::uint32_t rank) {
  begin_series();
  encode(points, rank, pieces_);
}

// Precondition: 1 to kChunkSamples of them.
ChunkPiece ChunkAssembler::encode(std::span<const Sample> samples, std::uint32_t rank) {
  std::array<Timestamp, kChunkSamples> times;
  std::array<double, kChunkSamples> values;
  std::uint8_t bytes[codec::kDenseValuesBytesMax];
  std::uint8_t encoded_times[codec::kTimesBytesMax];
  for (std::size_t i = 0; i < samples.size(); ++i) {
    times[i] = samples[i].timestamp_ms;
    values[i] = samples[i].value;
  }
  ChunkPiece piece;
  piece.range = {samples.front().timestamp_ms, samples.back().timestamp_ms};
  piece.count = static_cast<std::uint32_t>(samples.size());
  piece.rank = rank;
  codec::ValueHint hint;
  piece.bytes =
      keep(as_string(bytes, codec::encode_values({values.data(), samples.size()}, hint, bytes)));
  piece.times = keep(as_string(
      encoded_times, codec::encode_times({times.data(), samples.size()}, encoded_times)));
  return piece;
}

void ChunkAssembler::encode(std::span<const HistogramPoint> points, std::uint32_t rank,
                            std::vector<ChunkPiece>& out) {
  codec::HistogramAppender appender;
  ChunkPiece piece;
  piece.kind = block::ChunkKind::kHistograms;
  piece.rank = rank;
  const auto close = [&] {
    piece.range.max_ms = appender.last_time();
    piece.count = static_cast<std::uint32_t>(appender.size());
    const std::vector<std::uint8_t> bytes = appender.finish();
    piece.bytes = keep(as_string(bytes.data(), bytes.size()));
    out.push_back(piece);
  };
  for (const HistogramPoint& point : points) {
    if (appender.size() >= kChunkSamples || appender.bytes().size() >= kHistogramChunkBytesMax) {
      close();
    }
    if (appender.size() == 0) piece.range.min_ms = point.timestamp_ms;
    appender.append(point.timestamp_ms, *point.histogram);
  }
  if (appender.size() > 0) close();
}

Result<std::span<const block::ChunkToWrite>> ChunkAssembler::finish() {
  begin_series();
  chunks_.clear();
  std::erase_if(pieces_, gone);
  std::sort(pieces_.begin(), pieces_.end(), [](const ChunkPiece& a, const ChunkPiece& b) {
    return std::pair(a.range.min_ms, a.rank) < std::pair(b.range.min_ms, b.rank);
  });
  Status status;
  for (std::size_t begin = 0; begin < pieces_.size() && status.ok();) {
    const ChunkPiece& first = pieces_[begin];
    bool decoded = touched(first);
    Timestamp max_ms = first.range.max_ms;
    std::uint32_t count = first.count;
    bool floats = first.kind == block::ChunkKind::kFloats;
    std::size_t end = begin + 1;
    for (; end < pieces_.size(); ++end) {
      const ChunkPiece& next = pieces_[end];
      const bool overlaps = next.range.min_ms <= max_ms;
      const bool joins = repack_ && floats && next.kind == block::ChunkKind::kFloats &&
                         count + next.count <= kChunkSamples &&
                         (count < kSmallChunk || next.count < kSmallChunk);
      if (!overlaps && !joins) break;
      decoded = true;
      max_ms = std::max(max_ms, next.range.max_ms);
      count += next.count;
      floats = floats && next.kind == block::ChunkKind::kFloats;
    }
    if (decoded) {
      status = rewrite(std::span(pieces_).subspan(begin, end - begin));
    } else {
      hand_on(first);
    }
    begin = end;
  }
  finished_ = true;
  if (!status.ok()) return std::move(status).error();
  return std::span<const block::ChunkToWrite>(chunks_);
}

void ChunkAssembler::hand_on(const ChunkPiece& piece) {
  block::ChunkToWrite chunk;
  chunk.kind = piece.kind;
  chunk.bytes = piece.bytes;
  if (piece.kind == block::ChunkKind::kHistograms) {
    chunk.column = writer_.add_bounds(piece.range, piece.count);
  } else if (piece.column != nullptr && *piece.column != kNoColumn) {
    chunk.column = static_cast<block::ColumnId>(*piece.column);
  } else {
    chunk.column = writer_.add_times(piece.times, piece.range, piece.count);
    if (piece.column != nullptr) *piece.column = static_cast<ColumnSlot>(chunk.column);
  }
  chunks_.push_back(chunk);
}

Status ChunkAssembler::decode(const ChunkPiece& piece) {
  if (piece.kind == block::ChunkKind::kHistograms) {
    std::vector<Timestamp> times;
    std::vector<HistogramPtr> histograms;
    VARVE_TRY(codec::decode_histograms(as_bytes(piece.bytes), times, histograms));
    for (std::size_t i = 0; i < times.size(); ++i) {
      if (!is_deleted(piece.deleted, times[i])) {
        points_.push_back({times[i], piece.rank, 0, std::move(histograms[i])});
      }
    }
    return {};
  }
  Timestamp times[codec::kTimesMax];
  double values[codec::kDenseSamplesMax];
  if (piece.count == 0 || piece.count > codec::kTimesMax || piece.count > codec::kDenseSamplesMax) {
    return Error(ErrorCode::kCorruption, "a column is longer than a chunk");
  }
  VARVE_TRY(codec::decode_times(as_bytes(piece.times), piece.count, times));
  VARVE_TRY(codec::decode_values(as_bytes(piece.bytes), piece.count, values));
  for (std::uint32_t i = 0; i < piece.count; ++i) {
    if (!is_deleted(piece.deleted, times[i])) {
      points_.push_back({times[i], piece.rank, values[i], nullptr});
    }
  }
  return {};
}

Status ChunkAssembler::rewrite(std::span<const ChunkPiece> pieces) {
  points_.clear();
  for (const ChunkPiece& piece : pieces) VARVE_TRY(decode(piece));
  std::sort(points_.begin(), points_.end(), [](const Point& a, const Point& b) {
    return std::pair(a.timestamp_ms, a.rank) < std::pair(b.timestamp_ms, b.rank);
  });
  points_.erase(std::unique(points_.begin(), points_.end(),
                            [](const Point& a, const Point& b) {
                              return a.timestamp_ms == b.timestamp_ms;
                            }),
                points_.end());
  for (std::size_t begin = 0; begin < points_.size();) {
    const bool floats = points_[begin].histogram == nullptr;
    std::size_t end = begin + 1;
    while (end < points_.size() && (points_[end].histogram == nullptr) == floats) ++end;
    const auto run = std::span<const Point>(points_).subspan(begin, end - begin);
    floats ? write_floats(run) : write_histograms(run);
    begin = end;
  }
  points_.clear();
  return {};
}

// In even parts, so that no rest becomes a small chunk.
void ChunkAssembler::write_floats(std::span<const Point> points) {
  const std::size_t parts = (points.size() + kChunkSamples - 1) / kChunkSamples;
  std::vector<Sample> samples;
  for (std::size_t part = 0; part < parts; ++part) {
    const std::size_t begin = points.size() * part / parts;
    const std::size_t end = points.size() * (part + 1) / parts;
    samples.clear();
    for (const Point& point : points.subspan(begin, end - begin)) {
      samples.push_back({point.timestamp_ms, point.value});
    }
    hand_on(encode(samples, 0));
  }
}

void ChunkAssembler::write_histograms(std::span<const Point> points) {
  std::vector<HistogramPoint> run;
  for (const Point& point : points) run.push_back({point.timestamp_ms, point.histogram});
  std::vector<ChunkPiece> pieces;
  encode(run, 0, pieces);
  for (const ChunkPiece& piece : pieces) hand_on(piece);
}

}  // namespace varve::storage
