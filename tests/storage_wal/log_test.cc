// SPDX-License-Identifier: Apache-2.0
#include "storage/wal/log.h"

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <thread>

#include "fs/real_fs.h"
#include "log_rig.h"
#include "storage/wal/format.h"

using namespace varve;
using namespace varve::storage;
using namespace varve::storage::wal;
using fs::FaultFs;

TEST_CASE("wal log: many writers, every number durable once and in order", "[storage][wal]") {
  const auto mode = GENERATE(SyncMode::kAlways, SyncMode::kInterval, SyncMode::kOff);
  const auto delay = GENERATE(std::chrono::milliseconds(0), std::chrono::milliseconds(50));
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open(mode, 64 << 10, std::chrono::milliseconds(1), delay));
  constexpr std::uint32_t kWriters = 4;
  constexpr std::uint64_t kEach = 2000;
  std::atomic<std::uint64_t> acknowledged{0};
  std::vector<std::thread> writers;
  for (std::uint32_t writer = 1; writer <= kWriters; ++writer) {
    writers.emplace_back([&, writer] {
      for (std::uint64_t number = 1; number <= kEach; ++number) {
        const std::uint64_t ticket = rig.source->stage(writer, number);
        rig.log->notify();
        if (number % 64 == 0) {
          if (rig.log->wait_durable(ticket).ok()) ++acknowledged;
        } else {
          rig.log->when_durable(ticket, [&](Status status) {
            if (status.ok()) ++acknowledged;
          });
        }
      }
    });
  }
  for (std::thread& writer : writers) writer.join();
  REQUIRE(rig.log->close().ok());
  CHECK(acknowledged == kWriters * kEach);
  files.reboot(FaultFs::Keep::kNothing);  // close() syncs in every mode
  const auto recovered = recover("wal", files);
  REQUIRE(recovered.ok());
  for (const LogDamage& damage : recovered->damages) UNSCOPED_INFO(damage.message);
  CHECK(recovered->damages.empty());
  CHECK(recovered->frames < kWriters * kEach);
  const Numbers numbers = replay(*recovered);
  CHECK(numbers.size() == kWriters);
  for (const auto& [series, found] : numbers) {
    CAPTURE(series);
    REQUIRE(found.size() == kEach);
    for (std::uint64_t i = 0; i < kEach; ++i) {
      if (found[i] != i + 1) FAIL("number " << found[i] << " at " << i);
    }
  }
}

TEST_CASE("wal log: the interval's timer syncs without a further append", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open(SyncMode::kInterval));
  REQUIRE(rig.append(1, 1).ok());
  const auto synced = [&] {
    const auto trace = files.trace();
    return trace.back().kind == fs::StepKind::kSyncData;
  };
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!synced() && std::chrono::steady_clock::now() < deadline) std::this_thread::yield();
  CHECK(synced());
}

TEST_CASE("wal log: a frame that nobody waits for is written at once and synced when it is wanted",
          "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open(SyncMode::kAlways, 4096, std::chrono::milliseconds(1), std::chrono::hours(1)));
  const auto count = [&](fs::StepKind kind) {
    const auto trace = files.trace();
    return std::count_if(trace.begin(), trace.end(),
                         [kind](const FaultFs::Step& step) { return step.kind == kind; });
  };
  const auto written = [&] { return rig.log->written_bytes(); };
  std::uint64_t ticket = 0;
  const auto syncs = count(fs::StepKind::kSyncData);
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const std::uint64_t before = written();
    ticket = rig.source->stage(1, number);
    rig.log->notify();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
    while (written() == before && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    REQUIRE(written() > before);
  }
  CHECK(count(fs::StepKind::kSyncData) == syncs);
  CHECK(rig.log->durable_seq() < ticket);
  REQUIRE(rig.log->wait_durable(ticket).ok());
  CHECK(count(fs::StepKind::kSyncData) == syncs + 1);
  CHECK(rig.log->durable_seq() >= ticket);
  rig.log.reset();
  files.reboot(FaultFs::Keep::kNothing);
  const auto recovered = recover("wal", files);
  REQUIRE(recovered.ok());
  CHECK(replay(*recovered).at(1).size() == 3);
}

TEST_CASE("wal log: a frame that nobody waits for is synced after its time", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open(SyncMode::kAlways, 4096, std::chrono::milliseconds(1),
                   std::chrono::milliseconds(5)));
  const std::uint64_t ticket = rig.source->stage(1, 1);
  rig.log->notify();
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (rig.log->durable_seq() < ticket && std::chrono::steady_clock::now() < deadline) {
    std::this_thread::yield();
  }
  CHECK(rig.log->durable_seq() >= ticket);
}

TEST_CASE("wal log: what nobody waits for shares a frame until it is wanted", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  const auto hour = std::chrono::hours(1);
  REQUIRE(rig.open(SyncMode::kAlways, 4096, std::chrono::milliseconds(1), hour, hour));
  const auto frames = [&] {
    const auto recovered = recover("wal", files);
    REQUIRE(recovered.ok());
    return recovered->runs_by_shard.at(1).size();
  };
  std::uint64_t ticket = 0;
  for (std::uint64_t number = 1; number <= 3; ++number) {
    ticket = rig.source->stage(1, number);
    rig.log->notify_soon();
  }
  CHECK(rig.log->written_bytes() == 0);
  const bool by_its_own_writer = GENERATE(true, false);
  CAPTURE(by_its_own_writer);
  if (by_its_own_writer) {
    REQUIRE(rig.log->wait_durable(ticket).ok());
  } else {
    REQUIRE(rig.append(1, 4).ok());
  }
  CHECK(rig.log->durable_seq() >= ticket);
  CHECK(frames() == 1);
  // And so again.
  ticket = rig.source->stage(1, 5);
  rig.log->notify_soon();
  REQUIRE(rig.log->wait_durable(ticket).ok());
  CHECK(frames() == 2);
  // The end writes what is gathered.
  rig.source->stage(1, 6);
  rig.log->notify_soon();
  REQUIRE(rig.log->close().ok());
  rig.log.reset();
  CHECK(frames() == 3);
}

TEST_CASE("wal log: what nobody waits for is written after its time", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open(SyncMode::kAlways, 4096, std::chrono::milliseconds(1), std::chrono::hours(1),
                   std::chrono::milliseconds(5)));
  for (std::uint64_t number = 1; number <= 3; ++number) {
    const std::uint64_t before = rig.log->written_bytes();
    rig.source->stage(1, number);
    rig.log->notify_soon();
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (rig.log->written_bytes() == before && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    CHECK(rig.log->written_bytes() > before);
  }
}

TEST_CASE("wal log: retired segments come back as files without their frames", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  std::uint64_t number = 0;
  const auto last_segment = [&] { return recover("wal", files)->next.segment - 1; };
  while (last_segment() < 5) REQUIRE(rig.append(1, ++number).ok());
  const std::uint32_t kept = last_segment();
  const std::uint64_t bytes_before = rig.log->size_bytes();
  REQUIRE(rig.log->retire(kept, {2}).ok());
  CHECK(rig.log->size_bytes() < bytes_before);
  CHECK(*files.exists("wal/spare-0"));
  CHECK(*files.exists("wal/spare-1"));
  CHECK(*files.exists("wal/00000002.wal.corrupt"));
  CHECK_FALSE(*files.exists("wal/00000001.wal"));
  const std::uint64_t first_kept = number;

  while (last_segment() < kept + 3) REQUIRE(rig.append(1, ++number).ok());
  rig.log.reset();
  files.reboot(FaultFs::Keep::kNothing);
  const auto all = recover("wal", files);
  REQUIRE(all.ok());
  CHECK(all->frames_lost > 0);  // no snapshot covers the retired ones
  const auto recovered = recover("wal", files, {.after_seq = first_kept});
  REQUIRE(recovered.ok());
  CHECK(recovered->damages.empty());
  CHECK(recovered->frames == number - first_kept);
}

TEST_CASE("wal log: an interval's segments are not zeroed again for the next", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  std::uint64_t number = 0;
  std::uint32_t segment = 1;
  const auto fill_segments = [&](std::uint32_t count) {
    for (segment += count; recover("wal", files)->next.segment - 1 < segment;) {
      REQUIRE(rig.append(1, ++number).ok());
    }
  };
  fill_segments(4);
  REQUIRE(rig.log->retire(segment).ok());
  const auto zeroed = [&] {
    const auto trace = files.trace();
    return std::count_if(trace.begin(), trace.end(), [](const FaultFs::Step& step) {
      return step.kind == fs::StepKind::kCreate &&
             step.path.find("/spare-") != std::string::npos;
    });
  };
  const auto before = zeroed();
  fill_segments(4);
  CHECK(zeroed() == before);

  // Quieter times need fewer.
  const std::uint64_t bytes_before = rig.log->size_bytes();
  for (int i = 0; i < 10; ++i) {
    REQUIRE(rig.log->retire(segment).ok());
    fill_segments(2);
  }
  CHECK(rig.log->size_bytes() < bytes_before);
  CHECK_FALSE(*files.exists("wal/spare-3"));
}

TEST_CASE("wal log: segments grow until an interval takes few of them", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  std::uint64_t number = 0;
  const auto newest = [&] { return recover("wal", files)->next.segment - 1; };
  const auto newest_bytes = [&] { return *files.size("wal/" + segment_name(newest())); };
  const auto interval = [&](std::uint64_t appends) {
    for (std::uint64_t i = 0; i < appends; ++i) REQUIRE(rig.append(1, ++number).ok());
    REQUIRE(rig.log->retire(newest()).ok());
  };
  REQUIRE(rig.append(1, ++number).ok());
  const std::uint64_t bytes_min = newest_bytes();
  std::uint64_t of_a_segment = 0;
  for (; newest() == 1; ++of_a_segment) REQUIRE(rig.append(1, ++number).ok());
  for (int i = 0; i < 6; ++i) interval(30 * of_a_segment);
  CHECK(newest_bytes() >= 4 * bytes_min);
  CHECK(newest_bytes() <= 16 * bytes_min);
  for (int i = 0; i < 60; ++i) interval(of_a_segment);
  CHECK(newest_bytes() <= 2 * bytes_min);

  rig.log.reset();
  files.reboot(FaultFs::Keep::kNothing);
  const auto recovered = recover("wal", files, {.after_seq = number - 5});
  REQUIRE(recovered.ok());
  CHECK(recovered->damages.empty());
}

TEST_CASE("wal log: what is staged at close is written", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  rig.source->stage(1, 1);
  rig.log->notify();
  const std::uint64_t ticket = rig.source->stage(1, 2);
  rig.log->notify();
  REQUIRE(rig.log->close().ok());
  REQUIRE(rig.log->close().ok());
  files.reboot(FaultFs::Keep::kNothing);
  CHECK(replay(*recover("wal", files))[1] == std::vector<std::uint64_t>{1, 2});
  CHECK(rig.log->wait_durable(ticket).ok());
  CHECK(rig.log->wait_durable(ticket + 10).error().code() == ErrorCode::kUnavailable);
}

TEST_CASE("wal log: a frame larger than a segment is kept whole", "[storage][wal]") {
  FaultFs files;
  Rig rig(files);
  REQUIRE(rig.open());
  REQUIRE(rig.append(1, 1).ok());
  std::uint64_t ticket = 0;
  for (std::uint64_t i = 2; i < 5000; ++i) ticket = rig.source->stage(1, i * 0x123456789);
  rig.log->notify();
  REQUIRE(rig.log->wait_durable(ticket).ok());
  REQUIRE(rig.append(1, 7).ok());
  rig.log.reset();
  files.reboot(FaultFs::Keep::kNothing);
  const auto recovered = recover("wal", files);
  CHECK(recovered->damages.empty());
  CHECK(replay(*recovered)[1].size() == 5000);
}

TEST_CASE("wal log: it works on the machine's own files", "[storage][wal]") {
  std::string pattern = (std::filesystem::temp_directory_path() / "varve-wal-XXXXXX").string();
  REQUIRE(::mkdtemp(pattern.data()) != nullptr);
  fs::RealFs files;
  const std::string directory = pattern + "/wal";
  for (std::uint64_t life = 0; life < 3; ++life) {
    Rig rig(files, directory);
    REQUIRE(rig.open(SyncMode::kAlways, 64 << 10));
    for (std::uint64_t i = 1; i <= 50; ++i) {
      REQUIRE(rig.append(static_cast<std::uint32_t>(1 + i % 3), life * 50 + i).ok());
    }
    if (life == 1) REQUIRE(rig.log->close().ok());
  }
  const auto recovered = recover(directory, files);
  REQUIRE(recovered.ok());
  CHECK(recovered->damages.empty());
  std::size_t found = 0;
  for (const auto& [series, numbers] : replay(*recovered)) found += numbers.size();
  CHECK(found == 150);
  std::error_code ignored;
  std::filesystem::remove_all(pattern, ignored);
}
