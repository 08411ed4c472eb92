// SPDX-License-Identifier: Apache-2.0
#include "storage/write_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <mutex>
#include <span>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "model/duration.h"
#include "storage/write_run.h"

namespace varve::storage {

using head::HotSeries;

namespace {

Timestamp saturating_add(Timestamp a, std::int64_t b) {
  Timestamp sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    return b < 0 ? TimeRange::all().min_ms : TimeRange::all().max_ms;
  }
  return sum;
}

// The time of the first sample of a batch, as Prometheus takes it for the newest of an empty head.
Timestamp first_time(const WriteBatch& batch) {
  for (const SeriesEntry& entry : batch.series) {
    if (entry.samples_count > 0) return batch.samples[entry.samples_begin].timestamp_ms;
    if (entry.histograms_count > 0) return batch.histograms[entry.histograms_begin].timestamp_ms;
  }
  return TimeRange::all().max_ms;
}

// The most that staging a batch may take: records at their longest, and the labels of every series,
// though only new ones are logged.
std::size_t staged_bytes_max(const WriteBatch& batch) {
  constexpr std::size_t kSampleBytes = 28;
  constexpr std::size_t kHistogramBytes = 96;
  constexpr std::size_t kNumberBytes = 12;
  constexpr std::size_t kRecordBytes = 24;
  std::size_t bytes = batch.samples.size() * kSampleBytes;
  for (const SeriesEntry& entry : batch.series) {
    bytes +=
        kRecordBytes + (entry.labels != nullptr ? entry.labels->bytes().size() : entry.key.size());
  }
  for (const HistogramSample& sample : batch.histograms) {
    const Histogram& h = sample.histogram;
    bytes +=
        kHistogramBytes + kNumberBytes * (2 * (h.positive_spans.size() + h.negative_spans.size()) +
                                          h.positive_counts.size() + h.negative_counts.size() +
                                          h.custom_bounds.size());
  }
  for (const ExemplarSample& exemplar : batch.exemplars) {
    bytes += kRecordBytes + kSampleBytes + exemplar.labels.bytes().size();
  }
  for (const MetadataEntry& entry : batch.metadata) {
    bytes += kRecordBytes + entry.metric_family.size() + entry.type.size() + entry.help.size() +
             entry.unit.size();
  }
  return bytes;
}

}  // namespace

WritePath::WritePath(const Options& options, const Limits& limits, const base::Clock& clock,
                     head::Head& head, VersionStamps& stamps, base::MetricsRegistry& metrics)
    : options_(options),
      limits_(limits),
      clock_(clock),
      head_(head),
      stamps_(stamps),
      metrics_(metrics) {}

void WritePath::start(wal::Log& log, const wal::FramePosition& position) {
  log_ = &log;
  for (Staging& staging : staging_) staging.position = position;
  series_position_ = position;
}

class WritePath::Reservation {
 public:
  Reservation(WritePath& path, std::size_t bytes)
      : path_(path),
        bytes_(bytes),
        staged_before_(path.staged_bytes_.fetch_add(static_cast<std::int64_t>(bytes),
                                                    std::memory_order_relaxed)) {}
  ~Reservation() { path_.count_staged(bytes_, 0); }
  Reservation(const Reservation&) = delete;
  Reservation& operator=(const Reservation&) = delete;
  std::size_t staged_before() const {
    return static_cast<std::size_t>(std::max<std::int64_t>(0, staged_before_));
  }

 private:
  WritePath& path_;
  const std::size_t bytes_;
  const std::int64_t staged_before_;
};

Status WritePath::accepting(std::size_t staged_before) const {
  if (stopped_.load(std::memory_order_acquire)) {
    return Error(ErrorCode::kUnavailable, "storage is closed");
  }
  if (!log_->healthy()) return log_->status();
  if (staged_before > wal::kStagedBytesMax) {
    return Error(ErrorCode::kUnavailable,
                 fmt::format("overloaded: more than {} bytes wait for the log",
                             wal::kStagedBytesMax));
  }
  if (head_.spill().full() || head_.spill().pending_bytes() > wal::kStagedBytesMax) {
    return Error(ErrorCode::kUnavailable, "the head's files take no more chunks");
  }
  return {};
}

Result<WriteOutcome> WritePath::append(const WriteBatch& batch, const AppendOptions& options) {
  // Counted as staged from here on, so that batches at the same time see each other: what waits for
  // the log is bounded by kStagedBytesMax and one batch, whatever the number of threads.
  const Reservation reservation(*this, staged_bytes_max(batch));
  const head::Quiescence::Guard under_way(appends_);
  VARVE_TRY(accepting(reservation.staged_before()));
  static thread_local Scratch scratch;
  WriteOutcome outcome;
  resolve(batch, scratch);
  if (!scratch.missing.empty()) VARVE_TRY(create_missing(batch, scratch, outcome));

  const Timestamp now = clock_.now_ms();
  Run run;
  run.outcome = &outcome;
  run.newest_allowed_ms = saturating_add(now, options_.future_max.count());
  const std::int64_t retention_ms = limits_.accepted_ms.load(std::memory_order_relaxed);
  run.oldest_allowed_ms =
      retention_ms > 0 ? saturating_add(now, -retention_ms) : TimeRange::all().min_ms;
  Timestamp newest = head_.max_time_ms();
  if (newest == TimeRange::all().min_ms) newest = first_time(batch);
  // So that a cut, which waits until the head is this far ahead, does not race with who appends.
  run.in_order_from_ms = saturating_add(newest, -head::kChunkRangeMs / 2);
  const std::int64_t window_ms = limits_.out_of_order_window_ms.load(std::memory_order_relaxed);
  if (window_ms > 0 && !options.in_order_only) {
    run.rule.open = true;
    run.rule.oldest_ms = saturating_add(newest, -window_ms);
  }
  if (!outcome.first_error.empty()) run.first.entry = 0;  // an earlier refusal of a whole series
  append_resolved(batch, scratch, run);
  while (!scratch.retired.empty()) append_retired(batch, scratch, run);
  if (run.min_ms <= run.max_ms) {
    head_.widen_times(run.min_ms, run.max_ms);
    stamps_.applied({run.min_ms, run.max_ms});
  }
  if (run.late > 0) metrics_.late_appended.add(static_cast<double>(run.late));
  if (run.late_histograms > 0) {
    metrics_.late_histograms_appended.add(static_cast<double>(run.late_histograms));
  }
  if (!batch.metadata.empty()) run.ticket = std::max(run.ticket, append_metadata(batch));

  if (outcome.first_error.empty() && !run.first.text.empty()) {
    outcome.first_error =
        fmt::format("{}: series={} timestamp={}", run.first.text,
                    series_name(batch.series[run.first.entry], run.first.id, batch.decoder),
                    run.first.timestamp_ms) +
        advice(run.first.reach, options);
    outcome.first_error_code = run.first.code;
  }
  if (outcome.samples_appended > 0)
    metrics_.floats_appended.add(static_cast<double>(outcome.samples_appended));
  if (outcome.histograms_appended > 0) {
    metrics_.histograms_appended.add(static_cast<double>(outcome.histograms_appended));
  }
  if (options.want_ids) outcome.ids = scratch.ids;
  outcome.ticket = static_cast<Ticket>(run.ticket);
  if (run.ticket != 0) options.unawaited ? log_->notify_soon() : log_->notify();
  return outcome;
}

// Behind Prometheus's own words: why, and which setting says so.
std::string WritePath::advice(Reach reach, const AppendOptions& options) const {
  if (reach == Reach::kNone || (reach == Reach::kOutOfOrderWindow && options.in_order_only))
    return {};
  if (reach == Reach::kRetention) {
    return fmt::format(
        " (older than samples are kept: {} by storage.tsdb.retention, storage.tsdb.ladder or "
        "--storage.tsdb.retention.time)",
        model::format_duration(limits_.accepted_ms.load(std::memory_order_relaxed)));
  }
  const std::int64_t window_ms = limits_.out_of_order_window_ms.load(std::memory_order_relaxed);
  if (window_ms <= 0) {
    return " (older than others: none are taken late, as storage.tsdb.out_of_order_time_window is "
           "0s)";
  }
  return fmt::format(
      " (older than storage.tsdb.out_of_order_time_window allows: {} behind the newest sample)",
      model::format_duration(window_ms));
}

// The series of some entries have left after the entries were resolved to them. Their names lead to
// new series by now, or will: who retires series holds create_mutex until their names are
// forgotten.
void WritePath::append_retired(const WriteBatch& batch, Scratch& scratch, Run& run) {
  const std::vector<SeriesId> settled = scratch.ids;
  scratch.missing.swap(scratch.retired);
  scratch.retired.clear();
  std::fill(scratch.ids.begin(), scratch.ids.end(), SeriesId::kNone);
  if (Status created = create_missing(batch, scratch, *run.outcome); !created.ok()) {
    // The rest of the batch is applied already, so this is a refusal of some of it.
    run.outcome->invalid_series += scratch.missing.size();
    if (run.outcome->first_error.empty()) {
      run.outcome->first_error = created.error().message();
      run.outcome->first_error_code = created.error().code();
    }
  }
  append_resolved(batch, scratch, run);
  for (std::size_t i = 0; i < settled.size(); ++i) {
    if (scratch.ids[i] == SeriesId::kNone) scratch.ids[i] = settled[i];
  }
}

std::uint64_t WritePath::append_metadata(const WriteBatch& batch) {
  const std::lock_guard lock(series_mutex_);
  const std::size_t before = series_encoder_.size_bytes();
  for (const MetadataEntry& entry : batch.metadata) {
    // A refused entry (no name, the store is full) does not fail the write, as in Prometheus.
    const auto changed = head_.metadata().set(entry);
    if (changed.ok() && *changed) series_encoder_.add_metadata(entry);
  }
  const std::size_t after = series_encoder_.size_bytes();
  count_staged(before, after);
  return after == 0 ? series_position_.seq - 1 : series_position_.seq;
}

void WritePath::when_durable(Ticket ticket, std::function<void(Status)> done) {
  const auto seq = static_cast<std::uint64_t>(ticket);
  if (seq == 0 || options_.sync == SyncMode::kOff) {
    done({});
    return;
  }
  log_->when_durable(seq, std::move(done));
}

void WritePath::collect(const wal::FramePosition& next, wal::FrameBuilder& out) {
  std::size_t taken_bytes = 0;
  const std::lock_guard boundary_lock(boundary_mutex_);
  // `lock` holds the shard's mutex; it is let go of before what was taken is passed on.
  const auto take = [&](unsigned shard, std::unique_lock<std::mutex> lock) {
    Staging& staging = staging_[shard];
    wal::ByteBuffer staged = staging.encoder.take(out.fresh_buffer());
    const wal::FramePosition covered = staging.position;
    staging.position = next;
    if (boundary_visit_ && shard >= boundary_first_ && shard < boundary_end_) {
      boundary_visit_(shard, covered);
    }
    lock.unlock();
    taken_bytes += staged.size();
    out.add_run(shard, std::move(staged));
  };
  // Those that somebody appends to come last: to wait for each of them costs more than to take it.
  std::array<unsigned, head::kShards> busy;
  std::size_t busy_count = 0;
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    std::unique_lock lock(head_.shard_at(shard).mutex, std::try_to_lock);
    if (lock.owns_lock()) {
      take(shard, std::move(lock));
    } else {
      busy[busy_count++] = shard;
    }
  }
  for (const unsigned shard : std::span(busy).first(busy_count)) {
    take(shard, std::unique_lock(head_.shard_at(shard).mutex));
  }
  wal::ByteBuffer fresh = out.fresh_buffer();
  {
    const std::lock_guard lock(series_mutex_);
    fresh = series_encoder_.take(std::move(fresh));
    series_position_ = next;
  }
  taken_bytes += fresh.size();
  out.add_series(std::move(fresh));
  count_staged(taken_bytes, 0);
  if (boundary_visit_) {
    boundary_visit_ = nullptr;
    boundary_passed_.notify_all();
  }
}

Status WritePath::visit_at_boundary(unsigned first_shard, unsigned end_shard, BoundaryVisit visit) {
  std::unique_lock lock(boundary_mutex_);
  VARVE_CHECK(!boundary_visit_);  // one caller at a time: maintenance
  boundary_visit_ = std::move(visit);
  boundary_first_ = first_shard;
  boundary_end_ = end_shard;
  log_->notify();
  // The log does not say when it stops gathering frames, so it is looked at now and then.
  constexpr std::chrono::milliseconds kLook{20};
  while (!boundary_passed_.wait_for(lock, kLook, [this] { return !boundary_visit_; })) {
    if (log_->collecting()) continue;
    boundary_visit_ = nullptr;
    Status status = log_->status();
    if (!status.ok()) return status;
    return Error(ErrorCode::kUnavailable, "the log is closed");
  }
  return {};
}

void WritePath::wait_for_appends() {
  const std::lock_guard lock(wait_mutex_);
  appends_.wait();
}

Result<Ticket> WritePath::delete_samples(std::span<const SeriesId> ids, TimeRange range) {
  const head::Quiescence::Guard under_way(appends_);
  VARVE_TRY(accepting(staged_bytes()));
  std::uint64_t ticket = 0;
  for (const SeriesId id : ids) {
    const unsigned number = head::shard_of(id);
    head::Shard& shard = head_.shard_at(number);
    Staging& staging = staging_[number];
    const std::lock_guard lock(shard.mutex);
    HotSeries& series = head_.series(id);
    if (!series.is(HotSeries::kKnown) || !shard.delete_samples(series, id, range)) continue;
    const std::size_t before = staging.encoder.size_bytes();
    staging.encoder.add_tombstone(id, range);
    count_staged(before, staging.encoder.size_bytes());
    ticket = std::max(ticket, staging.position.seq);
  }
  if (ticket != 0) {
    stamps_.bump(range);
    log_->notify();
  }
  return static_cast<Ticket>(ticket);
}

std::vector<SeriesId> WritePath::retire(std::span<const Retiring> series) {
  std::vector<SeriesId> retired;
  for (const Retiring& candidate : series) {
    head::Shard& shard = head_.shard(candidate.id);
    const std::lock_guard lock(shard.mutex);
    HotSeries& hot = head_.series(candidate.id);
    if (!hot.is(HotSeries::kKnown) || shard.state(hot, candidate.id) != candidate.state) continue;
    {
      const std::lock_guard series_lock(series_mutex_);
      const std::size_t before = series_encoder_.size_bytes();
      series_encoder_.add_retired(candidate.id);
      count_staged(before, series_encoder_.size_bytes());
    }
    shard.retire(hot, candidate.id);
    retired.push_back(candidate.id);
  }
  log_->notify();
  return retired;
}

}  // namespace varve::storage
