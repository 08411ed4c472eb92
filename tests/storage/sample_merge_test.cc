// SPDX-License-Identifier: Apache-2.0
#include "storage/sample_merge.h"

#include <catch2/catch.hpp>

#include <map>
#include <random>
#include <variant>

namespace varve::storage {
namespace {

// The plain twin: a time belongs to whoever came first.
using Plain = std::map<Timestamp, std::variant<double, HistogramPtr>>;

SeriesSamples samples_of(const Plain& plain) {
  SeriesSamples samples;
  for (const auto& [t, sample] : plain) {
    if (const double* value = std::get_if<double>(&sample)) {
      samples.float_times.push_back(t);
      samples.float_values.push_back(*value);
    } else {
      samples.histogram_times.push_back(t);
      samples.histograms.push_back(std::get<HistogramPtr>(sample));
    }
  }
  return samples;
}

void check_equal(const SeriesSamples& a, const SeriesSamples& b) {
  CHECK(a.float_times == b.float_times);
  CHECK(a.float_values == b.float_values);
  CHECK(a.histogram_times == b.histogram_times);
  CHECK(a.histograms == b.histograms);
}

TEST_CASE("sample merge: what was there first stays, deleted ranges go", "[storage]") {
  const auto seed = GENERATE(range(1u, 41u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  Plain all;
  const auto some = [&](std::size_t count) {
    Plain plain;
    for (std::size_t i = 0; i < count; ++i) {
      const auto t = static_cast<Timestamp>(random() % 60);
      if (random() % 3 == 0) {
        plain[t] = std::make_shared<const Histogram>();
      } else {
        plain[t] = static_cast<double>(random() % 1000);
      }
    }
    return plain;
  };
  SeriesSamples merged;
  merged.times_id = 7;
  for (int part = 0; part < 4; ++part) {
    const Plain more = some(random() % 20);
    if (part < 2) {
      merge_samples(merged, samples_of(more));
    } else {
      std::vector<Sample> floats;
      std::vector<HistogramPoint> histograms;
      for (const auto& [t, sample] : more) {
        if (const double* value = std::get_if<double>(&sample)) {
          floats.push_back({t, *value});
        } else {
          histograms.push_back({t, std::get<HistogramPtr>(sample)});
        }
      }
      merge_late(merged, floats, histograms);
    }
    all.insert(more.begin(), more.end());
    check_equal(merged, samples_of(all));
  }
  CHECK(merged.times_id == 0);
  if (!all.empty()) {
    CHECK(newest_time(merged) == all.rbegin()->first);
    CHECK(oldest_time(merged) == all.begin()->first);
    LastSample last;
    take_newest(merged, last);
    CHECK(last.timestamp_ms == all.rbegin()->first);
    CHECK((last.kind == LastSample::Kind::kFloat) ==
          std::holds_alternative<double>(all.rbegin()->second));
  }

  const std::vector<TimeRange> ranges = {{5, 9}, {20, 20}, {33, 50}};
  const bool erased = erase_ranges(ranges, 0, 0, merged);
  const std::size_t removed = std::erase_if(all, [&](const auto& entry) {
    return std::any_of(ranges.begin(), ranges.end(),
                       [&](const TimeRange& r) { return r.contains(entry.first); });
  });
  CHECK(erased == (removed > 0));
  check_equal(merged, samples_of(all));
}

}  // namespace
}  // namespace varve::storage
