// SPDX-License-Identifier: Apache-2.0
#include "storage/write_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "base/check.h"
#include "base/try.h"
#include "storage/codec/histogram.h"
#include "storage/series_labels.h"

namespace varve::storage {

using head::Appended;
using head::HotSeries;

// The first sample of a batch, in the batch's order, that was refused, and why.
struct WritePath::Refusal {
  std::uint32_t entry = 0xffffffff;
  SeriesId id = SeriesId::kNone;
  Timestamp timestamp_ms = 0;
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string text;
};

// What the shards of one batch have in common while they are applied.
struct WritePath::Run {
  WriteOutcome* outcome = nullptr;
  Refusal first;
  Timestamp newest_allowed_ms = 0;
  Timestamp oldest_allowed_ms = 0;
  head::OutOfOrderRule late;
  Timestamp min_ms = TimeRange::all().max_ms;
  Timestamp max_ms = TimeRange::all().min_ms;
  std::uint64_t ticket = 0;
  std::uint64_t duplicates_dropped = 0;

  // Of the shard at hand, whose mutex is held.
  head::Shard* shard = nullptr;
  Staging* staging = nullptr;
};

// Reused by the batches of a thread, so that appending allocates nothing once warm.
struct WritePath::Scratch {
  std::vector<index::SeriesHash> hashes;
  std::vector<SeriesId> ids;
  std::vector<std::uint32_t> missing;  // entries whose series is not known yet
  std::vector<std::uint32_t> sorted;   // entries by shard, in order within one
  std::array<std::uint32_t, head::kShards + 1> begins{};
};

namespace {

std::uint64_t bits(double value) { return std::bit_cast<std::uint64_t>(value); }

Timestamp saturating_add(Timestamp a, std::int64_t b) {
  Timestamp sum = 0;
  if (__builtin_add_overflow(a, b, &sum)) {
    return b < 0 ? TimeRange::all().min_ms : TimeRange::all().max_ms;
  }
  return sum;
}

Timestamp newest_of(const HotSeries& series) {
  return series.is(HotSeries::kHasSamples) ? series.last_time() : TimeRange::all().min_ms;
}

bool has_data(const SeriesEntry& entry) {
  return entry.samples_count + entry.histograms_count + entry.exemplars_count > 0;
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
    bytes += kRecordBytes + (entry.labels != nullptr ? entry.labels->bytes().size() : entry.key.size());
  }
  for (const HistogramSample& sample : batch.histograms) {
    const Histogram& h = sample.histogram;
    bytes += kHistogramBytes + kNumberBytes * (2 * (h.positive_spans.size() + h.negative_spans.size()) +
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

WritePath::WritePath(const Options& options, const base::Clock& clock, head::Head& head,
                     VersionStamps& stamps, base::MetricsRegistry& metrics)
    : options_(options),
      clock_(clock),
      head_(head),
      stamps_(stamps),
      floats_appended_(metrics.counter("prometheus_tsdb_head_samples_appended_total",
                                       "Total number of appended samples.", {{"type", "float"}})),
      histograms_appended_(metrics.counter("prometheus_tsdb_head_samples_appended_total",
                                           "Total number of appended samples.",
                                           {{"type", "histogram"}})),
      out_of_order_total_(metrics.counter(
          "prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due to out of order "
          "being disabled.",
          {{"type", "float"}})),
      out_of_order_histograms_total_(metrics.counter(
          "prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due to out of order "
          "being disabled.",
          {{"type", "histogram"}})),
      too_old_total_(metrics.counter(
          "prometheus_tsdb_too_old_samples_total",
          "Total number of out of order samples ingestion failed attempts with out of support "
          "enabled, but sample outside of time window.",
          {{"type", "float"}})),
      out_of_bounds_total_(metrics.counter(
          "prometheus_tsdb_out_of_bound_samples_total",
          "Total number of out of bound samples ingestion failed attempts with out of order "
          "support disabled.",
          {{"type", "float"}})),
      duplicates_total_(metrics.counter(
          "varve_duplicate_samples_total",
          "Samples refused because their time already had another value.")) {}

void WritePath::start(wal::Log& log, const wal::FramePosition& position) {
  log_ = &log;
  for (Staging& staging : staging_) staging.position = position;
  series_position_ = position;
}

class WritePath::Reservation {
 public:
  Reservation(WritePath& path, std::size_t bytes)
      : path_(path), bytes_(bytes), staged_before_(path.staged_bytes_.fetch_add(
                                        static_cast<std::int64_t>(bytes), std::memory_order_relaxed)) {}
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
  VARVE_TRY(accepting(reservation.staged_before()));
  static thread_local Scratch scratch;
  WriteOutcome outcome;
  resolve(batch, scratch);
  if (!scratch.missing.empty()) VARVE_TRY(create_missing(batch, scratch, outcome));

  // A counting sort keeps the order of a batch within each shard, and so within each series.
  scratch.begins.fill(0);
  for (const SeriesId id : scratch.ids) {
    if (id != SeriesId::kNone) ++scratch.begins[head::shard_of(id) + 1];
  }
  for (unsigned i = 0; i < head::kShards; ++i) scratch.begins[i + 1] += scratch.begins[i];
  auto at = scratch.begins;
  scratch.sorted.resize(scratch.begins.back());
  for (std::uint32_t i = 0; i < scratch.ids.size(); ++i) {
    if (scratch.ids[i] != SeriesId::kNone) scratch.sorted[at[head::shard_of(scratch.ids[i])]++] = i;
  }

  const Timestamp now = clock_.now_ms();
  Run run;
  run.outcome = &outcome;
  run.newest_allowed_ms = saturating_add(now, options_.future_max.count());
  run.oldest_allowed_ms = options_.retention.count() > 0
                              ? saturating_add(now, -options_.retention.count())
                              : TimeRange::all().min_ms;
  if (options_.out_of_order_window.count() > 0) {
    run.late.open = true;
    run.late.oldest_ms = head_.max_time_ms() == TimeRange::all().min_ms
                             ? TimeRange::all().min_ms
                             : saturating_add(head_.max_time_ms(),
                                              -options_.out_of_order_window.count());
  }
  if (!outcome.first_error.empty()) run.first.entry = 0;  // an earlier refusal of a whole series
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    const std::uint32_t begin = scratch.begins[shard];
    const std::uint32_t count = scratch.begins[shard + 1] - begin;
    if (count == 0) continue;
    append_shard(batch, shard, std::span(scratch.sorted).subspan(begin, count), scratch, run);
  }
  if (run.min_ms <= run.max_ms) {
    head_.widen_times(run.min_ms, run.max_ms);
    stamps_.applied({run.min_ms, run.max_ms});
  }
  if (!batch.metadata.empty()) run.ticket = std::max(run.ticket, append_metadata(batch));

  if (outcome.first_error.empty() && !run.first.text.empty()) {
    outcome.first_error =
        fmt::format("{}: series={} timestamp={}", run.first.text,
                    head_.index()->labels(run.first.id).to_string(), run.first.timestamp_ms);
    outcome.first_error_code = run.first.code;
  }
  if (outcome.samples_appended > 0) floats_appended_.add(static_cast<double>(outcome.samples_appended));
  if (outcome.histograms_appended > 0) {
    histograms_appended_.add(static_cast<double>(outcome.histograms_appended));
  }
  if (options.want_ids) outcome.ids = scratch.ids;
  outcome.ticket = static_cast<Ticket>(run.ticket);
  if (run.ticket != 0) log_->notify();
  return outcome;
}

// Two passes, so that the cache misses of the table overlap, and then those of the series.
void WritePath::resolve(const WriteBatch& batch, Scratch& scratch) const {
  const std::size_t count = batch.series.size();
  scratch.hashes.resize(count);
  scratch.ids.assign(count, SeriesId::kNone);
  scratch.missing.clear();
  const head::KeyTable::Reader reader(head_.keys());
  for (std::size_t i = 0; i < count; ++i) {
    const SeriesEntry& entry = batch.series[i];
    if (entry.id != SeriesId::kNone) continue;
    scratch.hashes[i] = entry.labels != nullptr ? head_.keys().hasher().labels(entry.labels->bytes())
                                                : head_.keys().hasher().key(entry.key, batch.key_space);
    reader.prefetch(scratch.hashes[i]);
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const SeriesEntry& entry = batch.series[i];
    if (!has_data(entry)) continue;
    const bool named_by_id = entry.id != SeriesId::kNone;
    const SeriesId id = named_by_id ? entry.id : reader.find(scratch.hashes[i]);
    if (id == SeriesId::kNone || (named_by_id && !head_.known(id))) {
      scratch.missing.push_back(i);
      continue;
    }
    scratch.ids[i] = id;
    __builtin_prefetch(&head_.series(id), 1);
  }
}

Status WritePath::create_missing(const WriteBatch& batch, Scratch& scratch, WriteOutcome& outcome) {
  struct Fresh {
    std::uint32_t entry = 0;
    Labels labels;
    index::SeriesHash hash;
  };
  std::vector<Fresh> fresh;
  fresh.reserve(scratch.missing.size());
  const auto refuse = [&outcome](const Error& error) {
    ++outcome.invalid_series;
    if (outcome.first_error.empty()) {
      outcome.first_error = error.message();
      outcome.first_error_code = error.code();
    }
  };
  for (const std::uint32_t i : scratch.missing) {
    const SeriesEntry& entry = batch.series[i];
    if (entry.id != SeriesId::kNone) {
      refuse(Error(ErrorCode::kInvalidArgument,
                   fmt::format("no series has the id {}", static_cast<std::uint32_t>(entry.id))));
      continue;
    }
    if (entry.labels == nullptr && batch.decoder == nullptr) {
      refuse(Error(ErrorCode::kInvalidArgument, "a series has neither labels nor a decoder"));
      continue;
    }
    Result<Labels> labels = entry.labels != nullptr ? Result<Labels>(*entry.labels)
                                                    : batch.decoder->decode(entry.key);
    if (labels.ok()) {
      if (Status valid = check_series_labels(*labels); !valid.ok()) labels = std::move(valid).error();
    }
    if (!labels.ok()) {
      refuse(labels.error());
      continue;
    }
    const index::SeriesHash hash = head_.keys().hasher().labels(labels->bytes());
    fresh.push_back({i, std::move(labels).value(), hash});
  }
  if (fresh.empty()) return {};

  std::size_t staged = 0;
  Status status;
  {
    const std::lock_guard lock(head_.create_mutex);
    for (const Fresh& f : fresh) {
      const SeriesEntry& entry = batch.series[f.entry];
      SeriesId id = head_.keys().find(f.hash);
      if (id == SeriesId::kNone) {
        // Exemplars alone do not make a series.
        if (entry.samples_count + entry.histograms_count == 0) continue;
        if (options_.series_max != 0 && head_.index()->series_count() >= options_.series_max) {
          status = Error(ErrorCode::kLimitExceeded,
                         fmt::format("the limit of {} series is reached", options_.series_max));
          break;
        }
        auto prepared = head_.prepare_series();
        if (!prepared.ok()) {
          status = std::move(prepared).error();
          break;
        }
        id = *prepared;
        {
          const std::lock_guard series_lock(series_mutex_);
          const std::size_t before = series_encoder_.size_bytes();
          series_encoder_.add_series(id, f.labels.bytes());
          staged += series_encoder_.size_bytes() - before;
        }
        head_.publish_series(id, f.labels, f.hash);
      }
      if (entry.labels == nullptr) head_.add_alias(scratch.hashes[f.entry], id);
      scratch.ids[f.entry] = id;
    }
  }
  count_staged(0, staged);
  return status;
}

void WritePath::append_shard(const WriteBatch& batch, unsigned shard,
                             std::span<const std::uint32_t> entries, Scratch& scratch, Run& run) {
  run.shard = &head_.shard_at(shard);
  run.staging = &staging_[shard];
  const std::lock_guard lock(run.shard->mutex);
  const std::size_t before = run.staging->encoder.size_bytes();
  constexpr std::size_t kAhead = 8;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (i + kAhead < entries.size()) {
      run.shard->prefetch_open(head_.series(scratch.ids[entries[i + kAhead]]));
    }
    const std::uint32_t at = entries[i];
    const SeriesId id = scratch.ids[at];
    const SeriesEntry& entry = batch.series[at];
    if (!head_.series(id).is(HotSeries::kKnown)) [[unlikely]] {
      // An id inside the range of ids that was lost with a damaged piece of the log.
      ++run.outcome->invalid_series;
      scratch.ids[at] = SeriesId::kNone;
      continue;
    }
    const Timestamp newest_before_ms = newest_of(head_.series(id));
    append_floats(batch, at, id, run);
    if (entry.histograms_count > 0) append_histograms(batch, at, id, newest_before_ms, run);
    if (entry.exemplars_count > 0) append_exemplars(batch, at, id, run);
  }
  const std::size_t after = run.staging->encoder.size_bytes();
  count_staged(before, after);
  // With nothing staged, all there is of this shard is in the frames before.
  const std::uint64_t seq = run.staging->position.seq;
  run.ticket = std::max(run.ticket, after == 0 ? seq - 1 : seq);
}

void WritePath::append_floats(const WriteBatch& batch, std::uint32_t entry_at, SeriesId id, Run& run) {
  const SeriesEntry& entry = batch.series[entry_at];
  HotSeries& series = head_.series(id);
  const std::uint32_t segment = run.staging->position.segment;
  for (std::uint32_t i = 0; i < entry.samples_count; ++i) {
    const Sample& sample = batch.samples[entry.samples_begin + i];
    const Timestamp t = sample.timestamp_ms;
    if (t > run.newest_allowed_ms) [[unlikely]] {
      ++run.outcome->too_far_ahead;
      out_of_bounds_total_.add();
      if (entry_at < run.first.entry) {
        run.first = {entry_at, id, t, ErrorCode::kInvalidArgument,
                     "out of bounds: timestamp is too far in the future"};
      }
      continue;
    }
    if (t < run.oldest_allowed_ms) [[unlikely]] {
      ++run.outcome->too_old;
      out_of_bounds_total_.add();
      if (entry_at < run.first.entry) {
        run.first = {entry_at, id, t, ErrorCode::kTooOld, "out of bounds"};
      }
      continue;
    }
    if (series.is(HotSeries::kLastHistogram) && is_stale(sample.value)) [[unlikely]] {
      // A series that ends as a histogram is marked stale as one.
      HistogramSample marker;
      marker.timestamp_ms = t;
      marker.histogram.sum = sample.value;
      append_histogram(id, marker, entry_at, true, run);
      continue;
    }
    const std::uint64_t previous = bits(series.gorilla.last_value);
    const Appended result = run.shard->append_float(series, id, t, sample.value, run.late);
    if (result == Appended::kAppended) [[likely]] {
      run.staging->encoder.add_float(id, t, bits(sample.value), previous,
                                     series.log_segment() != segment);
      series.log_segment() = segment;
      run.min_ms = std::min(run.min_ms, t);
      run.max_ms = std::max(run.max_ms, t);
      ++run.outcome->samples_appended;
    } else if (result == Appended::kSame) {
      ++run.outcome->samples_appended;
    } else if (result == Appended::kOutOfOrder) {
      run.staging->encoder.add_float(id, t, bits(sample.value), 0, true);
      stamps_.bump({t, t});
      run.min_ms = std::min(run.min_ms, t);
      run.max_ms = std::max(run.max_ms, t);
      ++run.outcome->samples_appended;
    } else {
      Refusal refusal{entry_at, id, t, ErrorCode::kInvalidArgument, {}};
      if (result == Appended::kDuplicate && entry_at < run.first.entry) {
        refusal.text = series.is(HotSeries::kLastHistogram)
                           ? fmt::format("duplicate sample for timestamp {}; overrides not "
                                         "allowed: existing is a histogram, new value {}",
                                         t, sample.value)
                           : fmt::format("duplicate sample for timestamp {}; overrides not "
                                         "allowed: existing {}, new value {}",
                                         t, series.gorilla.last_value, sample.value);
      }
      count_refusal(result, run, std::move(refusal));
    }
  }
}

// A protobuf series lists its floats and its histograms apart, so how they were interleaved is lost.
// As Prometheus does, the histograms come after the floats, and those that are newer than the series
// was but not newer than these floats are dropped and counted without an error: sending them again
// could not help.
void WritePath::append_histograms(const WriteBatch& batch, std::uint32_t entry_at, SeriesId id,
                                  Timestamp newest_before_ms, Run& run) {
  const SeriesEntry& entry = batch.series[entry_at];
  const Timestamp newest_ms = newest_of(head_.series(id));
  for (std::uint32_t i = 0; i < entry.histograms_count; ++i) {
    const HistogramSample& sample = batch.histograms[entry.histograms_begin + i];
    if (sample.timestamp_ms > newest_before_ms && sample.timestamp_ms <= newest_ms &&
        !run.late.open) {
      out_of_order_histograms_total_.add();
      continue;
    }
    append_histogram(id, sample, entry_at, false, run);
  }
}

void WritePath::append_histogram(SeriesId id, const HistogramSample& sample,
                                 std::uint32_t entry_at, bool from_float, Run& run) {
  const Timestamp t = sample.timestamp_ms;
  Status valid = codec::check_histogram(sample.histogram);
  if (!valid.ok()) {
    ++run.outcome->invalid_series;
    if (entry_at < run.first.entry) {
      run.first = {entry_at, id, t, valid.error().code(), valid.error().message()};
    }
    return;
  }
  if (t > run.newest_allowed_ms || t < run.oldest_allowed_ms) {
    const bool ahead = t > run.newest_allowed_ms;
    ++(ahead ? run.outcome->too_far_ahead : run.outcome->too_old);
    out_of_bounds_total_.add();
    if (entry_at < run.first.entry) {
      run.first = {entry_at, id, t, ahead ? ErrorCode::kInvalidArgument : ErrorCode::kTooOld,
                   ahead ? "out of bounds: timestamp is too far in the future" : "out of bounds"};
    }
    return;
  }
  HotSeries& series = head_.series(id);
  const Appended result = run.shard->append_histogram(series, id, t, sample.histogram, run.late);
  std::uint64_t& appended =
      from_float ? run.outcome->samples_appended : run.outcome->histograms_appended;
  if (result == Appended::kAppended || result == Appended::kOutOfOrder) {
    run.staging->encoder.add_histogram(id, sample);
    if (result == Appended::kOutOfOrder) stamps_.bump({t, t});
    run.min_ms = std::min(run.min_ms, t);
    run.max_ms = std::max(run.max_ms, t);
    ++appended;
  } else if (result == Appended::kSame) {
    ++appended;
  } else {
    count_refusal(result, run,
                  {entry_at, id, t, ErrorCode::kInvalidArgument,
                   result == Appended::kDuplicate ? "duplicate sample for timestamp" : ""});
  }
}

void WritePath::append_exemplars(const WriteBatch& batch, std::uint32_t entry_at, SeriesId id,
                                 Run& run) {
  const SeriesEntry& entry = batch.series[entry_at];
  for (std::uint32_t i = 0; i < entry.exemplars_count; ++i) {
    const ExemplarSample& exemplar = batch.exemplars[entry.exemplars_begin + i];
    // A refused exemplar (out of order, labels too long) does not fail the write, as in Prometheus.
    const auto added = head_.exemplars().add(id, exemplar);
    if (!added.ok()) continue;
    if (*added == head::ExemplarRing::Added::kAdded) {
      run.staging->encoder.add_exemplar(id, exemplar);
      ++run.outcome->exemplars_appended;
    }
  }
}

void WritePath::count_refusal(Appended result, Run& run, Refusal refusal) {
  switch (result) {
    case Appended::kDuplicate:
      ++run.outcome->duplicate;
      duplicates_total_.add();
      refusal.code = ErrorCode::kDuplicate;
      break;
    case Appended::kRefusedOrder:
      ++run.outcome->out_of_order;
      out_of_order_total_.add();
      refusal.code = ErrorCode::kOutOfOrder;
      refusal.text = "out of order sample";
      break;
    default:
      VARVE_DCHECK(result == Appended::kTooOld);
      ++run.outcome->too_old;
      too_old_total_.add();
      refusal.code = ErrorCode::kTooOld;
      refusal.text = "too old sample";
      break;
  }
  if (refusal.entry < run.first.entry) run.first = std::move(refusal);
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
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    Staging& staging = staging_[shard];
    wal::ByteBuffer fresh = out.fresh_buffer();
    {
      const std::lock_guard lock(head_.shard_at(shard).mutex);
      fresh = staging.encoder.take(std::move(fresh));
      staging.position = next;
    }
    taken_bytes += fresh.size();
    out.add_run(shard, std::move(fresh));
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
}

}  // namespace varve::storage
