// SPDX-License-Identifier: Apache-2.0
#include "block_rig.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <random>

#include "base/try.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"
#include "storage/codec/times.h"

namespace varve::storage::block {
namespace {

constexpr Timestamp kStart = 1'700'000'000'000;
constexpr std::size_t kChunks = 5;
constexpr std::size_t kPerChunk = 60;

std::vector<Timestamp> times_of(std::size_t chunk, Timestamp offset) {
  std::vector<Timestamp> times;
  for (std::size_t i = 0; i < kPerChunk; ++i) {
    times.push_back(kStart + offset + static_cast<Timestamp>((chunk * kPerChunk + i) * 15'000));
  }
  return times;
}

HistogramPtr histogram_of(double count) {
  Histogram histogram;
  histogram.schema = 2;
  histogram.count = count;
  histogram.sum = count * 1.5;
  histogram.positive_spans = {{0, 2}};
  histogram.positive_counts = {count, 0};
  return std::make_shared<const Histogram>(histogram);
}

// A chunk as the writer takes it, and the bytes it points to.
struct Encoded {
  std::vector<std::uint8_t> bytes;
  ChunkToWrite chunk;
};

Encoded encode(Writer& writer, const RigChunk& chunk) {
  Encoded encoded;
  const TimeRange range{chunk.times.front(), chunk.times.back()};
  const auto count = static_cast<std::uint32_t>(chunk.times.size());
  if (!chunk.histograms.empty()) {
    codec::HistogramAppender appender;
    for (std::size_t i = 0; i < count; ++i) appender.append(chunk.times[i], *chunk.histograms[i]);
    encoded.bytes = appender.finish();
    encoded.chunk.kind = ChunkKind::kHistograms;
    encoded.chunk.column = writer.add_bounds(range, count);
    return encoded;
  }
  std::vector<std::uint8_t> times(codec::kTimesBytesMax);
  times.resize(codec::encode_times(chunk.times, times.data()));
  encoded.chunk.column =
      writer.add_times({reinterpret_cast<const char*>(times.data()), times.size()}, range, count);
  encoded.bytes.resize(codec::kDenseValuesBytesMax);
  codec::ValueHint hint;
  encoded.bytes.resize(codec::encode_values(chunk.values, hint, encoded.bytes.data()));
  return encoded;
}

}  // namespace

std::vector<RigSeries> some_series(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<RigSeries> all;
  for (std::size_t i = 0; i < count; ++i) {
    LabelsBuilder labels;
    const std::uint64_t metric = random() % 12;
    labels.set(kMetricName, fmt::format("metric_{}_total", metric));
    labels.set("instance", fmt::format("host-{:02}:9100", random() % 20));
    labels.set("job", metric < 10 ? "node" : "database");
    if (metric % 3 == 0) labels.set("cpu", std::to_string(random() % 8));
    if (metric % 4 == 1) labels.set("mode", random() % 2 == 0 ? "idle" : "user");
    labels.set("unique", fmt::format("{:016x}{:>{}}", random(), "", random() % 30));
    RigSeries series;
    series.labels = labels.build();
    series.hash = {random(), random()};
    const std::size_t first = random() % 4 == 0 ? random() % kChunks : 0;
    const bool constant = random() % 3 == 0;
    const bool histograms = random() % 8 == 0;
    const auto offset = static_cast<Timestamp>(random() % 3);
    for (std::size_t c = first; c < kChunks; ++c) {
      RigChunk chunk;
      chunk.times = times_of(c, offset);
      for (std::size_t k = 0; k < kPerChunk; ++k) {
        const double value = constant ? 42 : static_cast<double>(random() % 1000);
        if (histograms) {
          chunk.histograms.push_back(histogram_of(static_cast<double>(c * kPerChunk + k)));
        } else {
          chunk.values.push_back(value);
        }
      }
      series.chunks.push_back(std::move(chunk));
    }
    all.push_back(std::move(series));
  }
  std::sort(all.begin(), all.end(),
            [](const RigSeries& a, const RigSeries& b) { return a.labels < b.labels; });
  all.erase(
      std::unique(all.begin(), all.end(),
                  [](const RigSeries& a, const RigSeries& b) { return a.labels == b.labels; }),
      all.end());
  return all;
}

BlockMeta rig_meta() {
  BlockMeta meta;
  meta.ulid = "01HF00000000000000000000AB";
  meta.window_begin_ms = kStart;
  meta.window_end_ms = kStart + 7'200'000;
  meta.level = 2;
  meta.sources = {"01HF00000000000000000000AC", "01HF00000000000000000000AD"};
  meta.hash_fingerprint = 77;
  return meta;
}

Result<BlockMeta> write_block(fs::FileSystem& files, const std::string& directory,
                              const std::vector<RigSeries>& series) {
  VARVE_TRY_ASSIGN(const std::unique_ptr<Writer> writer, Writer::create(files, directory));
  for (const RigSeries& one : series) {
    std::vector<Encoded> encoded;
    for (const RigChunk& chunk : one.chunks) encoded.push_back(encode(*writer, chunk));
    std::vector<ChunkToWrite> chunks;
    for (Encoded& chunk : encoded) {
      chunk.chunk.bytes = {reinterpret_cast<const char*>(chunk.bytes.data()), chunk.bytes.size()};
      chunks.push_back(chunk.chunk);
    }
    VARVE_TRY(writer->add_series(one.labels, one.hash, chunks));
  }
  return writer->finish(rig_meta());
}

std::unique_ptr<Rig> make_rig(const std::vector<RigSeries>& series) {
  auto rig = std::make_unique<Rig>();
  auto meta = write_block(rig->files, "block", series);
  if (!meta.ok()) FAIL(meta.error().message());
  rig->meta = *meta;
  auto block = Block::open(rig->files, "block", 77);
  if (!block.ok()) FAIL(block.error().message());
  rig->block = *block;
  return rig;
}

Result<ReadBack> read_series(const Block& block, std::uint32_t ordinal, TimeRange range) {
  std::vector<ChunkView> chunks;
  VARVE_TRY(block.chunks(ordinal, range, chunks));
  ReadBack out;
  for (const ChunkView& chunk : chunks) {
    VARVE_TRY_ASSIGN(const Column column, block.column(chunk.column));
    const std::span<const std::uint8_t> bytes(
        reinterpret_cast<const std::uint8_t*>(chunk.bytes.data()), chunk.bytes.size());
    if (chunk.kind == ChunkKind::kHistograms) {
      std::vector<Timestamp> times;
      std::vector<HistogramPtr> histograms;
      VARVE_TRY(codec::decode_histograms(bytes, times, histograms));
      out.times.insert(out.times.end(), times.begin(), times.end());
      for (const HistogramPtr& one : histograms) {
        out.value_bits.push_back(std::bit_cast<std::uint64_t>(one->sum));
      }
      continue;
    }
    std::vector<Timestamp> times(column.count);
    std::vector<double> values(column.count);
    const std::span<const std::uint8_t> time_bytes(
        reinterpret_cast<const std::uint8_t*>(column.times.data()), column.times.size());
    VARVE_TRY(codec::decode_times(time_bytes, column.count, times.data()));
    VARVE_TRY(codec::decode_values(bytes, column.count, values.data()));
    out.times.insert(out.times.end(), times.begin(), times.end());
    for (const double value : values) out.value_bits.push_back(std::bit_cast<std::uint64_t>(value));
  }
  return out;
}

ReadBack expected(const RigSeries& series, TimeRange range) {
  ReadBack out;
  for (const RigChunk& chunk : series.chunks) {
    if (!range.overlaps({chunk.times.front(), chunk.times.back()})) continue;
    for (std::size_t i = 0; i < chunk.times.size(); ++i) {
      out.times.push_back(chunk.times[i]);
      const double value = chunk.histograms.empty() ? chunk.values[i] : chunk.histograms[i]->sum;
      out.value_bits.push_back(std::bit_cast<std::uint64_t>(value));
    }
  }
  return out;
}

}  // namespace varve::storage::block
