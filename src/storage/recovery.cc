// SPDX-License-Identifier: Apache-2.0
#include "storage/recovery.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <span>
#include <vector>

#include "base/release_memory.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "storage/shard_replay.h"
#include "storage/snapshot_reader.h"
#include "storage/wal/log_state.h"
#include "storage/wal/reader.h"
#include "storage/wal/records.h"

namespace varve::storage {
namespace {

// What the log says of series; metadata go to the head at once.
struct LogSeries {
  std::vector<wal::SeriesRecord> records;  // ascending by id, each once, without retired ones
  std::vector<SeriesId> retired;           // ascending
};

LogSeries read_series(const wal::Recovered& recovered, head::Head& head, base::Logger& log) {
  LogSeries out;
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
        out.records.push_back(*series);
      } else if (const auto* retired = std::get_if<wal::RetiredRecord>(*record)) {
        out.retired.push_back(retired->id);
      } else {
        (void)head.metadata().set(std::get<MetadataEntry>(**record)).ok();
      }
    }
  }
  std::sort(out.retired.begin(), out.retired.end());
  // Ids are given in the order of the log; a repeated one (which nothing writes) is left out.
  std::stable_sort(out.records.begin(), out.records.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  out.records.erase(std::unique(out.records.begin(), out.records.end(),
                                [](const auto& a, const auto& b) { return a.id == b.id; }),
                    out.records.end());
  std::erase_if(out.records, [&out](const wal::SeriesRecord& record) {
    return std::binary_search(out.retired.begin(), out.retired.end(), record.id);
  });
  return out;
}

// Calls take(id, labels) for the series of snapshot and log, ascending.
template <typename Take>
void merge_series(SnapshotReader& snapshot, const LogSeries& log, const Take& take) {
  auto next = log.records.begin();
  snapshot.series([&](SeriesId id, std::string_view labels) {
    for (; next != log.records.end() && next->id < id; ++next) take(next->id, next->labels);
    if (next != log.records.end() && next->id == id) ++next;
    if (std::binary_search(log.retired.begin(), log.retired.end(), id)) return;
    take(id, labels);
  });
  for (; next != log.records.end(); ++next) take(next->id, next->labels);
}

// How many columns of lost pieces stand in for themselves, in a row: 128 MiB of memory. A snapshot
// writes pieces of 65536, so damage that leaves more out is none that a disk makes.
constexpr std::uint64_t kColumnsLostMax = 1 << 22;
constexpr std::uint64_t kColumnsAtOnce = 1 << 16;

// Makes the files of the head and the columns available. The number of the first column.
Result<std::uint32_t> restore_files(SnapshotReader& snapshot, const std::string& directory,
                                    head::Head& head, base::Logger& log) {
  std::vector<head::SpillFileInfo> needed;
  if (!snapshot.head_files(needed)) {
    // Nobody knows which of them are needed: all that are there.
    VARVE_TRY_ASSIGN(needed, head.spill().found());
  }
  VARVE_TRY_ASSIGN(const std::vector<Error> wrong, head.spill().adopt(needed));
  for (const Error& error : wrong) {
    log.error("storage: file of the head damaged, going on without what it held",
              {{"dir", directory}, {"err", error.message()}});
  }
  std::uint64_t first = 0;
  std::uint64_t next = 0;
  bool any = false;
  Status status;
  snapshot.columns([&](std::uint64_t begin, std::vector<head::TimeColumn>& columns) -> Status {
    if (!any) first = next = begin;
    any = true;
    if (begin < next || begin - next > kColumnsLostMax) {
      return Error(ErrorCode::kCorruption,
                   fmt::format("snapshot of time columns: begins at {}, expected {}", begin, next));
    }
    // Columns of a lost piece: without samples, so that their chunks are known to be lost.
    const std::vector<head::TimeColumn> gap(std::min(begin - next, kColumnsAtOnce));
    for (; next < begin && status.ok(); next += std::min(begin - next, kColumnsAtOnce)) {
      status = head.columns().restore(std::span(gap).first(std::min(begin - next, kColumnsAtOnce)));
    }
    if (status.ok()) status = head.columns().restore(columns);
    next = begin + columns.size();
    return {};
  });
  VARVE_TRY(status);
  return static_cast<std::uint32_t>(first);
}

}  // namespace

Result<Recovery> recover(const DataDirectory& directory, fs::FileSystem& files, std::size_t threads,
                         const std::optional<HeadCut>& cut, bool repair, head::Head& head,
                         base::Logger& log) {
  const auto started = std::chrono::steady_clock::now();
  base::ThreadPool pool("recovery", std::max<std::size_t>(threads, 1), 4096);
  // What is wrong with it, the log's own recovery says.
  const auto state = wal::read_log_state(files, directory.wal);
  const std::uint32_t snapshot_before = state.ok() && *state ? (**state).state.snapshot : 0;
  VARVE_TRY_ASSIGN(SnapshotReader snapshot,
                   SnapshotReader::open(files, directory.snap, snapshot_before, repair, log));
  wal::RecoverOptions options;
  options.shards_max = head::kShards;
  options.after_seq = snapshot.needed_after_seq();
  // A log whose snapshot was given up begins where that ended, until there is another one.
  const bool given_up =
      state.ok() && *state && (**state).state.retired_before > 1 && snapshot_before == 0;
  options.begins_anywhere = snapshot.missing() || (given_up && snapshot.info().number == 0);
  options.used = snapshot.info().number != 0 || cut.has_value();
  options.pool = threads > 1 ? &pool : nullptr;
  VARVE_TRY_ASSIGN(const wal::Recovered recovered, wal::recover(directory.wal, files, options));
  Recovery result;
  for (const wal::LogDamage& damage : recovered.damages) {
    log.error("wal: damaged, going on behind it",
              {{"err", damage.message}, {"frames_lost", damage.frames_lost}});
    result.damaged_segments.push_back(damage.segment);
  }
  VARVE_TRY_ASSIGN(const std::uint32_t first_column,
                   restore_files(snapshot, directory.head, head, log));

  // Metadata of the log are newer.
  snapshot.metadata([&head](const MetadataEntry& entry) { (void)head.metadata().set(entry).ok(); });
  const LogSeries log_series = read_series(recovered, head, log);
  std::vector<SeriesId> known;
  merge_series(snapshot, log_series,
               [&known](SeriesId id, std::string_view) { known.push_back(id); });
  const SeriesId last_id = known.empty() ? SeriesId::kNone : known.back();
  VARVE_TRY(head.reserve_series(last_id));
  for (const SeriesId id : known) head.mark_known(id);
  const std::size_t series_count = known.size();
  base::release_memory(known);

  // Task 0 rebuilds names and index (one thread at a time may), the others replay a shard each;
  // they touch nothing in common.
  std::array<ShardReplay, head::kShards> replays;
  const ReplayScope scope{static_cast<std::uint32_t>(last_id), first_column, log_series.retired,
                          cut};
  pool.parallel_for(1 + head::kShards, [&](std::size_t task) {
    if (task == 0) {
      const std::lock_guard lock(head.create_mutex);
      merge_series(snapshot, log_series, [&head](SeriesId id, std::string_view labels) {
        head.restore_series(id, Labels::from_bytes(std::string(labels)));
      });
      return;
    }
    const auto shard = static_cast<unsigned>(task - 1);
    replay_shard(head, shard, scope, snapshot,
                 shard < recovered.runs_by_shard.size() ? &recovered.runs_by_shard[shard] : nullptr,
                 replays[shard]);
  });

  const SnapshotReader::End end = snapshot.end();
  Timestamp min_ms = end.min_ms;
  Timestamp max_ms = end.max_ms;
  if (cut)
    min_ms = max_ms < cut->time_ms ? TimeRange::all().max_ms : std::max(min_ms, cut->time_ms);
  bool min_known = true;
  Timestamp known_min_ms = TimeRange::all().max_ms;
  std::vector<wal::ExemplarRecord> exemplars;
  std::uint32_t lost_id_max = end.next_id == 0 ? 0 : end.next_id - 1;
  std::uint64_t chunks_lost = 0;
  for (ShardReplay& replay : replays) {
    lost_id_max = std::max(lost_id_max, replay.lost_id_max);
    result.report.samples += replay.samples;
    result.report.samples_lost += replay.samples_lost;
    chunks_lost += replay.chunks_lost;
    min_ms = std::min(min_ms, replay.min_ms);
    max_ms = std::max(max_ms, replay.max_ms);
    min_known &= replay.min_known;
    known_min_ms = std::min(known_min_ms, replay.min_ms);
    for (const std::string& error : replay.errors) log.error("storage: recovery: " + error);
    exemplars.insert(exemplars.end(), std::make_move_iterator(replay.exemplars.begin()),
                     std::make_move_iterator(replay.exemplars.end()));
  }
  head.set_times(min_known ? known_min_ms : min_ms, max_ms);
  if (chunks_lost > 0) {
    log.error("storage: closed chunks of the head are lost", {{"chunks", chunks_lost}});
  }
  std::stable_sort(exemplars.begin(), exemplars.end(), [](const auto& a, const auto& b) {
    return a.exemplar.timestamp_ms < b.exemplar.timestamp_ms;
  });
  {
    // Ids are not used again: samples whose series record was lost stay in the log, and what was
    // retired may still be there.
    const std::lock_guard lock(head.create_mutex);
    if (!log_series.retired.empty()) {
      lost_id_max = std::max(lost_id_max, static_cast<std::uint32_t>(log_series.retired.back()));
    }
    head.use_up_ids(static_cast<SeriesId>(lost_id_max));
  }
  // What the ring refuses now it would have evicted by now anyway, or has.
  snapshot.exemplars([&head](SeriesId id, const ExemplarSample& exemplar) {
    if (head.known(id)) (void)head.exemplars().add(id, exemplar).ok();
  });
  for (const auto& record : exemplars) (void)head.exemplars().add(record.id, record.exemplar).ok();

  result.snapshot = snapshot.info();
  result.without_snapshot = snapshot.missing();
  if (snapshot.damaged() && result.snapshot.number != 0 &&
      (result.snapshot.damaged.empty() ||
       result.snapshot.damaged.back() != result.snapshot.number)) {
    result.snapshot.damaged.push_back(result.snapshot.number);
  }
  result.next = recovered.next;
  result.next.segment = std::max(result.next.segment, snapshot.newest_segment() + 1);
  // The numbers that snapshot and cut name are not given again, though nothing may have been
  // written under them: what came later would be taken for what they cover.
  std::uint64_t named_seq = snapshot.newest_seq();
  if (cut) {
    for (const std::uint64_t seq : cut->seqs) named_seq = std::max(named_seq, seq);
  }
  if (named_seq >= result.next.seq) {
    result.covered_from_seq = result.next.seq;
    result.next.seq = named_seq + 1;
  }
  for (const wal::Section& section : recovered.series)
    result.replayed_bytes += section.bytes.size();
  for (const auto& sections : recovered.runs_by_shard) {
    for (const wal::Section& section : sections) result.replayed_bytes += section.bytes.size();
  }
  result.report.segments = recovered.segments;
  result.report.frames = recovered.frames;
  result.report.series = series_count;
  result.report.frames_lost = recovered.frames_lost;
  result.report.torn_bytes = recovered.torn_bytes;
  result.report.seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return result;
}

}  // namespace varve::storage
