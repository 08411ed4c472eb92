// SPDX-License-Identifier: Apache-2.0
// Levels that are written while the power goes or the disk fails, at every step they take: when it
// is over every bucket is there once and says what its samples said.
#include <cerrno>
#include <iostream>

#include "levels_fixture.h"

namespace varve::storage::test {
namespace {

using Keep = fs::FaultFs::Keep;

constexpr std::int64_t kStepMs = 10 * kMinuteMs;
constexpr int kSteps = 200;  // a day and nine hours

// Runs a list of operations; one that fails is done again after `recover`.
template <typename Recover>
void run(History& history, const Recover& recover) {
  const std::vector<std::vector<model::Matcher>> selectors{{equal("s", "b")}};
  const TimeRange gone{kBegin + 19 * kHourMs + 5000, kBegin + 20 * kHourMs + 7000};
  const auto redo = [&](const auto& operation) {
    for (int tries = 0; !operation(); ++tries) {
      REQUIRE(tries < 3);
      recover();
    }
  };
  for (int i = 0; i < kSteps; ++i) {
    const Timestamp t = kBegin + i * kStepMs + 1000;
    history.world.clock.set(t + 1);
    redo([&] { return history.try_add("a", t, i % 37); });
    redo([&] { return history.try_add("b", t + 1, i * 0.25); });
    if (i % 23 == 20 && i < 170) {
      // Longer than levels wait, so that buckets are there already.
      redo([&] {
        bool done = false;
        history.late(hours(12),
                     [&] { done = history.try_add("a", t - 5 * kHourMs - 500, -i); });
        return done;
      });
    }
    if (i % 6 == 5) redo([&] { return history.db->maintain().ok(); });
    if (i == 150) {
      redo([&] { return history.db->delete_series(selectors, gone).ok(); });
      std::erase_if(history.truth["b"], [&](const auto& one) { return gone.contains(one.first); });
    }
  }
  redo([&] { return history.db->maintain().ok(); });
}

class Faulty : public History {
 public:
  Faulty() : History(two_levels(), hours(8)) {
    db.reset();
    options.block_windows = {hours(2), hours(8)};
    options.reserve_bytes = 4096;
    options.log_segment_bytes = 16 * 1024;
    options.snapshot_log_bytes = 20'000;
  }
};

std::uint64_t steps_of_a_run() {
  Faulty history;
  history.db = history.world.open(history.options);
  run(history, [] { FAIL("nothing fails here"); });
  history.maintain();
  CHECK(history.check() > 100);
  return history.world.files.steps();
}

}  // namespace

TEST_CASE("levels: a power cut at any step loses no bucket and doubles none", "[storage][levels]") {
  const std::uint64_t steps = steps_of_a_run();
  std::uint64_t points = 0;
  std::uint64_t compared = 0;
  for (std::uint64_t step = 20; step <= steps; step += 7) {
    const Keep keep = step % 3 == 0   ? Keep::kNothing
                      : step % 3 == 1 ? Keep::kRandom
                                      : Keep::kEverything;
    CAPTURE(step, static_cast<int>(keep));
    Faulty history;
    history.world.files.cut_power_at(step);
    const auto recover = [&] {
      history.db.reset();
      history.world.files.reboot(keep, step);
      history.db = history.world.open(history.options);
    };
    auto opened = history.world.try_open(history.options);
    if (opened.ok()) {
      history.db = std::move(*opened);
    } else {
      recover();
    }
    run(history, recover);
    history.maintain();
    compared += history.check();
    compared += history.check(kHourMs);
    ++points;
  }
  std::cout << "levels: power cuts: " << points << " points, " << compared << " buckets compared\n";
}

TEST_CASE("levels: a disk that is full or fails at any step loses no bucket", "[storage][levels]") {
  const std::uint64_t steps = steps_of_a_run();
  std::uint64_t points = 0;
  std::uint64_t compared = 0;
  for (std::uint64_t step = 21; step <= steps; step += 11) {
    const int error = step % 2 == 0 ? ENOSPC : EIO;
    CAPTURE(step, error);
    Faulty history;
    history.world.files.fail_step(step, error);
    const auto recover = [&] {
      history.db.reset();
      history.world.files.clear_faults();
      history.db = history.world.open(history.options);
    };
    auto opened = history.world.try_open(history.options);
    if (opened.ok()) {
      history.db = std::move(*opened);
    } else {
      recover();
    }
    run(history, recover);
    history.world.files.clear_faults();
    history.maintain();
    compared += history.check();
    ++points;
  }
  std::cout << "levels: failing steps: " << points << " points, " << compared
            << " buckets compared\n";
}

}  // namespace varve::storage::test
