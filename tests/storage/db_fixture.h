// SPDX-License-Identifier: Apache-2.0
// A database in a file system in memory, with a clock that stands still, and short ways to write to
// it and to read it back.
#pragma once

#include <catch2/catch.hpp>

#include <bit>
#include <condition_variable>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/fault_fs.h"
#include "storage/db.h"

namespace varve::storage::test {

// A round time in 2026 at which a two-hour range begins.
inline constexpr Timestamp kStart = 1'790'000'000'000 / 7'200'000 * 7'200'000;

inline std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

inline model::Matcher equal(std::string name, std::string value) {
  return std::move(
             model::Matcher::create(model::MatchType::kEqual, std::move(name), std::move(value)))
      .value();
}

inline Histogram make_histogram(double count, double sum) {
  Histogram h;
  h.schema = 1;
  h.integer = true;
  h.zero_threshold = 0.001;
  h.zero_count = 1;
  h.count = count;
  h.sum = sum;
  h.positive_spans = {{0, 2}, {3, 1}};
  h.positive_counts = {1, count - 3, 1};
  return h;
}

// The directory and what stands around a database; survives the database.
class World {
 public:
  explicit World(Timestamp now = kStart + 86'400'000) : clock(now) {}

  Options options() const {
    Options o;
    o.path = "data";
    o.recovery_threads = 2;
    o.out_of_order_window = std::chrono::hours(0);
    o.background = false;
    return o;
  }
  Result<std::unique_ptr<Db>> try_open(const Options& o) {
    return Db::open(o, files, clock, log, metrics);
  }
  std::unique_ptr<Db> open(const Options& o) {
    auto db = try_open(o);
    if (!db.ok()) FAIL(db.error().message());
    return std::move(db).value();
  }
  std::unique_ptr<Db> open() { return open(options()); }

  fs::FaultFs files;
  base::FakeClock clock;
  std::string log_text;
  base::Logger log{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                   [this](std::string_view line) { log_text += line; }};
  base::MetricsRegistry metrics;
};

// Collects one batch; the labels live as long as it.
class BatchBuilder {
 public:
  BatchBuilder& add(const Labels& labels, std::vector<Sample> samples) {
    SeriesEntry& entry = begin(labels);
    entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
    entry.samples_count = static_cast<std::uint32_t>(samples.size());
    batch.samples.insert(batch.samples.end(), samples.begin(), samples.end());
    return *this;
  }
  BatchBuilder& add(const Labels& labels, Timestamp t, double value) {
    return add(labels, {Sample{t, value}});
  }
  BatchBuilder& add(const Labels& labels, Timestamp t, Histogram histogram) {
    SeriesEntry& entry = begin(labels);
    entry.histograms_begin = static_cast<std::uint32_t>(batch.histograms.size());
    entry.histograms_count = 1;
    batch.histograms.push_back({t, std::move(histogram)});
    return *this;
  }

  WriteBatch batch;

 private:
  SeriesEntry& begin(const Labels& labels) {
    kept_.push_back(std::make_unique<Labels>(labels));
    batch.series.emplace_back();
    batch.series.back().labels = kept_.back().get();
    return batch.series.back();
  }
  std::vector<std::unique_ptr<Labels>> kept_;
};

inline WriteOutcome append(Db& db, const WriteBatch& batch) {
  auto outcome = db.append(batch);
  if (!outcome.ok()) FAIL(outcome.error().message());
  return std::move(outcome).value();
}

// Waits until the ticket is durable or the log says why not.
inline Status wait(Db& db, Ticket ticket) {
  std::mutex mutex;
  std::condition_variable wake;
  bool done = false;
  Status result;
  db.when_durable(ticket, [&](Status status) {
    const std::lock_guard lock(mutex);
    result = std::move(status);
    done = true;
    wake.notify_all();
  });
  std::unique_lock lock(mutex);
  wake.wait(lock, [&done] { return done; });
  return result;
}

// All float samples, by labels.
using Contents = std::map<std::string, std::vector<std::pair<Timestamp, std::uint64_t>>>;

inline Contents read_all(const Db& db, const std::vector<model::Matcher>& matchers,
                         TimeRange range = TimeRange::all()) {
  Contents contents;
  auto querier = db.querier(range);
  REQUIRE(querier.ok());
  auto selection = (*querier)->select(matchers, range);
  REQUIRE(selection.ok());
  SeriesSamples samples;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    const Status status = (*selection)->read(i, range, samples);
    if (!status.ok()) FAIL(status.error().message());
    REQUIRE(samples.float_times.size() == samples.float_values.size());
    auto& series = contents[(*selection)->labels(i).to_string()];
    for (std::size_t k = 0; k < samples.float_times.size(); ++k) {
      series.emplace_back(samples.float_times[k], bits(samples.float_values[k]));
    }
  }
  return contents;
}

}  // namespace varve::storage::test
