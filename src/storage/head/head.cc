// SPDX-License-Identifier: Apache-2.0
#include "storage/head/head.h"

#include <algorithm>
#include <vector>

#include "base/try.h"

namespace varve::storage::head {

Head::Head(std::unique_ptr<HeadMemory> memory, const index::SeriesHasher& hasher,
           std::size_t exemplars_max)
    : memory_(std::move(memory)),
      keys_(hasher, memory_->keys),
      index_(std::make_shared<index::HeadIndex>(memory_->index)),
      exemplars_(exemplars_max) {}

Head::~Head() = default;

Result<std::unique_ptr<Head>> Head::create(fs::FileSystem& files, const std::string& directory,
                                           const index::SeriesHasher& hasher,
                                           std::size_t exemplars_max) {
  auto memory = std::make_unique<HeadMemory>();
  std::unique_ptr<Head> head(new Head(std::move(memory), hasher, exemplars_max));
  constexpr std::size_t kSeriesBytesMax = (std::size_t{1} << 32) * sizeof(HotSeries);
  VARVE_TRY_ASSIGN(head->series_memory_,
                   ReservedMemory::create(kSeriesBytesMax, head->memory_->series));
  head->series_ = reinterpret_cast<HotSeries*>(head->series_memory_.data());
  using Name = std::atomic<std::uint64_t>;
  // For as many as the other range has got addresses for, which may be fewer than are asked for.
  const std::size_t series_max = head->series_memory_.size_max() / sizeof(HotSeries);
  VARVE_TRY_ASSIGN(head->name_memory_,
                   ReservedMemory::create(series_max * sizeof(Name), head->memory_->keys));
  head->names_ = reinterpret_cast<Name*>(head->name_memory_.data());
  VARVE_TRY_ASSIGN(head->blocks_, BlockMemory::create(head->memory_->chunks));
  VARVE_TRY_ASSIGN(head->spill_, SpillStore::create(files, directory, head->memory_->spill));
  VARVE_TRY_ASSIGN(head->columns_, TimeColumns::create(*head->spill_, head->memory_->columns));
  for (auto& shard : head->shards_) {
    shard = std::make_unique<Shard>(*head->blocks_, *head->spill_, *head->columns_,
                                    head->memory_->side);
  }
  return head;
}

Status Head::reserve_series(SeriesId last) {
  const std::size_t count = std::size_t{static_cast<std::uint32_t>(last)} + 1;
  VARVE_TRY(name_memory_.grow(count * sizeof(*names_)));
  return series_memory_.grow(count * sizeof(HotSeries));
}

Result<SeriesId> Head::prepare_series() {
  if (next_id_ == 0) return Error(ErrorCode::kLimitExceeded, "all 2^32 series ids are used up");
  const auto id = static_cast<SeriesId>(next_id_);
  VARVE_TRY(index_->has_room());
  Status reserved = reserve_series(id);
  if (!reserved.ok()) return std::move(reserved).error().with("series memory");
  return id;
}

void Head::mark_known(SeriesId id) {
  // The memory is zero, which an empty GorillaState is not quite.
  HotSeries fresh;
  fresh.set(HotSeries::kKnown);
  series(id) = fresh;
}

void Head::publish_series(SeriesId id, const Labels& labels, const index::SeriesHash& labels_hash) {
  mark_known(id);
  index_->add(id, labels);
  keys_.insert(labels_hash, id);
  next_id_ = static_cast<std::uint32_t>(id) + 1;
  bound_.store(static_cast<std::uint32_t>(id), std::memory_order_release);
  created_.fetch_add(1, std::memory_order_relaxed);
}

void Head::restore_series(SeriesId id, const Labels& labels) {
  index_->add(id, labels);
  const index::SeriesHash hash = keys_.hasher().labels(labels.bytes());
  // Two ids with equal labels cannot be written; if a log has them all the same, the first is
  // found.
  if (keys_.find(hash) == SeriesId::kNone) keys_.insert(hash, id);
  next_id_ = static_cast<std::uint32_t>(id) + 1;
  bound_.store(static_cast<std::uint32_t>(id), std::memory_order_release);
  created_.fetch_add(1, std::memory_order_relaxed);
}

std::shared_ptr<const index::HeadIndex> Head::index() const {
  const std::lock_guard lock(index_mutex_);
  return index_;
}

void Head::forget_series(index::IdSpan dead) {
  for (const SeriesId id : dead) index_->remove(id);
  // Every name of the table is asked for while nobody can create a series: a bit, not a search.
  std::vector<bool> is_dead(std::size_t{bound_.load(std::memory_order_acquire)} + 1);
  for (const SeriesId id : dead) is_dead[static_cast<std::uint32_t>(id)] = true;
  keys_.remove_if([&is_dead](SeriesId id) { return is_dead[static_cast<std::uint32_t>(id)]; });
  // Now that nobody finds them any more, nobody remembers them anew.
  for (const SeriesId id : dead) name(id).store(0, std::memory_order_relaxed);
}

// Gives back the pages that have no live series' entries.
void Head::discard_dead(ReservedMemory& memory, std::size_t bytes_per_series, index::IdSpan dead) {
  const std::uint64_t per_page = 4096 / bytes_per_series;
  const std::uint64_t bound = bound_.load(std::memory_order_acquire);
  std::uint64_t checked = 0;  // ids below this lie in pages that have been looked at
  for (const SeriesId id : dead) {
    const std::uint64_t number = static_cast<std::uint32_t>(id);
    if (number < checked) continue;
    const std::uint64_t first = number / per_page * per_page;
    checked = first + per_page;
    if (checked - 1 > bound) break;  // more series are to come
    bool empty = true;
    for (std::uint64_t i = first; i < checked && empty; ++i) {
      empty = !index_->has(static_cast<SeriesId>(i));
    }
    // Once only: the last of a page's series dies once.
    if (empty) memory.discard(first * bytes_per_series, checked * bytes_per_series);
  }
}

void Head::give_back(index::IdSpan dead) {
  discard_dead(series_memory_, sizeof(HotSeries), dead);
  discard_dead(name_memory_, sizeof(*names_), dead);

  // A new index costs half a microsecond per live series, and both are held until the last reader
  // of the old one is gone: not for less than a quarter.
  const std::size_t removed = index_->removed_count();
  if (removed == 0 || removed < index_->series_count() / 4) return;
  auto fresh = std::make_shared<index::HeadIndex>(memory_->index);
  const SeriesId so_far = index_->bound();
  fresh->add_live(*index_, SeriesId::kNone, so_far);
  const std::lock_guard lock(create_mutex);
  fresh->add_live(*index_, so_far, index_->bound());
  const std::lock_guard index_lock(index_mutex_);
  index_.swap(fresh);
}

void Head::use_up_ids(SeriesId last) {
  // next_id_ is 0 when no id is left.
  const auto used = static_cast<std::uint32_t>(last);
  if (next_id_ != 0 && used >= next_id_) next_id_ = used + 1;
}

bool Head::add_alias(const index::SeriesHash& hash, SeriesId id) {
  if (keys_.find(hash) != SeriesId::kNone) return true;
  if (keys_.size() > kAliasesBase + kAliasesPerSeriesMax * index_->series_count()) return false;
  keys_.insert(hash, id);
  return true;
}

void Head::widen_times(Timestamp min_ms, Timestamp max_ms) {
  Timestamp min = min_time_.load(std::memory_order_relaxed);
  while (min_ms < min && !min_time_.compare_exchange_weak(min, min_ms, std::memory_order_relaxed)) {
  }
  Timestamp max = max_time_.load(std::memory_order_relaxed);
  while (max_ms > max && !max_time_.compare_exchange_weak(max, max_ms, std::memory_order_relaxed)) {
  }
}

template <typename Visit>
void Head::visit_series(const Visit& visit) {
  // Neighbours share a shard: one lock for them, so that writers wait little.
  const std::uint64_t bound = bound_.load(std::memory_order_acquire);
  for (std::uint64_t first = 0; first <= bound; first += kNeighbours) {
    Shard& owner = shard(static_cast<SeriesId>(first));
    const std::lock_guard lock(owner.mutex);
    for (std::uint64_t id = first; id < first + kNeighbours && id <= bound; ++id) {
      if (series_[id].is(HotSeries::kKnown)) visit(owner, series_[id], static_cast<SeriesId>(id));
    }
  }
}

Timestamp Head::oldest_late_ms(Timestamp after_ms, Timestamp until_ms) const {
  Timestamp oldest = TimeRange::all().max_ms;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    oldest = std::min(oldest, shard->oldest_late_ms(after_ms, until_ms));
  }
  return oldest;
}

void Head::expire(Timestamp time_ms) {
  if (spill_->oldest_file_newest_ms() < time_ms) {
    visit_series([time_ms](Shard& owner, HotSeries& series, SeriesId id) {
      owner.expire(series, id, time_ms);
    });
    spill_->drop_before(time_ms);
  }
  Timestamp min = min_time_.load(std::memory_order_relaxed);
  if (min < time_ms && time_ms <= max_time_ms()) {
    min_time_.compare_exchange_strong(min, time_ms, std::memory_order_relaxed);
  }
}

void Head::trim(Timestamp before_ms) {
  // What is appended meanwhile in order is not older than this, by the rule of admission.
  const Timestamp max = max_time_ms();
  Timestamp oldest = max < before_ms + kChunkRangeMs / 2 ? before_ms : max - kChunkRangeMs / 2;
  visit_series([&oldest, before_ms](Shard& owner, HotSeries& series, SeriesId id) {
    oldest = std::min(oldest, owner.trim(series, id, before_ms));
  });
  columns_->drop_before(before_ms);
  spill_->drop_before(before_ms);
  min_time_.store(max < before_ms ? TimeRange::all().max_ms : oldest, std::memory_order_relaxed);
}

void Head::copy_shard(unsigned shard, ShardImage& image) const {
  const Shard& owner = *shards_[shard];
  constexpr std::uint64_t kNext = std::uint64_t{kNeighbours} * kShards;
  const std::uint64_t bound = bound_.load(std::memory_order_acquire);
  for (std::uint64_t first = shard * kNeighbours; first <= bound; first += kNext) {
    const std::uint64_t end = std::min(first + kNeighbours, bound + 1);
    owner.prefetch_blocks(std::span(series_ + first, end - first));
    for (std::uint64_t id = first; id < end; ++id) {
      if (id + kNext <= bound) owner.prefetch_open(series_[id + kNext]);
      if (id + 2 * kNext <= bound) __builtin_prefetch(&series_[id + 2 * kNext]);
      if (series_[id].is(HotSeries::kKnown)) {
        owner.copy_series(series_[id], static_cast<SeriesId>(id), image);
      }
    }
  }
}

ShardCounts Head::counts() const {
  ShardCounts total;
  for (const auto& shard : shards_) {
    const std::lock_guard lock(shard->mutex);
    const ShardCounts of_shard = shard->counts();
    total.chunks_closed += of_shard.chunks_closed;
    total.chunks_open += of_shard.chunks_open;
    total.free_bytes += of_shard.free_bytes;
  }
  return total;
}

}  // namespace varve::storage::head
