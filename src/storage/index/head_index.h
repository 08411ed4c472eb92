// SPDX-License-Identifier: Apache-2.0
// The inverted index of the head, in memory: which series have which labels. One writer adds
// series, any number of readers select at the same time without locks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/memory_account.h"
#include "model/matcher.h"
#include "storage/index/postings.h"
#include "storage/querier.h"
#include "storage/write_batch.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage::index {

// What one series may have: a record is one run of a block of words. Refusing more is the writers'
// business; bounding the bytes of a series' labels by 1 MiB does it, as a label takes four or more.
inline constexpr std::size_t kLabelsMax = 262'143;

// A name with how often, how many or how large; see IndexStats.
struct Cardinality {
  std::string name;
  std::uint64_t count = 0;
};

// The largest few of each, largest first, as /api/v1/status/tsdb shows them.
struct IndexStats {
  std::uint64_t series_count = 0;
  std::uint64_t pair_count = 0;
  std::vector<Cardinality> series_by_metric;
  std::vector<Cardinality> values_by_label;
  std::vector<Cardinality> bytes_by_label;  // value bytes, counted once per series
  std::vector<Cardinality> series_by_pair;  // "name=value"
};

// Owned by the head. add() and remove() are for one thread at a time (the head's index mutex);
// everything else may be called by any thread at any time. Invariants:
// 1. Nothing a reader can reach is moved or freed before the index is destroyed: storage is
//    append-only, lists grow by adding segments, and of the hash tables, the only thing that is
//    rebuilt, outgrown versions are kept (together never larger than the current one). So readers
//    need neither locks nor epochs, and label strings handed out live as long as the index.
// 2. Ids are added in ascending order; so every postings list is sorted by construction.
// 3. Everything about an id is written before bound() reaches it. A reader takes bound() once and
//    passes it on: what it sees is then the index as it was at that moment.
class HeadIndex {
 public:
  // Charges what it reserves to the account, which must outlive it.
  explicit HeadIndex(base::MemoryAccount& account);
  ~HeadIndex();
  HeadIndex(const HeadIndex&) = delete;
  HeadIndex& operator=(const HeadIndex&) = delete;

  // Precondition: id is greater than any added before, and there are at most kLabelsMax labels.
  // Copies them.
  void add(SeriesId id, const Labels& labels);
  // Hides an id from select() and the counts from now on; its labels stay readable, for readers
  // that have selected it already. Memory is not given back: that takes a new index.
  void remove(SeriesId id);
  // Adds the series of another index with ids above `after`, up to and including `bound`, that are
  // not removed there: so a new generation is made while the old one is read and added to.
  // Precondition as for add(); nothing is removed from the other one meanwhile.
  void add_live(const HeadIndex& from, SeriesId after, SeriesId bound);
  // kLimitExceeded if names, values or words could run out with the next series. To be asked before
  // add(), which aborts then.
  Status has_room() const;

  // The highest id added; kNone if there is none.
  SeriesId bound() const;
  std::size_t series_count() const;  // added and not removed
  std::size_t removed_count() const;
  bool has(SeriesId id) const;  // added and not removed

  // The ids up to and including `bound` whose labels satisfy all matchers, ascending.
  // kInvalidArgument if no matcher refuses the empty string (the list must not be "everything" by
  // accident).
  Result<Ids> select(std::span<const model::Matcher> matchers, SeriesId bound) const;
  // All ids up to and including `bound`, ascending.
  Ids all(SeriesId bound) const;

  // Precondition for the following: ids were returned by a selection of this index.
  Labels labels(SeriesId id) const;
  // The value of one label, "" if absent; lives as long as the index.
  std::string_view label(SeriesId id, std::string_view name) const;
  LabelColumn label_column(IdSpan ids, std::string_view name) const;
  // The same ids in the order of their Labels. Only distinct labels are compared as strings.
  Ids label_order(IdSpan ids) const;

  // Sorted and unique; without ids those of all series that are not beyond `bound`.
  std::vector<std::string> label_names(SeriesId bound) const;
  std::vector<std::string> label_names(IdSpan ids) const;
  std::vector<std::string> label_values(std::string_view name, SeriesId bound) const;
  std::vector<std::string> label_values(std::string_view name, IdSpan ids) const;

  IndexStats stats(std::size_t limit) const;

  struct Rep;  // the tables; for the index's own files

 private:
  std::unique_ptr<Rep> rep_;
};

}  // namespace varve::storage::index
