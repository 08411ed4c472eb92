// SPDX-License-Identifier: Apache-2.0
// Selecting, against going through all series one by one.
#include <catch2/catch.hpp>
#include <random>

#include "block_rig.h"

using namespace varve;
using namespace varve::storage::block;
using model::Matcher;
using model::MatchType;

namespace {

Ordinals plainly_selected(const std::vector<RigSeries>& series, std::span<const Matcher> matchers) {
  Ordinals out;
  for (std::uint32_t i = 0; i < series.size(); ++i) {
    bool all = true;
    for (const Matcher& matcher : matchers) {
      all = all && matcher.matches(series[i].labels.get(matcher.name()));
    }
    if (all) out.push_back(i);
  }
  return out;
}

struct Wanted {
  std::string_view name;
  std::string_view value;
};

// Equal and regular values that hit none, some and all.
const std::vector<Wanted> kWanted = {
    {"__name__", "metric_3_total"},
    {"__name__", "metric_3.*"},
    {"__name__", ".+"},
    {"__name__", "metric_(3|4|11)_total"},
    {"__name__", "nothing"},
    {"__name__", ".*_total"},
    {"instance", "host-07:9100"},
    {"instance", "host-0.*"},
    {"instance", "host-0[1-4]:9100"},
    {"instance", "host-01:9100|host-02:9100|elsewhere"},
    {"job", "node"},
    {"job", "data.*"},
    {"cpu", ""},
    {"cpu", ".*"},
    {"cpu", ".+"},
    {"cpu", "|3"},
    {"cpu", "3|4"},
    {"cpu", "[0-3]?"},
    {"mode", "idle"},
    {"mode", "i.*|x"},
    {"unique", "0.*"},
    {"unique", "[0-7].* +"},
    {"unique", ".+"},
    {"nowhere", ""},
    {"nowhere", "x"},
    {"nowhere", ".+"},
    {"nowhere", ".*"},
};

}  // namespace

TEST_CASE("block select: every kind of matcher finds what going through all series finds",
          "[storage][block]") {
  const auto series = some_series(21, 2000);
  const auto rig = make_rig(series);
  for (const Wanted& wanted : kWanted) {
    for (const MatchType type :
         {MatchType::kEqual, MatchType::kNotEqual, MatchType::kRegex, MatchType::kNotRegex}) {
      const std::vector<Matcher> matchers{
          Matcher::create(type, std::string(wanted.name), std::string(wanted.value)).value()};
      CAPTURE(matchers[0].to_string());
      const auto selected = rig->block->select(matchers);
      REQUIRE(selected.ok());
      CHECK(*selected == plainly_selected(series, matchers));
    }
  }
}

TEST_CASE("block select: combinations of matchers", "[storage][block]") {
  const auto series = some_series(22, 1500);
  const auto rig = make_rig(series);
  const std::uint64_t seed = 99;
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  for (int round = 0; round < 800; ++round) {
    std::vector<Matcher> matchers;
    std::string text;
    for (std::uint64_t i = 0; i < 1 + random() % 4; ++i) {
      const Wanted& wanted = kWanted[random() % kWanted.size()];
      const auto type = static_cast<MatchType>(random() % 4);
      matchers.push_back(
          Matcher::create(type, std::string(wanted.name), std::string(wanted.value)).value());
      text += matchers.back().to_string() + " ";
    }
    CAPTURE(text);
    const auto selected = rig->block->select(matchers);
    REQUIRE(selected.ok());
    REQUIRE(*selected == plainly_selected(series, matchers));
  }
}

TEST_CASE("block select: an empty list of matchers is every series", "[storage][block]") {
  const auto series = some_series(23, 300);
  const auto rig = make_rig(series);
  CHECK(rig->block->select({})->size() == series.size());
}
