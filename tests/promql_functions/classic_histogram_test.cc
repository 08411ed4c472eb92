// SPDX-License-Identifier: Apache-2.0
#include "promql/functions/classic_histogram.h"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

using namespace varve::promql::function_impls;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

ClassicQuantile quantile(std::vector<ClassicBucket> buckets, double q) {
  return classic_quantile(buckets, q);
}

double fraction(std::vector<ClassicBucket> buckets, double lower, double upper) {
  return classic_fraction(buckets, lower, upper);
}

const std::vector<ClassicBucket> kSteady = {{1, 10}, {2, 30}, {4, 40}, {kInfinity, 40}};

}  // namespace

TEST_CASE("classic quantile: linear within a bucket, the first from zero", "[promql]") {
  CHECK(quantile(kSteady, 0.125).value == 0.5);
  CHECK(quantile(kSteady, 0.5).value == 1.5);
  CHECK(quantile(kSteady, 1).value == 4);
  CHECK(quantile(kSteady, -1).value == -kInfinity);
  CHECK(quantile(kSteady, 2).value == kInfinity);
  CHECK(quantile({{-1, 5}, {1, 10}, {kInfinity, 10}}, 0.25).value == -1);
  CHECK(quantile({{1, 5}, {kInfinity, 100}}, 0.9).value == 1);
}

TEST_CASE("classic quantile: NaN where nothing can be said", "[promql]") {
  CHECK(std::isnan(quantile(kSteady, std::nan("")).value));
  CHECK(std::isnan(quantile({{1, 10}, {2, 30}}, 0.5).value));       // no +Inf
  CHECK(std::isnan(quantile({{kInfinity, 30}}, 0.5).value));        // one bucket
  CHECK(std::isnan(quantile({{1, 0}, {kInfinity, 0}}, 0.5).value));  // no observations
}

TEST_CASE("classic quantile: equal bounds are one bucket", "[promql]") {
  CHECK(quantile({{1, 4}, {1, 6}, {2, 30}, {kInfinity, 30}}, 1.0 / 6).value == 0.5);
}

TEST_CASE("classic quantile: falling counts are lifted and reported", "[promql]") {
  const ClassicQuantile lifted = quantile({{1, 10}, {2, 8}, {4, 9}, {kInfinity, 20}}, 0.5);
  CHECK(lifted.forced_monotonic);
  CHECK(lifted.bucket_min == 2);
  CHECK(lifted.bucket_max == 4);
  CHECK(lifted.diff_max == 2);
  CHECK(lifted.value == 1);
  // Rounding is levelled without a word.
  CHECK_FALSE(quantile({{1, 10}, {2, 10 * (1 - 1e-14)}, {kInfinity, 20}}, 0.5).forced_monotonic);
}

TEST_CASE("classic fraction: the share between two values", "[promql]") {
  CHECK(fraction(kSteady, 0, 1) == 0.25);
  CHECK(fraction(kSteady, 1.5, 4) == 0.5);
  CHECK(fraction(kSteady, -kInfinity, kInfinity) == 1);
  CHECK(fraction(kSteady, 2, 1) == 0);
  CHECK(std::isnan(fraction({{1, 10}}, 0, 1)));
  CHECK(fraction({{-1, 5}, {kInfinity, 10}}, -kInfinity, -1) == 0.5);
}
