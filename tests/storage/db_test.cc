// SPDX-License-Identifier: Apache-2.0
// The database from its front door: what goes in comes out, and what must be refused is.
#include <algorithm>
#include <numeric>
#include <random>

#include "db_fixture.h"
#include "storage/head/series.h"

namespace varve::storage::test {
namespace {

const Labels kUp{{"__name__", "up"}, {"job", "a"}};

TEST_CASE("db: samples come back bit for bit across chunks and a reopening", "[storage]") {
  World world;
  Contents expected;
  {
    auto db = world.open();
    for (int i = 0; i < 1000; ++i) {
      BatchBuilder builder;
      for (int s = 0; s < 3; ++s) {
        const Labels labels{{"__name__", "m"}, {"s", std::to_string(s)}};
        const Timestamp t = kStart + i * 15'000;
        const double value = i % 97 == 0 ? stale_marker()
                             : s == 0    ? i * 0.25
                             : s == 1    ? 7.0
                                         : 1.0 / i;
        builder.add(labels, t, value);
        expected[labels.to_string()].emplace_back(t, bits(value));
      }
      const WriteOutcome outcome = append(*db, builder.batch);
      REQUIRE(outcome.samples_appended == 3);
      REQUIRE(outcome.all_accepted());
    }
    REQUIRE(read_all(*db, {equal("__name__", "m")}) == expected);
    REQUIRE(db->close().ok());
  }
  auto db = world.open();
  CHECK(db->recovery().samples == 3000);
  CHECK(db->recovery().series == 3);
  CHECK(db->recovery().frames_lost == 0);
  CHECK(db->recovery().samples_lost == 0);
  REQUIRE(read_all(*db, {equal("__name__", "m")}) == expected);
  CHECK(db->min_time_ms() == kStart);
  CHECK(db->max_time_ms() == kStart + 999 * 15'000);
}

TEST_CASE("db: a range is cut at both ends, inclusively", "[storage]") {
  World world;
  auto db = world.open();
  BatchBuilder builder;
  std::vector<Sample> samples;
  for (int i = 0; i < 500; ++i) samples.push_back({kStart + i * 1000, double(i)});
  builder.add(kUp, samples);
  append(*db, builder.batch);
  const auto first = GENERATE(0, 1, 119, 120, 121, 240, 480, 499);
  const auto count = GENERATE(1, 2, 120, 121, 400);
  const int last = std::min(first + count - 1, 499);
  const auto contents =
      read_all(*db, {equal("__name__", "up")}, {kStart + first * 1000, kStart + last * 1000});
  REQUIRE(contents.size() == 1);
  const auto& got = contents.begin()->second;
  REQUIRE(got.size() == static_cast<std::size_t>(last - first + 1));
  CHECK(got.front() == std::pair(kStart + first * 1000, bits(first)));
  CHECK(got.back() == std::pair(kStart + last * 1000, bits(last)));
}

TEST_CASE("db: order and duplicates follow Prometheus's rules", "[storage]") {
  World world;
  auto db = world.open();
  const Timestamp t = kStart + 60'000;
  append(*db, BatchBuilder().add(kUp, t, 1).batch);

  SECTION("the same sample again is accepted and changes nothing") {
    const WriteOutcome outcome = append(*db, BatchBuilder().add(kUp, t, 1).batch);
    CHECK(outcome.samples_appended == 1);
    CHECK(outcome.all_accepted());
    CHECK(wait(*db, outcome.ticket).ok());
    CHECK(read_all(*db, {equal("job", "a")}).begin()->second.size() == 1);
  }
  SECTION("another value at the same time is refused") {
    const WriteOutcome outcome = append(*db, BatchBuilder().add(kUp, t, 2).batch);
    CHECK(outcome.duplicate == 1);
    CHECK(outcome.samples_appended == 0);
    CHECK(outcome.first_error_code == ErrorCode::kDuplicate);
    CHECK(outcome.first_error ==
          "duplicate sample for timestamp " + std::to_string(t) +
              "; overrides not allowed: existing 1, new value 2: series=up{job=\"a\"} timestamp=" +
              std::to_string(t));
  }
  SECTION("an older sample is refused, its neighbours are not") {
    const WriteOutcome outcome =
        append(*db, BatchBuilder().add(kUp, {{t - 1, 0}, {t + 1, 3}}).batch);
    CHECK(outcome.out_of_order == 1);
    CHECK(outcome.samples_appended == 1);
    CHECK(outcome.first_error_code == ErrorCode::kOutOfOrder);
    CHECK(outcome.first_error.starts_with("out of order sample: series=up{job=\"a\"}"));
  }
  SECTION("a sample too far in the future is refused") {
    const WriteOutcome outcome =
        append(*db, BatchBuilder().add(kUp, world.clock.now_ms() + 3'600'000, 0).batch);
    CHECK(outcome.too_far_ahead == 1);
    CHECK(outcome.first_error.find("too far in the future") != std::string::npos);
  }
  SECTION("a sample past the retention is refused") {
    const WriteOutcome outcome =
        append(*db, BatchBuilder().add(Labels{{"a", "b"}}, kStart - 86'400'000LL * 30, 0).batch);
    CHECK(outcome.too_old == 1);
  }
}

TEST_CASE("db: late samples are taken inside the window and read in order", "[storage]") {
  World world;
  Options options = world.options();
  options.out_of_order_window = std::chrono::minutes(10);
  auto db = world.open(options);
  const Timestamp t = kStart + 3'600'000;
  append(*db, BatchBuilder().add(kUp, {{t, 10}, {t + 60'000, 16}}).batch);
  const WriteOutcome outcome = append(
      *db, BatchBuilder()
               .add(kUp, {{t + 30'000, 13}, {t - 60'000, 4}, {t + 30'000, 13}, {t + 30'000, 99},
                          {t - 3'000'000, 0}})
               .batch);
  CHECK(outcome.samples_appended == 3);
  CHECK(outcome.duplicate == 1);
  CHECK(outcome.too_old == 1);
  const Contents expected{{kUp.to_string(),
                           {{t - 60'000, bits(4)}, {t, bits(10)}, {t + 30'000, bits(13)},
                            {t + 60'000, bits(16)}}}};
  CHECK(read_all(*db, {equal("job", "a")}) == expected);
  REQUIRE(db->close().ok());
  db.reset();
  db = world.open(options);
  CHECK(read_all(*db, {equal("job", "a")}) == expected);
}

TEST_CASE("db: who wants order only is refused what is late, window or not", "[storage]") {
  World world;
  Options options = world.options();
  options.out_of_order_window = std::chrono::minutes(10);
  auto db = world.open(options);
  const Timestamp t = kStart + 3'600'000;
  append(*db, BatchBuilder().add(kUp, {{t, 10}}).batch);
  const auto outcome = db->append(
      BatchBuilder().add(kUp, {{t - 60'000, stale_marker()}, {t + 1000, 11}}).batch,
      {.in_order_only = true});
  REQUIRE(outcome.ok());
  CHECK(outcome->out_of_order == 1);
  CHECK(outcome->samples_appended == 1);
  const Contents expected{{kUp.to_string(), {{t, bits(10)}, {t + 1000, bits(11)}}}};
  CHECK(read_all(*db, {equal("job", "a")}) == expected);
}

TEST_CASE("db: histograms, their stale markers and floats of one series all come back",
          "[storage]") {
  World world;
  auto db = world.open();
  const Timestamp t = kStart;
  append(*db, BatchBuilder().add(kUp, t, 1).batch);
  for (int i = 1; i <= 300; ++i) {
    append(*db, BatchBuilder().add(kUp, t + i * 1000, make_histogram(10 + i, i)).batch);
  }
  const WriteOutcome same =
      append(*db, BatchBuilder().add(kUp, t + 300'000, make_histogram(310, 300)).batch);
  CHECK(same.histograms_appended == 1);
  const WriteOutcome other =
      append(*db, BatchBuilder().add(kUp, t + 300'000, make_histogram(311, 300)).batch);
  CHECK(other.duplicate == 1);
  append(*db, BatchBuilder().add(kUp, t + 301'000, stale_marker()).batch);
  append(*db, BatchBuilder().add(kUp, t + 302'000, 2).batch);
  append(*db, BatchBuilder().add(kUp, t + 303'000, make_histogram(5, 5)).batch);

  for (int pass = 0; pass < 2; ++pass) {
    CAPTURE(pass);
    auto querier = db->querier(TimeRange::all());
    const std::vector matchers{equal("job", "a")};
    auto selection = (*querier)->select(matchers, TimeRange::all());
    REQUIRE((*selection)->size() == 1);
    SeriesSamples samples;
    REQUIRE((*selection)->read(0, TimeRange::all(), samples).ok());
    CHECK(samples.float_times == std::vector<Timestamp>{t, t + 302'000});
    REQUIRE(samples.histogram_times.size() == 302);
    CHECK(samples.histograms[0]->count == 11);
    CHECK(samples.histograms[299]->positive_counts == std::vector<double>{1, 307, 1});
    CHECK(samples.histograms[300]->is_stale());
    CHECK(samples.histograms[301]->sum == 5);
    const std::vector<std::uint32_t> ordinals{0};
    std::vector<LastSample> last(1);
    REQUIRE((*selection)->read_last(ordinals, TimeRange::all(), last).ok());
    CHECK(last[0].kind == LastSample::Kind::kHistogram);
    CHECK(last[0].histogram->sum == 5);
    REQUIRE((*selection)->read_last(ordinals, {t, t + 302'500}, last).ok());
    CHECK(last[0].kind == LastSample::Kind::kFloat);
    CHECK(last[0].value == 2);
    querier = Error(ErrorCode::kInternal, "");
    if (pass == 0) {
      selection = Error(ErrorCode::kInternal, "");
      REQUIRE(db->close().ok());
      db.reset();
      db = world.open();
    }
  }
}

// Keys of the form "name=value;…".
class PlainDecoder final : public KeyDecoder {
 public:
  Result<Labels> decode(std::string_view key) const override {
    ++calls;
    LabelsBuilder labels;
    while (!key.empty()) {
      const std::size_t end = std::min(key.find(';'), key.size());
      const std::string_view pair = key.substr(0, end);
      const std::size_t at = pair.find('=');
      if (at == std::string_view::npos) return Error(ErrorCode::kInvalidArgument, "no =");
      labels.set(pair.substr(0, at), pair.substr(at + 1));
      key.remove_prefix(std::min(end + 1, key.size()));
    }
    return labels.build();
  }
  mutable int calls = 0;
};

TEST_CASE("db: of an entry with both kinds the floats go first, histograms they pass are dropped",
          "[storage]") {
  test::World world;
  const auto db = world.open();
  const Labels labels{{"__name__", "mixed"}};
  const Timestamp t = test::kStart;
  append(*db, BatchBuilder().add(labels, t, 1.0).batch);

  BatchBuilder both;
  both.add(labels, {{t + 2000, 2.0}, {t + 4000, 3.0}});
  SeriesEntry& entry = both.batch.series.back();
  entry.histograms_begin = 0;
  entry.histograms_count = 3;
  for (const Timestamp at : {t + 1000, t + 4000, t + 5000}) {
    both.batch.histograms.push_back({at, test::make_histogram(10, 1)});
  }
  const WriteOutcome outcome = append(*db, both.batch);
  CHECK(outcome.samples_appended == 2);
  CHECK(outcome.histograms_appended == 1);
  CHECK(outcome.out_of_order == 0);
  CHECK(outcome.first_error.empty());
  CHECK(world.metrics
            .counter("prometheus_tsdb_out_of_order_samples_total", "", {{"type", "histogram"}})
            .value() == 2);

  // Older than what the series had before: an error, with or without floats beside it.
  const WriteOutcome late = append(
      *db, BatchBuilder().add(labels, t + 3000, test::make_histogram(10, 1)).batch);
  CHECK(late.out_of_order == 1);
}

TEST_CASE("db: a batch with something that is no key is refused as a whole", "[storage]") {
  World world;
  auto db = world.open();
  struct Decoder final : KeyDecoder {
    Result<Labels> decode(std::string_view key) const override {
      if (key == "no key") return Error(ErrorCode::kCorruption, "no key");
      return Labels{{"__name__", std::string(key)}};
    }
  } decoder;
  WriteBatch batch;
  batch.decoder = &decoder;
  batch.key_space = 1;
  const auto add = [&](std::string_view key) {
    SeriesEntry entry;
    entry.key = key;
    entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
    entry.samples_count = 1;
    batch.samples.push_back({kStart, 1});
    batch.series.push_back(entry);
  };
  add("known");
  REQUIRE(append(*db, batch).samples_appended == 1);
  add("new");
  add("no key");
  for (Sample& sample : batch.samples) sample.timestamp_ms += 1000;
  const auto refused = db->append(batch);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kCorruption);
  const auto held = read_all(*db, {equal("__name__", "known")});
  CHECK(held.size() == 1);
  CHECK(held.begin()->second.size() == 1);
  CHECK(read_all(*db, {equal("__name__", "new")}).empty());
}

TEST_CASE("db: keys are told apart in the order of their series and in any other", "[storage]") {
  World world;
  auto db = world.open();
  PlainDecoder decoder;
  constexpr std::size_t kKeys = 700;
  std::vector<std::string> keys;
  for (std::size_t i = 0; i < kKeys; ++i) keys.push_back("n=" + std::to_string(i));
  Timestamp t = kStart;
  const auto write = [&](const std::vector<std::size_t>& order) {
    WriteBatch batch;
    batch.decoder = &decoder;
    batch.key_space = 1;
    t += 1000;
    for (const std::size_t i : order) {
      SeriesEntry entry;
      entry.key = keys[i];
      entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
      entry.samples_count = 1;
      batch.samples.push_back({t, static_cast<double>(i)});
      batch.series.push_back(entry);
    }
    AppendOptions want;
    want.want_ids = true;
    const auto outcome = db->append(batch, want);
    REQUIRE(outcome.ok());
    REQUIRE(outcome->all_accepted());
    return outcome->ids;
  };
  std::vector<std::size_t> order(kKeys);
  std::iota(order.begin(), order.end(), std::size_t{0});
  const std::vector<SeriesId> ids = write(order);
  CHECK(write(order) == ids);  // by the table, which is remembered
  CHECK(write(order) == ids);  // each as the one behind the last
  std::shuffle(order.begin(), order.end(), std::mt19937(1));
  const auto shuffled = write(order);
  for (std::size_t i = 0; i < kKeys; ++i) REQUIRE(shuffled[i] == ids[order[i]]);
  // A few of them, some of them new, in runs.
  std::vector<std::size_t> some;
  for (std::size_t i = 0; i < kKeys; ++i) {
    if (i / 40 % 2 == 0) some.push_back(i);
    if (i % 90 == 7) {
      some.push_back(keys.size());
      keys.push_back("n=" + std::to_string(keys.size()));
    }
  }
  const auto picked = write(some);
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (some[i] < kKeys) {
      REQUIRE(picked[i] == ids[some[i]]);
    } else {
      REQUIRE(std::find(ids.begin(), ids.end(), picked[i]) == ids.end());
    }
  }
  CHECK(write(some) == picked);
  CHECK(decoder.calls == static_cast<int>(keys.size()));
}

TEST_CASE("db: keys, labels and ids name the same series", "[storage]") {
  World world;
  auto db = world.open();
  PlainDecoder decoder;
  WriteBatch batch;
  batch.decoder = &decoder;
  batch.key_space = 1;
  for (const char* key : {"a=1;b=2", "b=2;a=1", "a=1;b=2", "broken", "bad=\xff"}) {
    SeriesEntry entry;
    entry.key = key;
    entry.samples_begin = static_cast<std::uint32_t>(batch.samples.size());
    entry.samples_count = 1;
    batch.samples.push_back({kStart + static_cast<Timestamp>(batch.samples.size()), 1});
    batch.series.push_back(entry);
  }
  AppendOptions want;
  want.want_ids = true;
  auto outcome = db->append(batch, want);
  REQUIRE(outcome.ok());
  CHECK(outcome->samples_appended == 3);
  CHECK(outcome->invalid_series == 2);
  CHECK(outcome->first_error == "no =");
  CHECK(outcome->ids[0] == outcome->ids[1]);
  CHECK(outcome->ids[0] == outcome->ids[2]);
  CHECK(outcome->ids[0] != SeriesId::kNone);
  CHECK(outcome->ids[3] == SeriesId::kNone);
  CHECK(decoder.calls == 5);

  for (Sample& sample : batch.samples) sample.timestamp_ms += 1000;
  auto again = db->append(batch);
  CHECK(decoder.calls == 7);  // the two that have no series

  WriteBatch by_id;
  by_id.series.emplace_back();
  by_id.series.back().id = outcome->ids[0];
  by_id.series.back().samples_count = 1;
  by_id.samples.push_back({kStart + 5000, 1});
  CHECK(append(*db, by_id).samples_appended == 1);
  by_id.series.back().id = static_cast<SeriesId>(77);
  CHECK(append(*db, by_id).invalid_series == 1);
  CHECK(read_all(*db, {equal("a", "1")}).at("{a=\"1\", b=\"2\"}").size() == 7);
}

TEST_CASE("db: label names and values, whole and selected", "[storage]") {
  World world;
  auto db = world.open();
  append(*db, BatchBuilder()
                  .add(Labels{{"__name__", "x"}, {"a", "1"}}, kStart, 1)
                  .add(Labels{{"__name__", "x"}, {"a", "2"}, {"b", "3"}}, kStart + 100, 1)
                  .batch);
  auto querier = db->querier(TimeRange::all());
  const auto names = [&](std::vector<model::Matcher> m, TimeRange range, std::size_t limit = 0) {
    auto result = (*querier)->label_names(m, range, limit);
    REQUIRE(result.ok());
    return std::move(result).value();
  };
  CHECK(names({}, TimeRange::all()).names == std::vector<std::string>{"__name__", "a", "b"});
  CHECK(names({}, TimeRange::all(), 2).truncated);
  CHECK(names({}, {0, 10}).names.empty());
  CHECK(names({equal("a", "1")}, TimeRange::all()).names ==
        std::vector<std::string>{"__name__", "a"});
  const std::vector matchers{equal("__name__", "x")};
  auto values = (*querier)->label_values("a", matchers, {kStart, kStart + 50});
  REQUIRE(values.ok());
  CHECK(values->names == std::vector<std::string>{"1"});
  SelectHints hints;
  hints.series_max = 1;
  auto limited = (*querier)->select(matchers, TimeRange::all(), hints);
  REQUIRE_FALSE(limited.ok());
  CHECK(limited.error().code() == ErrorCode::kLimitExceeded);
}

TEST_CASE("db: series of one scrape share their times id, others do not", "[storage]") {
  World world;
  auto db = world.open();
  for (int i = 0; i < 300; ++i) {
    BatchBuilder builder;
    for (int s = 0; s < 3; ++s) {
      builder.add(Labels{{"__name__", "m"}, {"s", std::to_string(s)}},
                  kStart + i * 15'000 + (s == 2 ? i % 7 : 0), i);
    }
    append(*db, builder.batch);
  }
  auto querier = db->querier(TimeRange::all());
  const std::vector matchers{equal("__name__", "m")};
  auto selection = (*querier)->select(matchers, TimeRange::all());
  REQUIRE((*selection)->size() == 3);
  std::map<std::string, std::uint64_t> ids;
  SeriesSamples samples;
  for (std::size_t i = 0; i < 3; ++i) {
    REQUIRE((*selection)->read(i, {kStart + 7'000, kStart + 4'000'000}, samples).ok());
    ids[std::string((*selection)->labels(i).get("s"))] = samples.times_id;
  }
  CHECK(ids["0"] != 0);
  CHECK(ids["0"] == ids["1"]);
  CHECK(ids["0"] != ids["2"]);
}

TEST_CASE("db: exemplars and metadata survive a reopening", "[storage]") {
  World world;
  auto db = world.open();
  BatchBuilder builder;
  builder.add(kUp, kStart, 1);
  builder.batch.series[0].exemplars_count = 1;
  builder.batch.exemplars.push_back({Labels{{"trace_id", "abc"}}, 0.5, kStart});
  builder.batch.metadata.push_back({"up", "gauge", "Whether it is up.", ""});
  const WriteOutcome outcome = append(*db, builder.batch);
  CHECK(outcome.exemplars_appended == 1);
  for (int pass = 0; pass < 2; ++pass) {
    const std::vector<std::vector<model::Matcher>> selectors{{equal("job", "a")}};
    auto exemplars = db->exemplars(selectors, TimeRange::all());
    REQUIRE(exemplars.ok());
    REQUIRE(exemplars->size() == 1);
    CHECK((*exemplars)[0].series == kUp);
    REQUIRE((*exemplars)[0].exemplars.size() == 1);
    CHECK((*exemplars)[0].exemplars[0].labels.get("trace_id") == "abc");
    REQUIRE(db->metadata("up").size() == 1);
    CHECK(db->metadata("")[0].help == "Whether it is up.");
    if (pass == 0) {
      REQUIRE(db->close().ok());
      db.reset();
      db = world.open();
    }
  }
}

TEST_CASE("db: what is past its retention is not read and leaves", "[storage]") {
  World world;
  Options options = world.options();
  options.retention = std::chrono::hours(24);
  auto db = world.open(options);
  append(*db, BatchBuilder().add(kUp, kStart + 1000, 1).add(kUp, kStart + 60'000, 2).batch);
  // Counted back from the newest sample, if that is behind the clock.
  const Labels other{{"x", "y"}};
  world.clock.advance(std::chrono::seconds(30));
  CHECK(read_all(*db, {equal("job", "a")}).begin()->second.size() == 2);
  append(*db, BatchBuilder().add(other, world.clock.now_ms(), 1).batch);
  CHECK(read_all(*db, {equal("job", "a")}).begin()->second.size() == 1);
  CHECK(db->min_time_ms() == kStart + 30'000);
  world.clock.advance(std::chrono::hours(1));
  append(*db, BatchBuilder().add(other, world.clock.now_ms(), 1).batch);
  CHECK(read_all(*db, {equal("job", "a")}).empty());
}

TEST_CASE("db: the limit of series refuses new ones only", "[storage]") {
  World world;
  Options options = world.options();
  options.series_max = 1;
  auto db = world.open(options);
  append(*db, BatchBuilder().add(kUp, kStart, 1).batch);
  auto refused = db->append(BatchBuilder().add(Labels{{"x", "y"}}, kStart, 1).batch);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == ErrorCode::kLimitExceeded);
  append(*db, BatchBuilder().add(kUp, kStart + 1, 1).batch);
}

TEST_CASE("db: a second one on the directory, and one of a newer layout, are refused",
          "[storage]") {
  World world;
  auto db = world.open();
  auto second = world.try_open(world.options());
  REQUIRE_FALSE(second.ok());
  CHECK(second.error().code() == ErrorCode::kUnavailable);
  REQUIRE(db->close().ok());
  auto closed = db->append(BatchBuilder().add(kUp, kStart, 1).batch);
  REQUIRE_FALSE(closed.ok());
  CHECK(closed.error().code() == ErrorCode::kUnavailable);
  db.reset();
  REQUIRE(world.files.write_file_atomically("data/varve/VERSION", "99\n").ok());
  auto newer = world.try_open(world.options());
  REQUIRE_FALSE(newer.ok());
  CHECK(newer.error().message().find("layout version 99") != std::string::npos);
}

TEST_CASE("db: a damaged closed chunk is left out with a warning, the rest is read", "[storage]") {
  World world;
  auto db = world.open();
  // Enough of incompressible values that chunks are in files and not only in the write buffer.
  std::uint64_t random = 1;
  for (int s = 0; s < 10; ++s) {
    std::vector<Sample> samples;
    for (int i = 0; i < 3500; ++i) {
      random = random * 6364136223846793005ULL + 1442695040888963407ULL;
      samples.push_back({kStart + i * 1000, static_cast<double>(random >> 11) * 0x1p-53});
    }
    append(*db, BatchBuilder()
                    .add(Labels{{"__name__", "m"}, {"s", std::to_string(s)}}, samples)
                    .batch);
  }
  world.files.flip_bit("data/varve/head/000000", 100'000, 3);
  auto querier = db->querier(TimeRange::all());
  const std::vector matchers{equal("__name__", "m")};
  auto selection = (*querier)->select(matchers, TimeRange::all());
  SeriesSamples samples;
  CHECK((*querier)->warnings().empty());
  int damaged = 0;
  for (std::size_t i = 0; i < (*selection)->size(); ++i) {
    REQUIRE((*selection)->read(i, TimeRange::all(), samples).ok());
    REQUIRE(samples.float_times.size() == samples.float_values.size());
    if (samples.float_times.size() == 3500) continue;
    ++damaged;
    CHECK(samples.float_times.size() >= 3500 - head::kChunkSamplesMax);
    CHECK(samples.times_id == 0);
  }
  CHECK(damaged == 1);
  const std::vector<std::string> warnings = (*querier)->warnings();
  REQUIRE(warnings.size() == 1);
  CHECK(warnings[0].find("checksum mismatch") != std::string::npos);
  CHECK(world.metrics.render().find("varve_corrupt_chunks_total 1") != std::string::npos);
}

TEST_CASE("db: a series never gets the id of one whose record was lost", "[storage]") {
  World world;
  const Labels other{{"__name__", "other"}};
  {
    auto db = world.open();
    append(*db, BatchBuilder().add(kUp, kStart, 1).batch);
    REQUIRE(db->close().ok());
  }
  {
    auto db = world.open();  // each opening begins a segment
    append(*db, BatchBuilder().add(kUp, kStart + 1000, 2).batch);
    REQUIRE(db->close().ok());
  }
  world.files.flip_bit("data/varve/wal/00000001.wal", 50, 3);
  {
    auto db = world.open();
    CHECK(db->recovery().series == 0);
    CHECK(db->recovery().samples_lost == 1);
    append(*db, BatchBuilder().add(other, kStart + 5000, 3).batch);
    REQUIRE(db->close().ok());
  }
  auto db = world.open();
  CHECK(db->recovery().samples_lost == 1);
  CHECK(read_all(*db, {equal("__name__", "other")}) ==
        Contents{{other.to_string(), {{kStart + 5000, bits(3)}}}});
}

TEST_CASE("db: labels of more than a megabyte are refused, their neighbours kept", "[storage]") {
  World world;
  auto db = world.open();
  const auto of_size = [](std::size_t bytes) {
    return Labels{{"__name__", "large"}, {"a", std::string(bytes, 'x')}};
  };
  const auto check = [&](const WriteBatch& batch) {
    const WriteOutcome outcome = append(*db, batch);
    CHECK(outcome.samples_appended == 1);
    CHECK(outcome.invalid_series == 1);
    CHECK(outcome.first_error_code == ErrorCode::kInvalidArgument);
    CHECK(outcome.first_error.find("the limit is 1048576") != std::string::npos);
  };
  check(BatchBuilder().add(of_size(1 << 20), kStart, 1).add(kUp, kStart, 1).batch);

  struct Decoder final : KeyDecoder {
    Result<Labels> decode(std::string_view key) const override {
      return Labels{{"__name__", "large"}, {"a", std::string(key.size() << 18, 'x')}};
    }
  } decoder;
  WriteBatch batch = BatchBuilder().add(of_size(10), kStart, 1).add(of_size(11), kStart, 1).batch;
  batch.decoder = &decoder;
  for (SeriesEntry& entry : batch.series) entry.labels = nullptr;
  batch.series[0].key = "four";
  batch.series[1].key = "one";
  check(batch);
  append(*db, BatchBuilder().add(of_size((1 << 20) - 100), kStart, 1).batch);
}

}  // namespace
}  // namespace varve::storage::test
