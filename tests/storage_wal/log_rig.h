// SPDX-License-Identifier: Apache-2.0
// What the log's tests share: a source with a few shards that stages numbered samples as the write
// path would, and a reading of the numbers back from recovered sections.
#pragma once

#include <array>
#include <bit>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/log.h"
#include "base/metrics.h"
#include "fs/fault_fs.h"
#include "storage/wal/log.h"
#include "storage/wal/reader.h"
#include "storage/wal/records.h"

namespace varve::storage::wal {

inline constexpr std::uint32_t kRigShards = 3;

// Series i belongs to shard i % kRigShards. The value of each sample is its number, XOR-coded
// against the series' last one as in the engine.
class RigSource final : public FrameSource {
 public:
  explicit RigSource(const FramePosition& start) {
    for (Shard& shard : shards_) shard.position = start;
    series_position_ = start;
  }

  // The frame the sample was staged for.
  std::uint64_t stage(std::uint32_t series, std::uint64_t number) {
    std::uint64_t ticket = 0;
    {
      const std::lock_guard lock(series_mutex_);
      if (known_.insert(series).second) {
        const Labels labels{{"__name__", "n"}, {"series", std::to_string(series)}};
        series_encoder_.add_series(static_cast<SeriesId>(series), labels.bytes());
        ticket = series_position_.seq;
      }
    }
    Shard& shard = shards_[series % kRigShards];
    const std::lock_guard lock(shard.mutex);
    Last& last = shard.last[series];
    const bool raw = last.segment != shard.position.segment;
    shard.encoder.add_float(static_cast<SeriesId>(series), static_cast<Timestamp>(number), number,
                            last.bits, raw);
    last = {number, shard.position.segment};
    return std::max(ticket, shard.position.seq);
  }

  void collect(const FramePosition& next, FrameBuilder& out) override {
    for (std::uint32_t i = 0; i < kRigShards; ++i) {
      ByteBuffer fresh = out.fresh_buffer();
      ByteBuffer staged;
      {
        const std::lock_guard lock(shards_[i].mutex);
        staged = shards_[i].encoder.take(std::move(fresh));
        shards_[i].position = next;
      }
      out.add_run(i, std::move(staged));
    }
    ByteBuffer fresh = out.fresh_buffer();
    ByteBuffer staged;
    {
      const std::lock_guard lock(series_mutex_);
      staged = series_encoder_.take(std::move(fresh));
      series_position_ = next;
    }
    out.add_series(std::move(staged));
  }

 private:
  struct Last {
    std::uint64_t bits = 0;
    std::uint32_t segment = 0;
  };
  struct Shard {
    std::mutex mutex;
    RunEncoder encoder;
    FramePosition position;
    std::map<std::uint32_t, Last> last;
  };
  std::array<Shard, kRigShards> shards_;
  std::mutex series_mutex_;
  SeriesEncoder series_encoder_;
  FramePosition series_position_;
  std::set<std::uint32_t> known_;
};

// The numbers found, by series, in log order.
using Numbers = std::map<std::uint32_t, std::vector<std::uint64_t>>;

inline Numbers replay(const Recovered& recovered) {
  std::set<std::uint32_t> known;
  for (const Section& section : recovered.series) {
    SeriesDecoder decoder;
    decoder.open(section.bytes);
    for (;;) {
      const SeriesSectionRecord* record = decoder.next().value();
      if (std::holds_alternative<std::monostate>(*record)) break;
      known.insert(static_cast<std::uint32_t>(std::get<SeriesRecord>(*record).id));
    }
  }
  Numbers numbers;
  for (const auto& sections : recovered.runs_by_shard) {
    std::map<std::uint32_t, std::uint64_t> last;
    std::uint64_t last_seq = 0;
    for (const Section& section : sections) {
      CHECK(section.position.seq > last_seq);
      last_seq = section.position.seq;
      RunDecoder decoder;
      decoder.open(section.bytes);
      for (;;) {
        const RunRecord* record = decoder.next().value();
        if (std::holds_alternative<std::monostate>(*record)) break;
        const auto& run = std::get<FloatRun>(*record);
        for (std::size_t i = 0; i < run.ids.size(); ++i) {
          const std::uint32_t id = run.ids[i];
          if (known.count(id) == 0) FAIL("series " << id << " is used before it is named");
          const std::uint64_t number = run.raw[i] ? run.bits[i] : run.bits[i] ^ last[id];
          last[id] = number;
          if (number != static_cast<std::uint64_t>(run.times[i])) FAIL("wrong value");
          numbers[id].push_back(number);
        }
      }
    }
  }
  return numbers;
}

// A log in a directory "wal" of a FaultFs.
struct Rig {
  explicit Rig(fs::FileSystem& file_system, std::string folder = "wal")
      : files(file_system), directory(std::move(folder)) {}

  // False if the log cannot be opened.
  bool open(SyncMode sync = SyncMode::kAlways, std::uint64_t segment_bytes = 4096,
            std::chrono::milliseconds interval = std::chrono::milliseconds(1),
            std::chrono::milliseconds unawaited_sync_delay = std::chrono::milliseconds(0),
            std::chrono::milliseconds unawaited_write_delay = std::chrono::milliseconds(0)) {
    if (!files.create_directories(directory).ok()) return false;
    auto recovered = recover(directory, files);
    if (!recovered.ok()) return false;
    LogOptions options;
    options.directory = directory;
    options.sync = sync;
    options.sync_interval = interval;
    options.unawaited_sync_delay = unawaited_sync_delay;
    options.unawaited_write_delay = unawaited_write_delay;
    options.segment_bytes = segment_bytes;
    options.prepare_ahead = false;
    auto opened = Log::open(options, recovered->next, files, logger, metrics);
    if (!opened.ok()) return false;
    source = std::make_unique<RigSource>(recovered->next);
    log = std::move(opened).value();
    log->start(*source);
    return true;
  }

  Status append(std::uint32_t series, std::uint64_t number) {
    const std::uint64_t ticket = source->stage(series, number);
    log->notify();
    return log->wait_durable(ticket);
  }

  fs::FileSystem& files;
  const std::string directory;
  base::FakeClock clock;
  base::Logger logger{base::LogLevel::kError, base::LogFormat::kLogfmt, clock,
                      [](std::string_view) {}};
  base::MetricsRegistry metrics;
  std::unique_ptr<RigSource> source;
  std::unique_ptr<Log> log;
};

}  // namespace varve::storage::wal
