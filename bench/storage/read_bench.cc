// SPDX-License-Identifier: Apache-2.0
// What does it cost to read history: to select series over blocks and the head, to decode a sample
// of them, to look at their newest ones, and how much of that is paid only the first time?
//
// Floor: a sample costs its decoding, 0.3 to 1.3 ns (bench/storage_codec); a series two to three
// misses until its chunks are found, 100 to 200 ns.
//
//   bench_storage_read [series] [hours] [directory]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/real_fs.h"
#include "storage/db.h"

namespace varve::storage {
namespace {

constexpr Timestamp kStepMs = 15'000;
constexpr Timestamp kStart = 1'790'000'000'000 / 7'200'000 * 7'200'000;
constexpr std::size_t kTargetSeries = 500;

double cpu_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

[[noreturn]] void fail(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}
void must(const Status& status) {
  if (!status.ok()) fail(status.error().message());
}

// Steady counters, gauges with two decimals, small integers and constants.
double value_of(std::size_t series, std::size_t step) {
  const std::uint64_t noise = (series * 0x9e3779b97f4a7c15ULL + step * 0xbf58476d1ce4e5b9ULL) >> 40;
  switch (series % 4) {
    case 0: return static_cast<double>(step * (series % 90) + noise % 50);
    case 1: return static_cast<double>(noise % 10'000) / 100;
    case 2: return static_cast<double>(series);
    default: return static_cast<double>(noise % 8);
  }
}

void fill(Db& db, std::size_t series_count, std::size_t steps) {
  std::vector<Labels> labels;
  for (std::size_t s = 0; s < series_count; ++s) {
    labels.push_back(Labels{{"__name__", "m" + std::to_string(s % kTargetSeries / 10)},
                            {"device", "d" + std::to_string(s % 10)},
                            {"instance", "host-" + std::to_string(s / kTargetSeries) + ":9100"},
                            {"job", "node"}});
  }
  std::vector<SeriesId> ids(series_count, SeriesId::kNone);
  WriteBatch batch;
  AppendOptions options;
  options.want_ids = true;
  for (std::size_t step = 0; step < steps; ++step) {
    for (std::size_t first = 0; first < series_count; first += kTargetSeries) {
      batch.clear();
      const std::size_t end = std::min(series_count, first + kTargetSeries);
      // Targets are spread over the interval.
      const Timestamp t = kStart + static_cast<Timestamp>(step) * kStepMs +
                          static_cast<Timestamp>(first / kTargetSeries * 997 % kStepMs);
      for (std::size_t s = first; s < end; ++s) {
        SeriesEntry& entry = batch.series.emplace_back();
        entry.id = ids[s];
        entry.labels = ids[s] == SeriesId::kNone ? &labels[s] : nullptr;
        entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
        entry.samples_count = 1;
        batch.samples.push_back({t, value_of(s, step)});
      }
      const auto outcome = db.append(batch, options);
      if (!outcome.ok()) fail(outcome.error().message());
      if (!outcome->all_accepted()) fail(outcome->first_error);
      for (std::size_t s = first; s < end; ++s) ids[s] = outcome->ids[s - first];
    }
    if (step % 960 == 959) must(db.maintain());
  }
}

void measure(const Db& db, const char* name, TimeRange range) {
  const std::vector<model::Matcher> matchers{
      std::move(model::Matcher::create(model::MatchType::kEqual, "job", "node")).value()};
  for (const char* turn : {"first", "again"}) {
    auto querier = db.querier(range);
    if (!querier.ok()) fail(querier.error().message());
    double begin = cpu_seconds();
    auto selected = (*querier)->select(matchers, range);
    if (!selected.ok()) fail(selected.error().message());
    const Selection& selection = **selected;
    const double select_s = cpu_seconds() - begin;
    begin = cpu_seconds();
    selection.label_column("instance");
    const double column_s = cpu_seconds() - begin;
    begin = cpu_seconds();
    std::size_t samples = 0;
    double sum = 0;
    SeriesSamples read;
    for (std::size_t i = 0; i < selection.size(); ++i) {
      must(selection.read(i, range, read));
      samples += read.float_values.size();
      if (!read.float_values.empty()) sum += read.float_values.back();
    }
    const double read_s = cpu_seconds() - begin;
    std::vector<std::uint32_t> ordinals(selection.size());
    std::iota(ordinals.begin(), ordinals.end(), 0U);
    std::vector<LastSample> last(ordinals.size());
    begin = cpu_seconds();
    must(selection.read_last(ordinals, range, last));
    const double last_s = cpu_seconds() - begin;
    const auto n = static_cast<double>(selection.size());
    std::printf(
        "%-14s %s: %zu series, select %.0f ns/series, column %.0f ns/series, %zu samples at "
        "%.2f ns, newest %.0f ns/series (%g)\n",
        name, turn, selection.size(), select_s / n * 1e9, column_s / n * 1e9, samples,
        read_s / static_cast<double>(samples) * 1e9, last_s / n * 1e9, sum);
  }
}

int run(int argc, char** argv) {
  const std::size_t series = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 2000;
  const std::size_t hours = argc > 2 ? std::strtoul(argv[2], nullptr, 10) : 27;
  const std::string directory = argc > 3 ? argv[3] : "varve-read-bench";
  std::filesystem::remove_all(directory);
  const std::size_t steps = hours * 240;
  fs::RealFs files;
  base::FakeClock clock(kStart + static_cast<Timestamp>(steps) * kStepMs);
  base::Logger log(base::LogLevel::kError, base::LogFormat::kLogfmt, clock);
  base::MetricsRegistry metrics;
  Options options;
  options.path = directory;
  options.sync = SyncMode::kOff;
  options.background = false;
  options.retention = std::chrono::milliseconds(0);
  {
    auto db = Db::open(options, files, clock, log, metrics);
    if (!db.ok()) fail(db.error().message());
    fill(**db, series, steps);
    const Timestamp end = kStart + static_cast<Timestamp>(steps) * kStepMs;
    constexpr Timestamp kHour = 3'600'000;
    measure(**db, "head, 1 h", {end - kHour, end});
    must((*db)->compact());
    std::printf("%zu blocks\n", (*db)->blocks().size());
    measure(**db, "all, 1 h", {end - kHour, end});
    measure(**db, "all, 6 h", {end - 6 * kHour, end});
    measure(**db, "all, 24 h", {end - 24 * kHour, end});
    measure(**db, "old, 1 h", {kStart + kHour, kStart + 2 * kHour});
    must((*db)->close());
  }
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace varve::storage

int main(int argc, char** argv) { return varve::storage::run(argc, argv); }
