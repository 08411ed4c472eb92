// SPDX-License-Identifier: Apache-2.0
// What does a point of a result cost as JSON, and what the labels of a series? A panel: 20 series
// of 240 points each, in the numbers that queries come up with. Everything written is read back.
//
// Floor: a point is about 30 bytes written in order, 1 ns by bandwidth. Its time is ten digits and
// a point, two digits at a time, 5 ns. Its value depends on its digits: integers below 2^53 cost a
// few divisions by constants, 5 to 10 ns; the shortest of 17 digits that reads back as the same
// double takes two or three 128-bit products and the digits after that, 25 ns.
#include <benchmark/benchmark.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <random>
#include <string>
#include <vector>

#include "api/json.h"
#include "varve/labels.h"
#include "varve/sample.h"

namespace {

using namespace varve;

constexpr std::size_t kSeries = 20;
constexpr std::size_t kPoints = 240;

enum Shape { kSmallInt, kByteCounter, kTwoDecimalGauge, kRate, kSparseRate };

double value_of(Shape shape, std::mt19937_64& random) {
  switch (shape) {
    case kSmallInt:
      return static_cast<double>(random() % 12);
    case kByteCounter:
      return static_cast<double>(random() % (std::uint64_t{1} << 42));
    case kTwoDecimalGauge:
      return static_cast<double>(random() % 100'000) / 100;
    // Of a counter over 5 minutes of samples, extrapolated: all 17 digits.
    case kRate:
      return static_cast<double>(random() % 100'000) / 284.9973;
    case kSparseRate:
      return random() % 4 == 0 ? static_cast<double>(random() % 9) / 284.9973 : 0;
  }
  return 0;
}

std::vector<Sample> make_points(Shape shape) {
  std::mt19937_64 random(1);
  std::vector<Sample> points;
  for (std::size_t i = 0; i < kSeries * kPoints; ++i) {
    // Steps on whole seconds, as dashboards ask for.
    points.push_back({1'763'740'800'000 + 15'000 * static_cast<Timestamp>(i % kPoints),
                      value_of(shape, random)});
  }
  return points;
}

// [1435781430.781,"12.5"] after each other.
bool reads_back(const std::string& json, const std::vector<Sample>& points) {
  const char* at = json.c_str();
  for (const Sample& point : points) {
    char* end = nullptr;
    const double seconds = std::strtod(at + 1, &end);
    if (std::llround(seconds * 1000) != point.timestamp_ms || end[0] != ',' || end[1] != '"') {
      return false;
    }
    const double value = std::strtod(end + 2, &end);
    if (std::bit_cast<std::uint64_t>(value) != std::bit_cast<std::uint64_t>(point.value))
      return false;
    at = end + 3;  // "],
  }
  return true;
}

void points(benchmark::State& state, Shape shape) {
  const std::vector<Sample> all = make_points(shape);
  std::string json;
  for (auto _ : state) {
    json.clear();
    for (const Sample& point : all) {
      api::append_json_sample(json, point);
      json += ',';
    }
    benchmark::DoNotOptimize(json.data());
  }
  if (!reads_back(json, all)) state.SkipWithError("reads back as something else");
  const auto count = static_cast<double>(all.size());
  state.counters["per_point"] = benchmark::Counter(
      count, benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["B/point"] = static_cast<double>(json.size()) / count;
}
BENCHMARK_CAPTURE(points, small_int, kSmallInt);
BENCHMARK_CAPTURE(points, byte_counter, kByteCounter);
BENCHMARK_CAPTURE(points, two_decimal_gauge, kTwoDecimalGauge);
BENCHMARK_CAPTURE(points, rate, kRate);
BENCHMARK_CAPTURE(points, sparse_rate, kSparseRate);

void labels(benchmark::State& state) {
  std::vector<Labels> all;
  for (std::size_t i = 0; i < 100; ++i) {
    all.push_back(Labels{{"__name__", "container_network_receive_bytes_total"},
                         {"cluster", "production-eu-1"},
                         {"instance", "10.0.17." + std::to_string(i) + ":9100"},
                         {"job", "kubernetes-cadvisor"},
                         {"namespace", "monitoring"},
                         {"pod", "app-7d9f6c5b4-" + std::to_string(i)}});
  }
  std::string json;
  for (auto _ : state) {
    json.clear();
    for (const Labels& one : all) api::append_json_labels(json, one);
    benchmark::DoNotOptimize(json.data());
  }
  if (json.find("\"pod\":\"app-7d9f6c5b4-99\"}") == std::string::npos) {
    state.SkipWithError("wrong labels");
  }
  state.counters["per_series"] = benchmark::Counter(
      static_cast<double>(all.size()),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
  state.counters["B/series"] = static_cast<double>(json.size() / all.size());
}
BENCHMARK(labels);

}  // namespace
