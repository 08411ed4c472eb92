// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/records.h"

#include <bit>
#include <catch2/catch.hpp>
#include <limits>
#include <random>
#include <vector>

#include "storage/wal/float_shape.h"
#include "storage/wal/format.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;

namespace {

struct FloatSample {
  std::uint32_t id;
  Timestamp time;
  std::uint64_t bits;
  std::uint64_t previous;
  bool raw;
};

std::vector<FloatSample> random_samples(std::uint64_t seed, std::size_t count) {
  std::mt19937_64 random(seed);
  std::vector<FloatSample> samples;
  std::uint32_t id = 1;
  Timestamp time = static_cast<Timestamp>(random());
  for (std::size_t i = 0; i < count; ++i) {
    switch (random() % 5) {
      case 0: break;
      case 1: ++id; break;
      case 2: id += static_cast<std::uint32_t>(random() % 300); break;
      case 3: id -= static_cast<std::uint32_t>(random() % 300); break;
      default: id = static_cast<std::uint32_t>(random());
    }
    if (id == 0) id = 1;
    if (random() % 4 == 0) time = static_cast<Timestamp>(random());
    if (random() % 4 == 0) time += 15'000;
    const std::uint64_t previous = random();
    // Any window of changed bytes.
    const auto low = random() % 8;
    const auto high = low + random() % (8 - low);
    std::uint64_t difference = 0;
    for (auto byte = low; byte <= high; ++byte) difference |= (random() & 0xff) << (byte * 8);
    samples.push_back({id, time, previous ^ difference, previous, random() % 10 == 0});
  }
  return samples;
}

}  // namespace

TEST_CASE("wal records: floats come back bit for bit, in order", "[storage][wal]") {
  const std::uint64_t seed = GENERATE(range(1, 30));
  CAPTURE(seed);
  const std::vector<FloatSample> samples = random_samples(seed, seed * 331 % 9000 + 1);
  RunEncoder encoder;
  for (const FloatSample& s : samples) {
    encoder.add_float(static_cast<SeriesId>(s.id), s.time, s.bits, s.previous, s.raw);
  }
  const ByteBuffer staged = encoder.take({});
  CHECK(encoder.empty());

  RunDecoder decoder;
  decoder.open(staged.view());
  std::size_t at = 0;
  std::size_t bad = 0;
  for (;;) {
    const RunRecord* record = decoder.next().value();
    if (std::holds_alternative<std::monostate>(*record)) break;
    const auto& run = std::get<FloatRun>(*record);
    REQUIRE(run.ids.size() <= kRunSamplesMax);
    REQUIRE(at + run.ids.size() <= samples.size());
    for (std::size_t i = 0; i < run.ids.size(); ++i, ++at) {
      const FloatSample& s = samples[at];
      const std::uint64_t bits = run.raw[i] ? run.bits[i] : run.bits[i] ^ s.previous;
      if (run.ids[i] != s.id || run.times[i] != s.time || bits != s.bits ||
          (run.raw[i] != 0) != s.raw) {
        ++bad;
      }
    }
  }
  CHECK(at == samples.size());
  CHECK(bad == 0);
}

TEST_CASE("wal records: every window of changed bytes has a shape that covers it",
          "[storage][wal]") {
  for (unsigned low = 0; low < 8; ++low) {
    for (unsigned high = low; high < 8; ++high) {
      const std::uint64_t difference = 1ULL << (low * 8) | 0x80ULL << (high * 8);
      const std::uint8_t shape = shape_of(difference);
      REQUIRE(shape >= 2);
      const unsigned dropped = kShapes.dropped[shape];
      const unsigned kept = kShapes.kept[shape];
      CHECK(dropped <= low);
      CHECK(dropped + kept > high);
      CHECK(kept <= high - low + 1 + 3);
    }
  }
}

TEST_CASE("wal records: a steady scrape costs at most four bytes a sample", "[storage][wal]") {
  RunEncoder encoder;
  std::vector<double> values(1000, 0);
  std::mt19937_64 random(7);
  for (int scrape = 0; scrape < 10; ++scrape) {
    for (std::uint32_t i = 0; i < 1000; ++i) {
      const double last = values[i];
      values[i] += static_cast<double>(random() % 100);
      encoder.add_float(static_cast<SeriesId>(1 + i * 32), 15'000 * scrape,
                        std::bit_cast<std::uint64_t>(values[i]), std::bit_cast<std::uint64_t>(last),
                        scrape == 0);
    }
    if (scrape == 0) encoder.take({});
  }
  CHECK(encoder.size_bytes() <= 4 * 9000);
}

TEST_CASE("wal records: histograms, exemplars and tombstones keep their place", "[storage][wal]") {
  HistogramSample whole;
  whole.timestamp_ms = -5;
  whole.histogram.schema = 3;
  whole.histogram.integer = true;
  whole.histogram.counter_reset_hint = CounterResetHint::kNotReset;
  whole.histogram.zero_threshold = 1e-128;
  whole.histogram.zero_count = 2;
  whole.histogram.count = 9007199254740992.0;
  whole.histogram.sum = stale_marker();
  whole.histogram.positive_spans = {{-3, 2}, {10, 1}};
  whole.histogram.positive_counts = {5, 1, 70000};
  whole.histogram.negative_spans = {{0, 1}};
  whole.histogram.negative_counts = {3};
  HistogramSample fractional = whole;
  fractional.histogram.integer = false;
  fractional.histogram.schema = kCustomBucketsSchema;
  fractional.histogram.positive_counts = {0.5, -0.0, 3};
  fractional.histogram.custom_bounds = {0.1, 1, 10};
  const ExemplarSample exemplar{Labels{{"trace_id", "ab\xc3\xa9"}}, 1.5, 77};

  RunEncoder encoder;
  encoder.add_float(SeriesId{9}, 1, 2, 3, false);
  encoder.add_histogram(SeriesId{4'000'000'000}, whole, false);
  encoder.add_histogram(SeriesId{1}, fractional, true);
  encoder.add_exemplar(SeriesId{2}, exemplar);
  encoder.add_tombstone(SeriesId{3}, TimeRange::all());
  encoder.add_float(SeriesId{9}, 2, 2, 3, true);
  const ByteBuffer staged = encoder.take({});

  RunDecoder decoder;
  decoder.open(staged.view());
  CHECK(std::get<FloatRun>(*decoder.next().value()).times[0] == 1);
  for (const HistogramSample* expected : {&whole, &fractional}) {
    const auto& got = std::get<HistogramRecord>(*decoder.next().value());
    CHECK(got.id == (expected == &whole ? SeriesId{4'000'000'000} : SeriesId{1}));
    CHECK(got.sample.timestamp_ms == -5);
    const Histogram& h = got.sample.histogram;
    const Histogram& e = expected->histogram;
    CHECK(h.schema == e.schema);
    CHECK(h.integer == e.integer);
    CHECK(h.counter_reset_hint == e.counter_reset_hint);
    CHECK(h.is_stale());
    CHECK(h.zero_threshold == e.zero_threshold);
    CHECK(h.zero_count == e.zero_count);
    CHECK(h.count == e.count);
    CHECK(h.positive_spans == e.positive_spans);
    CHECK(h.negative_spans == e.negative_spans);
    CHECK(h.positive_counts == e.positive_counts);
    CHECK(h.negative_counts == e.negative_counts);
    CHECK(h.custom_bounds == e.custom_bounds);
    if (expected == &fractional) CHECK(std::signbit(h.positive_counts[1]));
  }
  const auto& got = std::get<ExemplarRecord>(*decoder.next().value());
  CHECK(got.exemplar.labels == exemplar.labels);
  CHECK(got.exemplar.timestamp_ms == 77);
  const auto& tombstone = std::get<TombstoneRecord>(*decoder.next().value());
  CHECK(tombstone.range == TimeRange::all());
  CHECK(std::get<FloatRun>(*decoder.next().value()).raw[0] == 1);
  CHECK(std::holds_alternative<std::monostate>(*decoder.next().value()));
}

TEST_CASE("wal records: series and metadata come back", "[storage][wal]") {
  const Labels labels{{"__name__", "up"}, {"job", "node"}};
  SeriesEncoder encoder;
  encoder.add_series(SeriesId{7}, labels.bytes());
  encoder.add_metadata({"up", "gauge", "Whether it is up.", ""});
  const ByteBuffer staged = encoder.take({});
  SeriesDecoder decoder;
  decoder.open(staged.view());
  const auto series = std::get<SeriesRecord>(*decoder.next().value());
  CHECK(series.id == SeriesId{7});
  CHECK(series.labels == labels.bytes());
  CHECK(std::get<MetadataEntry>(*decoder.next().value()).help == "Whether it is up.");
  CHECK(std::holds_alternative<std::monostate>(*decoder.next().value()));
}

TEST_CASE("wal records: bytes cut anywhere are corruption, never a crash", "[storage][wal]") {
  RunEncoder encoder;
  for (const auto& s : random_samples(5, 40)) {
    encoder.add_float(static_cast<SeriesId>(s.id), s.time, s.bits, s.previous, s.raw);
  }
  encoder.add_exemplar(SeriesId{2}, {Labels{{"a", "b"}}, 1, 2});
  encoder.add_histogram(SeriesId{2}, {}, false);
  const ByteBuffer staged = encoder.take({});
  for (std::size_t size = 1; size < staged.size(); ++size) {
    const std::string cut(staged.view().substr(0, size));  // its own allocation, for asan
    RunDecoder decoder;
    decoder.open(cut);
    for (;;) {
      const auto record = decoder.next();
      if (!record.ok()) {
        CHECK(record.error().code() == ErrorCode::kCorruption);
        break;
      }
      if (std::holds_alternative<std::monostate>(*record.value())) break;
    }
  }
}
