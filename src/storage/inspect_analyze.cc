// SPDX-License-Identifier: Apache-2.0
// What takes the space in blocks, and how quickly they are read.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <unordered_map>
#include <unordered_set>

#include "base/clock.h"
#include "base/try.h"
#include "storage/codec/dense.h"
#include "storage/codec/histogram.h"
#include "storage/codec/times.h"
#include "storage/inspect.h"
#include "storage/open_blocks.h"

namespace varve::storage {
namespace {

using block::Block;
using block::ChunkKind;
using block::ChunkView;
using block::Column;

// Series whose labels are held at once.
constexpr std::size_t kBatch = 4096;
constexpr std::uint64_t kFewSamples = 10;

std::span<const std::uint8_t> unsigned_bytes(std::string_view bytes) {
  return {reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()};
}

template <typename Row, typename Measure>
std::vector<Row> largest(std::vector<Row> rows, std::size_t limit, Measure measure) {
  std::stable_sort(rows.begin(), rows.end(),
                   [&](const Row& a, const Row& b) { return measure(a) > measure(b); });
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

// Adds blocks up.
class Analyzer {
 public:
  explicit Analyzer(const AnalyzeOptions& options) : options_(options) {}

  Status add(const Block& block) {
    const block::BlockMeta& meta = block.meta();
    add_level(meta);
    if (meta.resolution_ms != 0) return {};
    ++analysis_.blocks;
    if (analysis_.range.empty()) analysis_.range = meta.range;
    analysis_.range.min_ms = std::min(analysis_.range.min_ms, meta.range.min_ms);
    analysis_.range.max_ms = std::max(analysis_.range.max_ms, meta.range.max_ms);
    analysis_.bytes += meta.bytes;
    VARVE_TRY_ASSIGN(const std::vector<block::BlockPart> parts, block.parts());
    for (const block::BlockPart& part : parts) parts_[std::string(part.name)] += part.bytes;
    VARVE_TRY_ASSIGN(const block::Ordinals ordinals, block.select(options_.matchers));
    Window& window = windows_[{meta.window_begin_ms, meta.window_end_ms}];
    for (std::size_t at = 0; at < ordinals.size(); at += kBatch) {
      const auto batch = std::span(ordinals).subspan(at, std::min(kBatch, ordinals.size() - at));
      VARVE_TRY(add_batch(block, batch, window));
    }
    return {};
  }

  Analysis finish() {
    std::uint64_t few = 0;
    for (const auto& [hash, samples] : samples_of_) few += samples < kFewSamples ? 1 : 0;
    analysis_.series_under_ten_samples = few;
    analysis_.series = samples_of_.size();
    for (const auto& [name, bytes] : parts_) analysis_.parts.push_back({name, bytes});
    std::vector<CodecShare> codecs;
    for (auto& [name, share] : codecs_) codecs.push_back(share);
    analysis_.codecs =
        largest(std::move(codecs), codecs_.size(), [](const CodecShare& one) { return one.bytes; });
    std::vector<MetricShare> metrics;
    for (auto& [name, share] : metrics_) metrics.push_back(share);
    analysis_.metrics =
        largest(metrics, options_.limit, [](const MetricShare& one) { return one.bytes; });
    analysis_.metrics_by_series = largest(std::move(metrics), options_.limit,
                                          [](const MetricShare& one) { return one.series; });
    std::vector<LabelShare> labels;
    std::vector<PairShare> pairs;
    for (auto& [name, label] : labels_) {
      labels.push_back({name, label.values.size(), label.series, label.value_bytes});
      analysis_.label_pairs += label.values.size();
      for (const auto& [value, series] : label.values) {
        pairs.push_back({name + "=" + value, series});
      }
      pairs = largest(std::move(pairs), options_.limit,
                      [](const PairShare& one) { return one.series; });
    }
    analysis_.pairs = std::move(pairs);
    analysis_.labels =
        largest(labels, options_.limit, [](const LabelShare& one) { return one.values; });
    analysis_.labels_by_bytes = largest(std::move(labels), options_.limit,
                                        [](const LabelShare& one) { return one.value_bytes; });
    add_churn();
    for (const auto& [resolution_ms, level] : levels_) analysis_.levels.push_back(level);
    return std::move(analysis_);
  }

 private:
  using Window = std::unordered_set<std::uint64_t>;  // hashes of series
  struct Label {
    std::unordered_map<std::string, std::uint64_t> values;  // how many series have each
    std::uint64_t series = 0;
    std::uint64_t value_bytes = 0;
  };

  Status add_batch(const Block& block, block::OrdinalSpan ordinals, Window& window) {
    VARVE_TRY_ASSIGN(const std::vector<Labels> labels, block.labels(ordinals));
    std::vector<index::SeriesHash> hashes(ordinals.size());
    VARVE_TRY(block.hashes(ordinals, hashes));
    std::vector<ChunkView> chunks;
    for (std::size_t i = 0; i < ordinals.size(); ++i) {
      window.insert(hashes[i].low);
      chunks.clear();
      VARVE_TRY(block.chunks(ordinals[i], TimeRange::all(), chunks));
      const auto [known, is_new] = samples_of_.try_emplace(hashes[i].low, 0);
      const std::string metric(labels[i].get(kMetricName));
      MetricShare& share = metrics_[metric];
      share.name = metric;
      if (is_new) {
        ++share.series;
        add_labels(labels[i]);
      }
      VARVE_TRY(add_chunks(block, chunks, share, known->second));
    }
    return {};
  }

  void add_labels(const Labels& labels) {
    for (const LabelView& one : labels) {
      Label& label = labels_[std::string(one.name)];
      ++label.series;
      if (++label.values[std::string(one.value)] == 1) label.value_bytes += one.value.size();
    }
  }

  Status add_chunks(const Block& block, std::span<const ChunkView> chunks, MetricShare& metric,
                    std::uint64_t& samples) {
    const char* last = nullptr;
    for (const ChunkView& chunk : chunks) {
      VARVE_TRY_ASSIGN(const Column column, block.column(chunk.column));
      // A repetition takes no bytes.
      const std::uint64_t bytes = chunk.bytes.data() == last ? 0 : chunk.bytes.size();
      last = chunk.bytes.data();
      const bool floats = chunk.kind == ChunkKind::kFloats;
      const std::string name =
          floats ? codec::value_codec_name(static_cast<std::uint8_t>(chunk.bytes[0])) : "histogram";
      CodecShare& codec = codecs_[name];
      codec.name = name;
      ++codec.chunks;
      codec.samples += column.count;
      codec.bytes += bytes;
      ++analysis_.chunks;
      (floats ? analysis_.floats : analysis_.histograms) += column.count;
      metric.samples += column.count;
      metric.bytes += bytes;
      samples += column.count;
    }
    return {};
  }

  void add_level(const block::BlockMeta& meta) {
    LevelShare& level = levels_[meta.resolution_ms];
    if (level.blocks == 0) level.range = meta.range;
    level.resolution_ms = meta.resolution_ms;
    ++level.blocks;
    level.series = std::max(level.series, meta.series);
    level.buckets += meta.floats + meta.histograms;
    level.bytes += meta.bytes;
    level.range.min_ms = std::min(level.range.min_ms, meta.range.min_ms);
    level.range.max_ms = std::max(level.range.max_ms, meta.range.max_ms);
  }

  void add_churn() {
    const Window* before = nullptr;
    for (const auto& [bounds, series] : windows_) {
      ChurnShare share;
      share.window_begin_ms = bounds.first;
      share.window_end_ms = bounds.second;
      share.series = series.size();
      if (before != nullptr) {
        for (const std::uint64_t hash : series) share.appeared += before->contains(hash) ? 0 : 1;
        share.vanished = before->size() - (series.size() - share.appeared);
      }
      before = &series;
      analysis_.churn.push_back(share);
    }
  }

  const AnalyzeOptions& options_;
  Analysis analysis_;
  std::map<std::int64_t, LevelShare> levels_;  // by resolution
  std::map<std::string, std::uint64_t> parts_;
  std::map<std::string, CodecShare> codecs_;
  std::unordered_map<std::string, MetricShare> metrics_;
  std::map<std::string, Label> labels_;
  std::unordered_map<std::uint64_t, std::uint64_t> samples_of_;  // by hash
  std::map<std::pair<Timestamp, Timestamp>, Window> windows_;
};

// A stopwatch for one row.
class Timed {
 public:
  explicit Timed(std::string what) { row_.what = std::move(what); }
  void add(std::uint64_t items, std::uint64_t bytes) {
    row_.items += items;
    row_.bytes += bytes;
  }
  SpeedRow stop() {
    row_.seconds = std::chrono::duration<double>(clock_.monotonic() - begin_).count();
    return row_;
  }

 private:
  SpeedRow row_;
  base::SystemClock clock_;
  std::chrono::nanoseconds begin_ = clock_.monotonic();
};

Status decode_all(std::span<const std::shared_ptr<Block>> blocks, bool decode, Timed& timed) {
  std::vector<ChunkView> chunks;
  std::array<double, codec::kDenseSamplesMax> values;
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  for (const std::shared_ptr<Block>& block : blocks) {
    for (std::uint32_t ordinal = 0; ordinal < block->series_count(); ++ordinal) {
      chunks.clear();
      VARVE_TRY(block->chunks(ordinal, TimeRange::all(), chunks));
      if (!decode) {
        timed.add(1, 0);
        continue;
      }
      for (const ChunkView& chunk : chunks) {
        VARVE_TRY_ASSIGN(const Column column, block->column(chunk.column));
        timed.add(column.count, chunk.bytes.size());
        if (chunk.kind == ChunkKind::kFloats) {
          VARVE_TRY(codec::decode_values(unsigned_bytes(chunk.bytes), column.count, values.data()));
          continue;
        }
        times.clear();
        histograms.clear();
        VARVE_TRY(codec::decode_histograms(unsigned_bytes(chunk.bytes), times, histograms));
      }
    }
  }
  return {};
}

}  // namespace

Result<Analysis> analyze_directory(fs::FileSystem& files, const std::string& path,
                                   const AnalyzeOptions& options) {
  VARVE_TRY_ASSIGN(const OpenBlocks opened, open_blocks(files, path));
  Analyzer analyzer(options);
  bool any = false;
  for (const OpenedBlock& one : opened.blocks) {
    if (!options.ulid.empty() && one.meta.ulid != options.ulid) continue;
    if (one.block == nullptr) return Error(ErrorCode::kCorruption, one.problem);
    VARVE_TRY(analyzer.add(*one.block));
    any = true;
  }
  if (any) return analyzer.finish();
  return Error(ErrorCode::kNotFound,
               options.ulid.empty()
                   ? path +
                         ": no blocks yet; the head's samples become one after some hours, or on "
                         "POST /api/v1/admin/tsdb/compact"
                   : path + ": there is no block " + options.ulid);
}

Result<std::vector<SpeedRow>> time_directory(fs::FileSystem& files, const std::string& path) {
  std::vector<SpeedRow> rows;
  std::vector<std::shared_ptr<Block>> blocks;
  std::uint64_t bytes = 0;
  {
    Timed timed("open blocks");
    VARVE_TRY_ASSIGN(const OpenBlocks opened, open_blocks(files, path));
    for (const OpenedBlock& one : opened.blocks) {
      if (one.block == nullptr) return Error(ErrorCode::kCorruption, one.problem);
      timed.add(1, 0);
      if (one.block->meta().resolution_ms != 0) continue;
      bytes += one.block->meta().bytes;
      blocks.push_back(one.block);
    }
    rows.push_back(timed.stop());
  }
  if (blocks.empty()) return Error(ErrorCode::kNotFound, path + ": no blocks yet");
  {
    Timed timed("find chunks, first time: read and verify pages");
    VARVE_TRY(decode_all(blocks, false, timed));
    timed.add(0, bytes);
    rows.push_back(timed.stop());
  }
  {
    Timed timed("find chunks");
    VARVE_TRY(decode_all(blocks, false, timed));
    rows.push_back(timed.stop());
  }
  {
    Timed timed("find and decode chunks");
    VARVE_TRY(decode_all(blocks, true, timed));
    rows.push_back(timed.stop());
  }
  {
    Timed timed("select all series by a regex");
    VARVE_TRY_ASSIGN(const model::Matcher all,
                     model::Matcher::create(model::MatchType::kRegex, "__name__", ".*[a-z].*"));
    for (const auto& block : blocks) {
      VARVE_TRY_ASSIGN(const block::Ordinals found, block->select(std::span(&all, 1)));
      timed.add(found.size(), 0);
    }
    rows.push_back(timed.stop());
  }
  {
    Timed timed("labels of all series");
    block::Ordinals ordinals;
    for (const auto& block : blocks) {
      for (std::uint32_t begin = 0; begin < block->series_count(); begin += kBatch) {
        ordinals.resize(std::min<std::size_t>(kBatch, block->series_count() - begin));
        std::iota(ordinals.begin(), ordinals.end(), begin);
        VARVE_TRY(block->labels(block::OrdinalSpan(ordinals)));
        timed.add(ordinals.size(), 0);
      }
    }
    rows.push_back(timed.stop());
  }
  return rows;
}

}  // namespace varve::storage
