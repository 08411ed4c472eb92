// SPDX-License-Identifier: Apache-2.0
// Writers, readers and series creation at the same time; meant for TSan. Every reader must see of
// every series an unbroken run of what its writer wrote.
#include <atomic>
#include <thread>

#include "db_fixture.h"

namespace varve::storage::test {
namespace {

TEST_CASE("db: readers see unbroken series while writers append and create", "[storage]") {
  constexpr int kWriters = 3;
  constexpr int kRounds = 300;
  World world;
  auto db = world.open();
  std::atomic<int> writing{kWriters};
  std::atomic<int> failures{0};
  std::vector<std::thread> threads;
  for (int w = 0; w < kWriters; ++w) {
    threads.emplace_back([&, w] {
      for (int round = 0; round < kRounds; ++round) {
        BatchBuilder builder;
        for (int s = 0; s < 20 + round / 10; ++s) {
          builder.add(Labels{{"__name__", "m"}, {"w", std::to_string(w)}, {"s", std::to_string(s)}},
                      kStart + round * 1000, round);
        }
        auto outcome = db->append(builder.batch);
        if (!outcome.ok() || !outcome->all_accepted()) ++failures;
        if (round % 20 == 0 && outcome.ok() && !wait(*db, outcome->ticket).ok()) ++failures;
      }
      --writing;
    });
  }
  for (int r = 0; r < 2; ++r) {
    threads.emplace_back([&] {
      const std::vector matchers{equal("__name__", "m")};
      SeriesSamples samples;
      while (writing > 0) {
        auto querier = db->querier(TimeRange::all());
        auto selection = (*querier)->select(matchers, TimeRange::all());
        if (!selection.ok()) {
          ++failures;
          continue;
        }
        std::vector<std::uint32_t> ordinals;
        for (std::uint32_t i = 0; i < (*selection)->size(); ++i) {
          ordinals.push_back(i);
          if (!(*selection)->read(i, TimeRange::all(), samples).ok()) ++failures;
          for (std::size_t k = 1; k < samples.float_times.size(); ++k) {
            if (samples.float_times[k] != samples.float_times[k - 1] + 1000 ||
                samples.float_values[k] != samples.float_values[k - 1] + 1) {
              ++failures;
            }
          }
        }
        std::vector<LastSample> last(ordinals.size());
        if (!(*selection)->read_last(ordinals, TimeRange::all(), last).ok()) ++failures;
        (*selection)->label_column("s");
        (void)db->stats(5);
        world.metrics.render();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failures == 0);
  REQUIRE(db->close().ok());
  const Contents before = read_all(*db, {equal("__name__", "m")});
  db.reset();
  db = world.open();
  CHECK(read_all(*db, {equal("__name__", "m")}) == before);
}

}  // namespace
}  // namespace varve::storage::test
