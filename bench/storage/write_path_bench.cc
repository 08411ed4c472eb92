// SPDX-License-Identifier: Apache-2.0
// What does a sample cost from a ready batch until it is in the head and staged for the log, all on
// the writer's thread; and what a series that nobody has seen before? Requests of 2,000 series with
// nine labels each. What follows on the log's thread is bench/storage_wal's.
//
// Floor: the sum of what it is made of. Known series: hash of the key 10 ns and look-up 2 to 20
// (bench/storage_head), append 10 to 30 (there too), record for the log 3 (bench/storage_wal): 25
// ns of 10k series, 60 of 1M, of which half is waiting for memory. A new series must at least have
// its labels read, nine pairs looked up and nine postings appended to: 18 loads from anywhere and
// 400 bytes written, 0.5 µs.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/fault_fs.h"
#include "storage/write_path.h"

namespace varve::storage {
namespace {

constexpr std::size_t kRequest = 2000;
constexpr Timestamp kStart = 1'700'000'100'000;
constexpr Timestamp kScrapeMs = 15'000;

index::SeriesHasher fixed_hasher() {
  std::string hex;
  std::mt19937 random(1);
  for (std::size_t i = 0; i < 2 * index::SeriesHasher::kSecretBytes; ++i) {
    hex += "0123456789abcdef"[random() % 16];
  }
  return index::SeriesHasher::from_hex(hex).value();
}

// Nine labels, "name=value" with a zero byte behind each: about the 200 bytes of a remote-write
// series.
std::string make_key(std::size_t series, std::size_t generation) {
  const std::size_t metric = series % 1000 / 10;
  const std::string host =
      "host-" + std::to_string(series / 1000) + '-' + std::to_string(generation);
  const std::pair<const char*, std::string> labels[] = {
      {"__name__", "node_some_measured_quantity_" + std::to_string(metric) + "_total"},
      {"cluster", "production-europe"},
      {"device", "disk" + std::to_string(series % 10)},
      {"env", "prod"},
      {"instance", host + ".example.org:9100"},
      {"job", "node"},
      {"mode", "mode" + std::to_string(metric % 8)},
      {"rack", "r" + std::to_string(series / 1000 % 40)},
      {"zone", "eu-west-" + std::to_string(series / 1000 % 3)},
  };
  std::string key;
  for (const auto& [name, value] : labels)
    key.append(name).append(1, '=').append(value).append(1, '\0');
  return key;
}

class PlainDecoder final : public KeyDecoder {
 public:
  Result<Labels> decode(std::string_view key) const override {
    std::vector<LabelView> labels;
    while (!key.empty()) {
      const std::string_view label = key.substr(0, key.find('\0'));
      const std::size_t equals = label.find('=');
      labels.push_back({label.substr(0, equals), label.substr(equals + 1)});
      key.remove_prefix(label.size() + 1);
    }
    return Labels(std::span<const LabelView>(labels));
  }
};

// mix: counters, gauges of two decimals, constants.
double value_of(std::size_t series, std::size_t round) {
  switch (series % 4) {
    case 0:
    case 1:
      return static_cast<double>(round * (100 + series % 50) + (series * 7 + round * 13) % 20);
    case 2:
      return static_cast<double>(400 + (series * 31 + round * 17) % 21) / 100;
    default:
      return static_cast<double>(series % 7);
  }
}

// A write path whose log takes what is staged for it and writes nothing.
class Fixture {
 public:
  Fixture() {
    wal::LogOptions log_options;
    log_options.directory = "wal";
    log_options.prepare_ahead = false;
    if (!files_.create_directories("wal").ok()) std::abort();
    head_ = std::move(head::Head::create(files_, "head", fixed_hasher(), 0)).value();
    path_ = std::make_unique<WritePath>(options_, limits_, clock_, *head_, stamps_, metrics_);
    log_ = std::move(wal::Log::open(log_options, position_, files_, logger_, metrics_)).value();
    path_->start(*log_, position_);
    batch_.decoder = &decoder_;
    batch_.key_space = 1;
  }

  // Series [first, first + kRequest) of a generation. Their keys lie one behind the other and were
  // just written, as in a request that was just decompressed.
  void prepare(const std::vector<std::string>& keys, std::size_t first, std::size_t round) {
    batch_.clear();
    key_bytes_.clear();
    key_bytes_.reserve(kRequest * 256);
    for (std::size_t i = first; i < first + kRequest; ++i) {
      SeriesEntry& entry = batch_.series.emplace_back();
      const std::size_t key_at = key_bytes_.size();
      key_bytes_ += keys[i];
      entry.key = std::string_view(key_bytes_).substr(key_at);
      entry.samples_begin = static_cast<std::uint32_t>(batch_.samples.size());
      entry.samples_count = 1;
      // jittered_scrape: the series of a target have one time.
      const Timestamp jitter = static_cast<Timestamp>((i / 1000 * 37 + round * 11) % 11);
      batch_.samples.push_back(
          {kStart + static_cast<Timestamp>(round) * kScrapeMs + jitter, value_of(i, round)});
    }
    clock_.set(batch_.samples.back().timestamp_ms);
  }

  bool append() {
    const auto outcome = path_->append(batch_, {});
    return outcome.ok() && outcome->samples_appended == kRequest;
  }
  // What the log's thread does every few requests.
  void collect() {
    ++position_.seq;
    wal::FrameBuilder builder;
    path_->collect(position_, builder);
  }
  std::size_t series_count() const { return head_->index()->series_count(); }

 private:
  fs::FaultFs files_;
  base::FakeClock clock_{kStart};
  base::Logger logger_{base::LogLevel::kError, base::LogFormat::kLogfmt, clock_};
  base::MetricsRegistry metrics_;
  Options options_;
  Limits limits_{options_};
  VersionStamps stamps_;
  wal::FramePosition position_{1, 1};
  std::unique_ptr<head::Head> head_;
  std::unique_ptr<WritePath> path_;
  std::unique_ptr<wal::Log> log_;
  PlainDecoder decoder_;
  WriteBatch batch_;
  std::string key_bytes_;
};

void report(benchmark::State& state) {
  state.counters["per_sample"] = benchmark::Counter(
      static_cast<double>(kRequest),
      benchmark::Counter::kIsIterationInvariantRate | benchmark::Counter::kInvert);
}

void append_known(benchmark::State& state) {
  const auto count = static_cast<std::size_t>(state.range(0));
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < count; ++i) keys.push_back(make_key(i, 0));
  Fixture fixture;
  std::size_t round = 0;
  std::size_t at = 0;
  const auto next = [&] {
    fixture.prepare(keys, at, round);
    at += kRequest;
    if (at + kRequest > count) {
      at = 0;
      ++round;
    }
  };
  while (round < 2) {  // creates them, and fills the buffers once
    next();
    if (!fixture.append()) return state.SkipWithError("refused");
    fixture.collect();
  }
  for (auto _ : state) {
    state.PauseTiming();
    next();
    state.ResumeTiming();
    if (!fixture.append()) state.SkipWithError("refused");
    state.PauseTiming();
    fixture.collect();
    state.ResumeTiming();
  }
  report(state);
}
BENCHMARK(append_known)->Arg(10'000)->Arg(1'000'000)->Unit(benchmark::kMicrosecond);

// churn: targets come back under new names, as pods do.
void append_new(benchmark::State& state) {
  Fixture fixture;
  std::size_t generation = 0;
  for (auto _ : state) {
    state.PauseTiming();
    std::vector<std::string> keys;
    for (std::size_t i = 0; i < kRequest; ++i) keys.push_back(make_key(i, generation));
    fixture.prepare(keys, 0, 0);
    ++generation;
    state.ResumeTiming();
    if (!fixture.append()) state.SkipWithError("refused");
    state.PauseTiming();
    fixture.collect();
    state.ResumeTiming();
  }
  if (fixture.series_count() != generation * kRequest) state.SkipWithError("series are missing");
  report(state);
}
// Few, as each makes the index larger and the next one dearer.
BENCHMARK(append_new)->Iterations(20)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace varve::storage
