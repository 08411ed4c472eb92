// SPDX-License-Identifier: Apache-2.0
// The whole life of samples against a plain map: written in order, late and twice, deleted, cut
// into blocks, compacted, retired and recovered in random order; whatever happened to them on the
// way, a reader sees the same.
#include <algorithm>
#include <numeric>
#include <random>
#include <set>

#include "db_fixture.h"
#include "storage/head/shard.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;
constexpr std::int64_t kWindowMs = 40 * kMinuteMs;

struct PlainSample {
  std::uint64_t value = 0;
  HistogramPtr histogram;  // null: a float
};
using PlainSeries = std::map<Timestamp, PlainSample>;

class Life {
 public:
  explicit Life(unsigned seed) : random_(seed), world_(kStart + 40 * Timestamp{86'400'000}) {
    options_ = world_.options();
    options_.out_of_order_window = std::chrono::milliseconds(kWindowMs);
    options_.retention = std::chrono::milliseconds(0);
    options_.idle_after = std::chrono::minutes(50 + random_() % 60);
    db_ = world_.open(options_);
    series_count_ = 5 + random_() % 30;
  }

  void step() {
    const auto action = random_() % 100;
    if (action < 55) {
      write();
    } else if (action < 68) {
      write_late();
    } else if (action < 78) {
      now_ += static_cast<Timestamp>(random_() % (100 * kMinuteMs));
      must(db_->maintain(), "maintain");
    } else if (action < 81) {
      must(db_->compact(), "compact");
    } else if (action < 84) {
      erase();
    } else if (action < 86) {
      must(db_->clean_tombstones(), "clean_tombstones");
    } else if (action < 90) {
      reopen();
    } else {
      check(random_range());
    }
  }

  void check(TimeRange range) {
    CAPTURE(range.min_ms - kStart, range.max_ms - kStart);
    auto querier = db_->querier(range);
    REQUIRE(querier.ok());
    auto selected = (*querier)->select(std::vector{equal("__name__", "m")}, range);
    REQUIRE(selected.ok());
    const Selection& selection = **selected;

    std::map<std::string, std::size_t> ordinal_of;
    for (std::size_t i = 0; i < selection.size(); ++i) {
      REQUIRE(ordinal_of.emplace(selection.labels(i).to_string(), i).second);
    }
    check_columns(selection);
    std::vector<std::uint32_t> ordinals(selection.size());
    std::iota(ordinals.begin(), ordinals.end(), 0U);
    std::vector<LastSample> last(ordinals.size());
    REQUIRE(selection.read_last(ordinals, range, last).ok());

    std::set<std::string> values;
    std::map<std::uint64_t, std::vector<Timestamp>> times_by_id;
    SeriesSamples samples;
    for (const auto& [labels, plain] : series_) {
      const auto begin = plain.samples.lower_bound(range.min_ms);
      const auto end = plain.samples.upper_bound(range.max_ms);
      const auto found = ordinal_of.find(labels.to_string());
      CAPTURE(labels.to_string());
      if (begin != end) {
        REQUIRE(found != ordinal_of.end());
        values.insert(std::string(labels.get("s")));
      }
      if (found == ordinal_of.end()) continue;
      REQUIRE(selection.read(found->second, range, samples).ok());
      compare(samples, begin, end);
      if (samples.times_id != 0) {
        const auto [known, is_new] = times_by_id.try_emplace(
            samples.times_id, samples.float_times.begin(), samples.float_times.end());
        if (!is_new) REQUIRE(known->second == samples.float_times);
      }
      compare_last(last[found->second], begin, end);
      ordinal_of.erase(found);
    }
    REQUIRE(ordinal_of.empty());

    auto names = (*querier)->label_values("s", std::vector{equal("__name__", "m")}, range);
    REQUIRE(names.ok());
    REQUIRE(std::is_sorted(names->names.begin(), names->names.end()));
    REQUIRE(std::includes(names->names.begin(), names->names.end(), values.begin(), values.end()));
    auto all_names = (*querier)->label_values("s", {}, range);
    REQUIRE(all_names.ok());
    REQUIRE(std::includes(all_names->names.begin(), all_names->names.end(), values.begin(),
                          values.end()));
    auto label_names = (*querier)->label_names(std::vector{equal("__name__", "m")}, range);
    REQUIRE(label_names.ok());
    if (!values.empty())
      REQUIRE(label_names->names == std::vector<std::string>{"__name__", "s", "t"});
    REQUIRE((*querier)->warnings().empty());
  }

  void check_all() { check(TimeRange::all()); }
  std::size_t blocks() const { return db_->blocks().size(); }
  std::size_t blocks_seen_ = 0;

 private:
  struct Known {
    PlainSeries samples;
    Timestamp newest = TimeRange::all().min_ms;  // in order
  };

  void must(const Status& status, const char* what) {
    INFO(what);
    if (!status.ok()) FAIL(status.error().message());
    blocks_seen_ = std::max(blocks_seen_, blocks());
  }
  Labels labels_of(std::uint64_t s) const {
    return Labels{{"__name__", "m"}, {"s", std::to_string(s)}, {"t", std::to_string(s % 3)}};
  }

  void write() {
    now_ += static_cast<Timestamp>(random_() % (12 * kMinuteMs));
    // Some go quiet for a while: their turn comes with the time.
    const std::uint64_t phase = static_cast<std::uint64_t>((now_ - kStart) / (150 * kMinuteMs));
    for (int round = 0; round < 12; ++round) {
      BatchBuilder builder;
      now_ += 15'000;
      for (std::uint64_t s = 0; s < series_count_; ++s) {
        if ((s + phase) % 3 == 0 && s % 4 != 0) continue;
        const Labels labels = labels_of(s);
        Known& known = series_[labels];
        PlainSample sample;
        if (s % 7 == 3 && random_() % 5 != 0) {
          Histogram h = make_histogram(3 + static_cast<double>(random_() % 50), 1);
          sample.histogram = std::make_shared<const Histogram>(h);
          builder.add(labels, now_, h);
        } else {
          const double value = random_() % 9 == 0 && s % 7 != 3
                                   ? stale_marker()
                                   : static_cast<double>(random_() % 100'000) / 100;
          sample.value = bits(value);
          builder.add(labels, now_, value);
        }
        known.samples[now_] = sample;
        known.newest = now_;
        max_ = std::max(max_, now_);
      }
      put(builder.batch);
    }
  }

  void write_late() {
    if (max_ == TimeRange::all().min_ms) return;
    BatchBuilder builder;
    for (int i = 0; i < 12; ++i) {
      const Labels labels = labels_of(random_() % series_count_);
      const auto found = series_.find(labels);
      if (found == series_.end()) continue;
      PlainSeries& samples = found->second.samples;
      const Timestamp t = max_ - static_cast<Timestamp>(random_() % kWindowMs);
      const auto same = samples.lower_bound(t);
      if (random_() % 4 == 0 && same != samples.end() && same->second.histogram == nullptr) {
        // Sent twice.
        builder.add(labels, same->first, std::bit_cast<double>(same->second.value));
        continue;
      }
      if (t >= found->second.newest || taken_.count({labels, t}) != 0) continue;
      if (same != samples.end() && same->first == t) continue;
      const double value = static_cast<double>(random_() % 1000);
      builder.add(labels, t, value);
      samples[t] = {bits(value), nullptr};
    }
    put(builder.batch);
  }

  void put(const WriteBatch& batch) {
    if (batch.series.empty()) return;
    const WriteOutcome outcome = append(*db_, batch);
    INFO(outcome.first_error);
    REQUIRE(outcome.all_accepted());
    ticket_ = outcome.ticket;
  }

  void erase() {
    const TimeRange range = random_range();
    const std::uint64_t t = random_() % 3;
    must(db_->delete_series(
             std::vector<std::vector<model::Matcher>>{
                 {equal("__name__", "m"), equal("t", std::to_string(t))}},
             range),
         "delete_series");
    for (auto& [labels, known] : series_) {
      if (labels.get("t") != std::to_string(t)) continue;
      std::erase_if(known.samples, [&](const auto& entry) {
        if (!range.contains(entry.first)) return false;
        // A sample that takes a deleted one's place is another story.
        taken_.insert({labels, entry.first});
        return true;
      });
    }
  }

  void reopen() {
    if (random_() % 2 == 0) {
      REQUIRE(db_->close().ok());
      db_.reset();
    } else {
      REQUIRE(wait(*db_, ticket_).ok());
      db_.reset();
      world_.files.reboot(fs::FaultFs::Keep::kNothing);
    }
    ticket_ = {};
    db_ = world_.open(options_);
    REQUIRE(db_->recovery().samples_lost == 0);
    check_all();
  }

  TimeRange random_range() {
    if (random_() % 4 == 0) return TimeRange::all();
    const auto span = static_cast<std::uint64_t>(now_ - kStart + 1);
    TimeRange range;
    range.min_ms = kStart + static_cast<Timestamp>(random_() % span);
    range.max_ms = range.min_ms +
                   static_cast<Timestamp>(random_() % (random_() % 3 == 0 ? span : 90 * kMinuteMs));
    return range;
  }

  static void compare(const SeriesSamples& samples, PlainSeries::const_iterator at,
                      PlainSeries::const_iterator end) {
    std::vector<Timestamp> float_times, histogram_times;
    std::vector<std::uint64_t> float_values, read_values;
    std::vector<HistogramPtr> histograms;
    for (; at != end; ++at) {
      if (at->second.histogram == nullptr) {
        float_times.push_back(at->first);
        float_values.push_back(at->second.value);
      } else {
        histogram_times.push_back(at->first);
        histograms.push_back(at->second.histogram);
      }
    }
    REQUIRE(samples.float_times == float_times);
    for (const double value : samples.float_values) read_values.push_back(bits(value));
    REQUIRE(read_values == float_values);
    REQUIRE(samples.histogram_times == histogram_times);
    for (std::size_t i = 0; i < histograms.size(); ++i) {
      REQUIRE(head::same_histogram(*samples.histograms[i], *histograms[i]));
    }
  }

  static void compare_last(const LastSample& last, PlainSeries::const_iterator begin,
                           PlainSeries::const_iterator end) {
    if (begin == end) {
      REQUIRE(last.kind == LastSample::Kind::kNone);
      return;
    }
    const auto& [t, sample] = *std::prev(end);
    REQUIRE(last.kind != LastSample::Kind::kNone);
    REQUIRE(last.timestamp_ms == t);
    if (sample.histogram == nullptr) {
      REQUIRE(last.kind == LastSample::Kind::kFloat);
      REQUIRE(bits(last.value) == sample.value);
    } else {
      REQUIRE(last.kind == LastSample::Kind::kHistogram);
      REQUIRE(head::same_histogram(*last.histogram, *sample.histogram));
    }
  }

  static void check_columns(const Selection& selection) {
    for (const std::string_view name : {"s", "t", "nothing"}) {
      const LabelColumn column = selection.label_column(name);
      REQUIRE(column.ids.size() == selection.size());
      REQUIRE(column.values.at(0).empty());
      std::set<std::string_view> unique(column.values.begin(), column.values.end());
      REQUIRE(unique.size() == column.values.size());
      for (std::size_t i = 0; i < selection.size(); ++i) {
        REQUIRE(column.values.at(column.ids[i]) == selection.labels(i).get(name));
      }
    }
  }

  std::mt19937_64 random_;
  World world_;
  Options options_;
  std::unique_ptr<Db> db_;
  std::uint64_t series_count_ = 0;
  Timestamp now_ = kStart;
  Timestamp max_ = TimeRange::all().min_ms;
  Ticket ticket_{};
  std::map<Labels, Known> series_;
  std::set<std::pair<Labels, Timestamp>> taken_;  // times that had a deleted sample
};

TEST_CASE("db: what a reader sees does not depend on where samples lie", "[storage]") {
  const auto seed = GENERATE(range(1U, 25U));
  CAPTURE(seed);
  Life life(seed);
  for (int step = 0; step < 250; ++step) {
    CAPTURE(step);
    life.step();
  }
  life.check_all();
  CHECK(life.blocks_seen_ > 0);
}

}  // namespace
}  // namespace varve::storage::test
