// SPDX-License-Identifier: Apache-2.0
#include <catch2/catch.hpp>

#include "promql/test_language/custom_buckets.h"
#include "promql/test_language/memory_storage.h"
#include "promql/test_language/series_notation.h"

namespace varve::promql::test_language {
namespace {

void load(MemoryStorage& storage, std::string_view text) {
  const Result<SeriesLine> line = parse_series_line(text);
  if (!line.ok()) FAIL(line.error().message());
  for (std::size_t i = 0; i < line->values.size(); ++i) {
    const SequenceValue& value = line->values[i];
    const auto time_ms = static_cast<Timestamp>(i);
    if (value.kind == SequenceValue::Kind::kFloat) storage.add(line->labels, time_ms, value.value);
    if (value.kind == SequenceValue::Kind::kHistogram) {
      storage.add(line->labels, time_ms, value.histogram);
    }
  }
  storage.detect_resets();
}

// The hints of the only series, as read back.
std::string hints_of(std::string_view values) {
  MemoryStorage storage;
  load(storage, "x " + std::string(values));
  std::string out;
  for (const auto& [time_ms, stored] : storage.series().begin()->second.histograms) {
    constexpr char kLetters[] = {'u', 'r', 'n', 'g'};
    out += kLetters[static_cast<std::size_t>(stored.visible->counter_reset_hint)];
  }
  return out;
}

TEST_CASE("memory storage: counter resets are detected", "[promql][test_language]") {
  CHECK(hints_of("{{count:1 buckets:[1]}}+{{count:1 buckets:[1]}}x3") == "unnn");
  CHECK(hints_of("{{count:3 buckets:[3]}} {{count:2 buckets:[2]}} {{count:4 buckets:[4]}}") ==
        "urn");
  CHECK(hints_of("{{count:3 buckets:[2 1]}} {{count:3 buckets:[1 2]}}") == "ur");
  CHECK(hints_of("{{count:1 buckets:[1]}} {{schema:1 count:1 buckets:[1]}}") == "uu");
  CHECK(hints_of("{{count:1 buckets:[1]}} 5 {{count:2 buckets:[2]}}") == "uu");
  CHECK(hints_of("{{count:1}} {{count:1 counter_reset_hint:gauge}} {{count:2}}") == "ugu");
  CHECK(hints_of("{{count:1}} {{count:2 counter_reset_hint:reset}}") == "ur");
}

TEST_CASE("memory storage: reads are of the range, both ends included", "[promql][test_language]") {
  MemoryStorage storage;
  load(storage, "x{a=\"1\"} 0 1 2 {{count:3}} 4");
  load(storage, "x{a=\"2\"} 7");
  auto querier = storage.querier(TimeRange::all());
  REQUIRE(querier.ok());
  const model::Matcher name =
      model::Matcher::create(model::MatchType::kEqual, "__name__", "x").value();
  auto selection = (*querier)->select(std::span(&name, 1), {1, 4});
  REQUIRE(selection.ok());
  REQUIRE((*selection)->size() == 1);  // the other series has nothing in the range
  storage::SeriesSamples samples;
  REQUIRE((*selection)->read(0, {1, 3}, samples).ok());
  CHECK(samples.float_values == std::vector<double>{1, 2});
  CHECK(samples.histogram_times == std::vector<Timestamp>{3});
  const std::uint32_t ordinal = 0;
  storage::LastSample last;
  REQUIRE((*selection)->read_last(std::span(&ordinal, 1), {0, 3}, std::span(&last, 1)).ok());
  CHECK(last.kind == storage::LastSample::Kind::kHistogram);
  CHECK(last.timestamp_ms == 3);
  CHECK((*selection)->label_column("a").values[(*selection)->label_column("a").ids[0]] == "1");
  CHECK((*querier)->label_values("a", {}, TimeRange::all())->names ==
        std::vector<std::string>{"1", "2"});
}

TEST_CASE("custom buckets: classic series become one histogram", "[promql][test_language]") {
  std::vector<SeriesLine> lines;
  for (const std::string_view text :
       {"h_bucket{j=\"a\",le=\"1\"} 2", "h_bucket{j=\"a\",le=\"+Inf\"} 5",
        "h_bucket{j=\"a\",le=\"bad\"} 9", "h_sum{j=\"a\"} 7.5", "h_count{j=\"a\"} 5"}) {
    lines.push_back(parse_series_line(text).value());
  }
  MemoryStorage storage;
  load_custom_buckets(lines, 1000, storage);
  REQUIRE(storage.series().size() == 1);
  const auto& [labels, series] = *storage.series().begin();
  CHECK(labels == Labels{{"__name__", "h"}, {"j", "a"}});
  const Histogram& histogram = *series.histograms.at(0).loaded;
  CHECK(histogram.custom_bounds == std::vector<double>{1});
  CHECK(histogram.positive_counts == std::vector<double>{2, 3});
  CHECK(histogram.sum == 7.5);
  CHECK(histogram.count == 5);
}

}  // namespace
}  // namespace varve::promql::test_language
