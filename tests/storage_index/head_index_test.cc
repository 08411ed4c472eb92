// SPDX-License-Identifier: Apache-2.0
#include "storage/index/head_index.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <random>
#include <set>

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::index;
using model::Matcher;
using model::MatchType;

namespace {

Matcher matcher(MatchType type, std::string name, std::string value) {
  return *Matcher::create(type, std::move(name), std::move(value));
}

// The obviously right twin: all labels in a map, every matcher asked of every series.
struct PlainIndex {
  std::map<SeriesId, Labels> series;

  Ids select(const std::vector<Matcher>& matchers, SeriesId bound) const {
    Ids out;
    for (const auto& [id, labels] : series) {
      if (id <= bound && std::all_of(matchers.begin(), matchers.end(), [&](const Matcher& m) {
            return m.matches(labels.get(m.name()));
          })) {
        out.push_back(id);
      }
    }
    return out;
  }
};

Labels random_labels(std::mt19937_64& random) {
  LabelsBuilder builder;
  builder.set("__name__", "metric_" + std::to_string(random() % 7));
  builder.set("instance", "host" + std::to_string(random() % 40));
  if (random() % 2 == 0) builder.set("job", random() % 3 == 0 ? "node" : "api");
  if (random() % 4 == 0) builder.set("pod", "pod-" + std::to_string(random() % 3000));
  if (random() % 50 == 0) builder.set("rare" + std::to_string(random() % 5), "x");
  return builder.build();
}

Matcher random_matcher(std::mt19937_64& random) {
  static const std::vector<std::pair<std::string, std::vector<std::string>>> kChoices = {
      {"__name__", {"metric_3", "metric_.*", "metric_1|metric_2", ".+", "nothing", "m.*[35]"}},
      {"instance", {"host7", "host1.*", "host1|host2|host3", ".*", ".*9", "host[0-4]"}},
      {"job", {"node", "api", "", "node|", "n.*", ".+", "api|none"}},
      {"pod", {"pod-17", "pod-1.*", "", ".*", ".*5", "pod-1|pod-2|pod-3|pod-99"}},
      {"rare1", {"x", "", "y"}},
      {"unknown", {"x", "", ".*", ".+"}}};
  const auto& [name, values] = kChoices[random() % kChoices.size()];
  return matcher(static_cast<MatchType>(random() % 4), name, values[random() % values.size()]);
}

}  // namespace

TEST_CASE("head index: selections equal those of the plain twin", "[storage][index]") {
  const auto seed = GENERATE(range(1u, 9u));
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  base::MemoryAccount account("test");
  HeadIndex index(account);
  PlainIndex plain;
  std::uint32_t id = 0;
  for (int i = 0; i < 3000; ++i) {
    id += 1 + (random() % 10 == 0 ? static_cast<std::uint32_t>(random() % 5) : 0);
    const Labels labels = random_labels(random);
    index.add(SeriesId{id}, labels);
    plain.series.emplace(SeriesId{id}, labels);
  }
  CHECK(index.bound() == SeriesId{id});
  CHECK(index.series_count() == plain.series.size());
  CHECK(index.all(index.bound()) == plain.select({}, index.bound()));

  const auto compare = [&](int rounds) {
    for (int round = 0; round < rounds; ++round) {
      std::vector<Matcher> matchers;
      std::string text;
      for (std::size_t i = 0; i < 1 + random() % 4; ++i) {
        matchers.push_back(random_matcher(random));
        text += matchers.back().to_string() + ", ";
      }
      const SeriesId bound{random() % 3 == 0 ? static_cast<std::uint32_t>(random() % id) : id};
      INFO(text << " up to " << static_cast<std::uint32_t>(bound));
      const auto found = index.select(matchers, bound);
      const bool refused = std::all_of(matchers.begin(), matchers.end(),
                                       [](const Matcher& m) { return m.matches_empty(); });
      REQUIRE(found.ok() != refused);
      if (found.ok()) {
        CHECK(*found == plain.select(matchers, bound));
      }
    }
  };
  compare(600);
  for (int i = 0; i < 500; ++i) {
    auto victim = plain.series.lower_bound(SeriesId{static_cast<std::uint32_t>(random() % id)});
    if (victim == plain.series.end()) continue;
    index.remove(victim->first);
    CHECK(index.labels(victim->first) == victim->second);
    plain.series.erase(victim);
  }
  CHECK(index.series_count() == plain.series.size());
  CHECK(index.all(index.bound()) == plain.select({}, index.bound()));
  compare(200);
}

TEST_CASE("head index: labels, columns, names and values come back", "[storage][index]") {
  std::mt19937_64 random(99);
  base::MemoryAccount account("test");
  HeadIndex index(account);
  std::vector<Labels> all{Labels{}};
  Ids ids;
  for (std::uint32_t id = 1; id <= 2000; ++id) {
    all.push_back(random_labels(random));
    index.add(SeriesId{id}, all.back());
    if (random() % 3 == 0) ids.push_back(SeriesId{id});
  }
  const auto labels_of = [&](SeriesId id) -> const Labels& {
    return all[static_cast<std::uint32_t>(id)];
  };
  std::set<std::string> names;
  for (const SeriesId id : ids) {
    REQUIRE(index.labels(id) == labels_of(id));
    CHECK(index.label(id, "instance") == labels_of(id).get("instance"));
    CHECK(index.label(id, "nothing").empty());
    for (const LabelView& label : labels_of(id)) names.emplace(label.name);
  }
  CHECK(index.label_names(ids) == std::vector<std::string>(names.begin(), names.end()));

  for (const std::string name : {"__name__", "instance", "job", "pod", "rare1", "nothing"}) {
    CAPTURE(name);
    for (const IdSpan some : {IdSpan(ids), IdSpan(ids).first(5), IdSpan()}) {
      const LabelColumn column = index.label_column(some, name);
      REQUIRE(column.ids.size() == some.size());
      std::set<std::string> values;
      for (std::size_t i = 0; i < some.size(); ++i) {
        CHECK(column.values.at(column.ids[i]) == labels_of(some[i]).get(name));
        CHECK((column.ids[i] == 0) == !labels_of(some[i]).has(name));
        if (labels_of(some[i]).has(name)) values.emplace(labels_of(some[i]).get(name));
      }
      CHECK(index.label_values(name, some) ==
            std::vector<std::string>(values.begin(), values.end()));
    }
    for (const std::uint32_t bound : {0u, 3u, 2000u}) {
      std::set<std::string> values;
      for (std::uint32_t id = 1; id <= bound; ++id) {
        if (all[id].has(name)) values.emplace(all[id].get(name));
      }
      CHECK(index.label_values(name, SeriesId{bound}) ==
            std::vector<std::string>(values.begin(), values.end()));
    }
  }
  CHECK(index.label_names(SeriesId{0}).empty());
}

TEST_CASE("head index: removed series are gone from names, values and stats", "[storage][index]") {
  base::MemoryAccount account("test");
  {
    HeadIndex index(account);
    index.add(SeriesId{1}, Labels{{"__name__", "up"}, {"job", "a"}});
    index.add(SeriesId{5}, Labels{{"__name__", "up"}, {"job", "b"}, {"zone", "z"}});
    index.add(SeriesId{6}, Labels{{"__name__", "down"}, {"job", "bb"}});
    CHECK(index.label_names(index.bound()) == std::vector<std::string>{"__name__", "job", "zone"});
    index.remove(SeriesId{5});
    index.remove(SeriesId{5});
    CHECK(index.series_count() == 2);
    CHECK(index.label_names(index.bound()) == std::vector<std::string>{"__name__", "job"});
    CHECK(index.label_values("job", index.bound()) == std::vector<std::string>{"a", "bb"});
    const IndexStats stats = index.stats(10);
    CHECK(stats.series_count == 2);
    CHECK(stats.pair_count == 4);
    REQUIRE(stats.series_by_metric.size() == 2);
    CHECK(stats.series_by_metric[0].name == "down");
    CHECK(stats.series_by_metric[0].count == 1);
    CHECK(stats.values_by_label.size() == 2);
    REQUIRE(stats.bytes_by_label.size() == 2);
    CHECK(stats.bytes_by_label[0].name == "__name__");
    CHECK(stats.bytes_by_label[0].count == 6);
    CHECK(index.stats(1).series_by_pair.size() == 1);
    CHECK(account.bytes() > 0);
  }
  CHECK(account.bytes() == 0);
}

TEST_CASE("head index: a series without labels and one with very long ones", "[storage][index]") {
  base::MemoryAccount account("test");
  HeadIndex index(account);
  const Labels large{{"a", std::string(1'000'000, 'x')}, {"b", "y"}};
  index.add(SeriesId{1}, Labels{});
  index.add(SeriesId{2}, large);
  CHECK(index.labels(SeriesId{1}) == Labels{});
  CHECK(index.labels(SeriesId{2}) == large);
  CHECK(index.all(index.bound()) == Ids{SeriesId{1}, SeriesId{2}});
}

TEST_CASE("head index: memory per series stays within the head's budget",
          "[storage][index][.slow]") {
  base::MemoryAccount account("test");
  HeadIndex index(account);
  constexpr std::uint32_t kSeries = 1'000'000;
  LabelsBuilder builder;
  for (std::uint32_t id = 1; id <= kSeries; ++id) {
    const std::uint32_t target = id / 1000;
    const std::uint32_t of_target = id % 1000;
    builder.reset();
    builder.set("__name__", "node_metric_number_" + std::to_string(of_target / 4) + "_total");
    builder.set("instance", "host-" + std::to_string(target) + ".example.org:9100");
    builder.set("job", "node").set("cluster", "eu-west-1").set("env", "production");
    builder.set("device", "device" + std::to_string(of_target % 4)).set("mode", "user");
    builder.set("rack", "r" + std::to_string(target % 40)).set("team", "infra");
    index.add(SeriesId{id}, builder.build());
  }
  CHECK(static_cast<double>(account.bytes()) / kSeries < 150);
  WARN(static_cast<double>(account.bytes()) / kSeries << " bytes per series");
}

TEST_CASE("head index: label order is the order of Labels", "[storage][index]") {
  const auto seed = GENERATE(1u, 2u, 3u);
  CAPTURE(seed);
  std::mt19937_64 random(seed);
  base::MemoryAccount account("index");
  HeadIndex index(account);
  std::map<Labels, SeriesId> by_labels;
  for (std::uint32_t id = 1; id <= 3000; ++id) {
    Labels labels = id == 7 ? Labels() : random_labels(random);
    if (!by_labels.emplace(labels, SeriesId{id}).second) continue;
    index.add(SeriesId{id}, labels);
  }
  Ids some;
  Ids expected;
  for (const auto& [labels, id] : by_labels) {
    if (random() % 3 == 0) continue;
    expected.push_back(id);
  }
  some = expected;
  std::sort(some.begin(), some.end());
  CHECK(index.label_order(some) == expected);
  CHECK(index.label_order({}).empty());
}

TEST_CASE("head index: a new generation has the living series and no others", "[storage][index]") {
  std::mt19937_64 random(5);
  base::MemoryAccount account("index");
  HeadIndex old(account);
  PlainIndex plain;
  const auto add = [&](std::uint32_t id) {
    const Labels labels = random_labels(random);
    old.add(SeriesId{id}, labels);
    plain.series.emplace(SeriesId{id}, labels);
  };
  for (std::uint32_t id = 1; id <= 2000; ++id) add(id);
  for (std::uint32_t id = 1; id <= 2000; id += 1 + id % 3) {
    old.remove(SeriesId{id});
    plain.series.erase(SeriesId{id});
  }
  HeadIndex fresh(account);
  fresh.add_live(old, SeriesId::kNone, SeriesId{2000});
  for (std::uint32_t id = 2001; id <= 2100; ++id) add(id);
  fresh.add_live(old, SeriesId{2000}, old.bound());

  CHECK(fresh.series_count() == plain.series.size());
  CHECK(fresh.removed_count() == 0);
  for (std::uint32_t id = 0; id <= 2101; ++id) {
    CHECK(fresh.has(SeriesId{id}) == (plain.series.count(SeriesId{id}) == 1));
  }
  for (const auto& [id, labels] : plain.series) CHECK(fresh.labels(id) == labels);
  for (int i = 0; i < 300; ++i) {
    const std::vector<Matcher> matchers = {random_matcher(random), random_matcher(random)};
    const auto found = fresh.select(matchers, fresh.bound());
    const bool empty = std::all_of(matchers.begin(), matchers.end(),
                                   [](const Matcher& m) { return m.matches_empty(); });
    REQUIRE(found.ok() == !empty);
    if (!empty) CHECK(*found == plain.select(matchers, fresh.bound()));
  }
}
