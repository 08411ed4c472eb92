// SPDX-License-Identifier: Apache-2.0
// Keeping, joining and forgetting pieces. Pieces that grow at their end, a step or two at a time,
// are joined only once the new part is a fair share of the old one, so that keeping up with a
// sliding window copies each point a few times and not at every refresh.
#include "promql/range_cache.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/metrics.h"
#include "promql/eval/query_state.h"
#include "storage/querier.h"

namespace varve::promql {
namespace {

// A late sample invalidates two hours (storage stamps time in such buckets), so finer slots gain
// nothing; far apart steps are gathered so that a slot is worth its overhead.
constexpr std::int64_t kSlotMs = 2 * 60 * 60 * 1000;
constexpr std::int64_t kSlotStepsMin = 32;
constexpr std::int64_t kSlotStepsMax = 512;

// A piece is joined with its left neighbour once that is at most this many times as long.
constexpr std::size_t kGrowth = 4;

// What the containers cost besides the points, about.
constexpr std::int64_t kSeriesBytes = 160;
constexpr std::int64_t kPieceBytes = 400;

std::int64_t bytes_of(const StepMatrix& matrix) {
  std::int64_t bytes = kPieceBytes;
  for (const StepSeries& series : matrix.series) {
    bytes += kSeriesBytes + static_cast<std::int64_t>(series.labels.bytes().size()) +
             static_cast<std::int64_t>(series.values.size() * (sizeof(double) + 1)) +
             static_cast<std::int64_t>(series.histograms.size() * sizeof(HistogramPtr));
    for (const HistogramPtr& histogram : series.histograms) {
      if (histogram) bytes += static_cast<std::int64_t>(bytes_in(*histogram));
    }
  }
  return bytes;
}

// Puts the points of `from` at `at` of series that have as many steps as the whole.
class Joiner {
 public:
  explicit Joiner(std::size_t steps) : steps_(steps) {}

  void add(const StepMatrix& from, std::size_t at) {
    for (std::size_t i = 0; i < from.series.size(); ++i) {
      const StepSeries& part = from.series[i];
      StepSeries& series = series_of(part, i);
      const auto offset = static_cast<std::ptrdiff_t>(at);
      std::copy(part.values.begin(), part.values.end(), series.values.begin() + offset);
      std::copy(part.kinds.begin(), part.kinds.end(), series.kinds.begin() + offset);
      if (part.histograms.empty()) continue;
      series.histograms.resize(steps_);
      std::copy(part.histograms.begin(), part.histograms.end(), series.histograms.begin() + offset);
    }
  }
  StepMatrix take() { return std::move(joined_); }

 private:
  // Series mostly come in the same order, so the i-th is tried first.
  StepSeries& series_of(const StepSeries& part, std::size_t i) {
    if (i < joined_.series.size() && joined_.series[i].labels == part.labels) {
      return joined_.series[i];
    }
    const auto [at, fresh] =
        index_.try_emplace(std::string(part.labels.bytes()), joined_.series.size());
    if (fresh) joined_.series.emplace_back(part.labels, steps_);
    return joined_.series[at->second];
  }

  std::size_t steps_;
  StepMatrix joined_;
  std::unordered_map<std::string, std::size_t> index_;
};

std::int64_t slot_of(std::int64_t step_number, std::int64_t steps) {
  const std::int64_t slot = step_number / steps;
  return step_number % steps < 0 ? slot - 1 : slot;
}

TimeRange hull(TimeRange a, TimeRange b) {
  return {std::min(a.min_ms, b.min_ms), std::max(a.max_ms, b.max_ms)};
}

}  // namespace

struct RangeCache::Metrics {
  explicit Metrics(base::MetricsRegistry& metrics)
      : registry(metrics),
        hit(requests(metrics, "hit")),
        partial(requests(metrics, "partial")),
        miss(requests(metrics, "miss")),
        uncacheable(requests(metrics, "uncacheable")),
        reused(metrics.counter("varve_query_cache_steps_reused_total",
                                "Steps of range queries that were answered from the cache.")),
        computed(metrics.counter("varve_query_cache_steps_computed_total",
                                  "Steps of cacheable range queries that were computed.")),
        invalidated(metrics.counter("varve_query_cache_invalidated_total",
                                     "Pieces forgotten because their past had changed.")),
        evicted(metrics.counter("varve_query_cache_evicted_total",
                                 "Pieces forgotten to make room.")) {}

  static base::Counter& requests(base::MetricsRegistry& metrics, std::string_view outcome) {
    return metrics.counter("varve_query_cache_requests_total",
                            "Range queries that asked the result cache, by how they went.",
                            {{"outcome", std::string(outcome)}});
  }

  base::MetricsRegistry& registry;
  base::Counter& hit;
  base::Counter& partial;
  base::Counter& miss;
  base::Counter& uncacheable;
  base::Counter& reused;
  base::Counter& computed;
  base::Counter& invalidated;
  base::Counter& evicted;
};

RangeCache::RangeCache(std::int64_t bytes_max, base::MetricsRegistry& metrics)
    : bytes_max_(bytes_max), metrics_(std::make_unique<Metrics>(metrics)) {
  using Kind = base::MetricsRegistry::CallbackKind;
  metrics.callback(Kind::kGauge, "varve_memory_bytes", "Bytes reserved, by owner.",
                   [this] { return static_cast<double>(bytes()); }, {{"owner", "result_cache"}},
                   this);
  metrics.callback(Kind::kGauge, "varve_query_cache_pieces", "Pieces of results that are kept.",
                   [this] { return static_cast<double>(piece_count()); }, {}, this);
}

RangeCache::~RangeCache() { metrics_->registry.remove_callbacks(this); }

std::int64_t RangeCache::bytes() const {
  const std::lock_guard lock(mutex_);
  return bytes_;
}

std::size_t RangeCache::piece_count() const {
  const std::lock_guard lock(mutex_);
  return lru_.size();
}

std::int64_t RangeCache::slot_steps(std::int64_t step_ms) {
  return std::clamp(kSlotMs / step_ms, kSlotStepsMin, kSlotStepsMax);
}

bool RangeCache::valid(const Piece& piece, const storage::Queryable& storage) {
  return piece.touched.min_ms >= storage.expired_before_ms() &&
         storage.stamp(piece.touched) == piece.stamp;
}

std::vector<RangeCache::PiecePtr> RangeCache::find(std::string_view key, std::int64_t first,
                                                   std::int64_t last,
                                                   const storage::Queryable& storage) {
  std::vector<PiecePtr> found;
  const std::lock_guard lock(mutex_);
  const auto entry = entries_.find(std::string(key));
  if (entry == entries_.end()) return found;
  Pieces& pieces = entry->second;
  auto at = pieces.upper_bound(first);
  if (at != pieces.begin()) --at;
  while (at != pieces.end() && at->first <= last) {
    if (at->second.piece->last() < first) {
      ++at;
      continue;
    }
    if (!valid(*at->second.piece, storage)) {
      metrics_->invalidated.add();
      at = forget(pieces, at);
      continue;
    }
    lru_.splice(lru_.begin(), lru_, at->second.place);
    found.push_back(at->second.piece);
    ++at;
  }
  if (pieces.empty()) entries_.erase(entry);
  return found;
}

void RangeCache::store(std::string_view key, Piece piece, std::int64_t step_ms,
                       const storage::Queryable& storage) {
  const std::int64_t steps = slot_steps(step_ms);
  const std::int64_t slot = slot_of(piece.first, steps);
  // The left neighbours to join with, last first. They are immutable, so the copying is done
  // without the lock; whoever was faster wins.
  std::vector<PiecePtr> joined;
  {
    const std::lock_guard lock(mutex_);
    const auto entry = entries_.find(std::string(key));
    if (entry != entries_.end()) {
      std::size_t count = piece.count;
      std::int64_t first = piece.first;
      for (auto at = entry->second.lower_bound(first); at != entry->second.begin();) {
        --at;
        const PiecePtr& left = at->second.piece;
        if (left->last() + 1 != first || left->count > kGrowth * count) break;
        if (slot_of(left->first, steps) != slot) break;
        joined.push_back(left);
        first = left->first;
        count += left->count;
      }
    }
  }
  if (!joined.empty()) {
    Piece whole;
    whole.first = joined.back()->first;
    whole.count = static_cast<std::size_t>(piece.last() - whole.first) + 1;
    whole.touched = piece.touched;
    whole.notes = std::move(piece.notes);
    for (const PiecePtr& part : joined) {
      whole.touched = hull(whole.touched, part->touched);
      whole.notes.merge(part->notes);
    }
    // The stamp of the whole first: if then the parts still have theirs, nothing had changed in any
    // of them when it was read.
    whole.stamp = storage.stamp(whole.touched);
    bool unchanged = valid(piece, storage);
    for (const PiecePtr& part : joined) unchanged = unchanged && valid(*part, storage);
    if (!unchanged) return;
    Joiner joiner(whole.count);
    for (auto part = joined.rbegin(); part != joined.rend(); ++part) {
      joiner.add((*part)->points, static_cast<std::size_t>((*part)->first - whole.first));
    }
    joiner.add(piece.points, static_cast<std::size_t>(piece.first - whole.first));
    whole.points = joiner.take();
    piece = std::move(whole);
  }
  piece.bytes =
      bytes_of(piece.points) + piece.notes.bytes() + static_cast<std::int64_t>(key.size());
  if (piece.bytes > bytes_max_ / 4) return;  // one panel must not push out all others

  const std::lock_guard lock(mutex_);
  const auto [entry, fresh] = entries_.try_emplace(std::string(key));
  Pieces& pieces = entry->second;
  for (const PiecePtr& part : joined) {
    const auto at = pieces.find(part->first);
    if (at != pieces.end() && at->second.piece == part) forget(pieces, at);
  }
  // What is in the way came from a query that ran at the same time, and is as good.
  auto next = pieces.upper_bound(piece.last());
  const bool overlaps =
      next != pieces.begin() && std::prev(next)->second.piece->last() >= piece.first;
  if (!overlaps) insert(entry->first, pieces, std::make_shared<const Piece>(std::move(piece)));
  make_room();
  const auto left = entries_.find(std::string(key));
  if (left != entries_.end() && left->second.empty()) entries_.erase(left);
}

RangeCache::Pieces::iterator RangeCache::forget(Pieces& pieces, Pieces::iterator at) {
  bytes_ -= at->second.piece->bytes;
  lru_.erase(at->second.place);
  return pieces.erase(at);
}

void RangeCache::insert(const std::string& key, Pieces& pieces, PiecePtr piece) {
  bytes_ += piece->bytes;
  lru_.push_front({&key, piece->first});
  const std::int64_t first = piece->first;
  pieces.emplace(first, Kept{std::move(piece), lru_.begin()});
}

void RangeCache::make_room() {
  while (bytes_ > bytes_max_ && !lru_.empty()) {
    const Place oldest = lru_.back();
    const auto entry = entries_.find(*oldest.key);
    forget(entry->second, entry->second.find(oldest.first));
    if (entry->second.empty()) entries_.erase(entry);
    metrics_->evicted.add();
  }
}

void RangeCache::count(Outcome outcome, std::size_t steps_reused, std::size_t steps_computed) {
  switch (outcome) {
    case Outcome::kHit: metrics_->hit.add(); break;
    case Outcome::kPartial: metrics_->partial.add(); break;
    case Outcome::kMiss: metrics_->miss.add(); break;
    case Outcome::kUncacheable: metrics_->uncacheable.add(); break;
  }
  metrics_->reused.add(static_cast<double>(steps_reused));
  metrics_->computed.add(static_cast<double>(steps_computed));
}

}  // namespace varve::promql
