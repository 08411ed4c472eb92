// SPDX-License-Identifier: Apache-2.0
#include "storage/codec/histogram.h"

#include <algorithm>
#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>

using namespace varve;
using namespace varve::storage::codec;

namespace {

bool same(double a, double b) {
  return std::bit_cast<std::uint64_t>(a) == std::bit_cast<std::uint64_t>(b);
}
bool same(const std::vector<double>& a, const std::vector<double>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](double x, double y) { return same(x, y); });
}
// All but the hint.
bool same(const Histogram& a, const Histogram& b) {
  return a.schema == b.schema && a.integer == b.integer &&
         same(a.zero_threshold, b.zero_threshold) && same(a.zero_count, b.zero_count) &&
         same(a.count, b.count) && same(a.sum, b.sum) && a.positive_spans == b.positive_spans &&
         a.negative_spans == b.negative_spans && same(a.positive_counts, b.positive_counts) &&
         same(a.negative_counts, b.negative_counts) && same(a.custom_bounds, b.custom_bounds);
}

Histogram stale(bool integer) {
  Histogram h;
  h.integer = integer;
  h.sum = stale_marker();
  return h;
}

// count 12: zero 2, positive buckets 1..3 and 6, negative bucket 0.
Histogram simple() {
  Histogram h;
  h.schema = 1;
  h.integer = true;
  h.zero_threshold = 0x1p-128;
  h.zero_count = 2;
  h.count = 12;
  h.sum = 18.4;
  h.positive_spans = {{1, 3}, {2, 1}};
  h.positive_counts = {1, 2, 3, 1};
  h.negative_spans = {{0, 1}};
  h.negative_counts = {3};
  return h;
}

Histogram random_histogram(std::mt19937_64& random, bool integer) {
  const auto count = [&]() -> double {
    if (integer) return static_cast<double>(random() & ((1ULL << (random() % 53)) - 1));
    return random() % 9 == 0 ? -0.0 : static_cast<double>(random() >> 11) * 0x1p-40;
  };
  Histogram h;
  h.integer = integer;
  h.schema = static_cast<std::int32_t>(random() % 13) - 4;
  h.sum = std::bit_cast<double>(random());
  if (h.is_stale()) h.sum = 1;
  h.count = count();
  const auto fill = [&](std::vector<HistogramSpan>& spans, std::vector<double>& counts) {
    for (std::size_t i = 0; i < random() % 5; ++i) {
      spans.push_back({static_cast<std::int32_t>(random()) >> (random() % 32),
                       static_cast<std::uint32_t>(random() % 7)});
      for (std::uint32_t j = 0; j < spans.back().length; ++j) counts.push_back(count());
    }
  };
  fill(h.positive_spans, h.positive_counts);
  if (random() % 4 == 0) {
    h.schema = kCustomBucketsSchema;
    for (std::size_t i = 0; i < random() % 9; ++i) h.custom_bounds.push_back(count());
  } else {
    fill(h.negative_spans, h.negative_counts);
    h.zero_count = count();
    h.zero_threshold =
        random() % 2 == 0 ? std::ldexp(1, static_cast<int>(random() % 300) - 250) : count();
  }
  return h;
}

// Raises some counts, as scraping again does.
void observe(std::mt19937_64& random, Histogram& h) {
  for (double& count : h.positive_counts) {
    if (random() % 4 == 0) count += static_cast<double>(random() % 100);
  }
  h.count += static_cast<double>(random() % 1000);
  h.sum += 0.37 * static_cast<double>(random() % 1000);
}

}  // namespace

TEST_CASE("histogram chunk: any histograms come back bit for bit", "[storage][codec]") {
  const auto seed = GENERATE(range(1u, 150u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  HistogramAppender appender;
  std::vector<Timestamp> times;
  std::vector<Histogram> given;
  Timestamp t = std::bit_cast<Timestamp>(random()) >> (random() % 64);
  Histogram current = random_histogram(random, seed % 2 == 0);
  for (int i = 0; i < 150; ++i) {
    switch (random() % 20) {
      case 0:
        current = random_histogram(random, random() % 2 == 0);
        break;
      case 1:
        current = stale(random() % 2 == 0);
        break;
      default:
        if (current.is_stale()) current = random_histogram(random, seed % 2 == 0);
        observe(random, current);
    }
    current.counter_reset_hint =
        random() % 10 == 0 ? CounterResetHint::kGauge : CounterResetHint::kUnknown;
    if (current.is_stale()) current.counter_reset_hint = CounterResetHint::kUnknown;
    t = static_cast<Timestamp>(static_cast<std::uint64_t>(t) + random() % 20'000);
    appender.append(t, current);
    times.push_back(t);
    given.push_back(current);
    if (i % 10 != 0) continue;
    std::vector<Timestamp> got_times;
    std::vector<HistogramPtr> got;
    REQUIRE(decode_histograms(appender.bytes(), got_times, got).ok());
    CHECK(got_times == times);
    REQUIRE(got.size() == given.size());
    CHECK(std::equal(got.begin(), got.end(), given.begin(),
                     [](const HistogramPtr& a, const Histogram& b) { return same(*a, b); }));
    CHECK(got.back()->counter_reset_hint == appender.last()->counter_reset_hint);
    if (i != 80) continue;
    CHECK(appender.finish().size() > 0);
    CHECK(appender.size() == 0);
    times.clear();
    given.clear();
  }
}

TEST_CASE("counter resets: found as Prometheus finds them", "[storage][codec]") {
  const Histogram before = simple();
  const auto hint = [&](auto change) {
    Histogram after = simple();
    change(after);
    return next_reset_hint(&before, after);
  };
  using enum CounterResetHint;
  CHECK(next_reset_hint(nullptr, before) == kUnknown);
  CHECK(hint([](Histogram&) {}) == kNotReset);
  CHECK(hint([](Histogram& h) { h.count = 11; }) == kReset);
  CHECK(hint([](Histogram& h) { h.zero_count = 1; }) == kReset);
  CHECK(hint([](Histogram& h) { h.positive_counts[2] = 2; }) == kReset);
  CHECK(hint([](Histogram& h) { h.negative_counts[0] = 2; }) == kReset);
  CHECK(hint([](Histogram& h) { h.schema = 2; }) == kUnknown);
  CHECK(hint([](Histogram& h) {
          h.schema = 2;
          h.count = 1;
        }) == kReset);
  CHECK(hint([](Histogram& h) { h.zero_threshold = 1; }) == kUnknown);
  CHECK(hint([](Histogram& h) { h.integer = false; }) == kUnknown);
  CHECK(hint([](Histogram& h) { h.counter_reset_hint = kReset; }) == kReset);
  CHECK(hint([](Histogram& h) {
          h.counter_reset_hint = kGauge;
          h.count = 1;
        }) == kGauge);
  CHECK(hint([](Histogram& h) { h.sum = stale_marker(); }) == kUnknown);
  // The bucket at index 6 is missing.
  CHECK(hint([](Histogram& h) {
          h.positive_spans = {{1, 3}};
          h.positive_counts = {1, 2, 3};
        }) == kReset);
  // One bucket more, at the front, and the same indexes in other spans.
  CHECK(hint([](Histogram& h) {
          h.positive_spans = {{0, 2}, {0, 0}, {0, 2}, {1, 2}};
          h.positive_counts = {5, 1, 2, 3, 0, 1};
        }) == kNotReset);
  const Histogram stale_before = stale(true);
  CHECK(next_reset_hint(&stale_before, before) == kUnknown);
  Histogram gauge = simple();
  gauge.counter_reset_hint = kGauge;
  CHECK(next_reset_hint(&gauge, before) == kUnknown);
  // An empty bucket may go.
  Histogram with_empty = simple();
  with_empty.positive_counts[3] = 0;
  Histogram without = simple();
  without.positive_spans = {{1, 3}};
  without.positive_counts = {1, 2, 3};
  CHECK(next_reset_hint(&with_empty, without) == kNotReset);
  // Custom bounds.
  Histogram custom;
  custom.schema = kCustomBucketsSchema;
  custom.custom_bounds = {1, 2};
  Histogram other_bounds = custom;
  other_bounds.custom_bounds = {1, 3};
  CHECK(next_reset_hint(&custom, custom) == kNotReset);
  CHECK(next_reset_hint(&custom, other_bounds) == kReset);
}

TEST_CASE("histogram chunk: hints of a chunk and of the next", "[storage][codec]") {
  using enum CounterResetHint;
  HistogramAppender appender;
  const auto append = [&](Timestamp t, double count) {
    Histogram h = simple();
    h.count = count;
    appender.append(t, h);
    return appender.last()->counter_reset_hint;
  };
  CHECK(append(1, 100) == kUnknown);
  CHECK(append(2, 200) == kNotReset);
  CHECK(append(3, 50) == kReset);
  CHECK(append(4, 60) == kNotReset);
  appender.finish();
  CHECK(append(5, 70) == kUnknown);
  appender.finish();
  CHECK(append(6, 10) == kReset);
  appender.append(7, stale(true));
  CHECK(append(8, 1) == kUnknown);
  CHECK(appender.memory_bytes() > 0);
}

TEST_CASE("histogram chunk: a repeated layout costs little", "[storage][codec]") {
  HistogramAppender appender;
  Histogram h = simple();
  appender.append(15'000, h);
  appender.append(30'000, h);
  const std::size_t before = appender.bytes().size();
  h.count += 3;
  h.positive_counts[1] += 3;
  appender.append(45'000, h);
  // Flags, time, unchanged sum, a map of 7 counts, two changes.
  CHECK(appender.bytes().size() - before == 6);
}

TEST_CASE("histogram chunk: the bytes are pinned", "[storage][codec]") {
  HistogramAppender appender;
  appender.append(1000, simple());
  const std::vector<std::uint8_t> expected = {0x0c, 0xd0, 0x0f, 0x02, 0x74, 0x02, 0x02, 0x03,
                                              0x04, 0x01, 0x01, 0x00, 0x01, 0x00, 0x08, 0x66,
                                              0x66, 0x66, 0x66, 0x66, 0x66, 0x32, 0x40, 0x7f,
                                              0x18, 0x04, 0x02, 0x04, 0x06, 0x02, 0x06};
  CHECK(std::vector<std::uint8_t>(appender.bytes().begin(), appender.bytes().end()) == expected);
}

TEST_CASE("histogram chunk: impossible histograms are refused by name", "[storage][codec]") {
  Histogram h = simple();
  CHECK(check_histogram(h).ok());
  h.positive_counts.pop_back();
  const Status status = check_histogram(h);
  REQUIRE_FALSE(status.ok());
  CHECK(status.error().message() ==
        "histogram: positive spans have 4 buckets, but there are 3 positive counts");
  h = simple();
  h.negative_spans[0].length = 70'000;
  CHECK(check_histogram(h).error().code() == ErrorCode::kInvalidArgument);
}

TEST_CASE("histogram chunk: hostile bytes are corruption at most", "[storage][codec]") {
  std::mt19937_64 random(5);
  HistogramAppender appender;
  Histogram h = simple();
  for (int i = 0; i < 20; ++i) {
    observe(random, h);
    appender.append(i * 1000, h);
  }
  const std::vector<std::uint8_t> good(appender.bytes().begin(), appender.bytes().end());
  std::vector<Timestamp> times;
  std::vector<HistogramPtr> histograms;
  for (int round = 0; round < 50'000; ++round) {
    const std::size_t size = 1 + random() % good.size();
    std::unique_ptr<std::uint8_t[]> bytes(new std::uint8_t[size]);
    std::copy_n(good.begin(), size, bytes.get());
    for (std::size_t i = 0; i < random() % 4; ++i) {
      bytes[random() % size] = static_cast<std::uint8_t>(random());
    }
    times.clear();
    histograms.clear();
    if (!decode_histograms({bytes.get(), size}, times, histograms).ok()) CHECK(times.empty());
    CHECK(times.size() == histograms.size());
  }
}
