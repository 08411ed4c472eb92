// SPDX-License-Identifier: Apache-2.0
// Histogram arithmetic against a twin that keeps buckets in a map, and tables of edge cases.
#include "model/histogram.h"

#include <bit>
#include <catch2/catch.hpp>
#include <cmath>
#include <limits>
#include <map>
#include <random>

#include "model/histogram_stats.h"

using namespace varve;
using namespace varve::model;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

Histogram exponential(std::int32_t schema, std::int32_t offset, std::vector<double> counts) {
  Histogram histogram;
  histogram.schema = schema;
  histogram.positive_spans = {{offset, static_cast<std::uint32_t>(counts.size())}};
  for (const double count : counts) histogram.count += count;
  histogram.positive_counts = std::move(counts);
  histogram.sum = histogram.count;
  return histogram;
}

Histogram custom(std::vector<double> bounds, std::vector<double> counts) {
  Histogram histogram = exponential(kCustomBucketsSchema, 0, std::move(counts));
  histogram.custom_bounds = std::move(bounds);
  return histogram;
}

using Buckets = std::map<std::int64_t, double>;

Buckets twin_of(const std::vector<HistogramSpan>& spans, const std::vector<double>& counts,
                int shift = 0) {
  Buckets buckets;
  std::int64_t index = 0;
  std::size_t at = 0;
  for (const HistogramSpan& span : spans) {
    index += span.offset;
    for (std::uint32_t i = 0; i < span.length; ++i, ++index) {
      buckets[((index - 1) >> shift) + 1] += counts[at++];
    }
  }
  std::erase_if(buckets, [](const auto& bucket) { return bucket.second == 0; });
  return buckets;
}

// Small whole counts, so that sums are exact in any order.
Histogram random_histogram(std::mt19937_64& random) {
  Histogram histogram;
  histogram.schema = static_cast<std::int32_t>(random() % 5);
  const auto side = [&](std::vector<HistogramSpan>& spans, std::vector<double>& counts) {
    const std::size_t span_count = random() % 4;
    for (std::size_t i = 0; i < span_count; ++i) {
      const auto offset = static_cast<std::int32_t>(random() % 6) - (i == 0 ? 3 : 0);
      spans.push_back({offset, static_cast<std::uint32_t>(random() % 4)});
      for (std::uint32_t b = 0; b < spans.back().length; ++b) {
        counts.push_back(static_cast<double>(random() % 4));
        histogram.count += counts.back();
      }
    }
  };
  side(histogram.positive_spans, histogram.positive_counts);
  side(histogram.negative_spans, histogram.negative_counts);
  histogram.sum = static_cast<double>(random() % 100);
  return histogram;
}

}  // namespace

TEST_CASE("histogram: bucket bounds of every schema", "[model]") {
  CHECK(bucket_bound(0, 0, {}) == 1);
  CHECK(bucket_bound(3, 0, {}) == 8);
  CHECK(bucket_bound(-2, 0, {}) == 0.25);
  // Prometheus's table, which is not rounded to the last bit (the square root of 2 ends in 51).
  CHECK(bucket_bound(1, 1, {}) == 1.414213562373095);
  CHECK(bucket_bound(-3, 2, {}) == 0.5946035575013605);
  CHECK(bucket_bound(-1, 2, {}) == 0.8408964152537144);
  CHECK(bucket_bound(-255, 8, {}) == 0.5013556375251013);
  CHECK(bucket_bound(1, -2, {}) == 16);
  CHECK(bucket_bound(-1, -4, {}) == std::ldexp(1, -16));
  // The last bucket of finite numbers ends at the largest of them, the next one at infinity.
  CHECK(bucket_bound(1024, 0, {}) == std::numeric_limits<double>::max());
  CHECK(bucket_bound(1025, 0, {}) == kInfinity);
  CHECK(bucket_bound(64, -4, {}) == std::numeric_limits<double>::max());
  CHECK(bucket_bound(65, -4, {}) == kInfinity);
  CHECK(bucket_bound(262144, 8, {}) == std::numeric_limits<double>::max());
  CHECK(bucket_bound(1LL << 40, 8, {}) == kInfinity);
  CHECK(bucket_bound(-(1LL << 40), -4, {}) == 0);
  const std::vector<double> bounds{1, 5};
  CHECK(bucket_bound(-1, kCustomBucketsSchema, bounds) == -kInfinity);
  CHECK(bucket_bound(1, kCustomBucketsSchema, bounds) == 5);
  CHECK(bucket_bound(2, kCustomBucketsSchema, bounds) == kInfinity);
}

TEST_CASE("histogram: all buckets rise, and the zero bucket pushes its neighbours", "[model]") {
  Histogram histogram = exponential(0, 0, {1, 2});
  histogram.zero_threshold = 0.75;
  histogram.zero_count = 4;
  histogram.negative_spans = {{0, 1}};
  histogram.negative_counts = {8};
  const std::vector<HistogramBucket> buckets = all_buckets(histogram);
  REQUIRE(buckets.size() == 4);
  CHECK(buckets[0].lower == -1);
  CHECK(buckets[0].upper == -0.75);
  CHECK(buckets[1].count == 4);
  CHECK(buckets[2].lower == 0.75);
  CHECK(buckets[2].upper == 1);
  CHECK(buckets[3].upper == 2);
}

TEST_CASE("histogram: add and subtract agree with a map of buckets", "[model]") {
  const auto seed = std::random_device{}();
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 3000; ++round) {
    const Histogram a = random_histogram(random);
    const Histogram b = random_histogram(random);
    const std::int32_t schema = std::min(a.schema, b.schema);
    const double sign = round % 2 == 0 ? 1 : -1;
    CAPTURE(to_string(a), to_string(b), sign);

    Buckets positive = twin_of(a.positive_spans, a.positive_counts, a.schema - schema);
    for (const auto& [index, count] :
         twin_of(b.positive_spans, b.positive_counts, b.schema - schema)) {
      positive[index] += sign * count;
    }
    std::erase_if(positive, [](const auto& bucket) { return bucket.second == 0; });
    Buckets negative = twin_of(a.negative_spans, a.negative_counts, a.schema - schema);
    for (const auto& [index, count] :
         twin_of(b.negative_spans, b.negative_counts, b.schema - schema)) {
      negative[index] += sign * count;
    }
    std::erase_if(negative, [](const auto& bucket) { return bucket.second == 0; });

    Histogram result = a;
    const ArithmeticOutcome outcome = sign > 0 ? add(result, b) : subtract(result, b);
    REQUIRE(outcome.compatible);
    REQUIRE(result.schema == schema);
    REQUIRE(result.count == a.count + sign * b.count);
    REQUIRE(result.sum == a.sum + sign * b.sum);
    REQUIRE(twin_of(result.positive_spans, result.positive_counts) == positive);
    REQUIRE(twin_of(result.negative_spans, result.negative_counts) == negative);

    compact(result);
    REQUIRE(result.positive_counts.size() == positive.size());
    for (std::size_t i = 1; i < result.positive_spans.size(); ++i) {
      REQUIRE(result.positive_spans[i].offset > 0);
    }
    if (sign > 0) {
      HistogramSum sum(a);
      REQUIRE(sum.add(b).compatible);
      Histogram compensated = sum.result();
      compact(compensated);
      REQUIRE(same_data(compensated, result));
      // What was only added to is no reset.
      REQUIRE_FALSE(detect_reset(result, a));
    }
  }
}

TEST_CASE("histogram: a compensated sum keeps what a plain one loses", "[model]") {
  HistogramSum sum(exponential(0, 0, {1}));
  sum.add(exponential(0, 0, {1e100}));
  sum.add(exponential(0, 0, {1}));
  sum.add(exponential(0, 0, {-1e100}));
  CHECK(sum.result().positive_counts == std::vector<double>{2});
  CHECK(sum.result().count == 2);
}

TEST_CASE("histogram: zero buckets of different width are reconciled", "[model]") {
  Histogram wide = exponential(0, 2, {1});  // (2, 4]
  wide.zero_threshold = 1;
  wide.zero_count = 3;
  Histogram narrow = exponential(0, 0, {5, 7});  // (0.5, 1], (1, 2]
  narrow.zero_threshold = 0.001;
  narrow.zero_count = 2;
  SECTION("the wider one takes in what lies within it") {
    Histogram sum = wide;
    add(sum, narrow);
    CHECK(sum.zero_threshold == 1);
    CHECK(sum.zero_count == 10);
    compact(sum);
    CHECK(sum.positive_counts == std::vector<double>{7, 1});
    Histogram mirrored = narrow;
    add(mirrored, wide);
    compact(mirrored);
    sum.counter_reset_hint = mirrored.counter_reset_hint;
    CHECK(same_data(sum, mirrored));
  }
  SECTION("it does not end inside a populated bucket") {
    wide.zero_threshold = 1.5;
    Histogram sum = wide;
    add(sum, narrow);
    CHECK(sum.zero_threshold == 2);
    CHECK(sum.zero_count == 17);
  }
  SECTION("a threshold that is no number ends the comparison, not the program") {
    wide.zero_threshold = normal_nan();
    Histogram sum = wide;
    CHECK(add(sum, narrow).compatible);
  }
}

TEST_CASE("histogram: custom buckets keep the bounds they share", "[model]") {
  Histogram sum = custom({1, 2, 3}, {1, 2, 4, 8});
  const ArithmeticOutcome outcome = add(sum, custom({2, 3, 5}, {16, 32, 64, 128}));
  CHECK(outcome.bounds_reconciled);
  CHECK(sum.custom_bounds == std::vector<double>{2, 3});
  CHECK(sum.positive_counts == std::vector<double>{19, 36, 200});
  CHECK_FALSE(add(sum, exponential(0, 0, {1})).compatible);
}

TEST_CASE("histogram: reset hints in sums", "[model]") {
  using Hint = CounterResetHint;
  struct Row {
    Hint a, b, expected;
    bool collide;
  };
  const Row rows[] = {
      {Hint::kUnknown, Hint::kUnknown, Hint::kUnknown, false},
      {Hint::kReset, Hint::kReset, Hint::kReset, false},
      {Hint::kReset, Hint::kNotReset, Hint::kUnknown, true},
      {Hint::kNotReset, Hint::kReset, Hint::kUnknown, true},
      {Hint::kReset, Hint::kUnknown, Hint::kUnknown, false},
      {Hint::kGauge, Hint::kReset, Hint::kGauge, false},
      {Hint::kNotReset, Hint::kGauge, Hint::kGauge, false},
  };
  for (const Row& row : rows) {
    Histogram a = exponential(0, 0, {1});
    Histogram b = a;
    a.counter_reset_hint = row.a;
    b.counter_reset_hint = row.b;
    CHECK(add(a, b).reset_hints_collide == row.collide);
    CHECK(a.counter_reset_hint == row.expected);
  }
}

TEST_CASE("histogram: what is a counter reset", "[model]") {
  const Histogram before = exponential(2, 0, {1, 2, 3});
  CHECK_FALSE(detect_reset(exponential(2, 0, {1, 2, 3}), before));
  CHECK_FALSE(detect_reset(exponential(2, 0, {2, 2, 9, 1}), before));
  CHECK(detect_reset(exponential(2, 0, {0, 9, 9}), before));      // one bucket fell
  CHECK(detect_reset(exponential(2, 1, {9, 9, 9}), before));      // one is gone
  CHECK(detect_reset(exponential(3, 0, {9, 9, 9}), before));      // finer resolution
  CHECK_FALSE(detect_reset(exponential(1, 0, {1, 5}), before));   // coarser resolution
  CHECK(detect_reset(custom({1}, {9, 9}), before));
  CHECK_FALSE(detect_reset(custom({1, 3}, {1, 2, 3}), custom({1, 2, 3}, {1, 1, 1, 3})));
  CHECK(detect_reset(custom({1, 3}, {1, 1, 4}), custom({1, 2, 3}, {1, 1, 1, 3})));
  Histogram hinted = exponential(2, 0, {0});
  hinted.counter_reset_hint = CounterResetHint::kNotReset;
  CHECK_FALSE(detect_reset(hinted, before));
}

TEST_CASE("histogram: compaction splits, joins and fills", "[model]") {
  Histogram histogram = exponential(0, 5, {0, 1, 0, 0, 0, 2, 3, 0});
  histogram.positive_spans = {{5, 5}, {0, 0}, {2, 3}};
  Histogram tight = histogram;
  compact(tight);
  CHECK(tight.positive_spans == std::vector<HistogramSpan>{{6, 1}, {5, 2}});
  CHECK(tight.positive_counts == std::vector<double>{1, 2, 3});
  compact(histogram, 5);
  CHECK(histogram.positive_spans == std::vector<HistogramSpan>{{6, 8}});
  CHECK(histogram.positive_counts == std::vector<double>{1, 0, 0, 0, 0, 0, 2, 3});
}

TEST_CASE("histogram: division by zero leaves no buckets", "[model]") {
  Histogram histogram = exponential(0, 0, {1, 2});
  divide(histogram, 0);
  CHECK(histogram.positive_spans.empty());
  CHECK(histogram.count == kInfinity);
  multiply(histogram, -1);
  CHECK(histogram.counter_reset_hint == CounterResetHint::kGauge);
}

TEST_CASE("histogram: quantiles and fractions are each other's inverse", "[model]") {
  const Histogram histogram = exponential(1, -3, {1, 4, 2, 8, 5});
  for (const double q : {0.05, 0.3, 0.5, 0.77, 0.99}) {
    const double value = quantile(histogram, q).value;
    CHECK(fraction(histogram, -kInfinity, value).value == Approx(q).epsilon(1e-9));
  }
  CHECK(quantile(histogram, -0.1).value == -kInfinity);
  CHECK(quantile(histogram, 1.1).value == kInfinity);
  CHECK(std::isnan(quantile(histogram, normal_nan()).value));
  CHECK(std::isnan(quantile(Histogram(), 0.5).value));
  CHECK(fraction(histogram, 2, 1).value == 0);
  CHECK(quantile(custom({1, 2}, {0, 0, 5}), 0.5).value == 2);  // the last bucket has no end
}

TEST_CASE("histogram: trimming estimates what is left", "[model]") {
  Histogram histogram = custom({0, 10, 20}, {0, 10, 20, 0});
  trim_upper(histogram, 15);
  CHECK(histogram.count == 20);
  CHECK(histogram.positive_counts == std::vector<double>{10, 10});
  CHECK(histogram.sum == 10 * 5 + 10 * 12.5);
  Histogram whole = custom({0, 10}, {0, 10, 0});
  whole.sum = 42;
  trim_lower(whole, -1);
  CHECK(whole.sum == 42);  // nothing was cut, so nothing is estimated
}

TEST_CASE("histogram: untrusted ones are refused with Prometheus's texts", "[model]") {
  const auto text = [](const Histogram& histogram) {
    const Status status = validate(histogram);
    return status.ok() ? std::string() : status.error().message();
  };
  CHECK(text(exponential(0, 0, {1, 2})).empty());
  CHECK(text(custom({1, 2}, {1, 2, 3})).empty());
  CHECK(text(exponential(9, 0, {1})) ==
        "histogram has an invalid schema, which must be between -4 and 8 for exponential buckets, "
        "or -53 for custom buckets, got schema 9");
  Histogram broken = exponential(0, 0, {1, 2});
  broken.positive_spans[0].length = 3;
  CHECK(text(broken) ==
        "positive side: spans need 3 buckets, have 2 buckets: histogram spans specify different "
        "number of buckets than provided");
  broken = exponential(0, 0, {1, -2});
  broken.count = 1;
  CHECK(text(broken) ==
        "positive side: bucket number 2 has observation count of -2: histogram has a bucket whose "
        "observation count is negative");
  broken = exponential(0, 0, {1, 2});
  broken.integer = true;
  broken.count = 4;
  CHECK(text(broken) ==
        "3 observations found in buckets, but the Count field is 4: histogram's observation count "
        "should equal the number of observations found in the buckets (in absence of NaN)");
  broken.sum = normal_nan();
  CHECK(text(broken).empty());
  CHECK(text(custom({2, 1}, {1})) ==
        "custom buckets: previous bound is 2.000000 and current is 1.000000: histogram custom "
        "bounds must be in strictly increasing order");
  CHECK(text(custom({1, kInfinity}, {1})) ==
        "custom buckets: last +Inf bound must not be explicitly defined: histogram custom bounds "
        "must be finite");
  CHECK(text(custom({1}, {1, 2, 3})) ==
        "custom buckets: only 1 custom bounds defined which is insufficient to cover total span "
        "length of 3: histogram custom bounds are too few");
  // Walking a broken one ends where its counts end.
  broken = exponential(0, 0, {1, 2});
  broken.positive_spans[0].length = 4'000'000'000U;
  CHECK(all_buckets(broken).size() == 2);
  compact(broken);
  CHECK(broken.positive_counts.size() == 2);
}

TEST_CASE("histogram: printed forms", "[model]") {
  Histogram histogram = exponential(0, 1, {1, 0, 2});
  histogram.zero_threshold = 0.001;
  histogram.zero_count = 1;
  histogram.negative_spans = {{0, 1}};
  histogram.negative_counts = {3};
  histogram.count = 7;
  histogram.sum = 2500000;
  CHECK(to_string(histogram) ==
        "{count:7, sum:2.5e+06, [-1,-0.5):3, [-0.001,0.001]:1, (1,2]:1, (4,8]:2}");
  CHECK(to_test_expression(histogram) ==
        "{{count:7 sum:2.5e+06 z_bucket:1 z_bucket_w:0.001 offset:1 buckets:[1 0 2] "
        "n_buckets:[3]}}");
  CHECK(to_string(custom({5}, {1, 1})) == "{count:2, sum:2, [-Inf,5]:1, (5,+Inf]:1}");
}

TEST_CASE("histogram: equal as data means equal bits and equal layout", "[model]") {
  Histogram a = exponential(0, 0, {1, 2});
  Histogram b = a;
  b.positive_spans = {{0, 0}, {0, 2}};
  CHECK(same_data(a, b));
  a.sum = normal_nan();
  b.sum = normal_nan();
  CHECK(same_data(a, b));
  b.sum = stale_marker();
  CHECK_FALSE(same_data(a, b));
}
