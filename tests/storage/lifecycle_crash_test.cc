// SPDX-License-Identifier: Apache-2.0
// A day in the life of a database, stopped at every step it takes on the disk: by a power cut, a
// full disk, a failing one. What was acknowledged is there afterwards, once and bit for bit; what
// was acknowledged as deleted is not.
#include <algorithm>
#include <cerrno>
#include <iostream>
#include <optional>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

using Keep = fs::FaultFs::Keep;

constexpr std::int64_t kHourMs = 3'600'000;
constexpr Timestamp kBegin = kStart - kStart % (24 * kHourMs);
constexpr std::int64_t kStepMs = 15 * 60'000;
constexpr int kRounds = 44;
constexpr std::int64_t kRetentionMs = 7 * kHourMs;

enum class Fate : std::uint8_t {
  kThere,  // acknowledged
  kGone,   // and acknowledged as deleted
  kMaybe,  // tried, but nobody was told that it worked
};

struct Known {
  Fate fate = Fate::kMaybe;
  std::uint64_t value = 0;
};

// By series and time.
using Truth = std::map<std::string, std::map<Timestamp, Known>>;

Labels name_of(const char* series) { return Labels{{"__name__", "m"}, {"s", series}}; }

// Runs the day as far as it gets.
class Day {
 public:
  explicit Day(World& world) : world_(world), options_(world.options()) {
    options_.block_windows = {std::chrono::hours(2), std::chrono::hours(4), std::chrono::hours(8)};
    options_.retention = std::chrono::milliseconds(0);
    options_.out_of_order_window = std::chrono::hours(3);
    options_.idle_after = std::chrono::hours(1);
    options_.reserve_bytes = 4096;
    options_.log_segment_bytes = 16 * 1024;
    options_.snapshot_log_bytes = 2000;
  }

  void run() {
    if (!open()) return;
    for (int round = 0; round < kRounds; ++round) {
      write(round);
      if (round % 4 == 3) (void)db_->maintain().ok();
      if (round == 17) (void)db_->close().ok();
      if (round == 17 || round == 33) {
        if (!open()) return;
      }
      if (round == 24) erase("b", {kBegin + kHourMs, kBegin + 5 * kHourMs});
      if (round == 28) (void)db_->snapshot(false).ok();
      if (round == 36) (void)db_->compact().ok();
      if (round == 38) (void)db_->clean_tombstones().ok();
    }
    expire();
    (void)db_->close().ok();
  }

  // How many samples were looked for.
  std::size_t check(bool go_on) {
    db_.reset();
    options_.repair = false;
    auto opened = world_.try_open(options_);
    if (!opened.ok()) FAIL(opened.error().message());
    db_ = std::move(*opened);
    CHECK(db_->recovery().samples_lost == 0);
    std::size_t checked = compare();
    if (go_on) {
      const Status status = db_->maintain();
      if (!status.ok()) FAIL(status.error().message());
      const Status compacted = db_->compact();
      if (!compacted.ok()) FAIL(compacted.error().message());
      checked += compare();
    }
    db_.reset();
    return checked;
  }

  bool finished() const { return finished_; }

 private:
  bool open() {
    db_.reset();
    auto opened = world_.try_open(options_);
    if (!opened.ok()) return false;
    db_ = std::move(*opened);
    return true;
  }

  void add(BatchBuilder& batch, const char* series, Timestamp t) {
    const double value = static_cast<double>((t - kBegin) / 1000 % 10'007) * 0.5;
    batch.add(name_of(series), t, value);
    tried_.emplace_back(name_of(series).to_string(), t);
    Known& known = truth_[tried_.back().first][t];
    known.value = bits(value);
  }

  void write(int round) {
    const Timestamp t = kBegin + round * kStepMs;
    BatchBuilder batch;
    tried_.clear();
    add(batch, "a", t);
    add(batch, "b", t + 1);
    if (round < 5) add(batch, "short", t);
    if (round % 4 == 2) add(batch, "a", t - 40 * 60'000 - 1);
    if (round % 8 == 7) add(batch, "b", t - 150 * 60'000 - 1);  // behind a cut
    batch.add(Labels{{"__name__", "m"}, {"s", "h"}}, t, make_histogram(10 + round, round));
    tried_.emplace_back(name_of("h").to_string(), t);
    truth_[tried_.back().first][t].value = bits(10.0 + round);
    auto outcome = db_->append(batch.batch);
    if (!outcome.ok() || !outcome->first_error.empty()) return;
    if (!wait(*db_, outcome->ticket).ok()) return;
    for (const auto& [series, at] : tried_) truth_[series][at].fate = Fate::kThere;
  }

  void erase(const char* series, TimeRange range) {
    const std::vector<std::vector<model::Matcher>> selectors{
        {equal("__name__", "m"), equal("s", series)}};
    const bool done = db_->delete_series(selectors, range).ok();
    for (auto& [t, known] : truth_[name_of(series).to_string()]) {
      if (!range.contains(t)) continue;
      known.fate = done ? Fate::kGone : Fate::kMaybe;
    }
  }

  void expire() {
    const Timestamp newest = db_->max_time_ms();
    db_->set_retention(std::chrono::milliseconds(kRetentionMs), 0);
    (void)db_->maintain().ok();
    for (auto& [series, samples] : truth_) {
      for (auto& [t, known] : samples) {
        if (t < newest - kRetentionMs && known.fate == Fate::kThere) known.fate = Fate::kMaybe;
      }
    }
    finished_ = true;
  }

  std::size_t compare() {
    auto querier = db_->querier(TimeRange::all());
    REQUIRE(querier.ok());
    const std::vector matchers{equal("__name__", "m")};
    auto selection = (*querier)->select(matchers, TimeRange::all());
    REQUIRE(selection.ok());
    std::size_t checked = 0;
    SeriesSamples samples;
    std::map<std::string, std::map<Timestamp, std::uint64_t>> found;
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      const std::string name = (*selection)->labels(i).to_string();
      CAPTURE(name);
      CHECK(found.count(name) == 0);  // a series appears once
      auto& times = found[name];
      const Status read = (*selection)->read(i, TimeRange::all(), samples);
      if (!read.ok()) FAIL(read.error().message());
      CHECK(std::is_sorted(samples.float_times.begin(), samples.float_times.end()));
      for (std::size_t k = 0; k < samples.float_times.size(); ++k) {
        if (!times.emplace(samples.float_times[k], bits(samples.float_values[k])).second) {
          FAIL("twice: " << samples.float_times[k]);
        }
      }
      for (std::size_t k = 0; k < samples.histogram_times.size(); ++k) {
        if (!times.emplace(samples.histogram_times[k], bits(samples.histograms[k]->count)).second) {
          FAIL("twice: " << samples.histogram_times[k]);
        }
      }
    }
    CHECK((*querier)->warnings().empty());
    for (const auto& [series, expected] : truth_) {
      const auto& times = found[series];
      for (const auto& [t, known] : expected) {
        const auto at = times.find(t);
        const bool right = at == times.end()            ? known.fate != Fate::kThere
                           : known.fate == Fate::kGone ? false
                                                       : at->second == known.value;
        if (!right) {
          FAIL(series << " at minute " << (t - kBegin) / 60'000 << ", fate "
                      << static_cast<int>(known.fate) << ", found " << (at != times.end()));
        }
        ++checked;
      }
    }
    for (const auto& [series, times] : found) {
      for (const auto& [t, value] : times) {
        if (truth_[series].count(t) == 0) FAIL(series << ": nobody wrote a sample at " << t);
      }
    }
    return checked;
  }

  World& world_;
  Options options_;
  std::unique_ptr<Db> db_;
  Truth truth_;
  std::vector<std::pair<std::string, Timestamp>> tried_;
  bool finished_ = false;
};

constexpr Timestamp kNow = kBegin + 24 * kHourMs;

std::uint64_t steps_of_a_day() {
  World world(kNow);
  Day day(world);
  day.run();
  REQUIRE(day.finished());
  day.check(true);
  return world.files.steps();
}

void report(const char* what, std::uint64_t points, std::uint64_t checked) {
  std::cout << "lifecycle: " << what << ": " << points << " points, " << checked
            << " samples looked for\n";
}

TEST_CASE("lifecycle: a power cut at any step loses nothing and brings nothing back", "[storage]") {
  const std::uint64_t steps = steps_of_a_day();
  std::uint64_t points = 0;
  std::uint64_t checked = 0;
  for (const Keep keep : {Keep::kNothing, Keep::kRandom, Keep::kEverything}) {
    for (std::uint64_t step = 1; step <= steps; ++step) {
      // Every step is cut in one of the ways, every other one in another too.
      if (keep != Keep::kNothing && step % 2 != (keep == Keep::kRandom ? 0 : 1)) continue;
      CAPTURE(step, static_cast<int>(keep));
      World world(kNow);
      Day day(world);
      world.files.cut_power_at(step);
      day.run();
      world.files.reboot(keep, step);
      checked += day.check(step % 3 == 0);
      ++points;
    }
  }
  report("power cuts", points, checked);
}

TEST_CASE("lifecycle: a disk that is full or fails at any step loses nothing", "[storage]") {
  const std::uint64_t steps = steps_of_a_day();
  std::uint64_t points = 0;
  std::uint64_t checked = 0;
  for (const int error : {ENOSPC, EIO}) {
    for (std::uint64_t step = 1; step <= steps; ++step) {
      CAPTURE(step, error);
      World world(kNow);
      Day day(world);
      world.files.fail_step(step, error);
      day.run();
      world.files.clear_faults();
      checked += day.check(step % 3 == 0);
      ++points;
    }
  }
  report("failing steps", points, checked);
}

}  // namespace
}  // namespace varve::storage::test
