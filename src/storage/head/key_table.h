// SPDX-License-Identifier: Apache-2.0
// From the hash of a name of a series to its id. Names are the canonical labels and the raw keys of
// every protocol that wrote the series (aliases). Strings are not kept: names whose 128-bit keyed
// hashes (index/series_hash.h) agree are one name.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "base/memory_account.h"
#include "storage/head/quiescence.h"
#include "storage/index/series_hash.h"
#include "storage/write_batch.h"

namespace varve::storage::head {

// Buckets of one cache line: five entries of 64 bits of the hash, six more of it, and the id; what
// does not fit goes to the next bucket. 70 bits are compared: among twenty million names the chance
// that any two are taken for one is one in five million. (Sixteen-byte entries with 96 bits took
// twice the memory, as a table of them has to double when it grows, and one and a half cache lines
// a hit.)
// 1. Entries are never changed once published (a non-zero id is stored last, with release).
// 2. find() takes no lock; the caller holds a guard() for the batch.
// 3. insert() and remove_if() are called by one thread at a time (the head's creation lock), not
//    under a guard.
class KeyTable {
 public:
  KeyTable(const index::SeriesHasher& hasher, base::MemoryAccount& account);
  ~KeyTable();
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  class Reader {
   public:
    explicit Reader(const KeyTable& table)
        : guard_(table.quiescence_), buckets_(table.buckets_.load(std::memory_order_seq_cst)) {}
    void prefetch(const index::SeriesHash& hash) const;
    SeriesId find(const index::SeriesHash& hash) const;
    // As many finds. Of those that were prefetched, none waits for memory alone: who has to look at
    // a second bucket does so when all have looked at their first. Precondition: at most kFindMax.
    static constexpr std::size_t kFindMax = 256;
    void find(std::span<const index::SeriesHash> hashes, SeriesId* ids) const;

   private:
    friend class KeyTable;
    Quiescence::Guard guard_;
    const struct KeyBuckets* buckets_;
  };

  const index::SeriesHasher& hasher() const { return hasher_; }

  // Precondition: not present.
  void insert(const index::SeriesHash& hash, SeriesId id);
  // For who inserts: as a Reader's, without the cost of being one.
  void prefetch(const index::SeriesHash& hash) const;
  SeriesId find(const index::SeriesHash& hash) const;
  // Forgets all names of the series that are dead, in one pass over the table, which becomes as
  // small as what is left allows. How many names were forgotten.
  std::size_t remove_if(const std::function<bool(SeriesId)>& dead);
  std::size_t size() const { return size_; }

 private:
  template <typename Dead>
  std::size_t rebuild(std::size_t bucket_count, const Dead& dead);

  const index::SeriesHasher hasher_;
  base::MemoryAccount& account_;
  std::atomic<struct KeyBuckets*> buckets_{nullptr};
  std::size_t size_ = 0;
  mutable Quiescence quiescence_;
};

}  // namespace varve::storage::head
