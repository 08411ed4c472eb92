// SPDX-License-Identifier: Apache-2.0
// Sweeps: the same workload with the power cut, the disk full or a sync failing at every step.
#include <cerrno>

#include "log_rig.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;
using fs::FaultFs;

namespace {

constexpr std::uint32_t kSeries = 5;
constexpr std::uint64_t kAppends = 150;  // some three segments of 4 KiB

struct Outcome {
  std::vector<std::uint64_t> acknowledged;  // numbers
  std::uint64_t tried = 0;
};

// Appends numbers from `first` on until one fails.
Outcome append_until_failure(Rig& rig, std::uint64_t first, std::uint64_t count) {
  Outcome outcome;
  for (std::uint64_t number = first; number < first + count; ++number) {
    outcome.tried = number;
    if (!rig.append(static_cast<std::uint32_t>(1 + number % kSeries), number).ok()) break;
    outcome.acknowledged.push_back(number);
  }
  return outcome;
}

// Each acknowledged number once, in order; the others at most once.
void check_found(FaultFs& files, const Outcome& outcome, bool damage_allowed = false) {
  const auto recovered = recover("wal", files);
  REQUIRE(recovered.ok());
  if (!damage_allowed) {
    CHECK(recovered->frames_lost == 0);
    CHECK(recovered->damages.empty());
  }
  std::set<std::uint64_t> found;
  for (const auto& [series, numbers] : replay(*recovered)) {
    CHECK(std::is_sorted(numbers.begin(), numbers.end()));
    for (const std::uint64_t number : numbers) {
      CHECK(number % kSeries + 1 == series);
      CHECK(found.insert(number).second);
    }
  }
  for (const std::uint64_t number : outcome.acknowledged) {
    if (found.count(number) == 0) FAIL("acknowledged number " << number << " is gone");
  }
  if (!found.empty()) CHECK(*found.rbegin() <= outcome.tried);
}

std::uint64_t count_steps() {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  append_until_failure(rig, 1, kAppends);
  REQUIRE(rig.log->close().ok());
  CHECK(recover("wal", files)->segments >= 3);
  return files.steps();
}

}  // namespace

TEST_CASE("wal: a power cut at any step loses nothing acknowledged", "[storage][wal]") {
  const auto keep = GENERATE(FaultFs::Keep::kNothing, FaultFs::Keep::kRandom,
                             FaultFs::Keep::kEverything);
  const std::uint64_t steps = count_steps();
  for (std::uint64_t cut = 1; cut <= steps; ++cut) {
    CAPTURE(keep, cut);
    FaultFs files;
    files.cut_power_at(cut);
    Outcome outcome;
    {
      Rig rig(files);
      if (rig.open()) {
        outcome = append_until_failure(rig, 1, kAppends);
        static_cast<void>(rig.log->close().ok());
      }
    }
    files.reboot(keep, cut);
    if (!*files.exists("wal")) continue;
    check_found(files, outcome);

    // Life goes on, and a second cut finds both lives.
    {
      Rig rig(files);
      REQUIRE(rig.open());
      const Outcome second = append_until_failure(rig, 1000, 20);
      CHECK(second.acknowledged.size() == 20);
      outcome.acknowledged.insert(outcome.acknowledged.end(), second.acknowledged.begin(),
                                  second.acknowledged.end());
      outcome.tried = second.tried;
    }
    files.reboot(FaultFs::Keep::kNothing);
    check_found(files, outcome);
  }
}

TEST_CASE("wal: after a failed sync nothing is acknowledged any more", "[storage][wal]") {
  const std::uint64_t steps = count_steps();
  for (std::uint64_t step = 1; step <= steps; ++step) {
    CAPTURE(step);
    FaultFs files;
    files.fail_step(step, EIO);
    Outcome outcome;
    bool failed = false;
    {
      Rig rig(files);
      if (rig.open()) {
        outcome = append_until_failure(rig, 1, kAppends);
        failed = outcome.acknowledged.size() < kAppends;
        if (failed) {
          CHECK_FALSE(rig.log->healthy());
          const Status status = rig.log->status();
          REQUIRE_FALSE(status.ok());
          CHECK(status.error().code() == ErrorCode::kUnavailable);
          CHECK(status.error().message().find("Input/output error") != std::string::npos);
          CHECK(status.error().message().find("log failed: wal") != std::string::npos);
          CHECK_FALSE(rig.append(1, 5000).ok());
        }
        const bool closed = rig.log->close().ok();
        CHECK(closed == rig.log->healthy());
      }
    }
    files.reboot(FaultFs::Keep::kNothing);
    outcome.tried = 5000;
    if (*files.exists("wal")) check_found(files, outcome);
  }
}

TEST_CASE("wal: a full disk stalls the log, space lets it go on with nothing lost",
          "[storage][wal]") {
  const std::uint64_t steps = count_steps();
  for (std::uint64_t step = 3; step <= steps; step += 7) {
    CAPTURE(step);
    FaultFs files;
    files.fill_disk_at(step);
    Outcome outcome;
    {
      Rig rig(files);
      if (!rig.open()) continue;
      if (!rig.log->healthy()) continue;  // the next test's business
      outcome = append_until_failure(rig, 1, kAppends);
      if (outcome.acknowledged.size() == kAppends) continue;  // only close needed space
      CHECK_FALSE(rig.log->healthy());
      CHECK(rig.log->status().error().message().find("No space left") != std::string::npos);
      const bool goes_on = step % 2 == 0;
      if (goes_on) {
        files.make_space();
        // Closing tries once more; what memory held, acknowledged or not, is in the log then.
        CHECK(rig.log->close().ok());
        outcome.acknowledged.push_back(outcome.tried);
      }
    }
    files.reboot(FaultFs::Keep::kNothing);
    check_found(files, outcome);
  }
}

TEST_CASE("wal: a stalled log recovers by itself", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  REQUIRE(rig.append(1, 1).ok());
  files.fill_disk_at(files.steps() + 1);
  CHECK_FALSE(rig.append(1, 2).ok());
  CHECK_FALSE(rig.log->healthy());
  files.make_space();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!rig.log->healthy() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  CHECK(rig.log->healthy());
  CHECK(rig.log->status().ok());
  CHECK(rig.append(1, 3).ok());
  rig.log.reset();
  files.reboot(FaultFs::Keep::kNothing);
  CHECK(replay(*recover("wal", files))[1] == std::vector<std::uint64_t>{1, 2, 3});
}

TEST_CASE("wal: what the log says of itself takes no space after the first time",
          "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  const std::uint64_t begun = files.steps();
  append_until_failure(rig, 1, kAppends);
  REQUIRE(rig.log->close().ok());
  std::size_t said = 0;
  const std::vector<FaultFs::Step> trace = files.trace();
  for (std::size_t i = begun; i < trace.size(); ++i) {
    CHECK(trace[i].path != "wal/STATE.tmp");
    if (trace[i].path == "wal/STATE" && trace[i].kind == fs::StepKind::kWrite) ++said;
  }
  CHECK(said >= 3);  // two changes of segment and the close
  CHECK(files.size("wal/STATE").value() == 8192);
}

TEST_CASE("wal: where the close cannot be noted for lack of space the log ends as after a crash",
          "[storage][wal]") {
  std::uint64_t last_said = 0;
  for (const bool full : {false, true}) {
    FaultFs files;
    if (full) files.fail_step(last_said, ENOSPC);
    Rig rig(files);
    REQUIRE(rig.open());
    const Outcome outcome = append_until_failure(rig, 1, 10);
    REQUIRE(outcome.acknowledged.size() == 10);
    CHECK(rig.log->close().ok());
    CHECK(rig.log->healthy());
    const std::vector<FaultFs::Step> trace = files.trace();
    for (std::size_t i = 0; i < trace.size(); ++i) {
      if (trace[i].path == "wal/STATE" && trace[i].kind == fs::StepKind::kWrite) last_said = i + 1;
    }
    REQUIRE(last_said > 0);
    CHECK((files.size("wal/00000001.wal").value() < 4096) == !full);
    rig.log.reset();
    files.reboot(FaultFs::Keep::kNothing);
    check_found(files, outcome);
  }
}

TEST_CASE("wal: a disk that is full at start gives a stalled log, which then begins",
          "[storage][wal]") {
  FaultFs files;
  REQUIRE(files.create_directories("wal").ok());
  files.fill_disk_at(1);
  Rig rig(files);
  REQUIRE(rig.open());
  CHECK_FALSE(rig.log->healthy());
  CHECK(rig.log->status().error().code() == ErrorCode::kUnavailable);
  CHECK_THAT(rig.log->status().error().message(),
             Catch::Contains("the next segment of the log takes ") && Catch::Contains(" are free"));
  files.make_space();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!rig.log->healthy() && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  CHECK(rig.append(1, 1).ok());
  REQUIRE(rig.log->close().ok());
  CHECK(replay(*recover("wal", files))[1].size() == 1);
}
