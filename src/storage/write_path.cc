// SPDX-License-Identifier: Apache-2.0
#include "storage/write_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <chrono>
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
  Timestamp in_order_from_ms = 0;  // for all shards; rule has that of the shard at hand
  head::OutOfOrderRule rule;
  Timestamp min_ms = TimeRange::all().max_ms;
  Timestamp max_ms = TimeRange::all().min_ms;
  std::uint64_t ticket = 0;
  std::uint64_t late = 0, late_histograms = 0;

  // Of the shard at hand, whose mutex is held.
  head::Shard* shard = nullptr;
  Staging* staging = nullptr;
};

// Reused by the batches of a thread, so that appending allocates nothing once warm.
struct WritePath::Scratch {
  std::vector<index::SeriesHash> hashes;
  std::vector<SeriesId> ids;
  std::vector<std::uint32_t> missing;  // entries whose series is not known yet
  std::vector<std::uint32_t> retired;  // entries whose series left after they were resolved
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

// The time of the first sample of a batch, as Prometheus takes it for the newest of an empty head.
Timestamp first_time(const WriteBatch& batch) {
  for (const SeriesEntry& entry : batch.series) {
    if (entry.samples_count > 0) return batch.samples[entry.samples_begin].timestamp_ms;
    if (entry.histograms_count > 0) return batch.histograms[entry.histograms_begin].timestamp_ms;
  }
  return TimeRange::all().max_ms;
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

WritePath::WritePath(const Options& options, const Limits& limits, const base::Clock& clock,
                     head::Head& head, VersionStamps& stamps, base::MetricsRegistry& metrics)
    : options_(options),
      limits_(limits),
      clock_(clock),
      head_(head),
      stamps_(stamps),
      floats_appended_(metrics.counter("prometheus_tsdb_head_samples_appended_total",
                                       "Total number of appended samples.", {{"type", "float"}})),
      histograms_appended_(metrics.counter("prometheus_tsdb_head_samples_appended_total",
                                           "Total number of appended samples.",
                                           {{"type", "histogram"}})),
      late_appended_(metrics.counter("prometheus_tsdb_head_out_of_order_samples_appended_total",
          "Total number of appended out of order samples.",
          {{"type", "float"}})),
      late_histograms_appended_(metrics.counter("prometheus_tsdb_head_out_of_order_samples_appended_total",
          "Total number of appended out of order samples.",
          {{"type", "histogram"}})),
      out_of_order_(metrics.counter("prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due to out of order "
          "being disabled.",
          {{"type", "float"}})),
      out_of_order_histograms_(metrics.counter("prometheus_tsdb_out_of_order_samples_total",
          "Total number of out of order samples ingestion failed attempts due to out of order "
          "being disabled.",
          {{"type", "histogram"}})),
      too_old_(metrics.counter("prometheus_tsdb_too_old_samples_total",
          "Total number of out of order samples ingestion failed attempts with out of support "
          "enabled, but sample outside of time window.",
          {{"type", "float"}})),
      too_old_histograms_(metrics.counter("prometheus_tsdb_too_old_samples_total",
          "Total number of out of order samples ingestion failed attempts with out of support "
          "enabled, but sample outside of time window.",
          {{"type", "histogram"}})),
      out_of_bounds_(metrics.counter("prometheus_tsdb_out_of_bound_samples_total",
          "Total number of out of bound samples ingestion failed attempts with out of order "
          "support disabled.",
          {{"type", "float"}})),
      out_of_bounds_histograms_(metrics.counter("prometheus_tsdb_out_of_bound_samples_total",
          "Total number of out of bound samples ingestion failed attempts with out of order "
          "support disabled.",
          {{"type", "histogram"}})),
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
  if (run.late > 0) late_appended_.add(static_cast<double>(run.late));
  if (run.late_histograms > 0) {
    late_histograms_appended_.add(static_cast<double>(run.late_histograms));
  }
  if (!batch.metadata.empty()) run.ticket = std::max(run.ticket, append_metadata(batch));

  if (outcome.first_error.empty() && !run.first.text.empty()) {
    outcome.first_error =
        fmt::format("{}: series={} timestamp={}", run.first.text,
                    series_name(batch.series[run.first.entry], run.first.id, batch.decoder),
                    run.first.timestamp_ms);
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

// For messages. The series may have been retired since, and the index have been replaced.
std::string WritePath::series_name(const SeriesEntry& entry, SeriesId id,
                                   const KeyDecoder* decoder) const {
  if (entry.id == SeriesId::kNone && entry.labels != nullptr) return entry.labels->to_string();
  const std::shared_ptr<const index::HeadIndex> index = head_.index();
  if (index->has(id)) return index->labels(id).to_string();
  if (entry.id == SeriesId::kNone && decoder != nullptr) {
    if (const auto labels = decoder->decode(entry.key); labels.ok()) return labels->to_string();
  }
  return fmt::format("id {}", static_cast<std::uint32_t>(id));
}

// A few at a time. What is not the series behind the one before is looked up: alone if such jumps are
// rare, else in two passes, so that the cache misses of the table overlap. Those of the series do.
void WritePath::resolve(const WriteBatch& batch, Scratch& scratch) {
  constexpr std::size_t kAtATime = 128;
  static_assert(kAtATime <= head::KeyTable::Reader::kFindMax);
  constexpr unsigned kJumpsMax = 2;
  const std::size_t count = batch.series.size();
  scratch.hashes.resize(count);
  scratch.ids.assign(count, SeriesId::kNone);
  scratch.missing.clear();
  scratch.retired.clear();
  const head::KeyTable::Reader reader(head_.keys());
  const index::SeriesHasher& hasher = head_.keys().hasher();
  SeriesId before = SeriesId::kNone;
  std::array<std::uint32_t, kAtATime> entries;
  std::array<index::SeriesHash, kAtATime> asked;
  std::array<SeriesId, kAtATime> found;
  for (std::size_t begin = 0; begin < count; begin += kAtATime) {
    const std::size_t end = std::min(begin + kAtATime, count);
    unsigned jumps = 0;
    std::size_t left = 0;
    for (std::size_t i = begin; i < end; ++i) {
      const SeriesEntry& entry = batch.series[i];
      if (entry.id != SeriesId::kNone) {
        scratch.ids[i] = entry.id;
        continue;
      }
      const index::SeriesHash hash = entry.labels != nullptr
                                         ? hasher.labels(entry.labels->bytes())
                                         : hasher.key(entry.key, batch.key_space);
      scratch.hashes[i] = hash;
      const auto next = static_cast<SeriesId>(static_cast<std::uint32_t>(before) + 1);
      if (before != SeriesId::kNone && head_.remembers(next, hash)) {
        scratch.ids[i] = before = next;
      } else if (jumps < kJumpsMax) {
        ++jumps;
        scratch.ids[i] = before = reader.find(hash);
        if (before != SeriesId::kNone) head_.remember(before, hash);
      } else {
        before = SeriesId::kNone;
        reader.prefetch(hash);
        entries[left] = static_cast<std::uint32_t>(i);
        asked[left++] = hash;
      }
    }
    reader.find(std::span(asked).first(left), found.data());
    for (std::size_t i = 0; i < left; ++i) {
      scratch.ids[entries[i]] = before = found[i];
      if (before != SeriesId::kNone) head_.remember(before, asked[i]);
    }
    for (std::size_t i = begin; i < end; ++i) {
      const SeriesEntry& entry = batch.series[i];
      SeriesId& id = scratch.ids[i];
      if (!has_data(entry)) {
        id = SeriesId::kNone;
      } else if (id == SeriesId::kNone || (entry.id != SeriesId::kNone && !head_.known(id))) {
        id = SeriesId::kNone;
        scratch.missing.push_back(static_cast<std::uint32_t>(i));
      } else {
        __builtin_prefetch(&head_.series(id), 1);
      }
    }
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
    // Whoever filled the batch was wrong about it, so nothing of it is applied.
    if (!labels.ok() && labels.error().code() == ErrorCode::kCorruption) return labels.error();
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

void WritePath::append_resolved(const WriteBatch& batch, Scratch& scratch, Run& run) {
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
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    const std::uint32_t begin = scratch.begins[shard];
    const std::uint32_t count = scratch.begins[shard + 1] - begin;
    if (count == 0) continue;
    append_shard(batch, shard, std::span(scratch.sorted).subspan(begin, count), scratch, run);
  }
}

// The series of some entries have left after the entries were resolved to them. Their names lead to
// new series by now, or will: who retires series holds create_mutex until their names are forgotten.
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

void WritePath::append_shard(const WriteBatch& batch, unsigned shard,
                             std::span<const std::uint32_t> entries, Scratch& scratch, Run& run) {
  run.shard = &head_.shard_at(shard);
  run.staging = &staging_[shard];
  const std::lock_guard lock(run.shard->mutex);
  run.rule.in_order_from_ms = std::max(run.in_order_from_ms, run.shard->cut_ms());
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
      scratch.ids[at] = SeriesId::kNone;
      scratch.retired.push_back(at);
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
      out_of_bounds_.add();
      if (entry_at < run.first.entry) {
        run.first = {entry_at, id, t, ErrorCode::kInvalidArgument,
                     "out of bounds: timestamp is too far in the future"};
      }
      continue;
    }
    if (t < run.oldest_allowed_ms) [[unlikely]] {
      ++run.outcome->too_old;
      out_of_bounds_.add();
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
    const Appended result = run.shard->append_float(series, id, t, sample.value, run.rule);
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
      run.staging->encoder.add_late_float(id, sample);
      stamps_.bump({t, t});
      ++run.late;
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
      count_refusal(result, false, run, std::move(refusal));
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
        !run.rule.open) {
      out_of_order_histograms_.add();
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
    out_of_bounds_histograms_.add();
    if (entry_at < run.first.entry) {
      run.first = {entry_at, id, t, ahead ? ErrorCode::kInvalidArgument : ErrorCode::kTooOld,
                   ahead ? "out of bounds: timestamp is too far in the future" : "out of bounds"};
    }
    return;
  }
  HotSeries& series = head_.series(id);
  const Appended result = run.shard->append_histogram(series, id, t, sample.histogram, run.rule);
  std::uint64_t& appended =
      from_float ? run.outcome->samples_appended : run.outcome->histograms_appended;
  if (result == Appended::kAppended || result == Appended::kOutOfOrder) {
    const bool late = result == Appended::kOutOfOrder;
    run.staging->encoder.add_histogram(id, sample, late);
    if (late) {
      stamps_.bump({t, t});
      ++run.late_histograms;
    } else {
      run.min_ms = std::min(run.min_ms, t);
      run.max_ms = std::max(run.max_ms, t);
    }
    ++appended;
  } else if (result == Appended::kSame) {
    ++appended;
  } else {
    count_refusal(result, true, run,
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

void WritePath::count_refusal(Appended result, bool histogram, Run& run, Refusal refusal) {
  switch (result) {
    case Appended::kDuplicate:
      ++run.outcome->duplicate;
      duplicates_total_.add();
      refusal.code = ErrorCode::kDuplicate;
      break;
    case Appended::kRefusedOrder:
      ++run.outcome->out_of_order;
      (histogram ? out_of_order_histograms_ : out_of_order_).add();
      refusal.code = ErrorCode::kOutOfOrder;
      refusal.text = "out of order sample";
      break;
    case Appended::kOutOfBounds:
      ++run.outcome->too_old;
      (histogram ? out_of_bounds_histograms_ : out_of_bounds_).add();
      refusal.code = ErrorCode::kTooOld;
      refusal.text = "out of bounds";
      break;
    default:
      VARVE_DCHECK(result == Appended::kTooOld);
      ++run.outcome->too_old;
      (histogram ? too_old_histograms_ : too_old_).add();
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
  const std::lock_guard boundary_lock(boundary_mutex_);
  for (unsigned shard = 0; shard < head::kShards; ++shard) {
    Staging& staging = staging_[shard];
    wal::ByteBuffer fresh = out.fresh_buffer();
    {
      const std::lock_guard lock(head_.shard_at(shard).mutex);
      fresh = staging.encoder.take(std::move(fresh));
      const wal::FramePosition covered = staging.position;
      staging.position = next;
      if (boundary_visit_ && shard >= boundary_first_ && shard < boundary_end_) {
        boundary_visit_(shard, covered);
      }
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
