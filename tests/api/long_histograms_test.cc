// SPDX-License-Identifier: Apache-2.0
// Native histograms in long history, end to end: counter resets of every kind, many of them just
// where a bucket begins, and the same questions asked of the samples and of the levels.
#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "api/two_days.h"

namespace varve::test {
namespace {

// One series: a counter whose resets are of one kind. Sums are eighths, so that adding is exact.
class Source {
 public:
  explicit Source(std::string kind) : kind_(std::move(kind)) { begin_anew(); }

  Labels labels() const { return Labels{{"__name__", "h"}, {"kind", kind_}}; }

  // `reset`: what resets this kind happens now.
  Histogram next(bool reset, std::mt19937_64& random) {
    histogram_.counter_reset_hint = CounterResetHint::kUnknown;
    if (reset && kind_ == "falls") begin_anew();
    // The counts go on rising: only the writer knows of it.
    if (reset && kind_ == "says so") histogram_.counter_reset_hint = CounterResetHint::kReset;
    if (reset && kind_ == "says so and falls") {
      begin_anew();
      histogram_.counter_reset_hint = CounterResetHint::kReset;
    }
    if (reset && kind_ == "bounds") {
      histogram_.custom_bounds = histogram_.custom_bounds[1] == 2 ? std::vector<double>{1, 4, 8}
                                                                  : std::vector<double>{1, 2, 8};
    }
    if (reset && kind_ == "schema") {
      const std::int32_t schema = histogram_.schema == 2 ? 3 : 2;
      begin_anew();
      histogram_.schema = schema;
    }
    if (kind_ == "gauge") {
      histogram_.counter_reset_hint = CounterResetHint::kGauge;
      if (random() % 2 == 0) begin_anew(CounterResetHint::kGauge);
    }
    for (int i = 0; i < 3; ++i) {
      const std::size_t bucket = random() % histogram_.positive_counts.size();
      histogram_.positive_counts[bucket] += 1;
      histogram_.count += 1;
      histogram_.sum += static_cast<double>(random() % 80) / 8;
    }
    return histogram_;
  }

 private:
  void begin_anew(CounterResetHint hint = CounterResetHint::kUnknown) {
    const std::int32_t schema = histogram_.schema;
    histogram_ = {};
    histogram_.integer = true;
    histogram_.counter_reset_hint = hint;
    if (kind_ == "bounds") {
      histogram_.schema = kCustomBucketsSchema;
      histogram_.custom_bounds = {1, 2, 8};
    } else {
      histogram_.schema = schema == 0 ? 2 : schema;
    }
    histogram_.positive_spans = {{0, 4}};
    histogram_.positive_counts.assign(4, 0);
  }

  std::string kind_;
  Histogram histogram_;
};

// Two days, a sample a minute; levels of 5m and 1h.
struct LongHistograms : Harness {
  LongHistograms() {
    api->ready(*db, *manager);
    storage::Ladder ladder;
    for (const int resolution : {5, 60}) {
      storage::LevelOptions level;
      level.resolution = std::chrono::minutes(resolution);
      ladder.levels.push_back(level);
    }
    REQUIRE(db->set_ladder(ladder).ok());
    std::mt19937_64 random(20261122);
    for (const char* kind :
         {"falls", "says so", "says so and falls", "bounds", "schema", "gauge"}) {
      sources_.emplace_back(kind);
    }
    for (Timestamp t = kBegin; t < kEnd; t += kMinute) {
      // The first samples of a bucket are those that a fold sees no older one of.
      const bool first_of_5m = (t - kBegin) % (5 * kMinute) == 0;
      const bool first_of_1h = (t - kBegin) % kHour == 0;
      clock.set(t + kMinute);
      for (Source& source : sources_) {
        const std::uint64_t one_in = first_of_1h ? 2 : first_of_5m ? 6 : 60;
        const bool reset = random() % one_in == 0;
        if (random() % 30 == 0) continue;
        write(source, t + 500, source.next(reset, random));
      }
      if ((t - kBegin) % (2 * kHour) != 0) continue;
      REQUIRE(db->maintain().ok());
    }
    clock.set(kEnd);
    for (int round = 0; round < 3; ++round) REQUIRE(db->maintain().ok());
  }
  void write(const Source& source, Timestamp t, Histogram histogram) {
    const Labels labels = source.labels();
    storage::WriteBatch batch;
    batch.series.emplace_back();
    batch.series.back().labels = &labels;
    batch.series.back().histograms_count = 1;
    batch.histograms.push_back({t, std::move(histogram)});
    const auto outcome = db->append(batch);
    REQUIRE(outcome.ok());
    REQUIRE(outcome->first_error == "");
  }
  nlohmann::json panel(const std::string& query, const std::string& source) {
    return get("/api/v1/query_range", "query=" + query + "&start=" + std::to_string(kBegin / 1000) +
                                          "&end=" + std::to_string(kEnd / 1000) +
                                          "&step=3600&stats=all" +
                                          "&max_source_resolution=" + source);
  }

 private:
  std::vector<Source> sources_;
};

std::size_t points_of(const nlohmann::json& answer) {
  std::size_t points = 0;
  for (const auto& series : answer["data"]["result"]) {
    for (const char* kind : {"values", "histograms"}) {
      if (series.contains(kind)) points += series[kind].size();
    }
  }
  return points;
}

}  // namespace

TEST_CASE("api: resets of native histograms count in levels as in samples, wherever they are",
          "[api][levels]") {
  LongHistograms world;
  std::size_t compared = 0;
  // A bucket does not say which of its histograms had which layout: where that changes, its
  // coarsest one counts for all of them, and only counts and sums of what is put together are
  // compared.
  const std::string alike = "h{kind!~\"bounds|schema\"}";
  for (const std::string& query :
       {std::string("resets(h[1h])"), std::string("resets(h[4h])"),
        std::string("histogram_count(increase(h[2h]))"), std::string("histogram_sum(rate(h[6h]))"),
        std::string("count_over_time(h[2h])"), std::string("last_over_time(h[1h])"),
        std::string("histogram_count(sum_over_time(h[2h]))"), "rate(" + alike + "[1h])",
        "increase(" + alike + "[3h])", "sum_over_time(" + alike + "[2h])",
        "histogram_quantile(0.9,rate(" + alike + "[1h]))",
        "histogram_quantile(0.5,sum(increase(" + alike + "[2h])))"}) {
    CAPTURE(query);
    const auto samples = world.panel(query, "raw");
    REQUIRE(points_of(samples) > 40);
    for (const std::string source : {"5m", "1h"}) {
      const auto levels = world.panel(query, source);
      CHECK(levels["data"]["stats"]["resolutions"].back() == source);
      REQUIRE(samples["data"]["result"].size() == levels["data"]["result"].size());
      for (std::size_t i = 0; i < samples["data"]["result"].size(); ++i) {
        const auto& want = samples["data"]["result"][i];
        const auto& got = levels["data"]["result"][i];
        CAPTURE(source, want["metric"].dump());
        for (const char* kind : {"values", "histograms"}) {
          REQUIRE(want.contains(kind) == got.contains(kind));
          if (!want.contains(kind)) continue;
          REQUIRE(want[kind].size() == got[kind].size());
          for (std::size_t p = 0; p < want[kind].size(); ++p) {
            CAPTURE(p);
            CHECK(want[kind][p] == got[kind][p]);
          }
        }
      }
      compared += points_of(levels);
    }
  }
  std::cout << "levels: " << compared << " points of native histograms as from samples\n";
}

}  // namespace varve::test
