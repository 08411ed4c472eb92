// SPDX-License-Identifier: Apache-2.0
// Joins the engine's parts: opens them in order, runs the maintenance thread, closes in reverse.
#include "storage/db.h"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stop_token>
#include <thread>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory_account.h"
#include "base/metrics.h"
#include "base/thread_pool.h"
#include "base/try.h"
#include "fs/file_system.h"
#include "storage/directory.h"
#include "storage/head/head.h"
#include "storage/read_path.h"
#include "storage/recovery.h"
#include "storage/version_stamps.h"
#include "storage/wal/log.h"
#include "storage/write_path.h"

namespace varve::storage {
namespace {

class DbImpl final : public Db {
 public:
  DbImpl(Options options, const base::Clock& clock, base::Logger& log,
         base::MetricsRegistry& metrics)
      : options_(std::move(options)),
        clock_(clock),
        log_(log),
        metrics_(metrics),
        corrupt_chunks_(metrics.counter("varve_corrupt_chunks_total",
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
    range.min_ms = std::max(range.min_ms, oldest_kept_ms());
    return make_querier(*head_, std::make_shared<const BlockSet>(), range, {query_memory_, damages_});
  }

  std::uint64_t stamp(TimeRange range) const override { return stamps_.stamp(range); }
  Timestamp settled_before_ms() const override;
  Timestamp expired_before_ms() const override { return oldest_kept_ms(); }

  const RecoveryReport& recovery() const override { return recovery_; }
  Status close() override;

  Status maintain() override;
  Status delete_series(std::span<const std::vector<model::Matcher>> selectors,
                       TimeRange range) override;
  Status clean_tombstones() override;
  Result<std::string> snapshot(bool skip_head) override;
  Status compact() override;
  std::vector<block::BlockMeta> blocks() const override;

  HeadStats stats(std::size_t limit) const override;
  std::vector<MetadataEntry> metadata(std::string_view family) const override {
    return head_->metadata().list(family);
  }
  Result<std::vector<SeriesExemplars>> exemplars(
      std::span<const std::vector<model::Matcher>> selectors, TimeRange range) const override;
  Timestamp min_time_ms() const override {
    const Timestamp min = head_->min_time_ms();
    return min == TimeRange::all().max_ms ? min : std::max(min, oldest_kept_ms());
  }
  Timestamp max_time_ms() const override { return head_->max_time_ms(); }

 private:
  // How often expired samples are looked for. Queries leave them out at once, so this only decides
  // when the disk is freed.
  static constexpr std::chrono::seconds kMaintenanceInterval{30};

  // How long after the newest sample others of about that time may come without disturbing what is
  // derived from older ones: scrapes take up to their timeout, senders gather for seconds.
  static constexpr std::int64_t kSettleMs = 120'000;

  // Samples before this are past their retention.
  Timestamp oldest_kept_ms() const {
    if (options_.retention.count() <= 0) return TimeRange::all().min_ms;
    Timestamp oldest = 0;
    const bool overflow =
        __builtin_sub_overflow(clock_.now_ms(), Timestamp{options_.retention.count()}, &oldest);
    return overflow ? TimeRange::all().min_ms : oldest;
  }
  void maintain(const std::stop_token& stop);
  void register_metrics();

  const Options options_;
  const base::Clock& clock_;
  base::Logger& log_;
  base::MetricsRegistry& metrics_;
  base::Counter& corrupt_chunks_;
  mutable DamageLog damages_;
  mutable base::MemoryAccount query_memory_{"query_cache"};

  DataDirectory directory_;
  mutable VersionStamps stamps_;
  std::unique_ptr<head::Head> head_;
  std::unique_ptr<WritePath> write_path_;
  std::unique_ptr<wal::Log> wal_;  // after write_path_: destroyed before its source
  RecoveryReport recovery_;

  std::mutex maintenance_mutex_;  // only for the condition
  std::condition_variable_any maintenance_wake_;
  std::jthread maintenance_;
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
  VARVE_TRY_ASSIGN(directory_, prepare_directory(files, options_.path, options_.lock_directory));
  VARVE_TRY_ASSIGN(head_, head::Head::create(files, directory_.head, index::SeriesHasher::random(),
                                                       options_.exemplars_max));
  VARVE_TRY_ASSIGN(Recovery recovered,
                   recover(directory_.wal, files, options_.recovery_threads, *head_, log_));
  recovery_ = recovered.report;
  log_.info("storage: log replayed", {{"path", options_.path},
                                      {"series", recovery_.series},
                                      {"samples", recovery_.samples},
                                      {"segments", recovery_.segments},
                                      {"frames_lost", recovery_.frames_lost},
                                      {"samples_lost", recovery_.samples_lost},
                                      {"torn_bytes", recovery_.torn_bytes},
                                      {"duration_s", recovery_.seconds}});
  write_path_ = std::make_unique<WritePath>(options_, clock_, *head_, stamps_, metrics_);
  wal::LogOptions log_options;
  log_options.directory = directory_.wal;
  log_options.sync = options_.sync;
  log_options.sync_interval = options_.sync_interval;
  VARVE_TRY_ASSIGN(wal_, wal::Log::open(log_options, recovered.next, files, log_, metrics_));
  write_path_->start(*wal_, recovered.next);
  wal_->start(*write_path_);
  register_metrics();
  maintenance_ = std::jthread([this](const std::stop_token& stop) { maintain(stop); });
  return {};
}

DbImpl::~DbImpl() {
  metrics_.remove_callbacks(this);
  maintenance_ = {};
  if (write_path_) write_path_->stop();
}

Status DbImpl::close() {
  const std::lock_guard lock(close_mutex_);
  if (closed_) return {};
  closed_ = true;
  maintenance_ = {};
  write_path_->stop();
  Status status = wal_->close();
  directory_.lock.reset();
  return status;
}

void DbImpl::maintain(const std::stop_token& stop) {
  base::name_this_thread("maintenance");
  std::unique_lock lock(maintenance_mutex_);
  while (!stop.stop_requested()) {
    maintenance_wake_.wait_for(lock, stop, kMaintenanceInterval, [] { return false; });
    if (stop.stop_requested()) return;
    if (Status status = maintain(); !status.ok()) {
      log_.error("storage: maintenance", {{"err", status.error().message()}});
    }
  }
}

Status DbImpl::maintain() {
  head_->expire(oldest_kept_ms());
  return {};
}

// Blocks come with the commits that follow; until then these say so.
Status DbImpl::delete_series(std::span<const std::vector<model::Matcher>>, TimeRange) {
  return Error(ErrorCode::kUnavailable, "no blocks yet");
}
Status DbImpl::clean_tombstones() { return Error(ErrorCode::kUnavailable, "no blocks yet"); }
Result<std::string> DbImpl::snapshot(bool) { return Error(ErrorCode::kUnavailable, "no blocks yet"); }
Status DbImpl::compact() { return Error(ErrorCode::kUnavailable, "no blocks yet"); }
std::vector<block::BlockMeta> DbImpl::blocks() const { return {}; }

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
  stats.min_time_ms = min_time_ms();
  stats.max_time_ms = max_time_ms();
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
  std::vector<index::Ids> selected;
  for (const std::vector<model::Matcher>& matchers : selectors) {
    VARVE_TRY_ASSIGN(index::Ids ids, head_index->select(matchers, bound));
    selected.push_back(std::move(ids));
  }
  std::vector<index::IdSpan> spans(selected.begin(), selected.end());
  const index::Ids ids = index::unite(spans);
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

void DbImpl::register_metrics() {
  using Kind = base::MetricsRegistry::CallbackKind;
  const auto gauge = [this](std::string_view name, std::string_view help,
                            std::function<double()> read, base::MetricLabels labels = {}) {
    metrics_.callback(Kind::kGauge, name, help, std::move(read), std::move(labels), this);
  };
  const auto counter = [this](std::string_view name, std::string_view help,
                              std::function<double()> read) {
    metrics_.callback(Kind::kCounter, name, help, std::move(read), {}, this);
  };
  // Prometheus shows 0 for a head without samples.
  const auto time_or_zero = [this](Timestamp t) {
    return head_->min_time_ms() > head_->max_time_ms() ? 0.0 : static_cast<double>(t);
  };
  const auto min = [this, time_or_zero] { return time_or_zero(min_time_ms()); };
  const auto max = [this, time_or_zero] { return time_or_zero(max_time_ms()); };
  gauge("prometheus_tsdb_head_series", "Total number of series in the head block.",
        [this] { return static_cast<double>(head_->index()->series_count()); });
  gauge("prometheus_tsdb_head_chunks", "Total number of chunks in the head block.", [this] {
    const head::ShardCounts counts = head_->counts();
    return static_cast<double>(counts.chunks_open + counts.chunks_closed);
  });
  counter("prometheus_tsdb_head_series_created_total",
          "Total number of series created in the head.",
          [this] { return static_cast<double>(head_->series_created()); });
  gauge("prometheus_tsdb_head_min_time",
        "Minimum time bound of the head block. The unit is decided by the library consumer.", min);
  gauge("prometheus_tsdb_head_max_time",
        "Maximum timestamp of the head block. The unit is decided by the library consumer.", max);
  gauge("prometheus_tsdb_head_min_time_seconds", "Minimum time bound of the head block.",
        [min] { return min() / 1000; });
  gauge("prometheus_tsdb_head_max_time_seconds", "Maximum timestamp of the head block.",
        [max] { return max() / 1000; });
  gauge("prometheus_tsdb_lowest_timestamp",
        "Lowest timestamp value stored in the database. The unit is decided by the library "
        "consumer.",
        min);
  gauge("prometheus_tsdb_lowest_timestamp_seconds",
        "Lowest timestamp value stored in the database.", [min] { return min() / 1000; });
  gauge("prometheus_tsdb_exemplar_exemplars_in_storage",
        "Number of exemplars currently in circular storage.",
        [this] { return static_cast<double>(head_->exemplars().stats().exemplars); });
  gauge("prometheus_tsdb_retention_limit_seconds", "Max. retention time of the database, 0: for ever.",
        [this] { return static_cast<double>(options_.retention.count()) / 1000; });
  gauge("varve_head_spill_bytes", "Size of the files that hold the head's closed chunks.",
        [this] { return static_cast<double>(head_->spill().size_bytes()); });
  gauge("varve_wal_staged_bytes", "Bytes that wait to be written to the log.",
        [this] { return static_cast<double>(write_path_->staged_bytes()); });

  head::HeadMemory& memory = head_->memory();
  for (const base::MemoryAccount* account : std::initializer_list<const base::MemoryAccount*>
       {&memory.series, &memory.chunks, &memory.keys, &memory.index, &memory.columns, &memory.spill,
        &memory.side, &std::as_const(query_memory_)}) {
    gauge("varve_memory_bytes", "Memory that is reserved, by owner.",
          [account] { return static_cast<double>(account->bytes()); },
          {{"owner", std::string(account->owner())}});
  }
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
