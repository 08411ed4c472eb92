// SPDX-License-Identifier: Apache-2.0
// What does long history cost: bytes of levels against those of samples, bytes a bucket, and the CPU
// and memory of writing levels?
// Floor: each sample is decoded once (1 ns) and folded into eight columns of its bucket (2 ns); a bucket
// of 20 samples is eight numbers of which the dense codec keeps a byte each.
//   bench_storage_levels fill DIR SERIES DAYS   samples every 15 s, through the database, no ladder
//   bench_storage_levels roll DIR               opens it with 5m and 1h levels, and writes these
// A third of the series are counters, a third gauges of two decimals, of the rest half never change.
#include <sys/resource.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/real_fs.h"
#include "storage/db.h"

namespace {

using namespace varve;
using namespace varve::storage;

constexpr std::int64_t kStepMs = 15'000;
constexpr std::int64_t kTwoHoursMs = 2LL * 60 * 60 * 1000;
constexpr Timestamp kBegin = 1'760'054'400'000 / (12 * kTwoHoursMs) * (12 * kTwoHoursMs);

double cpu_seconds() { return static_cast<double>(std::clock()) / CLOCKS_PER_SEC; }

long peak_rss_mb() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_maxrss / 1024;
}

[[noreturn]] void fail(const Error& error) {
  std::fprintf(stderr, "%s\n", error.message().c_str());
  std::exit(1);
}

struct Setup {
  fs::RealFs files;
  base::FakeClock clock{kBegin};
  base::MetricsRegistry metrics;
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                   [](std::string_view line) { std::fputs(std::string(line).c_str(), stderr); }};
  Options options;

  explicit Setup(const std::string& path) {
    options.path = path;
    options.sync = SyncMode::kOff;
    options.retention = std::chrono::milliseconds(0);
    options.background = false;
    options.future_max = std::chrono::hours(24 * 365 * 10);
  }
  std::unique_ptr<Db> open() {
    auto db = Db::open(options, files, clock, log, metrics);
    if (!db.ok()) fail(db.error());
    return std::move(*db);
  }
};

void report(const Db& db) {
  struct Sum {
    std::uint64_t blocks = 0, bytes = 0, items = 0;
  };
  std::map<std::int64_t, Sum> sums;
  for (const block::BlockMeta& meta : db.blocks()) {
    Sum& sum = sums[meta.resolution_ms];
    ++sum.blocks;
    sum.bytes += meta.bytes;
    sum.items += meta.floats + meta.histograms;
  }
  for (const auto& [resolution_ms, sum] : sums) {
    std::printf("resolution %lld ms: %llu blocks, %llu bytes, %llu items, %.3f B each, %.2f %% of raw\n",
                static_cast<long long>(resolution_ms), static_cast<unsigned long long>(sum.blocks),
                static_cast<unsigned long long>(sum.bytes), static_cast<unsigned long long>(sum.items),
                static_cast<double>(sum.bytes) / static_cast<double>(std::max<std::uint64_t>(sum.items, 1)),
                100.0 * static_cast<double>(sum.bytes) / static_cast<double>(std::max<std::uint64_t>(sums[0].bytes, 1)));
  }
}

void fill(const std::string& path, std::size_t series, std::int64_t days) {
  Setup setup(path);
  const auto db = setup.open();
  std::mt19937_64 random(42);
  std::vector<Labels> labels;
  std::vector<double> values(series);
  std::vector<std::int64_t> offset(series);
  for (std::size_t s = 0; s < series; ++s) {
    const std::string metric = "metric_" + std::to_string(s % 50);
    const std::string instance = "host" + std::to_string(s / 50) + ":9100";
    labels.push_back(Labels{{"__name__", metric}, {"instance", instance}, {"job", "node"},
                            {"mode", "m" + std::to_string(s % 7)}});
    offset[s] = static_cast<std::int64_t>(s / 50 * 37 % kStepMs);
    values[s] = static_cast<double>(random() % 1000);
  }
  for (Timestamp begin = kBegin; begin < kBegin + days * 12 * kTwoHoursMs; begin += kTwoHoursMs) {
    setup.clock.set(begin + kTwoHoursMs);
    for (std::size_t s0 = 0; s0 < series; s0 += 500) {
      WriteBatch batch;
      for (std::size_t s = s0; s < std::min(series, s0 + 500); ++s) {
        SeriesEntry& entry = batch.series.emplace_back();
        entry.labels = &labels[s];
        entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
        for (Timestamp t = begin + offset[s]; t < begin + kTwoHoursMs; t += kStepMs) {
          double& v = values[s];
          switch (s % 6) {
            case 0:
            case 1: v += static_cast<double>(random() % 40); break;
            case 2:
            case 3:
              v = std::round((v + static_cast<double>(random() % 201) / 100 - 1) * 100) / 100;
              break;
            case 4: v = random() % 50 == 0 ? static_cast<double>(random() % 8) : v; break;
            default: break;
          }
          batch.samples.push_back({t, v});
        }
        entry.samples_count = static_cast<std::uint32_t>(batch.samples.size()) - entry.samples_begin;
      }
      const auto outcome = db->append(batch);
      if (!outcome.ok()) fail(outcome.error());
    }
    if (Status done = db->maintain(); !done.ok()) fail(done.error());
  }
  if (Status done = db->compact(); !done.ok()) fail(done.error());
  report(*db);
  std::printf("filled in %.1f s of CPU\n", cpu_seconds());
  (void)db->close().ok();
}

void roll(const std::string& path) {
  Setup setup(path);
  {
    const auto db = setup.open();
    setup.clock.set(db->max_time_ms());
    LevelOptions fine;
    fine.resolution = std::chrono::minutes(5);
    LevelOptions coarse;
    coarse.resolution = std::chrono::hours(1);
    std::printf("before: %ld MB peak\n", peak_rss_mb());
    const double cpu = cpu_seconds();
    if (Status set = db->set_ladder({{fine, coarse}, {}, 0.01}); !set.ok()) fail(set.error());
    if (Status done = db->maintain(); !done.ok()) fail(done.error());
    std::printf("levels written in %.1f s of CPU, %ld MB peak (mapped pages of blocks count)\n",
                cpu_seconds() - cpu, peak_rss_mb());
    std::ifstream status("/proc/self/status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("RssAnon") || line.starts_with("RssFile")) std::printf("%s\n", line.c_str());
    }
    report(*db);
    (void)db->close().ok();
  }
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> all(arguments, arguments + count);
  if (all.size() == 5 && all[1] == "fill") {
    fill(all[2], std::stoul(all[3]), std::stol(all[4]));
  } else if (all.size() == 3 && all[1] == "roll") {
    roll(all[2]);
  } else {
    std::fprintf(stderr, "usage: %s fill DIR SERIES DAYS | roll DIR\n", arguments[0]);
    return 2;
  }
  return 0;
}
