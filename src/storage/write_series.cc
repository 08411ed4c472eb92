// SPDX-License-Identifier: Apache-2.0
// The write path's first half: which series the entries of a batch are about, new ones among them.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <span>
#include <utility>

#include "base/try.h"
#include "storage/series_labels.h"
#include "storage/write_run.h"

namespace varve::storage {
namespace {

bool has_data(const SeriesEntry& entry) {
  return entry.samples_count + entry.histograms_count + entry.exemplars_count > 0;
}

}  // namespace

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

// A few at a time. What is not the series behind the one before is looked up: alone if such jumps
// are rare, else in two passes, so that the cache misses of the table overlap. Those of the series
// do.
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
      // By halves: as a whole it would be loaded while its halves are on their way to memory, and
      // wait.
      scratch.hashes[i].low = hash.low;
      scratch.hashes[i].high = hash.high;
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
    Result<Labels> labels =
        entry.labels != nullptr ? Result<Labels>(*entry.labels) : batch.decoder->decode(entry.key);
    // Whoever filled the batch was wrong about it, so nothing of it is applied.
    if (!labels.ok() && labels.error().code() == ErrorCode::kCorruption) return labels.error();
    if (labels.ok()) {
      if (Status valid = check_series_labels(*labels); !valid.ok())
        labels = std::move(valid).error();
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
    constexpr std::size_t kAhead = 8;
    for (std::size_t i = 0; i < fresh.size(); ++i) {
      if (i + kAhead < fresh.size()) {
        head_.keys().prefetch(fresh[i + kAhead].hash);
        head_.keys().prefetch(scratch.hashes[fresh[i + kAhead].entry]);
      }
      const Fresh& f = fresh[i];
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

}  // namespace varve::storage
