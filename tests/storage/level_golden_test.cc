// SPDX-License-Identifier: Apache-2.0
// The bytes of a block of a level, pinned: what an older Varve wrote is read, and the same is
// written.
#include <catch2/catch.hpp>

#include <fstream>
#include <iterator>

#include "fs/fault_fs.h"
#include "storage/level_block.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kResolutionMs = 300'000;
constexpr Timestamp kBegin = 1'790'000'000'000 / 7'200'000 * 7'200'000;

// A counter with a reset, a gauge that ends stale, and native histograms, one sample a minute.
FoldedSeries make(int kind) {
  SeriesSamples samples;
  for (int i = 0; i < 240; ++i) {
    const Timestamp t = kBegin + i * 60'000 + 1000;
    if (kind == 2) {
      auto histogram = std::make_shared<Histogram>();
      histogram->schema = 1;
      histogram->count = 3 + i % 50;
      histogram->sum = 0.5 * i;
      histogram->positive_spans = {{0, 2}};
      histogram->positive_counts = {2.0, 1.0 + i % 50};
      samples.histogram_times.push_back(t);
      samples.histograms.push_back(std::move(histogram));
      continue;
    }
    samples.float_times.push_back(t);
    samples.float_values.push_back(kind == 0    ? static_cast<double>(i % 150 * 7)
                                   : i == 239 ? stale_marker()
                                              : static_cast<double>(i * 37 % 100) / 4);
  }
  FoldOptions options;
  options.resolution_ms = kResolutionMs;
  options.sketch = kind == 1;
  FoldedSeries folded;
  fold_samples(samples, options, folded);
  return folded;
}

constexpr const char* kFiles[] = {"index", "data"};

std::string golden(const std::string& name) {
  std::ifstream file(std::string(VARVE_GOLDEN_DIR "/level-v1/") + name, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("level block: the golden files are what is written, and are read", "[storage][levels]") {
  fs::FaultFs files;
  auto writer = LevelWriter::create(files, "block");
  REQUIRE(writer.ok());
  const char* const names[] = {"counter", "gauge", "histogram"};
  for (int kind = 0; kind < 3; ++kind) {
    (*writer)->add(make(kind));
    const auto low = static_cast<std::uint64_t>(kind) + 1;
    REQUIRE((*writer)->finish_series(Labels{{"__name__", names[kind]}}, {low, 7}).ok());
  }
  block::BlockMeta meta;
  meta.ulid = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
  meta.window_begin_ms = kBegin;
  meta.window_end_ms = kBegin + 14'400'000;
  meta.sources = {meta.ulid};
  meta.hash_fingerprint = 42;
  meta.resolution_ms = kResolutionMs;
  REQUIRE((*writer)->finish(meta).ok());

  for (const char* name : kFiles) {
    const auto written = files.read_file(std::string("block/") + name, 1 << 20);
    REQUIRE(written.ok());
    CAPTURE(name);
    CHECK(*written == golden(name));
    // What follows reads the golden bytes, whatever was written.
    REQUIRE(files.write_file_atomically(std::string("block/") + name, golden(name)).ok());
  }
  const auto block = block::Block::open(files, "block");
  REQUIRE(block.ok());
  CHECK((*block)->verify([](const Error&) {}) == 0);
  CHECK((*block)->meta().resolution_ms == kResolutionMs);
  REQUIRE((*block)->series_count() == 3);
  for (std::uint32_t ordinal = 0; ordinal < 3; ++ordinal) {
    FoldedSeries read;
    REQUIRE(read_level(**block, *(*block)->tombstones(), ordinal, TimeRange::all(), read).ok());
    const FoldedSeries want = make(static_cast<int>(ordinal));
    REQUIRE(read.floats.size() == want.floats.size());
    REQUIRE(read.histograms.size() == want.histograms.size());
    for (std::size_t i = 0; i < want.floats.size(); ++i) {
      CHECK(read.floats[i].end_ms == want.floats[i].end_ms);
      CHECK(read.floats[i].sum == want.floats[i].sum);
      CHECK(read.floats[i].resets == want.floats[i].resets);
      CHECK(read.floats[i].stale_ms == want.floats[i].stale_ms);
    }
    for (std::size_t i = 0; i < want.histograms.size(); ++i) {
      CHECK(read.histograms[i].sum->count == want.histograms[i].sum->count);
    }
  }
}

}  // namespace varve::storage::test
