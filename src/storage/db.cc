// SPDX-License-Identifier: Apache-2.0
// Joins the engine's parts: opens them in order, closes in reverse.
#include "storage/db.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <functional>
#include <mutex>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "base/try.h"
#include "fs/file_system.h"
#include "storage/block_store.h"
#include "storage/db_metrics.h"
#include "storage/db_snapshot.h"
#include "storage/directory.h"
#include "storage/head/head.h"
#include "storage/head_snapshots.h"
#include "storage/holds.h"
#include "storage/limits.h"
#include "storage/maintenance.h"
#include "storage/read_path.h"
#include "storage/recovery.h"
#include "storage/retention.h"
#include "storage/version_stamps.h"
#include "storage/wal/log.h"
#include "storage/write_path.h"

namespace varve::storage {
namespace {

// What scrapes and rules write outlives the process after the first of these times, and a power cut
// after both.
constexpr std::chrono::milliseconds kUnawaitedWriteDelay{10};
constexpr std::chrono::milliseconds kUnawaitedSyncDelay{90};

class DbImpl final : public Db {
 public:
  DbImpl(Options options, const base::Clock& clock, base::Logger& log,
         base::MetricsRegistry& metrics)
      : options_(std::move(options)),
        limits_(options_),
        keeping_(options_.ladder, options_.holds),
        configured_holds_(options_.holds),
        clock_(clock),
        log_(log),
        metrics_(metrics),
        corrupt_chunks_(
            metrics.counter("varve_corrupt_chunks_total",
                            "Closed chunks that failed their checksum or did not decode "
                            "when they were read.")),
        damages_(log, corrupt_chunks_) {}
  ~DbImpl() override;

  Status open(fs::FileSystem& files);

  Result<WriteOutcome> append(const WriteBatch& batch, const AppendOptions& options) override {
    return write_path_->append(batch, options);
  }
  void when_durable(Ticket ticket, std::function<void(Status)> done) override {
    write_path_->when_durable(ticket, std::move(done));
  }
  Result<std::unique_ptr<Querier>> querier(TimeRange range) const override {
    // The blocks first: what they say to be expired is counted from a newest sample that they know.
    std::shared_ptr<const BlockSet> blocks = blocks_->current();
    return make_querier(*head_, std::move(blocks), range, read_rules(), {query_memory_, damages_});
  }

  std::uint64_t stamp(TimeRange range) const override { return stamps_.stamp(range); }
  Timestamp settled_before_ms() const override;
  Timestamp expired_before_ms() const override { return oldest_kept_ms(); }

  LevelReach level_reach(std::int64_t max_source_resolution_ms) const override;

  const RecoveryReport& recovery() const override { return recovery_; }
  Status close() override;

  void set_retention(std::chrono::milliseconds time, std::uint64_t bytes) override {
    const std::int64_t before_ms = limits_.retention_ms.exchange(time.count());
    limits_.retention_bytes.store(bytes);
    limits_.accept(keeping_.get()->ladder());
    // What was hidden by its age and is not gone yet shows again.
    if (before_ms != time.count()) stamps_.bump(TimeRange::all());
  }
  void set_out_of_order_window(std::chrono::milliseconds window) override {
    limits_.out_of_order_window_ms.store(window.count());
  }
  Status set_ladder(Ladder ladder) override;
  void set_holds(std::vector<Hold> holds) override;

  Status maintain() override { return maintenance_->round(); }
  Status delete_series(std::span<const std::vector<model::Matcher>> selectors,
                       TimeRange range) override {
    return maintenance_->delete_series(selectors, range);
  }
  Status clean_tombstones() override { return maintenance_->clean_tombstones(); }
  Result<std::string> snapshot(bool skip_head) override {
    return maintenance_->snapshot(skip_head);
  }
  Status compact() override { return maintenance_->compact(); }
  std::vector<block::BlockMeta> blocks() const override { return blocks_->metas(); }
  Result<HoldRecord> add_hold(TimeRange range, std::span<const model::Matchers> selectors,
                              std::string comment) override;
  Status release_hold(std::string_view id) override;
  std::vector<HoldRecord> holds() const override;

  HeadStats stats(std::size_t limit) const override;
  std::vector<MetadataEntry> metadata(std::string_view family) const override {
    return head_->metadata().list(family);
  }
  Result<std::vector<SeriesExemplars>> exemplars(
      std::span<const std::vector<model::Matcher>> selectors, TimeRange range) const override;
  Timestamp min_time_ms() const override;
  Timestamp max_time_ms() const override;

 private:
  // How long after the newest sample others of about that time may come without disturbing what is
  // derived from older ones: scrapes take up to their timeout, senders gather for seconds.
  static constexpr std::int64_t kSettleMs = 120'000;

  ReadRules read_rules() const {
    return {keeping_.get(), newest_ms(clock_, *head_, *blocks_), limits_.retention_ms.load()};
  }
  Timestamp oldest_kept_ms() const {
    const ReadRules rules = read_rules();
    return rules.keeping->oldest_ms(blocks_->current()->ladder, rules.newest_ms,
                                    rules.raw_retention_ms);
  }
  void apply_holds();  // holds_mutex_ is held, or nobody else knows the database yet

  const Options options_;
  Limits limits_;
  CurrentKeeping keeping_;
  std::vector<Hold> configured_holds_;  // guarded by holds_mutex_
  const base::Clock& clock_;
  base::Logger& log_;
  base::MetricsRegistry& metrics_;
  base::Counter& corrupt_chunks_;
  mutable DamageLog damages_;
  mutable base::MemoryAccount query_memory_{"query_cache"};

  DataDirectory directory_;
  mutable VersionStamps stamps_;
  std::unique_ptr<BlockStore> blocks_;
  std::unique_ptr<head::Head> head_;
  std::unique_ptr<WritePath> write_path_;
  std::unique_ptr<wal::Log> wal_;  // after write_path_: destroyed before its source
  std::unique_ptr<HeadSnapshots> head_snapshots_;
  RecoveryReport recovery_;

  mutable std::mutex
      holds_mutex_;  // guards hold_store_ and configured_holds_; held over the write of a change
  HoldStore hold_store_;

  std::atomic<bool> stop_{false};  // long work is to end
  std::unique_ptr<Maintenance> maintenance_;
  std::mutex close_mutex_;  // guards closed_
  bool closed_ = false;
};

// One sample from the future must not make everything of the present count as late.
Timestamp DbImpl::settled_before_ms() const {
  const Timestamp newest = std::min(head_->max_time_ms(), clock_.now_ms());
  Timestamp before = 0;
  if (__builtin_sub_overflow(newest, kSettleMs, &before)) before = TimeRange::all().min_ms;
  return stamps_.settle(before);
}

Status DbImpl::open(fs::FileSystem& files) {
  VARVE_TRY(check_ladder(options_.ladder));
  VARVE_TRY_ASSIGN(directory_, prepare_directory(files, options_.path, options_.lock_directory,
                                                 options_.repair));
  if (!directory_.repaired.empty()) {
    log_.warn("storage: repair made the number of the layout anew",
              {{"err", directory_.repaired}});
  }
  VARVE_TRY(clean_db_snapshots(files, directory_));
  std::string holds_damage;
  VARVE_TRY_ASSIGN(hold_store_,
                   HoldStore::open(files, directory_.holds, options_.repair, holds_damage));
  if (!holds_damage.empty()) {
    log_.error("storage: holds set aside, nothing is held any more", {{"err", holds_damage}});
  }
  VARVE_TRY_ASSIGN(blocks_,
                   BlockStore::open(files, directory_, clock_.now_ms(), options_.repair, log_));
  VARVE_TRY_ASSIGN(head_, head::Head::create(files, directory_.head, blocks_->hasher(),
                                             options_.exemplars_max));
  VARVE_TRY_ASSIGN(const Recovery recovered,
                   recover(directory_, files, options_.recovery_threads, blocks_->cut(),
                           options_.repair, *head_, log_));
  recovery_ = recovered.report;
  log_.info("storage: log replayed", {{"path", options_.path},
                                      {"series", recovery_.series},
                                      {"samples", recovery_.samples},
                                      {"segments", recovery_.segments},
                                      {"frames_lost", recovery_.frames_lost},
                                      {"samples_lost", recovery_.samples_lost},
                                      {"torn_bytes", recovery_.torn_bytes},
                                      {"duration_s", recovery_.seconds}});
  if (recovery_.torn_bytes > 0) {
    log_.warn("storage: the log ends within a frame, which is left out: nobody has been told that "
              "it is stored, unless the file has been damaged since",
              {{"dir", directory_.wal}, {"torn_bytes", recovery_.torn_bytes}});
  }
  write_path_ = std::make_unique<WritePath>(options_, limits_, clock_, *head_, stamps_, metrics_);
  wal::LogOptions log_options;
  log_options.directory = directory_.wal;
  log_options.sync = options_.sync;
  log_options.sync_interval = options_.sync_interval;
  log_options.unawaited_write_delay = kUnawaitedWriteDelay;
  log_options.unawaited_sync_delay = kUnawaitedSyncDelay;
  log_options.segment_bytes = options_.log_segment_bytes;
  log_options.covered_from_seq = recovered.covered_from_seq;
  log_options.without_snapshot = recovered.without_snapshot;
  VARVE_TRY_ASSIGN(wal_, wal::Log::open(log_options, recovered.next, files, log_, metrics_));
  write_path_->start(*wal_, recovered.next);
  wal_->start(*write_path_);
  head_snapshots_ = std::make_unique<HeadSnapshots>(files, directory_.snap, *head_, *write_path_,
                                                    *wal_, recovered, options_.snapshot_log_bytes,
                                                    clock_, log_, metrics_);
  register_metrics({*head_, *blocks_, *write_path_, limits_, query_memory_,
                    [this] { return min_time_ms(); }},
                   this, metrics_);
  metrics_.callback(base::MetricsRegistry::CallbackKind::kCounter,
                    "prometheus_tsdb_wal_corruptions_total",
                    "Total number of WAL corruptions: what the start found lost of the log.",
                    [this] { return static_cast<double>(recovery_.frames_lost); }, {}, this);
  maintenance_ = std::make_unique<Maintenance>(
      Engine{options_, limits_, keeping_, files, directory_, clock_, log_, metrics_, *head_,
             *write_path_, *wal_, *blocks_, stamps_, *head_snapshots_, stop_});
  apply_holds();  // before anything can expire
  if (options_.background) maintenance_->start();
  return {};
}

void DbImpl::apply_holds() {
  std::vector<Hold> all = configured_holds_;
  for (const HoldRecord& record : hold_store_.records()) all.push_back(record.hold);
  keeping_.set(std::move(all));
  stamps_.bump(TimeRange::all());
}

// From the answer on nothing of it goes: retention that began without it has ended by then.
Result<HoldRecord> DbImpl::add_hold(TimeRange range, std::span<const model::Matchers> selectors,
                                    std::string comment) {
  std::unique_lock lock(holds_mutex_);
  VARVE_TRY_ASSIGN(HoldRecord added,
                   hold_store_.add(range, selectors, std::move(comment), clock_.now_ms()));
  apply_holds();
  lock.unlock();
  maintenance_->settle();
  return added;
}

Status DbImpl::release_hold(std::string_view id) {
  const std::lock_guard lock(holds_mutex_);
  VARVE_TRY(hold_store_.release(id));
  apply_holds();
  return {};
}

std::vector<HoldRecord> DbImpl::holds() const {
  const std::lock_guard lock(holds_mutex_);
  return hold_store_.records();
}

DbImpl::~DbImpl() {
  metrics_.remove_callbacks(this);
  stop_.store(true);
  maintenance_.reset();
  if (write_path_) write_path_->stop();
}

Status DbImpl::close() {
  const std::lock_guard lock(close_mutex_);
  if (closed_) return {};
  closed_ = true;
  stop_.store(true);
  maintenance_->stop();
  write_path_->stop();
  // So that the next start has nothing to replay. If it fails, the log has everything all the same.
  if (head_snapshots_->worthwhile() && wal_->healthy()) {
    if (Status taken = head_snapshots_->take(); !taken.ok()) {
      log_.warn("storage: closing without a snapshot", {{"err", taken.error().message()}});
    }
  }
  Status status = wal_->close();
  directory_.lock.reset();
  return status;
}

LevelReach DbImpl::level_reach(std::int64_t max_source_resolution_ms) const {
  const std::shared_ptr<const BlockSet> blocks = blocks_->current();
  const ReadRules rules = read_rules();
  LevelReach reach;
  for (std::size_t c = 0; c < rules.keeping->class_count(); ++c) {
    PlanInput input =
        rules.keeping->plan_input(c, {}, blocks->ladder, rules.newest_ms, rules.raw_retention_ms,
                                  max_source_resolution_ms);
    input.raw_lost = blocks->lost_samples(std::move(input.raw_lost));
    for (const LevelSpan& span : make_plan(input).spans) {
      reach.resolution_ms = std::max(reach.resolution_ms, span.resolution_ms);
      reach.until_ms = std::max(reach.until_ms, span.ends.max_ms);
    }
    if (blocks->ladder.gone_of.empty()) continue;
    // Of some series more has gone: coarser buckets answer, and to a later time.
    for (const KeptLevel& level : input.levels) {
      const bool asked =
          max_source_resolution_ms < 0 || level.resolution_ms <= max_source_resolution_ms;
      if (asked) reach.resolution_ms = std::max(reach.resolution_ms, level.resolution_ms);
    }
    const Stretches raw = blocks->ladder.gone().of_any(0);
    if (!raw.empty())
      reach.until_ms = std::max(reach.until_ms, raw.back().max_ms + reach.resolution_ms);
  }
  return reach;
}

Status DbImpl::set_ladder(Ladder ladder) {
  VARVE_TRY(check_ladder(ladder));
  keeping_.set(std::move(ladder));
  limits_.accept(keeping_.get()->ladder());
  stamps_.bump(TimeRange::all());
  return {};
}

void DbImpl::set_holds(std::vector<Hold> holds) {
  const std::lock_guard lock(holds_mutex_);
  configured_holds_ = std::move(holds);
  apply_holds();
}

Timestamp DbImpl::min_time_ms() const {
  Timestamp min = head_->min_time_ms();
  const std::shared_ptr<const BlockSet> set = blocks_->current();
  for (const auto* blocks : {&set->blocks, &set->levels}) {
    for (const auto& block : *blocks) {
      const block::BlockMeta& meta = block->meta();
      min = std::min(min, meta.resolution_ms == 0 ? meta.range.min_ms
                                                  : meta.range.min_ms - meta.resolution_ms + 1);
    }
  }
  return min == TimeRange::all().max_ms ? min : std::max(min, oldest_kept_ms());
}

Timestamp DbImpl::max_time_ms() const {
  Timestamp max = head_->max_time_ms();
  for (const auto& block : blocks_->current()->blocks) {
    max = std::max(max, block->meta().range.max_ms);
  }
  return max;
}

HeadStats DbImpl::stats(std::size_t limit) const {
  index::IndexStats index = head_->index()->stats(limit);
  const auto convert = [](std::vector<index::Cardinality>& from) {
    std::vector<NameCount> to;
    for (auto& [name, count] : from) to.push_back({std::move(name), count});
    return to;
  };
  const head::ShardCounts counts = head_->counts();
  HeadStats stats;
  stats.series_count = index.series_count;
  stats.label_pair_count = index.pair_count;
  stats.chunk_count = counts.chunks_open + counts.chunks_closed;
  stats.min_time_ms = head_->min_time_ms();
  stats.max_time_ms = head_->max_time_ms();
  stats.series_by_metric = convert(index.series_by_metric);
  stats.values_by_label = convert(index.values_by_label);
  stats.bytes_by_label = convert(index.bytes_by_label);
  stats.series_by_label_pair = convert(index.series_by_pair);
  return stats;
}

Result<std::vector<SeriesExemplars>> DbImpl::exemplars(
    std::span<const std::vector<model::Matcher>> selectors, TimeRange range) const {
  const std::shared_ptr<const index::HeadIndex> head_index = head_->index();
  const SeriesId bound = head_index->bound();
  index::Ids ids;
  for (const std::vector<model::Matcher>& matchers : selectors) {
    VARVE_TRY_ASSIGN(const index::Ids selected, head_index->select(matchers, bound));
    if (model::MatchWatch::thread_stopped()) {
      return Error(ErrorCode::kCanceled, "the search was broken off");
    }
    ids = index::unite(std::vector<index::IdSpan>{ids, selected});
  }
  auto points = head_->exemplars().query(ids, range);
  std::vector<SeriesExemplars> result;
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (points[i].empty()) continue;
    result.push_back({head_index->labels(ids[i]), std::move(points[i])});
  }
  std::sort(result.begin(), result.end(),
            [](const SeriesExemplars& a, const SeriesExemplars& b) { return a.series < b.series; });
  return result;
}

}  // namespace

Result<std::unique_ptr<Db>> Db::open(Options options, fs::FileSystem& files,
                                     const base::Clock& clock, base::Logger& log,
                                     base::MetricsRegistry& metrics) {
  const std::string path = options.path;
  auto db = std::make_unique<DbImpl>(std::move(options), clock, log, metrics);
  if (Status status = db->open(files); !status.ok()) {
    return std::move(status).error().with(fmt::format("storage {}", path));
  }
  return std::unique_ptr<Db>(std::move(db));
}

}  // namespace varve::storage
