// SPDX-License-Identifier: Apache-2.0
// Readers beside cuts, compaction and series that leave; meant for TSan. Whoever reads a finished
// series sees all of it, wherever it is moving at that moment.
#include <atomic>
#include <thread>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

constexpr std::int64_t kMinuteMs = 60'000;

TEST_CASE("db: readers see whole series while these are cut, compacted and retired",
          "[storage]") {
  constexpr int kGenerations = 8;
  constexpr int kRoundsEach = 90;  // minutes
  constexpr int kSeries = 24;
  World world(kStart + 40 * Timestamp{86'400'000});
  Options options = world.options();
  options.retention = std::chrono::milliseconds(0);
  options.idle_after = std::chrono::minutes(20);
  auto db = world.open(options);
  std::atomic<int> finished{0};  // generations
  std::atomic<bool> writing{true};
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;

  threads.emplace_back([&] {
    for (int round = 0; round < kGenerations * kRoundsEach; ++round) {
      BatchBuilder builder;
      for (int s = 0; s < kSeries; ++s) {
        builder.add(Labels{{"__name__", "m"},
                           {"g", std::to_string(round / kRoundsEach)},
                           {"s", std::to_string(s)}},
                    kStart + round * kMinuteMs, round);
      }
      auto outcome = db->append(builder.batch);
      if (!outcome.ok() || !outcome->all_accepted()) ++failures;
      if (round % kRoundsEach == kRoundsEach - 1) ++finished;
      if (round % 30 == 0 && outcome.ok() && !wait(*db, outcome->ticket).ok()) ++failures;
    }
    writing = false;
  });
  threads.emplace_back([&] {
    for (int round = 0; writing; ++round) {
      if (!(round % 5 == 4 ? db->compact() : db->maintain()).ok()) ++failures;
    }
  });
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      const std::vector matchers{equal("__name__", "m")};
      SeriesSamples samples;
      while (writing) {
        const int whole = finished;
        auto querier = db->querier(TimeRange::all());
        auto selection = (*querier)->select(matchers, TimeRange::all());
        if (!selection.ok()) {
          ++failures;
          continue;
        }
        const LabelColumn generation = (*selection)->label_column("g");
        std::vector<std::uint32_t> ordinals;
        int complete = 0;
        for (std::uint32_t i = 0; i < (*selection)->size(); ++i) {
          ordinals.push_back(i);
          if (!(*selection)->read(i, TimeRange::all(), samples).ok()) ++failures;
          for (std::size_t k = 1; k < samples.float_times.size(); ++k) {
            if (samples.float_times[k] != samples.float_times[k - 1] + kMinuteMs ||
                samples.float_values[k] != samples.float_values[k - 1] + 1) {
              ++failures;
            }
          }
          const int g = std::stoi(std::string(generation.values[generation.ids[i]]));
          if (g >= whole) continue;
          if (samples.float_times.size() != kRoundsEach) {
            ++failures;
          } else {
            ++complete;
          }
        }
        if (complete != whole * kSeries) ++failures;
        std::vector<LastSample> last(ordinals.size());
        if (!(*selection)->read_last(ordinals, TimeRange::all(), last).ok()) ++failures;
        for (std::uint32_t i = 0; i < ordinals.size(); ++i) {
          if (last[i].kind != LastSample::Kind::kFloat) ++failures;
        }
        if (!(*querier)->label_values("g", matchers, TimeRange::all()).ok()) ++failures;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  // A busy machine may have written all there is before the thread that cuts had its turn.
  CHECK(db->maintain().ok());
  CHECK_FALSE(db->blocks().empty());
}

}  // namespace
}  // namespace varve::storage::test
