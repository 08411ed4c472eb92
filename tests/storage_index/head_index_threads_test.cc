// SPDX-License-Identifier: Apache-2.0
// One writer and several readers at once; meant for the thread sanitizer.
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "storage/index/head_index.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::index;
using model::Matcher;
using model::MatchType;

namespace {

// Labels that follow from the id, so that readers know what to expect.
Labels labels_for(std::uint32_t id) {
  return Labels{{"__name__", "metric_" + std::to_string(id % 5)},
                {"even", id % 2 == 0 ? "yes" : ""},
                {"id", std::to_string(id)},
                {"shard", std::to_string(id % 64)}};
}

}  // namespace

TEST_CASE("head index: readers see whole series while a writer adds and removes",
          "[storage][index][threads]") {
  constexpr std::uint32_t kSeries = 20'000;
  constexpr std::uint32_t kRemoveEvery = 97;
  base::MemoryAccount account("test");
  HeadIndex index(account);
  std::atomic<bool> done{false};
  std::atomic<std::size_t> wrong{0};

  const auto read = [&](unsigned reader) {
    const Matcher shard = *Matcher::create(MatchType::kEqual, "shard", std::to_string(reader));
    const Matcher metric = *Matcher::create(MatchType::kRegex, "__name__", "metric_[0-3]");
    const Matcher even = *Matcher::create(MatchType::kNotEqual, "even", "");
    const Matcher not_one = *Matcher::create(MatchType::kNotRegex, "id", "1.*");
    do {
      const SeriesId bound = index.bound();
      const auto limit = static_cast<std::uint32_t>(bound);
      const Ids found = *index.select(std::vector<Matcher>{shard, metric, even, not_one}, bound);
      std::size_t expected = 0;
      std::size_t removable = 0;
      for (std::uint32_t id = 1; id <= limit; ++id) {
        if (id % 64 == reader && id % 5 < 4 && id % 2 == 0 && std::to_string(id)[0] != '1') {
          ++expected;
          if (id % kRemoveEvery == 0) ++removable;
        }
      }
      if (found.size() > expected || found.size() + removable < expected) ++wrong;
      for (std::size_t i = 0; i < found.size(); i += 7) {
        if (index.labels(found[i]) != labels_for(static_cast<std::uint32_t>(found[i]))) ++wrong;
      }
      const LabelColumn column = index.label_column(found, "id");
      for (std::size_t i = 0; i < found.size(); ++i) {
        if (column.values[column.ids[i]] != std::to_string(static_cast<std::uint32_t>(found[i]))) {
          ++wrong;
        }
      }
      if (index.label_values("shard", bound).size() > 64) ++wrong;
      if (index.label_names(bound).size() > 4) ++wrong;
      (void)index.stats(5);
    } while (!done.load());
  };
  std::vector<std::thread> readers;
  for (unsigned reader = 0; reader < 6; reader += 2) readers.emplace_back(read, reader);
  for (std::uint32_t id = 1; id <= kSeries; ++id) {
    index.add(SeriesId{id}, labels_for(id));
    if (id % kRemoveEvery == 0) index.remove(SeriesId{id});
    if (id % 64 == 0) std::this_thread::yield();
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  CHECK(wrong.load() == 0);
}
