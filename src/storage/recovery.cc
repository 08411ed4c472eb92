// SPDX-License-Identifier: Apache-2.0
#include "storage/recovery.h"

#include <algorithm>
#include <array>
#include <bit>
#include <chrono>
#include <vector>

#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/wal/reader.h"
#include "storage/wal/records.h"

namespace varve::storage {
namespace {

using head::HotSeries;

// What replaying one shard found. Exemplars wait: their ring wants them in the order of time, which
// only all shards together have.
struct ShardReplay {
  std::uint64_t samples = 0;
  std::uint64_t samples_lost = 0;
  Timestamp min_ms = TimeRange::all().max_ms;
  Timestamp max_ms = TimeRange::all().min_ms;
  std::uint32_t lost_id_max = 0;  // the largest id whose series record was lost
  std::vector<wal::ExemplarRecord> exemplars;
  std::vector<std::string> errors;  // sections that could not be decoded to their end

  void count(Timestamp t) {
    ++samples;
    min_ms = std::min(min_ms, t);
    max_ms = std::max(max_ms, t);
  }
};

// Everything in the log was accepted once, in this order, so only the order in time is looked at.
constexpr head::OutOfOrderRule kAcceptLate{TimeRange::all().min_ms, true};

class ShardReplayer {
 public:
  ShardReplayer(head::Head& head, unsigned shard, std::uint32_t last_id, ShardReplay& out)
      : head_(head), number_(shard), shard_(head.shard_at(shard)), last_id_(last_id), out_(out) {}

  void replay(const std::vector<wal::Section>& sections) {
    const std::lock_guard lock(shard_.mutex);
    for (const wal::Section& section : sections) {
      decoder_.open(section.bytes);
      for (;;) {
        const auto record = decoder_.next();
        if (!record.ok()) {
          out_.errors.push_back("frame " + std::to_string(section.position.seq) + ": " +
                                record.error().message());
          break;
        }
        if (std::holds_alternative<std::monostate>(**record)) break;
        apply(**record);
      }
    }
  }

 private:
  // The series of an id in the log, or nullptr if its record was lost (or the bytes lie).
  HotSeries* find(std::uint32_t id) {
    if (id == 0 || head::shard_of(static_cast<SeriesId>(id)) != number_) return nullptr;
    if (id <= last_id_) {
      HotSeries& series = head_.series(static_cast<SeriesId>(id));
      if (series.is(HotSeries::kKnown)) return &series;
    }
    out_.lost_id_max = std::max(out_.lost_id_max, id);
    return nullptr;
  }

  void apply(const wal::RunRecord& record) {
    if (const auto* floats = std::get_if<wal::FloatRun>(&record)) {
      apply_floats(*floats);
    } else if (const auto* late = std::get_if<wal::LateFloatRecord>(&record)) {
      HotSeries* series = find(static_cast<std::uint32_t>(late->id));
      if (series == nullptr) {
        ++out_.samples_lost;
        return;
      }
      shard_.insert_late(*series, late->id, late->sample);
      out_.count(late->sample.timestamp_ms);
    } else if (const auto* histogram = std::get_if<wal::HistogramRecord>(&record)) {
      HotSeries* series = find(static_cast<std::uint32_t>(histogram->id));
      if (series == nullptr ||
          !codec::check_histogram(histogram->sample.histogram).ok()) {
        ++out_.samples_lost;
        return;
      }
      shard_.append_histogram(*series, histogram->id, histogram->sample.timestamp_ms,
                              histogram->sample.histogram, kAcceptLate);
      out_.count(histogram->sample.timestamp_ms);
    } else if (const auto* tombstone = std::get_if<wal::TombstoneRecord>(&record)) {
      if (HotSeries* series = find(static_cast<std::uint32_t>(tombstone->id))) {
        shard_.delete_samples(*series, tombstone->id, tombstone->range);
      }
    } else if (const auto* exemplar = std::get_if<wal::ExemplarRecord>(&record)) {
      if (find(static_cast<std::uint32_t>(exemplar->id)) != nullptr) {
        out_.exemplars.push_back(*exemplar);
      }
    }
  }

  void apply_floats(const wal::FloatRun& run) {
    constexpr std::size_t kAhead = 12;
    const std::size_t count = run.ids.size();
    for (std::size_t i = 0; i < count; ++i) {
      if (i + kAhead < count && run.ids[i + kAhead] <= last_id_) {
        __builtin_prefetch(&head_.series(static_cast<SeriesId>(run.ids[i + kAhead])), 1);
      }
      HotSeries* series = find(run.ids[i]);
      if (series == nullptr) {
        ++out_.samples_lost;
        continue;
      }
      const std::uint64_t previous = std::bit_cast<std::uint64_t>(series->gorilla.last_value);
      const std::uint64_t bits = run.raw[i] != 0 ? run.bits[i] : run.bits[i] ^ previous;
      shard_.append_float(*series, static_cast<SeriesId>(run.ids[i]), run.times[i],
                          std::bit_cast<double>(bits), kAcceptLate);
      out_.count(run.times[i]);
    }
  }

  head::Head& head_;
  const unsigned number_;
  head::Shard& shard_;
  const std::uint32_t last_id_;
  ShardReplay& out_;
  wal::RunDecoder decoder_;
};

// The series of the log, ascending by id; their metadata goes to the head at once.
std::vector<wal::SeriesRecord> read_series(const wal::Recovered& recovered, head::Head& head,
                                           base::Logger& log) {
  std::vector<wal::SeriesRecord> records;
  wal::SeriesDecoder decoder;
  for (const wal::Section& section : recovered.series) {
    decoder.open(section.bytes);
    for (;;) {
      const auto record = decoder.next();
      if (!record.ok()) {
        log.error("wal: a series record cannot be read",
                  {{"frame", section.position.seq}, {"err", record.error().message()}});
        break;
      }
      if (std::holds_alternative<std::monostate>(**record)) break;
      if (const auto* series = std::get_if<wal::SeriesRecord>(*record)) {
        if (series->id != SeriesId::kNone) records.push_back(*series);
      } else {
        (void)head.metadata().set(std::get<MetadataEntry>(**record)).ok();
      }
    }
  }
  // Ids are given in the order of the log; a repeated one (which nothing writes) is left out.
  std::stable_sort(records.begin(), records.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  records.erase(std::unique(records.begin(), records.end(),
                            [](const auto& a, const auto& b) { return a.id == b.id; }),
                records.end());
  return records;
}

}  // namespace

Result<Recovery> recover(const std::string& directory, fs::FileSystem& files, std::size_t threads,
                         head::Head& head, base::Logger& log) {
  const auto started = std::chrono::steady_clock::now();
  base::ThreadPool pool("recovery", std::max<std::size_t>(threads, 1), 4096);
  wal::RecoverOptions options;
  options.shards_max = head::kShards;
  options.pool = threads > 1 ? &pool : nullptr;
  VARVE_TRY_ASSIGN(const wal::Recovered recovered, wal::recover(directory, files, options));
  for (const wal::LogDamage& damage : recovered.damages) {
    log.error("wal: damaged, going on behind it",
              {{"err", damage.message}, {"frames_lost", damage.frames_lost}});
  }

  const std::vector<wal::SeriesRecord> series = read_series(recovered, head, log);
  const SeriesId last_id = series.empty() ? SeriesId::kNone : series.back().id;
  VARVE_TRY(head.reserve_series(last_id));
  for (const wal::SeriesRecord& record : series) head.mark_known(record.id);

  // Task 0 rebuilds names and index (one thread at a time may), the others replay a shard each; they
  // touch nothing in common.
  std::array<ShardReplay, head::kShards> replays;
  pool.parallel_for(1 + head::kShards, [&](std::size_t task) {
    if (task == 0) {
      const std::lock_guard lock(head.create_mutex);
      for (const wal::SeriesRecord& record : series) {
        head.restore_series(record.id, Labels::from_bytes(std::string(record.labels)));
      }
      return;
    }
    const auto shard = static_cast<unsigned>(task - 1);
    if (shard >= recovered.runs_by_shard.size()) return;
    ShardReplayer(head, shard, static_cast<std::uint32_t>(last_id), replays[shard])
        .replay(recovered.runs_by_shard[shard]);
  });

  Recovery result;
  std::vector<wal::ExemplarRecord> exemplars;
  std::uint32_t lost_id_max = 0;
  for (ShardReplay& replay : replays) {
    lost_id_max = std::max(lost_id_max, replay.lost_id_max);
    result.report.samples += replay.samples;
    result.report.samples_lost += replay.samples_lost;
    if (replay.samples > 0) head.widen_times(replay.min_ms, replay.max_ms);
    for (const std::string& error : replay.errors) log.error("wal: " + error);
    exemplars.insert(exemplars.end(), std::make_move_iterator(replay.exemplars.begin()),
                     std::make_move_iterator(replay.exemplars.end()));
  }
  std::stable_sort(exemplars.begin(), exemplars.end(), [](const auto& a, const auto& b) {
    return a.exemplar.timestamp_ms < b.exemplar.timestamp_ms;
  });
  {
    // Samples whose series record was lost stay in the log: a new series that took their id would
    // have them at the next replay.
    const std::lock_guard lock(head.create_mutex);
    head.use_up_ids(static_cast<SeriesId>(lost_id_max));
  }
  // What the ring refuses now it would have evicted by now anyway.
  for (const auto& record : exemplars) (void)head.exemplars().add(record.id, record.exemplar).ok();

  result.next = recovered.next;
  result.report.segments = recovered.segments;
  result.report.frames = recovered.frames;
  result.report.series = series.size();
  result.report.frames_lost = recovered.frames_lost;
  result.report.torn_bytes = recovered.torn_bytes;
  result.report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return result;
}

}  // namespace varve::storage
