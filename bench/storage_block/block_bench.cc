// SPDX-License-Identifier: Apache-2.0
// What does a block cost: to write, per chunk and series; to open; to select from, to group by a
// label and to walk the chunks of? And where do its bytes go? A fleet of targets that all have the
// same series with nine labels, four chunks each.
//
// Floor: writing is copying 4 chunks of 80 bytes and 30 to 45 bytes of index a series, and a
// checksum of all: 50 ns a series by bandwidth; its nine labels must be told from those of the
// series before, 30 bytes compared each, 100 ns. Walking chunks decodes a few packed numbers of an
// index entry, 20 ns, and looks four columns up, 10 ns each; a cache miss besides where series lie
// apart. Selecting reads the postings of the rarest value.
#include <benchmark/benchmark.h>
#include <fmt/format.h>
#include <unistd.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <vector>

#include "fs/real_fs.h"
#include "storage/block/block.h"
#include "storage/block/writer.h"
#include "storage/codec/dense.h"
#include "storage/codec/times.h"

namespace {

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::block;
using model::Matcher;
using model::MatchType;

constexpr std::size_t kPerTarget = 1000;
constexpr std::size_t kChunks = 4;
constexpr std::size_t kSamples = 120;

[[noreturn]] void give_up(const Error& error) {
  fmt::print(stderr, "{}\n", error.message());
  std::abort();
}
template <typename T>
T must(Result<T> result) {
  if (!result.ok()) give_up(result.error());
  return std::move(result).value();
}

std::string folder(std::string_view name) {
  const char* base = std::getenv("TMPDIR");
  return fmt::format("{}/varve_block_bench_{}_{}", base != nullptr ? base : "/tmp", ::getpid(),
                     name);
}

void remove_block(fs::FileSystem& files, const std::string& directory) {
  for (const std::string& name : must(files.list(directory))) {
    if (!files.remove(fs::join(directory, name)).ok()) std::abort();
  }
  if (!files.remove_directory(directory).ok()) std::abort();
}

// Series of one metric stand together, so targets vary fastest, as they do in label order.
Labels labels_of(std::size_t series, std::size_t target) {
  LabelsBuilder labels;
  labels.set(kMetricName, fmt::format("node_metric_{:03}_bytes_total", series / 4));
  labels.set("cluster", "eu-west-1");
  labels.set("cpu", std::to_string(series % 4));
  labels.set("datacenter", fmt::format("dc{}", target % 3));
  labels.set("environment", "production");
  labels.set("instance", fmt::format("host-{:05}.example.org:9100", target));
  labels.set("job", "node");
  labels.set("os", target % 7 == 0 ? "debian" : "ubuntu");
  labels.set("team", series % 2 == 0 ? "platform" : "storage");
  return labels.build();
}

struct Fleet {
  std::vector<Labels> labels;
  std::vector<index::SeriesHash> hashes;
  std::vector<std::string> chunks;  // drawn from
  std::vector<std::string> times;
  std::vector<TimeRange> ranges;
};

const Fleet& fleet(std::size_t targets) {
  static std::vector<std::pair<std::size_t, std::unique_ptr<Fleet>>> known;
  for (const auto& [size, fleet] : known) {
    if (size == targets) return *fleet;
  }
  auto made = std::make_unique<Fleet>();
  for (std::size_t target = 0; target < targets; ++target) {
    for (std::size_t series = 0; series < kPerTarget; ++series) {
      made->labels.push_back(labels_of(series, target));
    }
  }
  std::sort(made->labels.begin(), made->labels.end());
  for (const Labels& labels : made->labels) {
    const XXH128_hash_t hash = XXH3_128bits(labels.bytes().data(), labels.bytes().size());
    made->hashes.push_back({hash.low64, hash.high64});
  }
  std::mt19937_64 random(1);
  for (int i = 0; i < 256; ++i) {
    std::vector<double> values;
    double value = static_cast<double>(random() % 100'000);
    for (std::size_t k = 0; k < kSamples; ++k)
      values.push_back(value += static_cast<double>(random() % 50));
    std::uint8_t bytes[codec::kDenseValuesBytesMax];
    codec::ValueHint hint;
    const std::size_t size = codec::encode_values(values, hint, bytes);
    made->chunks.emplace_back(reinterpret_cast<const char*>(bytes), size);
  }
  for (std::size_t i = 0; i < kChunks; ++i) {
    std::vector<Timestamp> times;
    for (std::size_t k = 0; k < kSamples; ++k) {
      times.push_back(static_cast<Timestamp>((i * kSamples + k) * 15'000));
    }
    std::uint8_t bytes[codec::kTimesBytesMax];
    const std::size_t size = codec::encode_times(times, bytes);
    made->times.emplace_back(reinterpret_cast<const char*>(bytes), size);
    made->ranges.push_back({times.front(), times.back()});
  }
  known.emplace_back(targets, std::move(made));
  return *known.back().second;
}

BlockMeta write_fleet(fs::FileSystem& files, const std::string& directory, const Fleet& fleet) {
  const std::unique_ptr<Writer> writer = must(Writer::create(files, directory));
  std::vector<ChunkToWrite> chunks(kChunks);
  for (std::size_t i = 0; i < fleet.labels.size(); ++i) {
    for (std::size_t c = 0; c < kChunks; ++c) {
      chunks[c].column = writer->add_times(fleet.times[c], fleet.ranges[c], kSamples);
      chunks[c].bytes = fleet.chunks[(i * 7 + c) % fleet.chunks.size()];
    }
    const Status added = writer->add_series(fleet.labels[i], fleet.hashes[i], chunks);
    if (!added.ok()) give_up(added.error());
  }
  BlockMeta meta;
  meta.ulid = make_ulid(0);
  return must(writer->finish(meta));
}

// A block of so many targets, written once and left until the end of the process.
struct Written {
  fs::RealFs files;
  std::string directory;
  std::shared_ptr<Block> block;

  explicit Written(std::size_t targets) : directory(folder(std::to_string(targets))) {
    write_fleet(files, directory, fleet(targets));
    block = must(Block::open(files, directory));
  }
  ~Written() {
    block.reset();
    remove_block(files, directory);
  }
};
Written& written(std::size_t targets) {
  static std::vector<std::pair<std::size_t, std::unique_ptr<Written>>> known;
  for (const auto& [size, one] : known) {
    if (size == targets) return *one;
  }
  known.emplace_back(targets, std::make_unique<Written>(targets));
  return *known.back().second;
}

void write(benchmark::State& state) {
  fs::RealFs files;
  const Fleet& one = fleet(static_cast<std::size_t>(state.range(0)));
  const std::string directory = folder("write");
  BlockMeta meta;
  for (auto _ : state) {
    meta = write_fleet(files, directory, one);
    state.PauseTiming();
    remove_block(files, directory);
    state.ResumeTiming();
  }
  const std::size_t series = one.labels.size();
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(series * kChunks));
  state.counters["B/series"] = static_cast<double>(meta.bytes) / static_cast<double>(series);
}
BENCHMARK(write)->Arg(10)->Arg(100)->Arg(1000)->Unit(benchmark::kMillisecond);

void open(benchmark::State& state) {
  Written& one = written(static_cast<std::size_t>(state.range(0)));
  for (auto _ : state) benchmark::DoNotOptimize(must(Block::open(one.files, one.directory)));
  const std::vector<BlockPart> parts = must(one.block->parts());
  for (const BlockPart& part : parts) {
    state.counters[std::string(part.name)] =
        static_cast<double>(part.bytes) / static_cast<double>(one.block->series_count());
  }
}
BENCHMARK(open)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

void select(benchmark::State& state, MatchType type, const char* name, const char* value,
            std::size_t found) {
  Written& one = written(1000);
  const std::vector<Matcher> matchers{must(Matcher::create(MatchType::kEqual, "job", "node")),
                                      must(Matcher::create(type, name, value))};
  for (auto _ : state) {
    const auto selected = one.block->select(matchers);
    if (!selected.ok() || selected->size() != found) state.SkipWithError("wrong number of series");
    benchmark::DoNotOptimize(selected);
  }
}
BENCHMARK_CAPTURE(select, metric, MatchType::kEqual, "__name__", "node_metric_007_bytes_total",
                  4000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(select, instance, MatchType::kEqual, "instance", "host-00007.example.org:9100",
                  1000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(select, instance_regex, MatchType::kRegex, "instance", "host-000[0-4].*", 50'000)
    ->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(select, everything, MatchType::kRegex, "instance", ".+", 1'000'000)
    ->Unit(benchmark::kMicrosecond);

void label_column(benchmark::State& state, const char* name) {
  Written& one = written(1000);
  Ordinals all(one.block->series_count());
  std::iota(all.begin(), all.end(), 0U);
  for (auto _ : state) benchmark::DoNotOptimize(must(one.block->label_column(all, name)));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(all.size()));
}
BENCHMARK_CAPTURE(label_column, metric, "__name__")->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(label_column, instance, "instance")->Unit(benchmark::kMicrosecond);

void labels(benchmark::State& state) {
  Written& one = written(static_cast<std::size_t>(state.range(0)));
  Ordinals some(one.block->series_count() / 100);
  std::iota(some.begin(), some.end(), one.block->series_count() / 2);
  for (auto _ : state) benchmark::DoNotOptimize(must(one.block->labels(OrdinalSpan(some))));
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(some.size()));
}
BENCHMARK(labels)->Arg(10)->Arg(1000)->Unit(benchmark::kMicrosecond);

// All chunks of consecutive series, with their columns looked up; without decoding them.
void chunks(benchmark::State& state) {
  Written& one = written(static_cast<std::size_t>(state.range(0)));
  std::vector<ChunkView> found;
  std::uint32_t ordinal = 0;
  std::size_t bytes = 0;
  for (auto _ : state) {
    found.clear();
    if (!one.block->chunks(ordinal, TimeRange::all(), found).ok()) state.SkipWithError("damaged");
    for (const ChunkView& chunk : found) {
      bytes += chunk.bytes.size() + must(one.block->column(chunk.column)).count;
    }
    ordinal = (ordinal + 1) % static_cast<std::uint32_t>(one.block->series_count());
  }
  benchmark::DoNotOptimize(bytes);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(chunks)->Arg(10)->Arg(1000);

}  // namespace
