// SPDX-License-Identifier: Apache-2.0
// Long history through the database: buckets say what the samples beneath them said, bit for bit, and
// go on saying it when samples come late, are deleted, or have gone.
#include <random>

#include "levels_fixture.h"

namespace varve::storage::test {
namespace {

// Counters with resets, gauges with all kinds of values, gaps and stale markers.
class Maker {
 public:
  Maker(unsigned seed, int series) : random_(seed), values_(static_cast<std::size_t>(series)) {}

  void until(History& history, Timestamp end) {
    for (; at_ < end; at_ += kMinuteMs) {
      for (std::size_t s = 0; s < values_.size(); ++s) {
        if (random_() % 8 == 0) continue;
        const std::string name = std::to_string(s);
        const Timestamp t = at_ + static_cast<Timestamp>(random_() % 50'000) + 1;
        double& value = values_[s];
        if (s % 3 == 0) {
          value = random_() % 200 == 0 ? 0 : value + static_cast<double>(random_() % 50);
        } else if (s % 3 == 1) {
          value = static_cast<double>(random_() % 10'000) / 100 - 30;
        } else {
          static constexpr double kOdd[] = {0.0, -0.0, 1e300, -1e-300};
          value = random_() % 5 == 0 ? kOdd[random_() % 4] : std::ldexp(1.0, static_cast<int>(random_() % 60));
        }
        if (s % 3 == 2 && random_() % 20 == 0) {
          history.add(name, t, normal_nan());
        } else if (random_() % 60 == 0) {
          history.add(name, t, stale_marker());
          gap_ = random_() % 2 == 0 ? 15 : 0;
        } else {
          history.add(name, t, value);
        }
      }
      at_ += gap_ * kMinuteMs;
      gap_ = 0;
      if (at_ / (2 * kHourMs) != last_) {
        last_ = at_ / (2 * kHourMs);
        history.maintain(1);
      }
    }
    history.maintain();
  }

 private:
  std::mt19937 random_;
  std::vector<double> values_;
  Timestamp at_ = kBegin;
  std::int64_t gap_ = 0;
  Timestamp last_ = 0;
};

}  // namespace

TEST_CASE("levels: buckets equal the fold of their samples, also once these have gone",
          "[storage][levels]") {
  const unsigned seed = GENERATE(1U, 2U, 3U);
  CAPTURE(seed);
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder, hours(10));
  Maker maker(seed, 6);
  maker.until(history, kBegin + 40 * kHourMs);
  const std::vector<LevelSpan> spans = history.spans();
  REQUIRE(spans.size() == 1);
  CHECK(spans[0].resolution_ms == 5 * kMinuteMs);
  CHECK(spans[0].ends.max_ms >= kBegin + 20 * kHourMs);
  CHECK(history.check() > 1000);
  CHECK(history.check(5 * kMinuteMs) > 1000);
  CHECK(history.check(kHourMs) > 100);
  history.reopen();
  history.check();
  REQUIRE(history.db->compact().ok());
  history.check();
}

TEST_CASE("levels: without a ladder nothing is made and nothing answers but samples",
          "[storage][levels]") {
  History history({});
  Maker maker(7, 2);
  maker.until(history, kBegin + 12 * kHourMs);
  CHECK(history.spans().empty());
  CHECK(history.spans(kHourMs).empty());
  CHECK(history.check() == 0);
}

TEST_CASE("levels: each level is kept for its own time, and the seams have no gap",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5), hours(48)), level(hours(1), hours(24 * 30))};
  History history(ladder, hours(12));
  Maker maker(11, 3);
  maker.until(history, kBegin + 5 * kDayMs);
  const std::vector<LevelSpan> spans = history.spans();
  for (const LevelSpan& span : spans) {
    UNSCOPED_INFO(span.resolution_ms / kMinuteMs << " min: " << (span.ends.min_ms - kBegin) / kMinuteMs
                                                 << " to " << (span.ends.max_ms - kBegin) / kMinuteMs);
  }
  REQUIRE(spans.size() == 2);
  CHECK(spans[0].resolution_ms == kHourMs);
  CHECK(spans[1].resolution_ms == 5 * kMinuteMs);
  CHECK(spans[0].ends.max_ms + 5 * kMinuteMs == spans[1].ends.min_ms);
  const Timestamp past = history.newest - 12 * kHourMs - 1;
  CHECK(spans[1].ends.max_ms == past / (5 * kMinuteMs) * (5 * kMinuteMs));
  CHECK(history.check() > 500);
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 0) CHECK(meta.range.max_ms > history.newest - 24 * kHourMs);
    if (meta.resolution_ms == 5 * kMinuteMs) CHECK(meta.range.max_ms > history.newest - 5 * kDayMs);
  }
}

TEST_CASE("levels: late samples are in the buckets of their time", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder, hours(14));
  Maker maker(21, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  history.check(kHourMs);
  history.db->set_out_of_order_window(hours(12));
  std::mt19937 random(5);
  for (int i = 0; i < 40; ++i) {
    const Timestamp t = history.newest - kHourMs - static_cast<Timestamp>(random() % (10 * kHourMs));
    if (history.truth["1"].count(t) == 0) history.add("1", t, i);
  }
  maker.until(history, kBegin + 36 * kHourMs);
  history.maintain();
  CHECK(history.check(kHourMs) > 50);
  CHECK(history.check(5 * kMinuteMs) > 500);
  CHECK(history.check() > 100);
}

TEST_CASE("levels: deleted samples leave their buckets at once, whole ones for good",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder);
  Maker maker(31, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  const TimeRange gone{kBegin + 5 * kHourMs + 12'345, kBegin + 9 * kHourMs + 777'777};
  const std::vector<std::vector<model::Matcher>> selectors{
      {equal("__name__", "m"), equal("s", "1")}};
  REQUIRE(history.db->delete_series(selectors, gone).ok());
  std::erase_if(history.truth["1"], [&](const auto& sample) { return gone.contains(sample.first); });
  {
    auto querier = history.db->querier(TimeRange::all());
    SelectHints hints;
    hints.max_source_resolution_ms = kHourMs;
    auto selection = (*querier)->select(selectors[0], TimeRange::all(), hints);
    REQUIRE((*selection)->levels(0).size() >= 1);
    SeriesBuckets buckets;
    REQUIRE((*selection)->read_buckets(0, 0, {gone.min_ms, gone.max_ms}, BucketColumns::kAll, buckets).ok());
    CHECK(buckets.ends_ms.empty());
  }
  history.maintain();
  history.check(5 * kMinuteMs);
  history.check(kHourMs);
  REQUIRE(history.db->clean_tombstones().ok());
  history.check(kHourMs);
  history.reopen();
  history.check(5 * kMinuteMs);
}

TEST_CASE("levels: a ladder that changes keeps what there is and makes what is new",
          "[storage][levels]") {
  Ladder fine;
  fine.levels = {level(minutes(5))};
  History history(fine, hours(10));
  Maker maker(41, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  SECTION("a coarser level is made of the finer one, all of it") {
    Ladder both = fine;
    both.levels.push_back(level(hours(1)));
    REQUIRE(history.db->set_ladder(both).ok());
    history.maintain();
    const auto spans = history.spans(kHourMs);
    REQUIRE(spans.front().resolution_ms == kHourMs);
    CHECK(spans.front().ends.min_ms <= kBegin + kHourMs);
    CHECK(history.check(kHourMs) > 20);
    CHECK(history.check() > 100);
  }
  SECTION("a level that is taken away still answers") {
    REQUIRE(history.db->set_ladder({}).ok());
    maker.until(history, kBegin + 36 * kHourMs);
    const auto spans = history.spans();
    REQUIRE(spans.size() == 1);
    CHECK(history.check() > 100);
  }
  SECTION("another resolution begins with what samples there are, the old one answers before") {
    Ladder other;
    other.levels = {level(minutes(10))};
    REQUIRE(history.db->set_ladder(other).ok());
    history.options.ladder = other;
    maker.until(history, kBegin + 50 * kHourMs);
    const auto spans = history.spans();
    REQUIRE(spans.size() == 2);
    CHECK(spans[0].resolution_ms == 5 * kMinuteMs);
    CHECK(spans[1].resolution_ms == 10 * kMinuteMs);
    CHECK(history.check() > 100);
    history.reopen();
    history.check();
  }
  SECTION("one that cannot be is refused and changes nothing") {
    Ladder wrong;
    wrong.levels = {level(minutes(5)), level(minutes(7))};
    CHECK_FALSE(history.db->set_ladder(wrong).ok());
    CHECK(history.check() > 100);
  }
}

TEST_CASE("levels: native histograms are merged bucket by bucket", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder);
  const Labels name{{"__name__", "h"}};
  int n = 0;
  for (Timestamp t = kBegin + 1; t < kBegin + 30 * kHourMs; t += kMinuteMs, ++n) {
    BatchBuilder batch;
    // A reset every hundred minutes.
    batch.add(name, t, make_histogram(10 + n % 100, n % 100));
    append(*history.db, batch.batch);
    history.newest = t;
    if (n % 120 == 0) history.maintain(1);
  }
  history.maintain();
  const std::int64_t resolution_ms = GENERATE(5 * kMinuteMs, kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = resolution_ms;
  auto selection = (*querier)->select(std::vector{equal("__name__", "h")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  SeriesBuckets buckets;
  std::size_t compared = 0;
  for (std::size_t s = 0; s < (*selection)->levels(0).size(); ++s) {
    if ((*selection)->levels(0)[s].resolution_ms != resolution_ms) continue;
    REQUIRE((*selection)->read_buckets(0, s, TimeRange::all(), BucketColumns::kHistograms, buckets).ok());
    const HistogramBuckets& h = buckets.histograms;
    CHECK(buckets.ends_ms.empty());
    for (std::size_t i = 0; i < h.ends_ms.size(); ++i) {
      const auto first = static_cast<int>((h.ends_ms[i] - resolution_ms - kBegin) / kMinuteMs);
      const auto per = static_cast<int>(resolution_ms / kMinuteMs);
      double count = 0;
      double lost = 0;
      int resets = 0;
      for (int k = first; k < first + per; ++k) {
        count += 10 + k % 100;
        if (k > first && k % 100 == 0) {
          ++resets;
          lost += 10 + (k - 1) % 100;
        }
      }
      CHECK(h.counts[i] == per);
      REQUIRE(h.sums[i] != nullptr);
      CHECK(h.sums[i]->count == count);
      CHECK(h.firsts[i]->count == 10 + first % 100);
      CHECK(h.lasts[i]->count == 10 + (first + per - 1) % 100);
      CHECK(h.resets[i] == resets);
      CHECK((h.reset_sums[i] == nullptr ? 0 : h.reset_sums[i]->count) == lost);
      CHECK(h.last_times[i] - h.first_times[i] == resolution_ms - kMinuteMs);
      ++compared;
    }
  }
  CHECK(compared >= (resolution_ms == kHourMs ? 20U : 250U));
}

TEST_CASE("levels: series with a retention of their own leave their blocks, names and all",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  RetentionPolicy brief;
  brief.matchers = {equal("s", "1")};
  brief.raw = hours(4);
  ladder.policies = {brief};
  History history(ladder, hours(10));
  Maker maker(51, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 3);
  SeriesSamples samples;
  for (std::size_t i = 0; i < 3; ++i) {
    const bool is_brief = (*selection)->labels(i).get("s") == "1";
    CHECK((*selection)->levels(i).empty() == is_brief);
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    REQUIRE_FALSE(samples.float_times.empty());
    if (is_brief) CHECK(samples.float_times.front() >= history.newest - 4 * kHourMs);
  }
  // Not only hidden: no block that is past its time has the name any more.
  const TimeRange old{kBegin, kBegin + 24 * kHourMs};
  auto names = (*querier)->label_values("s", {}, old);
  REQUIRE(names.ok());
  CHECK(names->names == std::vector<std::string>{"0", "2"});
}

TEST_CASE("levels: series that are kept in a coarse level only are in it", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  RetentionPolicy coarse;
  coarse.matchers = {equal("s", "1")};
  coarse.raw = hours(4);
  coarse.levels = {{hours(1), hours(0)}};
  ladder.policies = {coarse};
  History history(ladder, hours(10));
  Maker maker(53, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  CHECK(history.check() > 500);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  REQUIRE((*selection)->levels(0).size() == 1);
  CHECK((*selection)->levels(0)[0].resolution_ms == kHourMs);
  SeriesBuckets buckets;
  REQUIRE((*selection)->read_buckets(0, 0, TimeRange::all(), BucketColumns::kAll, buckets).ok());
  CHECK(buckets.ends_ms.size() > 20);
}

TEST_CASE("levels: repair knows how far levels have come, though the list of blocks has lost it",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder, hours(10));
  Maker maker(81, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  REQUIRE(history.db->close().ok());
  history.db.reset();
  const std::string path = "data/varve/MANIFEST";
  std::string text = history.world.files.read_file(path, 1 << 22).value();
  SECTION("the last line that said so") {
    const std::size_t at = text.rfind("\"ladder\"");
    REQUIRE(at != std::string::npos);
    text[at + 1] = 'L';
  }
  SECTION("all of them") {
    for (std::size_t at = 0; (at = text.find("\"ladder\"", at)) != std::string::npos; ++at) {
      text[at + 1] = 'L';
    }
  }
  REQUIRE(history.world.files.write_file_atomically(path, text).ok());
  history.options.repair = true;
  history.reopen();
  history.options.repair = false;
  history.maintain();
  CHECK(history.check() > 300);
  CHECK(history.check(5 * kMinuteMs) > 500);
  maker.until(history, kBegin + 36 * kHourMs);
  history.reopen();
  CHECK(history.check() > 300);
}

TEST_CASE("levels: samples stay while the buckets made of them cannot be read",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  History history(ladder, hours(10));
  Maker maker(83, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  block::BlockMeta newest;
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms != 0) newest = meta;
  }
  REQUIRE(newest.window_begin_ms >= kBegin + 10 * kHourMs);
  REQUIRE(history.db->close().ok());
  history.db.reset();
  const std::string index = "data/varve/dense/" + newest.ulid + "/index";
  history.world.files.flip_bit(index, *history.world.files.size(index) - 4, 1);
  history.reopen();
  maker.until(history, kBegin + 40 * kHourMs);
  history.options.repair = true;
  history.reopen();
  history.options.repair = false;
  history.maintain();
  CHECK(history.check() > 300);
  CHECK(history.check(5 * kMinuteMs) > 300);
}

TEST_CASE("levels: a damaged block of a level does not keep the others waiting",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder);
  Maker maker(85, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  block::BlockMeta newest;
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 5 * kMinuteMs) newest = meta;
  }
  REQUIRE(history.db->close().ok());
  history.db.reset();
  history.world.files.flip_bit("data/varve/dense/" + newest.ulid + "/data", 64, 1);
  history.reopen();
  history.db->set_out_of_order_window(hours(24));
  history.add("1", newest.window_begin_ms + 1, 4);
  history.db->set_out_of_order_window(hours(1));
  maker.until(history, kBegin + 30 * kHourMs);
  CHECK(history.spans(5 * kMinuteMs).back().ends.max_ms >= kBegin + 26 * kHourMs);
  CHECK(history.world.log_text.find("cannot be written anew and stay as they are") !=
        std::string::npos);
}

TEST_CASE("levels: a repair does not make less of buckets whose samples are damaged since",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  History history(ladder);
  Maker maker(87, 1);
  maker.until(history, kBegin + 20 * kHourMs);
  block::BlockMeta raw;
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 0 && raw.ulid.empty()) raw = meta;
  }
  REQUIRE(history.db->close().ok());
  history.db.reset();
  const std::string data = "data/varve/dense/" + raw.ulid + "/data";
  for (std::uint64_t at = 64; at < *history.world.files.size(data); at += 64) {
    history.world.files.flip_bit(data, at, 1);
  }
  history.reopen();
  const auto count = [&] {
    auto querier = history.db->querier(TimeRange::all());
    SelectHints hints;
    hints.max_source_resolution_ms = 5 * kMinuteMs;
    auto selection = (*querier)->select(std::vector{equal("s", "0")}, TimeRange::all(), hints);
    SeriesBuckets buckets;
    REQUIRE((*selection)
                ->read_buckets(0, 0, {TimeRange::all().min_ms, raw.range.max_ms}, BucketColumns::kAll,
                               buckets)
                .ok());
    double sum = 0;
    for (const double one : buckets.counts) sum += one;
    return sum;
  };
  const double before = count();
  REQUIRE(before > 60);
  history.db->set_out_of_order_window(hours(24));
  for (int i = 0; i < 60; i += 5) history.try_add("0", kBegin + kHourMs + i * kMinuteMs + 55'555, 4);
  history.db->set_out_of_order_window(hours(1));
  maker.until(history, kBegin + 24 * kHourMs);
  CHECK(count() >= before);
}

TEST_CASE("levels: samples from before all others are in buckets of their own",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder);
  Maker maker(89, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  history.db->set_out_of_order_window(hours(72));
  for (int i = 0; i < 300; ++i) history.add("1", kBegin - kDayMs + i * kMinuteMs, i);
  history.db->set_out_of_order_window(hours(1));
  maker.until(history, kBegin + 30 * kHourMs);
  CHECK(history.check(5 * kMinuteMs) > 500);
  CHECK(history.check(kHourMs) > 50);
  CHECK(history.spans(kHourMs).front().ends.min_ms <= kBegin - kDayMs);
}

TEST_CASE("levels: a coarse bucket waits for a finer level that came later", "[storage][levels]") {
  Ladder coarse;
  coarse.levels = {level(hours(1))};
  History history(coarse);
  Maker maker(91, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  Ladder both;
  both.levels = {level(minutes(5)), level(hours(1))};
  both.levels[0].after = hours(24);
  both.levels[1].after = hours(24);
  REQUIRE(history.db->set_ladder(both).ok());
  history.options.ladder = both;
  history.maintain();
  history.db->set_out_of_order_window(hours(24));
  for (int i = 0; i < 100; ++i) {
    const Timestamp t = kBegin + 15 * kHourMs + i * kMinuteMs + 55'555;
    if (history.truth["1"].count(t) == 0) history.add("1", t, i);
  }
  history.db->set_out_of_order_window(hours(1));
  maker.until(history, kBegin + 36 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kHourMs;
  auto selection = (*querier)->select(std::vector{equal("s", "0")}, TimeRange::all(), hints);
  const auto spans = (*selection)->levels(0);
  REQUIRE_FALSE(spans.empty());
  SeriesBuckets buckets;
  REQUIRE((*selection)->read_buckets(0, 0, TimeRange::all(), BucketColumns::kAll, buckets).ok());
  compare(buckets, history.truth["0"], kHourMs, spans[0].ends);
}

TEST_CASE("levels: held samples stay and answer, whatever is past its retention around them",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  History history(ladder, hours(8));
  Hold hold;
  hold.id = "1";
  hold.range = {kBegin + 10 * kHourMs + 1, kBegin + 12 * kHourMs};
  hold.selectors = {{equal("s", "1")}};
  history.db->set_holds({hold});
  Maker maker(61, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("__name__", "m")}, TimeRange::all(), hints);
  SeriesSamples samples;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    const std::string name((*selection)->labels(i).get("s"));
    REQUIRE((*selection)->read(i, hold.range, samples).ok());
    std::size_t want = 0;
    for (const auto& [t, value] : history.truth[name]) want += hold.range.contains(t) ? 1 : 0;
    CHECK(samples.float_times.size() == (name == "1" ? want : 0));
  }
  CHECK(history.check() > 500);
  history.db->set_holds({});
  history.maintain();
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 0) CHECK(meta.range.max_ms > kBegin + 20 * kHourMs);
  }
  CHECK(history.check() > 500);
}

TEST_CASE("levels: series whose policy goes have the buckets of what they had as samples",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  RetentionPolicy exact;
  exact.matchers = {equal("s", "1")};
  exact.raw = hours(60);
  Ladder with = ladder;
  with.policies = {exact};
  History history(with, hours(10));
  Maker maker(93, 3);
  maker.until(history, kBegin + 40 * kHourMs);
  CHECK(history.check() > 500);
  REQUIRE(history.db->set_ladder(ladder).ok());
  history.options.ladder = ladder;
  CHECK(history.check() > 500);
  maker.until(history, kBegin + 44 * kHourMs);
  history.maintain();
  CHECK(history.check() > 1000);
  CHECK(history.check(kHourMs) > 50);
}

TEST_CASE("levels: samples that are kept longer again do not hide the buckets of what has gone",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  RetentionPolicy brief;
  brief.matchers = {equal("s", "1")};
  brief.raw = hours(4);
  brief.levels = {{minutes(5), hours(0)}};
  ladder.policies = {brief};
  History history(ladder, hours(20));
  Maker maker(95, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  ladder.policies[0].raw = hours(20);
  REQUIRE(history.db->set_ladder(ladder).ok());
  history.options.ladder = ladder;
  CHECK(history.check() > 100);
  // Nor is a bucket made anew of what is left.
  history.db->set_out_of_order_window(hours(24));
  history.add("0", kBegin + 15 * kHourMs + 55'555, 4);
  history.db->set_out_of_order_window(hours(1));
  maker.until(history, kBegin + 34 * kHourMs);
  history.reopen();
  CHECK(history.check() > 100);
  CHECK(history.check(5 * kMinuteMs) > 500);
}

TEST_CASE("levels: a hold on what has gone holds its buckets", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5), hours(24)), level(hours(1), hours(24))};
  History history(ladder, hours(4));
  Maker maker(97, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  const TimeRange range{kBegin + 5 * kHourMs + 1, kBegin + 7 * kHourMs};
  const std::vector<model::Matchers> selectors{{equal("s", "1")}};
  const auto held = history.db->add_hold(range, selectors, "");
  REQUIRE(held.ok());
  CHECK(history.check() > 100);
  maker.until(history, kBegin + 60 * kHourMs);
  history.reopen();
  const auto count = [&](const char* name) {
    auto querier = history.db->querier(TimeRange::all());
    SelectHints hints;
    hints.max_source_resolution_ms = kSourceAuto;
    auto selection = (*querier)->select(std::vector{equal("s", name)}, TimeRange::all(), hints);
    double sum = 0;
    SeriesBuckets buckets;
    for (std::size_t k = 0; (*selection)->size() > 0 && k < (*selection)->levels(0).size(); ++k) {
      REQUIRE((*selection)->read_buckets(0, k, range, BucketColumns::kAll, buckets).ok());
      for (const double one : buckets.counts) sum += one;
    }
    return sum;
  };
  CHECK(count("1") > 40);
  CHECK(count("0") == 0);
  REQUIRE(history.db->release_hold(held->hold.id).ok());
  history.maintain();
  CHECK(count("1") == 0);
}

TEST_CASE("levels: a hold goes on with what an older one of the same series has kept",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5), hours(24)), level(hours(1), hours(24))};
  RetentionPolicy longer;
  longer.matchers = {equal("s", "1")};
  longer.raw = hours(8);
  longer.levels = {{minutes(5), hours(24)}, {hours(1), hours(24)}};
  ladder.policies = {longer};
  History history(ladder, hours(2));
  Maker maker(101, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  const std::vector<model::Matchers> selectors{{equal("s", "1")}};
  const auto at = [](int from, int until) {
    return TimeRange{kBegin + from * kHourMs + 1, kBegin + until * kHourMs};
  };
  // Of its series the first holds buckets, the second samples; of the others these have gone.
  const auto buckets = history.db->add_hold(at(5, 7), selectors, "");
  const auto samples = history.db->add_hold(at(14, 16), selectors, "");
  REQUIRE((buckets.ok() && samples.ok()));
  maker.until(history, kBegin + 60 * kHourMs);
  const auto both = history.db->add_hold(at(4, 18), selectors, "");
  REQUIRE(both.ok());
  REQUIRE(history.db->release_hold(buckets->hold.id).ok());
  REQUIRE(history.db->release_hold(samples->hold.id).ok());
  maker.until(history, kBegin + 64 * kHourMs);
  history.reopen();

  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  const Series& truth = history.truth["1"];
  const auto written = [&](TimeRange range) {
    return static_cast<double>(
        std::distance(truth.lower_bound(range.min_ms), truth.upper_bound(range.max_ms)));
  };
  double sum = 0;
  SeriesBuckets read;
  for (std::size_t k = 0; k < (*selection)->levels(0).size(); ++k) {
    REQUIRE((*selection)->read_buckets(0, k, at(5, 7), BucketColumns::kAll, read).ok());
    for (const double one : read.counts) sum += one;
  }
  CHECK(sum > 40);
  CHECK(sum <= written(at(5, 7)));
  SeriesSamples raw;
  REQUIRE((*selection)->read(0, at(14, 16), raw).ok());
  CHECK(static_cast<double>(raw.float_times.size()) == written(at(14, 16)));
}

TEST_CASE("levels: coarse buckets stay while finer ones do that the ladder has dropped",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(20)), level(hours(1))};
  History history(ladder, hours(4));
  Maker maker(103, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  // The hourly buckets of one series are not asked for, but there are its finer ones.
  RetentionPolicy brief;
  brief.matchers = {equal("s", "1")};
  brief.raw = hours(4);
  Ladder without = ladder;
  without.levels = {level(hours(1))};
  without.policies = {brief};
  REQUIRE(history.db->set_ladder(without).ok());
  maker.until(history, kBegin + 60 * kHourMs);
  ladder.levels = {level(minutes(20), hours(10)), level(hours(1))};
  REQUIRE(history.db->set_ladder(ladder).ok());
  maker.until(history, kBegin + 62 * kHourMs);
  const auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  const auto selection =
      (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  const std::span<const LevelSpan> spans = (*selection)->levels(0);
  REQUIRE(spans.size() > 0);
  CHECK(spans[0].resolution_ms == kHourMs);
  SeriesBuckets buckets;
  REQUIRE((*selection)
              ->read_buckets(0, 0, {kBegin, kBegin + 24 * kHourMs}, BucketColumns::kAll, buckets)
              .ok());
  CHECK(buckets.ends_ms.size() == 24);
}

TEST_CASE("levels: nothing goes at once when a clock jumps by a year", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5), hours(48))};
  History history(ladder, hours(10));
  Maker maker(99, 2);
  maker.until(history, kBegin + 20 * kHourMs);
  const Timestamp right = history.newest;
  history.world.clock.set(right + 365 * kDayMs);
  BatchBuilder batch;
  batch.add(Labels{{"__name__", "n"}}, right + 365 * kDayMs, 1);
  append(*history.db, batch.batch);
  REQUIRE(history.db->maintain().ok());
  const std::vector<block::BlockMeta> blocks = history.db->blocks();
  CHECK(std::any_of(blocks.begin(), blocks.end(), [](const block::BlockMeta& meta) {
    return meta.range.min_ms < kBegin + 2 * kHourMs;
  }));
  history.world.clock.set(right + 1);
  REQUIRE(history.db->maintain().ok());
  CHECK(history.check() > 50);
}

TEST_CASE("levels: sketches bound the error of quantiles", "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5)), level(hours(1))};
  for (LevelOptions& one : ladder.levels) one.sketch = true;
  History history(ladder);
  Maker maker(71, 2);
  maker.until(history, kBegin + 30 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = kHourMs;
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  REQUIRE((*selection)->size() == 1);
  SeriesBuckets buckets;
  REQUIRE((*selection)->read_buckets(0, 0, TimeRange::all(), BucketColumns::kAll, buckets).ok());
  REQUIRE(buckets.sketches.size() == buckets.ends_ms.size());
  REQUIRE(buckets.ends_ms.size() > 10);
  for (std::size_t i = 0; i < buckets.ends_ms.size(); ++i) {
    REQUIRE(buckets.sketches[i] != nullptr);
    CHECK(buckets.sketches[i]->count == buckets.counts[i]);
    CHECK(buckets.sketches[i]->schema == 7);  // buckets of 0.54 %
  }
}

}  // namespace varve::storage::test
