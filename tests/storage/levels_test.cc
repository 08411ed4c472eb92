// SPDX-License-Identifier: Apache-2.0
// Long history through the database: buckets say what the samples beneath them said, bit for bit,
// and go on saying it when samples come late, are deleted, or have gone.
#include <random>

#include "levels_fixture.h"

namespace varve::storage::test {
namespace {

// As a Varve left it that copied the first line of the MANIFEST alone.
void forget_copy(History& history) {
  const std::string path = "data/varve/IDENTITY";
  const std::string copy = history.world.files.read_file(path, 1 << 22).value();
  const std::string first = copy.substr(0, copy.find('\n') + 1);
  REQUIRE(history.world.files.write_file_atomically(path, first).ok());
}

}  // namespace

TEST_CASE("levels: buckets equal the fold of their samples, also once these have gone",
          "[storage][levels]") {
  const unsigned seed = GENERATE(1U, 2U, 3U);
  CAPTURE(seed);
  History history(two_levels(), hours(10));
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
    UNSCOPED_INFO(span.resolution_ms / kMinuteMs
                  << " min: " << (span.ends.min_ms - kBegin) / kMinuteMs << " to "
                  << (span.ends.max_ms - kBegin) / kMinuteMs);
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
  History history(two_levels(), hours(14));
  Maker maker(21, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  history.check(kHourMs);
  history.db->set_out_of_order_window(hours(12));
  std::mt19937 random(5);
  for (int i = 0; i < 40; ++i) {
    const Timestamp t =
        history.newest - kHourMs - static_cast<Timestamp>(random() % (10 * kHourMs));
    if (history.truth["1"].count(t) == 0) history.add("1", t, i);
  }
  maker.until(history, kBegin + 36 * kHourMs);
  history.maintain();
  CHECK(history.check(kHourMs) > 50);
  CHECK(history.check(5 * kMinuteMs) > 500);
  CHECK(history.check() > 100);
}

TEST_CASE("levels: late samples are in their buckets though samples go earlier since",
          "[storage][levels]") {
  const bool by_policy = GENERATE(false, true);
  CAPTURE(by_policy);
  Ladder ladder = two_levels();
  History history(ladder, hours(14));
  Maker maker(22, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  history.db->set_out_of_order_window(hours(12));
  for (int i = 0; i < 20; ++i) {
    history.add("1", history.newest - 10 * kHourMs + i * kMinuteMs + 50'777, i);
  }
  if (by_policy) {
    RetentionPolicy brief;
    brief.matchers = {equal("s", "1")};
    brief.raw = hours(4);
    brief.levels = {{minutes(5), hours(0)}, {hours(1), hours(0)}};
    ladder.policies = {brief};
    history.options.ladder = ladder;
    REQUIRE(history.db->set_ladder(ladder).ok());
  } else {
    history.db->set_retention(hours(4), 0);
    history.options.retention = hours(4);
  }
  history.maintain();
  REQUIRE(history.db->compact().ok());
  history.db->set_out_of_order_window(hours(1));
  maker.until(history, kBegin + 36 * kHourMs);
  history.maintain();
  CHECK(history.check(kHourMs) > 50);
  CHECK(history.check() > 100);
}

TEST_CASE("levels: a wide out-of-order window keeps neither levels from being written nor samples",
          "[storage][levels]") {
  Ladder ladder = two_levels();
  const bool after = GENERATE(false, true);
  CAPTURE(after);
  if (after) ladder.levels[0].after = ladder.levels[1].after = hours(1);
  History history(ladder, hours(24));
  history.db->set_out_of_order_window(hours(400 * 24));
  Maker maker(22, 2);
  maker.until(history, kBegin + 80 * kHourMs);
  history.maintain();
  // One that is late by as much as samples are kept is in its bucket all the same.
  history.add("1", history.newest - 20 * kHourMs + 17, 5);
  maker.until(history, kBegin + 84 * kHourMs);
  history.maintain();
  for (const LevelSpan& span : history.spans(5 * kMinuteMs)) {
    CHECK(span.ends.max_ms > history.newest - (after ? 5 : 30) * kHourMs);
  }
  for (const block::BlockMeta& meta : history.db->blocks()) {
    // What waits for levels, and what is left of a block's day.
    if (meta.resolution_ms == 0) CHECK(meta.range.max_ms > history.newest - 30 * kHourMs);
  }
  CHECK(history.check() > 100);
  CHECK(history.check(5 * kMinuteMs) > 500);
}

TEST_CASE("levels: deleted samples leave their buckets at once, whole ones for good",
          "[storage][levels]") {
  History history(two_levels());
  Maker maker(31, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  const TimeRange gone{kBegin + 5 * kHourMs + 12'345, kBegin + 9 * kHourMs + 777'777};
  const std::vector<std::vector<model::Matcher>> selectors{
      {equal("__name__", "m"), equal("s", "1")}};
  REQUIRE(history.db->delete_series(selectors, gone).ok());
  std::erase_if(history.truth["1"],
                [&](const auto& sample) { return gone.contains(sample.first); });
  {
    auto querier = history.db->querier(TimeRange::all());
    SelectHints hints;
    hints.max_source_resolution_ms = kHourMs;
    auto selection = (*querier)->select(selectors[0], TimeRange::all(), hints);
    REQUIRE((*selection)->levels(0).size() >= 1);
    SeriesBuckets buckets;
    REQUIRE((*selection)
                ->read_buckets(0, 0, {gone.min_ms, gone.max_ms}, BucketColumns::kAll, buckets)
                .ok());
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
  History history(two_levels());
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
    REQUIRE((*selection)
                ->read_buckets(0, s, TimeRange::all(), BucketColumns::kHistograms, buckets)
                .ok());
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

TEST_CASE("levels: what a delete hides beyond its range is said", "[storage][levels]") {
  History history(two_levels(), hours(10));
  Maker maker(32, 2);
  maker.until(history, kBegin + 30 * kHourMs);
  history.world.log.set_level(base::LogLevel::kInfo);
  const std::vector<std::vector<model::Matcher>> selectors{{equal("s", "1")}};
  const auto said = [&](TimeRange range) {
    history.world.log_text.clear();
    REQUIRE(history.db->delete_series(selectors, range).ok());
    return history.world.log_text;
  };
  // The second end is that of a bucket of either level.
  const std::string text = said({kBegin + 5 * kHourMs + 12'345, kBegin + 9 * kHourMs});
  const auto touched = [](std::int64_t resolution_ms, Timestamp begin_ms) {
    return Catch::Contains("resolution_ms=" + std::to_string(resolution_ms) +
                           " begin_ms=" + std::to_string(begin_ms) +
                           " end_ms=" + std::to_string(begin_ms + resolution_ms));
  };
  CHECK_THAT(
      text, touched(5 * kMinuteMs, kBegin + 5 * kHourMs) && touched(kHourMs, kBegin + 5 * kHourMs));
  CHECK_THAT(text, !touched(5 * kMinuteMs, kBegin + 9 * kHourMs - 5 * kMinuteMs) &&
                       !touched(kHourMs, kBegin + 8 * kHourMs));
  // Whole buckets, and those whose samples are still there.
  CHECK_THAT(said({kBegin + 3 * kHourMs + 1, kBegin + 4 * kHourMs}),
             !Catch::Contains("taken apart"));
  CHECK_THAT(said({kBegin + 26 * kHourMs + 17, kBegin + 27 * kHourMs + 17}),
             !Catch::Contains("taken apart"));
}

TEST_CASE("levels: repair knows how far levels have come, though the list of blocks has lost it",
          "[storage][levels]") {
  Ladder ladder = two_levels();
  History history(ladder, hours(10));
  Maker maker(81, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  history.close();
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
  if (GENERATE(false, true)) forget_copy(history);
  history.repair();
  CHECK(history.check() > 300);
  CHECK(history.check(5 * kMinuteMs) > 500);
  maker.until(history, kBegin + 36 * kHourMs);
  history.reopen();
  CHECK(history.check() > 300);
}

TEST_CASE("levels: repair makes a MANIFEST anew, levels and all", "[storage][levels]") {
  History history(two_levels(), hours(10));
  Maker maker(82, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  history.close();
  REQUIRE(history.world.files.remove("data/varve/MANIFEST").ok());
  if (GENERATE(false, true)) forget_copy(history);
  history.repair();
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
  history.close();
  const std::string index = "data/varve/dense/" + newest.ulid + "/index";
  history.world.files.flip_bit(index, *history.world.files.size(index) - 4, 1);
  history.reopen();
  maker.until(history, kBegin + 40 * kHourMs);
  history.repair();
  CHECK(history.check() > 300);
  CHECK(history.check(5 * kMinuteMs) > 300);
}

TEST_CASE("levels: a damaged block of a level does not keep the others waiting",
          "[storage][levels]") {
  History history(two_levels());
  Maker maker(85, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  block::BlockMeta newest;
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 5 * kMinuteMs) newest = meta;
  }
  history.close();
  history.world.files.flip_bit("data/varve/dense/" + newest.ulid + "/data", 64, 1);
  history.reopen();
  history.late(hours(24), [&] { history.add("1", newest.window_begin_ms + 1, 4); });
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
  history.close();
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
                ->read_buckets(0, 0, {TimeRange::all().min_ms, raw.range.max_ms},
                               BucketColumns::kAll, buckets)
                .ok());
    double sum = 0;
    for (const double one : buckets.counts) sum += one;
    return sum;
  };
  const double before = count();
  REQUIRE(before > 60);
  history.late(hours(24), [&] {
    for (int i = 0; i < 60; i += 5)
      history.try_add("0", kBegin + kHourMs + i * kMinuteMs + 55'555, 4);
  });
  maker.until(history, kBegin + 24 * kHourMs);
  CHECK(count() >= before);
}

TEST_CASE("levels: buckets answer where samples cannot be read, and where they were given up",
          "[storage][levels]") {
  History history(two_levels());
  Maker maker(88, 3);
  maker.until(history, kBegin + 30 * kHourMs);
  REQUIRE(history.spans().empty());
  block::BlockMeta lost;
  for (const block::BlockMeta& meta : history.db->blocks()) {
    if (meta.resolution_ms == 0 && lost.ulid.empty()) lost = meta;
  }
  REQUIRE_FALSE(lost.ulid.empty());
  history.close();
  history.world.files.flip_bit("data/varve/dense/" + lost.ulid + "/index", 0, 1);
  history.reopen();
  {
    auto querier = history.db->querier(TimeRange::all());
    CHECK((*querier)->warnings().size() == 1);
  }
  // Whole buckets, and behind them samples.
  const std::vector<LevelSpan> spans = history.spans();
  REQUIRE(spans.size() == 1);
  CHECK(spans[0].resolution_ms == 5 * kMinuteMs);
  CHECK(spans[0].ends.min_ms == end_of(lost.range.min_ms, 5 * kMinuteMs));
  CHECK(spans[0].ends.max_ms == end_of(lost.range.max_ms, 5 * kMinuteMs));
  CHECK(history.db->level_reach(kSourceAuto).until_ms == spans[0].ends.max_ms);
  history.repair();
  CHECK(history.check() > 100);
  CHECK(history.spans() == spans);
  // What comes late does not make buckets anew of what is left.
  history.late(hours(24), [&] {
    for (int i = 0; i < 60; i += 5)
      history.try_add("0", lost.range.min_ms + i * kMinuteMs + 55'555, 4);
  });
  maker.until(history, kBegin + 34 * kHourMs);
  history.reopen();
  SelectHints hints;
  hints.max_source_resolution_ms = kSourceAuto;
  auto querier = history.db->querier(TimeRange::all());
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  SeriesBuckets buckets;
  REQUIRE((*selection)->read_buckets(0, 0, lost.range, BucketColumns::kAll, buckets).ok());
  double samples = 0;
  for (const double count : buckets.counts) samples += count;
  CHECK(samples > 60);
}

TEST_CASE("levels: samples from before all others are in buckets of their own",
          "[storage][levels]") {
  History history(two_levels());
  Maker maker(89, 3);
  maker.until(history, kBegin + 20 * kHourMs);
  history.late(hours(72), [&] {
    for (int i = 0; i < 300; ++i) history.add("1", kBegin - kDayMs + i * kMinuteMs, i);
  });
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
  history.late(hours(24), [&] {
    for (int i = 0; i < 100; ++i) {
      const Timestamp t = kBegin + 15 * kHourMs + i * kMinuteMs + 55'555;
      if (history.truth["1"].count(t) == 0) history.add("1", t, i);
    }
  });
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
  Ladder ladder = two_levels();
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

TEST_CASE("levels: a level that is taken away keeps its sketches, also where it is made anew",
          "[storage][levels]") {
  Ladder ladder;
  ladder.levels = {level(minutes(5))};
  ladder.levels[0].sketch = true;
  ladder.sketch_relative_error = 0.05;
  History history(ladder);
  Maker maker(73, 2);
  maker.until(history, kBegin + 12 * kHourMs);
  REQUIRE(history.db->set_ladder({}).ok());
  history.options.ladder = {};
  history.maintain();
  history.reopen();
  history.db->set_out_of_order_window(hours(24));
  const Timestamp late = kBegin + 5 * kHourMs + 12'345;
  history.add("1", late, 77);
  maker.until(history, kBegin + 16 * kHourMs);
  auto querier = history.db->querier(TimeRange::all());
  SelectHints hints;
  hints.max_source_resolution_ms = 5 * kMinuteMs;
  auto selection = (*querier)->select(std::vector{equal("s", "1")}, TimeRange::all(), hints);
  SeriesBuckets buckets;
  REQUIRE((*selection)->read_buckets(0, 0, TimeRange::all(), BucketColumns::kAll, buckets).ok());
  REQUIRE(buckets.ends_ms.size() > 60);
  REQUIRE(buckets.sketches.size() == buckets.ends_ms.size());
  bool repaired = false;
  for (std::size_t i = 0; i < buckets.ends_ms.size(); ++i) {
    CAPTURE(i, buckets.ends_ms[i] - kBegin);
    REQUIRE(buckets.sketches[i] != nullptr);
    CHECK(buckets.sketches[i]->count == buckets.counts[i]);
    CHECK(buckets.sketches[i]->schema == 4);  // buckets of 4.4 %
    repaired =
        repaired || (buckets.ends_ms[i] == end_of(late, 5 * kMinuteMs) && buckets.maxs[i] >= 77);
  }
  CHECK(repaired);
}

}  // namespace varve::storage::test
