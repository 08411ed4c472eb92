// SPDX-License-Identifier: Apache-2.0
// What does a sample cost in an open and in a closed chunk: ns to encode, ns to decode, bytes? The
// shapes are those of a fleet of exporters, so that each encoding is reached by one (dense_decode
// prints which); "mix" is the common ones in turn. Times are per sample.
//
// Floor: a value that is decoded is 8 bytes written, and its chunk 0.1 to 8 bytes read, both in the
// cache: 0.3 ns. The integers of FOR, DELTA and DOD are unpacked, summed up and divided 8 at a time
// with AVX-512 or 4 with AVX2, whose one division a value is 0.5 to 1 ns; a constant is only
// written. Gorilla's bits must be read one value after the other: length, shift, xor wait for each
// other, 10 to 15 cycles. Encoding densely is two passes over 120 values, of which finding their
// common exponent is a division and two conversions each, 4 ns.
#include <benchmark/benchmark.h>

#include <cstring>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "shapes.h"
#include "storage/codec/dense.h"
#include "storage/codec/gorilla.h"
#include "storage/codec/times.h"

using namespace varve;
using namespace varve::storage::codec;

namespace {

constexpr std::size_t kSamples = 120;
constexpr std::size_t kSeriesCount = 256;

// Made for encodings that the shapes of the tests reach by accident only: a clock (affine), an
// odometer under way at a growing speed (delta of delta), a smooth signal in binary fractions
// (XOR).
std::vector<double> uptime(std::uint64_t seed, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) values.push_back(static_cast<double>(seed + 15 * i));
  return values;
}
std::vector<double> accelerating_counter(std::uint64_t seed, std::size_t count) {
  std::vector<double> values;
  double total = 0;
  for (std::size_t i = 0; i < count; ++i) {
    total += static_cast<double>(1000 * i + (seed + i * i) % 3);
    values.push_back(total);
  }
  return values;
}
std::vector<double> smooth_float(std::uint64_t seed, std::size_t count) {
  std::vector<double> values;
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(1 + static_cast<double>((seed + i * i * 7) % 64) * 0x1p-30);
  }
  return values;
}
constexpr Shape kMadeShapes[] = {{"uptime", uptime},
                                 {"accelerating_counter", accelerating_counter},
                                 {"smooth_float", smooth_float}};

// Series of one shape, or of the common ones in turn for "mix".
std::vector<std::vector<double>> make_series(std::string_view name) {
  std::vector<Shape> shapes;
  for (const auto from : {real_shapes(), odd_shapes(), std::span<const Shape>(kMadeShapes)}) {
    for (const Shape& shape : from) {
      if (name == shape.name) shapes.push_back(shape);
    }
  }
  if (shapes.empty()) shapes.assign(real_shapes().begin(), real_shapes().end());
  std::vector<std::vector<double>> series;
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    series.push_back(shapes[i % shapes.size()].make(i * 7919 + 1, kSamples));
  }
  return series;
}

void report(benchmark::State& state, std::size_t bytes) {
  const double samples = static_cast<double>(kSeriesCount * kSamples);
  state.counters["per_sample"] =
      benchmark::Counter(samples * static_cast<double>(state.iterations()),
                         benchmark::Counter::kIsRate | benchmark::Counter::kInvert);
  state.counters["B/sample"] = static_cast<double>(bytes) / samples;
}

void encode_dense(benchmark::State& state, const char* name) {
  const auto series = make_series(name);
  std::vector<ValueHint> hints(kSeriesCount);
  std::uint8_t out[kDenseValuesBytesMax];
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (std::size_t i = 0; i < kSeriesCount; ++i) {
      bytes += encode_values(series[i], hints[i], out);
      benchmark::DoNotOptimize(out);
    }
  }
  report(state, bytes);
}

void decode_dense(benchmark::State& state, const char* name) {
  const auto series = make_series(name);
  std::vector<std::uint8_t> bytes;
  std::map<std::string, int> codecs;
  for (const auto& values : series) {
    std::uint8_t out[kDenseValuesBytesMax];
    ValueHint hint;
    const std::size_t size = encode_values(values, hint, out);
    ++codecs[value_codec_name(out[0])];
    bytes.insert(bytes.end(), out, out + size);
  }
  double values[kDenseSamplesMax];
  for (auto _ : state) {
    std::span<const std::uint8_t> rest(bytes);
    for (std::size_t i = 0; i < kSeriesCount; ++i) {
      const auto taken = decode_values(rest, kSamples, values);
      if (!taken.ok()) return state.SkipWithError("corrupt");
      rest = rest.subspan(*taken);
      benchmark::DoNotOptimize(values);
    }
  }
  if (std::memcmp(values, series.back().data(), sizeof(double) * kSamples) != 0) {
    state.SkipWithError("wrong values");
  }
  std::string label;
  for (const auto& [codec, count] : codecs) label += codec + ":" + std::to_string(count) + " ";
  state.SetLabel(label);
  report(state, bytes.size());
}

struct OpenChunk {
  GorillaState state;
  std::vector<std::uint64_t> words = std::vector<std::uint64_t>(kSamples * kGorillaAppendWordsMax);
};

void fill(OpenChunk& chunk, const std::vector<Timestamp>& times,
          const std::vector<double>& values) {
  chunk.state = {};
  for (std::size_t i = 0; i < kSamples; ++i) {
    gorilla_append(chunk.state, chunk.words.data() + chunk.state.word_count, times[i], values[i]);
  }
}

void append_gorilla(benchmark::State& state, const char* name) {
  const auto series = make_series(name);
  const auto times = steady_times(kSamples);
  OpenChunk chunk;
  std::size_t bytes = 0;
  for (auto _ : state) {
    bytes = 0;
    for (const auto& values : series) {
      fill(chunk, times, values);
      bytes += gorilla_size_bytes(chunk.state);
    }
  }
  report(state, bytes);
}

void decode_gorilla(benchmark::State& state, const char* name) {
  const auto series = make_series(name);
  const auto times = steady_times(kSamples);
  std::vector<OpenChunk> chunks(kSeriesCount);
  std::size_t bytes = 0;
  for (std::size_t i = 0; i < kSeriesCount; ++i) {
    fill(chunks[i], times, series[i]);
    bytes += gorilla_size_bytes(chunks[i].state);
  }
  std::vector<Timestamp> got_times(kSamples);
  std::vector<double> values(kSamples);
  for (auto _ : state) {
    for (const OpenChunk& chunk : chunks) {
      gorilla_decode(chunk.state, chunk.words.data(), got_times.data(), values.data());
      benchmark::DoNotOptimize(values.data());
    }
  }
  if (std::memcmp(values.data(), series.back().data(), sizeof(double) * kSamples) != 0) {
    state.SkipWithError("wrong values");
  }
  report(state, bytes);
}

void times_block(benchmark::State& state, std::vector<Timestamp> times, bool decode) {
  std::uint8_t out[kTimesBytesMax];
  const std::size_t size = encode_times(times, out);
  Timestamp got[kTimesMax];
  for (auto _ : state) {
    for (std::size_t i = 0; i < kSeriesCount; ++i) {
      if (decode) {
        if (!decode_times({out, size}, times.size(), got).ok()) state.SkipWithError("corrupt");
        benchmark::DoNotOptimize(got);
      } else {
        encode_times(times, out);
        benchmark::DoNotOptimize(out);
      }
    }
  }
  report(state, size * kSeriesCount);
}

constexpr const char* kShapes[] = {
    "steady_counter", "two_decimal_gauge", "sparse_counter",      "constant",   "small_int_gauge",
    "byte_counter",   "random_float",      "two_decimal_counter", "page_gauge", "few_distinct",
    "steps_with_jumps", "all_special",     "uptime", "accelerating_counter", "smooth_float", "mix"};

const bool kRegistered = [] {
  using Run = void (*)(benchmark::State&, const char*);
  const std::pair<const char*, Run> runs[] = {{"dense_encode/", encode_dense},
                                              {"dense_decode/", decode_dense},
                                              {"gorilla_append/", append_gorilla},
                                              {"gorilla_decode/", decode_gorilla}};
  for (const auto& [prefix, run] : runs) {
    for (const char* shape : kShapes) {
      benchmark::RegisterBenchmark((std::string(prefix) + shape).c_str(), run, shape);
    }
  }
  for (const bool decode : {false, true}) {
    const std::string prefix = decode ? "times_decode/" : "times_encode/";
    benchmark::RegisterBenchmark((prefix + "steady").c_str(), times_block, steady_times(kSamples),
                                 decode);
    benchmark::RegisterBenchmark((prefix + "jittered").c_str(), times_block,
                                 jittered_times(1, kSamples), decode);
  }
  return true;
}();

}  // namespace
