// SPDX-License-Identifier: Apache-2.0
// What does long history cost: bytes of levels against those of samples, bytes a bucket, and the
// CPU and memory of writing levels? Floor: each sample is decoded once (1 ns) and folded into eight
// columns of its bucket (2 ns). Of a counter with random steps, 20 to a bucket, last, first and sum
// have 18 % of the entropy of its samples.
//   bench_storage_levels fill DIR SERIES DAYS      samples every 15 s (history_mix.h), no ladder
//   bench_storage_levels roll DIR                  opens it with 5m and 1h levels, and writes these
//   bench_storage_levels columns SERIES DAYS       the same buckets in memory: bytes a bucket of
//   each
//                                                  column, by shape of series
// fill writes blocks of four weeks as compaction leaves them: through the head a year takes an
// hour.
#include <sys/resource.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <deque>
#include <memory>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/real_fs.h"
#include "history_mix.h"
#include "storage/block/writer.h"
#include "storage/bucket_fold.h"
#include "storage/codec/bucket_chunk.h"
#include "storage/codec/dense.h"
#include "storage/codec/times.h"
#include "storage/db.h"
#include "storage/directory.h"
#include "storage/index/series_hash.h"
#include "storage/manifest.h"

namespace {

using namespace varve;
using namespace varve::storage;

constexpr std::int64_t kStepMs = bench::kMixStepMs;
constexpr std::int64_t kDayMs = 24LL * 60 * 60 * 1000;
constexpr std::int64_t kFillMs = 28 * kDayMs;
constexpr Timestamp kBegin = 1'725'000'000'000 / kFillMs * kFillMs;

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

long peak_rss_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

[[noreturn]] void fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  std::exit(1);
}

struct Setup {
  fs::RealFs files;
  base::FakeClock clock{kBegin};
  base::MetricsRegistry metrics;
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                   [](std::string_view line) { std::fputs(std::string(line).c_str(), stderr); }};
  Options options;

  explicit Setup(const std::string& path) {
    options.path = path;
    options.sync = SyncMode::kOff;
    options.retention = std::chrono::milliseconds(0);
    options.background = false;
    options.future_max = std::chrono::hours(24 * 365 * 10);
  }
  std::unique_ptr<Db> open() {
    auto db = Db::open(options, files, clock, log, metrics);
    if (!db.ok()) fail(db.error());
    return std::move(*db);
  }
};

void report(const Db& db) {
  struct Sum {
    std::uint64_t blocks = 0, bytes = 0, items = 0;
  };
  std::map<std::int64_t, Sum> sums;
  for (const block::BlockMeta& meta : db.blocks()) {
    Sum& sum = sums[meta.resolution_ms];
    ++sum.blocks;
    sum.bytes += meta.bytes;
    sum.items += meta.floats + meta.histograms;
  }
  for (const auto& [resolution_ms, sum] : sums) {
    std::printf(
        "resolution %lld ms: %llu blocks, %llu bytes, %llu items, %.3f B each, %.2f %% of raw\n",
        static_cast<long long>(resolution_ms), static_cast<unsigned long long>(sum.blocks),
        static_cast<unsigned long long>(sum.bytes), static_cast<unsigned long long>(sum.items),
        static_cast<double>(sum.bytes) / static_cast<double>(std::max<std::uint64_t>(sum.items, 1)),
        100.0 * static_cast<double>(sum.bytes) /
            static_cast<double>(std::max<std::uint64_t>(sums[0].bytes, 1)));
  }
}

Timestamp first_time(std::size_t series) {
  return kBegin + static_cast<std::int64_t>(series / bench::kMixHost * 3700) % kStepMs;
}

struct Filled {
  std::size_t series = 0;
  bench::MixSeries values;
  Labels labels;
  codec::ValueHint hint;
};

template <typename T>
T must(Result<T> result) {
  if (!result.ok()) fail(result.error());
  return std::move(*result);
}
void must(const Status& status) {
  if (!status.ok()) fail(status.error());
}

std::string_view text(const std::uint8_t* bytes, std::size_t size) {
  return {reinterpret_cast<const char*>(bytes), size};
}

void write_chunk(Filled& series, std::span<const Timestamp> times, block::Writer& writer,
                 std::deque<std::string>& kept, std::vector<block::ChunkToWrite>& chunks) {
  std::array<double, codec::kDenseSamplesMax> values;
  for (std::size_t i = 0; i < times.size(); ++i) values[i] = series.values.next();
  std::uint8_t bytes[codec::kDenseValuesBytesMax];
  const std::size_t size = codec::encode_values({values.data(), times.size()}, series.hint, bytes);
  std::uint8_t column[codec::kTimesBytesMax];
  const std::size_t column_size = codec::encode_times(times, column);
  block::ChunkToWrite chunk;
  chunk.column = writer.add_times(text(column, column_size), {times.front(), times.back()},
                                  static_cast<std::uint32_t>(times.size()));
  chunk.bytes = kept.emplace_back(text(bytes, size));
  chunks.push_back(chunk);
}

void fill(const std::string& path, std::size_t count, std::int64_t days) {
  {
    Setup setup(path);
    must(setup.open()->close());
  }
  fs::RealFs files;
  const DataDirectory directory = must(prepare_directory(files, path, true));
  Manifest manifest = must(
      Manifest::open(files, directory.manifest, must(read_manifest(files, directory.manifest))));
  const index::SeriesHasher hasher =
      must(index::SeriesHasher::from_hex(manifest.state().hash_secret));
  std::vector<Filled> all;
  for (std::size_t s = 0; s < count; ++s) {
    bench::MixSeries values(s);
    Labels labels = values.labels();
    all.push_back({s, values, std::move(labels), {}});
  }
  std::sort(all.begin(), all.end(),
            [](const Filled& a, const Filled& b) { return a.labels < b.labels; });
  const Timestamp end_ms = kBegin + days * kDayMs;
  for (Timestamp begin = kBegin; begin < end_ms; begin += kFillMs) {
    block::BlockMeta meta;
    meta.ulid = block::make_ulid(begin + kFillMs);
    meta.window_begin_ms = begin;
    meta.window_end_ms = begin + kFillMs;
    meta.level = 4;
    meta.sources = {meta.ulid};
    meta.hash_fingerprint = hasher.fingerprint();
    const auto writer = must(block::Writer::create(files, fs::join(directory.dense, meta.ulid)));
    std::vector<Timestamp> times;
    for (Filled& series : all) {
      std::deque<std::string> kept;
      std::vector<block::ChunkToWrite> chunks;
      times.clear();
      for (Timestamp t = begin + first_time(series.series) - kBegin;
           t < std::min(begin + kFillMs, end_ms); t += kStepMs) {
        times.push_back(t);
        if (times.size() < codec::kDenseSamplesMax) continue;
        write_chunk(series, times, *writer, kept, chunks);
        times.clear();
      }
      if (!times.empty()) write_chunk(series, times, *writer, kept, chunks);
      must(writer->add_series(series.labels, hasher.labels(series.labels.bytes()), chunks));
    }
    ManifestEdit edit;
    edit.added.push_back(must(writer->finish(meta)));
    edit.cut = HeadCut{std::min(begin + kFillMs, end_ms) + 1, {}};
    must(files.sync_directory(directory.dense));
    must(manifest.commit(edit));
  }
  std::printf("filled in %.1f s of CPU\n", cpu_seconds());
}

// Bytes of what a shape's series take, column by column.
struct Columns {
  std::uint64_t series = 0, samples = 0, sample_bytes = 0;
  std::array<std::uint64_t, 2> buckets{};
  std::array<std::array<std::uint64_t, codec::kBucketFields>, 2> bytes{};
  std::array<std::uint64_t, 2> total{};
};

void add_level(const FoldedSeries& folded, std::size_t level, Columns& into) {
  const std::span<const codec::Bucket> buckets(folded.floats);
  for (std::size_t at = 0; at < buckets.size(); at += codec::kBucketsMax) {
    const auto part = buckets.subspan(at, std::min(codec::kBucketsMax, buckets.size() - at));
    const std::string bytes = codec::encode_buckets(part);
    codec::BucketChunk chunk;
    must(chunk.open({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()},
                    part.size()));
    for (std::size_t f = 0; f < codec::kBucketFields; ++f) {
      into.bytes[level][f] += chunk.field_bytes(static_cast<codec::BucketField>(f));
    }
    into.buckets[level] += part.size();
    into.total[level] += bytes.size();
  }
}

void print(std::string_view name, const Columns& columns) {
  std::printf("%-20.*s %4llu series, %.3f B/sample", static_cast<int>(name.size()), name.data(),
              static_cast<unsigned long long>(columns.series),
              static_cast<double>(columns.sample_bytes) / static_cast<double>(columns.samples));
  for (std::size_t level = 0; level < 2; ++level) {
    const auto buckets = static_cast<double>(columns.buckets[level]);
    std::printf("\n   %s %6.2f B =", level == 0 ? "5m" : "1h",
                static_cast<double>(columns.total[level]) / buckets);
    double rest = static_cast<double>(columns.total[level]);
    for (std::size_t f = 0; f < codec::kBucketFields; ++f) {
      const auto bytes = static_cast<double>(columns.bytes[level][f]);
      rest -= bytes;
      const std::string_view field = codec::name_of(static_cast<codec::BucketField>(f));
      if (bytes > 0) {
        std::printf(" %.*s %.2f", static_cast<int>(field.size()), field.data(), bytes / buckets);
      }
    }
    std::printf(" header %.2f", rest / buckets);
  }
  std::printf("\n   both are %.1f %% of samples\n",
              100.0 * static_cast<double>(columns.total[0] + columns.total[1]) /
                  static_cast<double>(columns.sample_bytes));
}

void columns(std::size_t count, std::int64_t days) {
  std::array<Columns, static_cast<std::size_t>(bench::Shape::kShapes)> by_shape;
  Columns all;
  FoldOptions fine;
  fine.resolution_ms = 300'000;
  FoldOptions coarse;
  coarse.resolution_ms = 3'600'000;
  for (std::size_t s = 0; s < count; ++s) {
    bench::MixSeries series(s);
    Columns own;
    own.series = 1;
    SeriesSamples samples;
    for (Timestamp t = first_time(s); t < kBegin + days * kDayMs; t += kStepMs) {
      samples.float_times.push_back(t);
      samples.float_values.push_back(series.next());
    }
    codec::ValueHint hint;
    const std::span<const double> values = samples.float_values;
    for (std::size_t at = 0; at < values.size(); at += codec::kDenseSamplesMax) {
      std::uint8_t bytes[codec::kDenseValuesBytesMax];
      own.sample_bytes += codec::encode_values(
          values.subspan(at, std::min(codec::kDenseSamplesMax, values.size() - at)), hint, bytes);
    }
    own.samples = values.size();
    FoldedSeries folded;
    FoldedSeries folded_again;
    fold_samples(samples, fine, folded);
    add_level(folded, 0, own);
    fold_buckets(folded, coarse, folded_again);
    add_level(folded_again, 1, own);
    for (Columns* into : {&all, &by_shape[static_cast<std::size_t>(series.shape())]}) {
      into->series += 1;
      into->samples += own.samples;
      into->sample_bytes += own.sample_bytes;
      for (std::size_t level = 0; level < 2; ++level) {
        into->buckets[level] += own.buckets[level];
        into->total[level] += own.total[level];
        for (std::size_t f = 0; f < codec::kBucketFields; ++f) {
          into->bytes[level][f] += own.bytes[level][f];
        }
      }
    }
  }
  for (std::size_t shape = 0; shape < by_shape.size(); ++shape) {
    if (by_shape[shape].series > 0) {
      print(bench::name_of(static_cast<bench::Shape>(shape)), by_shape[shape]);
    }
  }
  print("all", all);
  std::printf("in %.1f s of CPU\n", cpu_seconds());
}

void roll(const std::string& path) {
  Setup setup(path);
  {
    const auto db = setup.open();
    setup.clock.set(db->max_time_ms());
    LevelOptions fine;
    fine.resolution = std::chrono::minutes(5);
    LevelOptions coarse;
    coarse.resolution = std::chrono::hours(1);
    std::printf("before: %ld MB peak\n", peak_rss_mb());
    const double cpu = cpu_seconds();
    if (Status set = db->set_ladder({{fine, coarse}, {}, 0.01}); !set.ok()) fail(set.error());
    if (Status done = db->maintain(); !done.ok()) fail(done.error());
    std::printf("levels written in %.1f s of CPU, %ld MB peak (mapped pages of blocks count)\n",
                cpu_seconds() - cpu, peak_rss_mb());
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("RssAnon") || line.starts_with("RssFile"))
        std::printf("%s\n", line.c_str());
    }
    report(*db);
    (void)db->close().ok();
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> all(arguments, arguments + count);
  if (all.size() == 5 && all[1] == "fill") {
    fill(all[2], std::stoul(all[3]), std::stol(all[4]));
  } else if (all.size() == 4 && all[1] == "columns") {
    columns(std::stoul(all[2]), std::stol(all[3]));
  } else if (all.size() == 3 && all[1] == "roll") {
    roll(all[2]);
  } else {
    std::fprintf(stderr, "usage: %s fill DIR SERIES DAYS | roll DIR | columns SERIES DAYS\n",
                 arguments[0]);
    return 2;
  }
  return 0;
}
