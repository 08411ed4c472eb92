// SPDX-License-Identifier: Apache-2.0
// A database whose ladder, policies and holds change at random while samples come, come late, are
// deleted, the power goes and the disk fills, beside a model that knows of each sample only whether
// the configuration has kept it all the time: what it has kept is there, once, in samples or in a
// bucket. Seeds are printed; a failure shows what was done.
#include <fmt/format.h>

#include <iostream>
#include <random>

#include "levels_fixture.h"

namespace varve::storage::test {
namespace {

constexpr int kSeries = 5;
constexpr std::int64_t kStepMs = 20 * kMinuteMs;

// Where one sample is sure to be.
struct Fate {
  double value = 0;
  bool raw = true;
  std::map<std::int64_t, bool> levels;  // by resolution
  std::map<std::string, bool> holds;    // by id: whether as a sample

  // For who asks for this source.
  bool shown(std::int64_t source) const {
    const auto bucket = [source](const auto& one) {
      return one.second && (source == kSourceAuto || one.first <= source);
    };
    const auto held = [source](const auto& one) { return one.second || source == kSourceAuto; };
    return raw || std::any_of(levels.begin(), levels.end(), bucket) ||
           std::any_of(holds.begin(), holds.end(), held);
  }
};

model::Matcher one_of(const std::string& names) {
  return std::move(model::Matcher::create(model::MatchType::kRegex, "s", names)).value();
}

class Model : public History {
 public:
  explicit Model(unsigned seed) : History({}, hours(24)), random_(seed), fates_(kSeries) {
    db.reset();
    options.block_windows = {hours(2), hours(8)};
    options.reserve_bytes = 4096;
    options.log_segment_bytes = 16 * 1024;
    options.snapshot_log_bytes = 20'000;
    options.out_of_order_window = hours(3);
    db = world.open(options);
  }

  void run(int days) {
    change_keeping();
    for (int step = 0; step < days * static_cast<int>(kDayMs / kStepMs); ++step) {
      write();
      if (step % 6 != 5) continue;
      if (chance(12)) {
        change_keeping();
        if (chance(2)) check();
      }
      if (chance(15)) hold();
      if (chance(25)) release();
      if (chance(10)) write_late();
      if (chance(30)) erase();
      if (chance(30)) jump();
      if (chance(8)) {
        maintain_and_lose_power();
      } else if (chance(8)) {
        maintain_on_a_full_disk();
      }
      keep_house();
      if (chance(3)) check();
    }
    check();
  }

  std::uint64_t checked() const { return checked_; }

 private:
  bool chance(unsigned one_in) { return random_() % one_in == 0; }
  template <typename T>
  T pick(std::initializer_list<T> from) {
    return from.begin()[random_() % from.size()];
  }
  template <typename... Args>
  void note(fmt::format_string<Args...> text, Args&&... args) {
    trace_ += fmt::format("  {:.1f}h ", static_cast<double>(newest - kBegin) / kHourMs);
    trace_ += fmt::format(text, std::forward<Args>(args)...) + "\n";
  }

  void write() {
    const Timestamp begin = next_ms_;
    next_ms_ += kStepMs;
    BatchBuilder batch;
    std::vector<std::pair<int, Timestamp>> added;
    for (int s = 0; s < kSeries; ++s) {
      if (chance(10)) continue;
      const Timestamp t = begin + 1 + static_cast<Timestamp>(random_() % (kStepMs - 1));
      batch.add(labels(s), t, static_cast<double>(random_() % 1000));
      added.emplace_back(s, t);
      newest = std::max(newest, t);
    }
    if (added.empty()) return;
    world.clock.set(newest + 1);
    send(batch.batch, added);
  }

  // Only where all samples are still there: of what has gone no bucket can be made anew.
  void write_late() {
    const int s = static_cast<int>(random_() % kSeries);
    std::map<Timestamp, Fate>& own = fates_[static_cast<std::size_t>(s)];
    Timestamp from = TimeRange::all().min_ms;
    for (const auto& [t, fate] : own) {
      if (!fate.raw) from = t;
    }
    from = std::max(from + 4 * kHourMs, newest - 40 * kHourMs);
    if (deleted_to_ > TimeRange::all().min_ms) from = std::max(from, deleted_to_ + 4 * kHourMs);
    const std::int64_t raw_ms = raw_retention(s);
    if (raw_ms != 0) from = std::max(from, newest - raw_ms + kHourMs);
    if (from >= newest - kHourMs || from < kBegin) return;
    BatchBuilder batch;
    std::vector<std::pair<int, Timestamp>> added;
    for (int i = 0; i < 5; ++i) {
      const Timestamp t =
          from +
          static_cast<Timestamp>(random_() % static_cast<std::uint64_t>(newest - kHourMs - from));
      if (own.count(t) > 0) continue;
      batch.add(labels(s), t, static_cast<double>(random_() % 1000));
      added.emplace_back(s, t);
    }
    note("late samples of {} from {:.1f}h on", s, at(from));
    db->set_out_of_order_window(hours(24 * 3));
    send(batch.batch, added);
    db->set_out_of_order_window(std::chrono::duration_cast<hours>(options.out_of_order_window));
  }

  static Labels labels(int s) { return Labels{{"__name__", "m"}, {"s", std::to_string(s)}}; }
  static double at(Timestamp t) { return static_cast<double>(t - kBegin) / kHourMs; }

  void send(const WriteBatch& batch, const std::vector<std::pair<int, Timestamp>>& added) {
    const auto outcome = db->append(batch);
    REQUIRE(outcome.ok());
    INFO(trace_);
    REQUIRE(outcome->first_error == "");
    REQUIRE(wait(*db, outcome->ticket).ok());
    std::size_t i = 0;
    for (const auto& [s, t] : added) {
      Fate fate;
      fate.value = batch.samples[i++].value;
      fates_[static_cast<std::size_t>(s)].emplace(t, fate);
    }
  }

  // ---- what is kept ----
  void change_keeping() {
    age();
    const std::vector<std::vector<std::int64_t>> shapes{
        {}, {5}, {20}, {60}, {5, 20}, {5, 60}, {20, 60}, {5, 20, 60}, {10, 60}, {30}};
    Ladder ladder;
    std::int64_t at_least = 12;
    for (const std::int64_t minutes_each : shapes[random_() % shapes.size()]) {
      LevelOptions one = level(minutes(minutes_each));
      const std::int64_t kept = at_least == 0 ? 0 : pick<std::int64_t>({12, 24, 48, 96, 240, 0});
      at_least = kept == 0 ? 0 : std::max(at_least, kept);
      one.retention = hours(at_least);
      if (chance(3)) one.after = hours(6);
      ladder.levels.push_back(one);
    }
    for (int p = static_cast<int>(random_() % 3); p > 0; --p) {
      RetentionPolicy policy;
      policy.matchers = {one_of(pick<std::string>({"0", "1|2", "0|1|3", "2", ".*", "4"}))};
      policy.raw = hours(pick({3, 8, 20, 60, 0}));
      for (const LevelOptions& one : ladder.levels) {
        if (chance(2)) policy.levels.push_back({one.resolution, hours(pick({6, 24, 72, 200, 0}))});
      }
      ladder.policies.push_back(policy);
    }
    raw_ms_ = std::chrono::milliseconds(hours(pick({4, 8, 16, 30, 60}))).count();
    std::string text;
    for (const LevelOptions& one : ladder.levels) {
      text += fmt::format(" {}m:{}h", one.resolution.count() / kMinuteMs,
                          one.retention.count() / kHourMs);
      if (one.after.count() > 0) text += "(after 6h)";
    }
    for (const RetentionPolicy& policy : ladder.policies) {
      text += fmt::format(" [{} raw {}h", policy.matchers[0].value(), policy.raw.count() / kHourMs);
      for (const auto& one : policy.levels) {
        text += fmt::format(" {}m:{}h", one.resolution.count() / kMinuteMs,
                            one.retention.count() / kHourMs);
      }
      text += ']';
    }
    note("keep raw {}h{}", raw_ms_ / kHourMs, text);
    for (const LevelOptions& one : options.ladder.levels) {
      removed_[one.resolution.count()] = one.retention.count();
      left_[one.resolution.count()] = true;
    }
    for (const LevelOptions& one : ladder.levels) removed_.erase(one.resolution.count());
    options.ladder = ladder;
    options.retention = std::chrono::milliseconds(raw_ms_);
    REQUIRE(db->set_ladder(ladder).ok());
    db->set_retention(options.retention, 0);
    age();
    left_.clear();
  }

  const RetentionPolicy* policy_of(int s) const {
    for (const RetentionPolicy& policy : options.ladder.policies) {
      if (policy.matchers[0].matches(std::to_string(s))) return &policy;
    }
    return nullptr;
  }
  std::int64_t raw_retention(int s) const {
    const RetentionPolicy* policy = policy_of(s);
    return policy == nullptr ? raw_ms_ : policy->raw.count();
  }
  std::optional<std::int64_t> level_retention(int s, const LevelOptions& one) const {
    const RetentionPolicy* policy = policy_of(s);
    if (policy == nullptr) return one.retention.count();
    for (const RetentionPolicy::OfLevel& own : policy->levels) {
      if (own.resolution == one.resolution) return own.retention.count();
    }
    return std::nullopt;
  }
  // Applies what is configured now to what is there.
  void age() {
    const auto young = [this](Timestamp t, std::int64_t retention_ms) {
      return retention_ms == 0 || t >= newest - retention_ms;
    };
    for (int s = 0; s < kSeries; ++s) {
      for (auto& [t, fate] : fates_[static_cast<std::size_t>(s)]) {
        const Fate before = fate;
        fate.raw = before.raw && young(t, raw_retention(s));
        fate.levels.clear();
        for (const LevelOptions& one : options.ladder.levels) {
          const std::int64_t resolution_ms = one.resolution.count();
          bool there = before.raw;
          for (const auto& [other_ms, has] : before.levels) {
            there = there || (has && resolution_ms % other_ms == 0);
          }
          const auto kept = level_retention(s, one);
          fate.levels[resolution_ms] = there && kept && young(end_of(t, resolution_ms), *kept);
        }
        // Only by the ladder's own retention, whatever it was by a policy.
        for (const auto& [resolution_ms, retention_ms] : removed_) {
          const auto known = before.levels.find(resolution_ms);
          if (known == before.levels.end() || !known->second) continue;
          // It may have left before its time had come, and samples stood in for it.
          if (left_[resolution_ms] && t > newest - 40 * kHourMs) continue;
          fate.levels[resolution_ms] = young(end_of(t, resolution_ms), retention_ms);
        }
      }
    }
  }

  void hold() {
    age();
    const Timestamp begin =
        kBegin +
        static_cast<Timestamp>(random_() % static_cast<std::uint64_t>(newest - kBegin + kHourMs));
    const TimeRange range{begin, begin + static_cast<Timestamp>(random_() % (20 * kHourMs))};
    const model::Matcher matcher = one_of(pick<std::string>({"0", "1", "2|3", ".*"}));
    const std::vector<model::Matchers> selectors{{matcher}};
    const auto added = db->add_hold(range, selectors, "");
    REQUIRE(added.ok());
    note("hold {} of {} from {:.1f}h to {:.1f}h", added->hold.id, matcher.value(), at(range.min_ms),
         at(range.max_ms));
    holds_.emplace(added->hold.id, matcher.value());
    for (int s = 0; s < kSeries; ++s) {
      if (!matcher.matches(std::to_string(s))) continue;
      for (auto& [t, fate] : fates_[static_cast<std::size_t>(s)]) {
        if (!range.contains(t)) continue;
        // Older holds of the same series count; of others it is only what they hold themselves.
        Fate own = fate;
        std::erase_if(own.holds,
                      [&](const auto& one) { return holds_.at(one.first) != matcher.value(); });
        if (own.shown(kSourceAuto)) fate.holds.emplace(added->hold.id, own.shown(kSourceRaw));
      }
    }
  }
  void release() {
    if (holds_.empty()) return;
    const std::string id = holds_.begin()->first;
    note("release {}", id);
    REQUIRE(db->release_hold(id).ok());
    holds_.erase(id);
    for (auto& own : fates_) {
      for (auto& [t, fate] : own) fate.holds.erase(id);
    }
    age();
  }

  // Of buckets whose samples have gone, those at the ends of the range go as a whole.
  void erase() {
    const int s = static_cast<int>(random_() % kSeries);
    const Timestamp begin = newest - static_cast<Timestamp>(random_() % (60 * kHourMs));
    const TimeRange range{begin, begin + static_cast<Timestamp>(random_() % (3 * kHourMs))};
    note("delete {} from {:.1f}h to {:.1f}h", s, at(range.min_ms), at(range.max_ms));
    const std::vector<model::Matchers> selectors{{one_of(std::to_string(s))}};
    REQUIRE(db->delete_series(selectors, range).ok());
    std::map<Timestamp, Fate>& own = fates_[static_cast<std::size_t>(s)];
    std::erase_if(own, [&](const auto& one) { return range.contains(one.first); });
    for (auto& [t, fate] : own) {
      if (t < range.min_ms - 2 * kHourMs || t > range.max_ms + 2 * kHourMs) continue;
      fate.levels.clear();
      std::erase_if(fate.holds, [](const auto& one) { return !one.second; });
    }
    deleted_to_ = std::max(deleted_to_, range.max_ms);
    keep_house();
  }

  // ---- what goes wrong ----
  void jump() {
    note("the clock jumps");
    world.clock.set(newest + pick({365, -365, -3}) * kDayMs);
    REQUIRE(db->maintain().ok());
    world.clock.set(newest + 1);
  }
  void maintain_and_lose_power() {
    age();
    note("power");
    world.files.cut_power_at(world.files.steps() + 1 + random_() % 150);
    (void)db->maintain().ok();
    db.reset();
    world.files.reboot(pick({fs::FaultFs::Keep::kNothing, fs::FaultFs::Keep::kEverything,
                             fs::FaultFs::Keep::kRandom}),
                       random_());
    db = world.open(options);
  }
  void maintain_on_a_full_disk() {
    age();
    note("full disk");
    world.files.fill_disk_at(world.files.steps() + 1 + random_() % 150);
    (void)db->maintain().ok();
    if (chance(2)) (void)db->maintain().ok();
    world.files.clear_faults();
  }
  void keep_house() {
    for (int i = 0; i < 2; ++i) {
      const Status done = db->maintain();
      if (!done.ok()) FAIL(done.error().message() << "\n" << trace_);
    }
    age();
  }

  // For people.
  std::string state() {
    std::string text;
    for (const block::BlockMeta& meta : db->blocks()) {
      text += fmt::format("{}m {:.2f}h..{:.2f}h ({:.0f}..{:.0f}), ", meta.resolution_ms / kMinuteMs,
                          at(meta.range.min_ms), at(meta.range.max_ms), at(meta.window_begin_ms),
                          at(meta.window_end_ms));
    }
    const auto manifest = world.files.read_file("data/varve/MANIFEST", 1 << 24);
    const std::size_t ladder = manifest.ok() ? manifest->rfind("\"ladder\"") : std::string::npos;
    if (ladder == std::string::npos) return text;
    std::string own = manifest->substr(ladder, manifest->find('\n', ladder) - ladder);
    // Times as hours.
    for (std::size_t digit = own.find("17"); digit != std::string::npos;
         digit = own.find("17", digit + 1)) {
      if (digit + 13 > own.size() || own.find_first_not_of("0123456789", digit) < digit + 13)
        continue;
      own.replace(digit, 13, fmt::format("{:.2f}h", at(std::stoll(own.substr(digit, 13)))));
    }
    return text + own;
  }

  void check() {
    age();
    for (const std::int64_t source : {kSourceAuto, kSourceRaw, 20 * kMinuteMs, kHourMs})
      check(source);
  }
  void check(std::int64_t source) {
    INFO(trace_);
    INFO(state());
    CAPTURE(source, at(newest));
    auto querier = db->querier(TimeRange::all());
    REQUIRE(querier.ok());
    SelectHints hints;
    hints.max_source_resolution_ms = source;
    auto selection =
        (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
    REQUIRE(selection.ok());
    std::vector<bool> seen(kSeries);
    for (std::size_t i = 0; i < (*selection)->size(); ++i) {
      const int s = std::stoi(std::string((*selection)->labels(i).get("s")));
      seen[static_cast<std::size_t>(s)] = true;
      check(**selection, i, s, source);
    }
    for (int s = 0; s < kSeries; ++s) {
      if (seen[static_cast<std::size_t>(s)]) continue;
      for (const auto& [t, fate] : fates_[static_cast<std::size_t>(s)]) {
        CAPTURE(s, at(t));
        REQUIRE_FALSE(fate.shown(source));
      }
    }
    CHECK((*querier)->warnings().empty());
  }
  void check(const Selection& selection, std::size_t i, int s, std::int64_t source) {
    const std::map<Timestamp, Fate>& own = fates_[static_cast<std::size_t>(s)];
    SeriesBuckets buckets;
    SeriesSamples samples;
    std::map<Timestamp, bool> found;  // whether some bucket has it, for each sample that is there
    const std::span<const LevelSpan> spans = selection.levels(i);
    CAPTURE(s);
    std::string shown;
    for (const LevelSpan& span : spans) {
      shown +=
          fmt::format("{}m {:.2f}h..{:.2f}h ", span.resolution_ms / kMinuteMs,
                      span.ends.min_ms == TimeRange::all().min_ms ? -1.0 : at(span.ends.min_ms),
                      at(span.ends.max_ms));
    }
    CAPTURE(shown);
    for (std::size_t k = 0; k < spans.size(); ++k) {
      const std::int64_t resolution_ms = spans[k].resolution_ms;
      REQUIRE(selection.read_buckets(i, k, TimeRange::all(), BucketColumns::kAll, buckets).ok());
      std::map<Timestamp, double> counts;
      for (std::size_t b = 0; b < buckets.ends_ms.size(); ++b) {
        REQUIRE(counts.emplace(buckets.ends_ms[b], buckets.counts[b]).second);
        check_bucket(own, buckets, b);
      }
      std::map<Timestamp, double> kept;
      for (const auto& [t, fate] : own) {
        if (!spans[k].ends.contains(end_of(t, resolution_ms))) continue;
        REQUIRE(found.emplace(t, true).second);
        if (fate.shown(source)) ++kept[end_of(t, resolution_ms)];
      }
      for (const auto& [end, count] : kept) {
        CAPTURE(at(end), resolution_ms / kMinuteMs);
        REQUIRE(counts[end] >= count);
        checked_ += static_cast<std::uint64_t>(count);
      }
    }
    REQUIRE(selection.read(i, TimeRange::all(), samples).ok());
    for (std::size_t k = 0; k < samples.float_times.size(); ++k) {
      const Timestamp t = samples.float_times[k];
      CAPTURE(at(t));
      const auto known = own.find(t);
      REQUIRE(known != own.end());
      REQUIRE(known->second.value == samples.float_values[k]);
      REQUIRE(found.emplace(t, false).second);
      ++checked_;
    }
    for (const auto& [t, fate] : own) {
      CAPTURE(t, at(t), fate.raw);
      REQUIRE((!fate.shown(source) || found.count(t) > 0));
    }
  }
  // It never has more than what there was, and with as much it says the same.
  void check_bucket(const std::map<Timestamp, Fate>& own, const SeriesBuckets& buckets,
                    std::size_t b) {
    const Timestamp end = buckets.ends_ms[b];
    Series in;
    for (auto at = own.upper_bound(end - buckets.resolution_ms);
         at != own.end() && at->first <= end; ++at) {
      in.emplace(at->first, at->second.value);
    }
    CAPTURE(at(end), buckets.resolution_ms / kMinuteMs);
    REQUIRE(buckets.counts[b] <= static_cast<double>(in.size()));
    if (buckets.counts[b] < static_cast<double>(in.size())) return;
    const Expected want = expected(in, buckets.resolution_ms).at(end);
    REQUIRE(buckets.sums[b] == Approx(want.sum));
    REQUIRE(buckets.mins[b] == want.min);
    REQUIRE(buckets.maxs[b] == want.max);
    REQUIRE(buckets.first_times[b] == want.first_ms);
    REQUIRE(buckets.last_times[b] == want.last_ms);
    REQUIRE(buckets.resets[b] == want.resets);
    REQUIRE(buckets.reset_sums[b] == Approx(want.reset_sum));
  }

  std::mt19937 random_;
  std::vector<std::map<Timestamp, Fate>> fates_;
  std::map<std::int64_t, std::int64_t>
      removed_;                               // resolution to retention, of levels that have left
  std::map<std::int64_t, bool> left_;         // those that are leaving just now
  std::map<std::string, std::string> holds_;  // by id, of whom
  std::int64_t raw_ms_ = 24 * kHourMs;
  Timestamp next_ms_ = kBegin;
  Timestamp deleted_to_ = TimeRange::all().min_ms;
  std::string trace_;
  std::uint64_t checked_ = 0;
};

}  // namespace

TEST_CASE("levels: whatever changes, nothing is gone that the configuration keeps",
          "[storage][levels]") {
  std::uint64_t checked = 0;
  // Those after the first nine have found something.
  std::vector<unsigned> seeds{1,  2,  3,  4,  5,  6,  7,  8,  9,  10, 12,  15,  20,  23, 24,
                              46, 55, 60, 63, 64, 66, 70, 75, 78, 84, 125, 143, 181, 198, 230};
  if (const char* const only = std::getenv("VARVE_MODEL_SEED")) {
    seeds = {static_cast<unsigned>(std::atoi(only))};
  }
  for (const unsigned seed : seeds) {
    CAPTURE(seed);
    Model model(seed);
    model.run(8);
    checked += model.checked();
  }
  std::cout << "levels: random keeping: " << seeds.size() << " seeds, " << checked
            << " samples found where they should be\n";
}

}  // namespace varve::storage::test
