// SPDX-License-Identifier: Apache-2.0
// What range queries have computed, kept for the next ones: steps of an expression that nothing can
// change any more unless storage says so. A dashboard that is loaded again then computes only the
// newest steps. Nothing expires by a guess: each piece carries the stamp of the time it looked at,
// and is used only while storage gives the same stamp for it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "promql/value/level_notes.h"
#include "promql/value/value.h"
#include "varve/sample.h"

namespace varve::base {
class Counter;
class MetricsRegistry;
}  // namespace varve::base
namespace varve::storage {
class Queryable;
}

namespace varve::promql {

// Thread-safe. Belongs to one storage: what one has answered says nothing about another.
// 1. A piece's steps look at no time outside `touched`.
// 2. The piece is what storage answers for these steps as long as its stamp of `touched` is `stamp`
//    and `touched` has not begun to expire.
// 3. Pieces of one key do not overlap, and none crosses the border between two slots.
class RangeCache {
 public:
  // Steps are numbered by time: step n of a query is at phase + n * step, phase in [0, step).
  struct Piece {
    std::int64_t first = 0;
    std::size_t count = 0;
    StepMatrix points;  // on these steps; only series that have one
    LevelNotes notes;     // on these steps
    TimeRange touched;
    std::uint64_t stamp = 0;
    std::int64_t bytes = 0;

    std::int64_t last() const { return first + static_cast<std::int64_t>(count) - 1; }
  };
  using PiecePtr = std::shared_ptr<const Piece>;

  enum class Outcome : std::uint8_t { kHit, kPartial, kMiss, kUncacheable };

  // Most bytes that pieces may take; 0 keeps nothing.
  RangeCache(std::int64_t bytes_max, base::MetricsRegistry& metrics);
  ~RangeCache();
  RangeCache(const RangeCache&) = delete;
  RangeCache& operator=(const RangeCache&) = delete;

  bool enabled() const { return bytes_max_ > 0; }
  std::int64_t bytes() const;
  std::size_t piece_count() const;

  // How many steps a slot has: a late sample costs the slots that looked at its time. Slot s has
  // the steps [s * n, (s + 1) * n).
  static std::int64_t slot_steps(std::int64_t step_ms);

  // The valid pieces with steps in [first, last], in order of time. Forgets those that are not.
  std::vector<PiecePtr> find(std::string_view key, std::int64_t first, std::int64_t last,
                             const storage::Queryable& storage);

  // Keeps steps that were computed. Precondition: they are of one slot; `stamp` was read before
  // they were computed, and all of `touched` was settled then. Of steps that are there already the
  // old ones are kept.
  void store(std::string_view key, Piece piece, std::int64_t step_ms,
             const storage::Queryable& storage);

  // For the metrics: how a query went, and how many of its steps were there.
  void count(Outcome outcome, std::size_t steps_reused, std::size_t steps_computed);

 private:
  struct Place;
  using Lru = std::list<Place>;
  struct Kept {
    PiecePtr piece;
    Lru::iterator place;
  };
  using Pieces = std::map<std::int64_t, Kept>;  // by first step
  struct Place {
    const std::string* key;  // of entries_; stays where it is
    std::int64_t first;
  };
  struct Metrics;

  static bool valid(const Piece& piece, const storage::Queryable& storage);
  Pieces::iterator forget(Pieces& pieces, Pieces::iterator at);
  void insert(const std::string& key, Pieces& pieces, PiecePtr piece);
  void make_room();

  const std::int64_t bytes_max_;
  const std::unique_ptr<Metrics> metrics_;
  mutable std::mutex mutex_;  // guards what follows
  std::unordered_map<std::string, Pieces> entries_;
  Lru lru_;  // most recently used first
  std::int64_t bytes_ = 0;
};

}  // namespace varve::promql
