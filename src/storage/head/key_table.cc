// SPDX-License-Identifier: Apache-2.0
#include "storage/head/key_table.h"

#include <sys/mman.h>

#include <array>
#include <bit>

#include "base/check.h"

namespace varve::storage::head {

namespace {

constexpr std::size_t kEntries = 5;
constexpr unsigned kMoreBits = 6;  // of a name's high half, per entry

// Valid when all bytes are zero. Entries fill from the first on.
struct alignas(64) KeyBucket {
  std::array<std::atomic<std::uint64_t>, kEntries> low;
  std::array<std::atomic<std::uint32_t>, kEntries> id;
  std::atomic<std::uint32_t> more;  // six bits of each

  // The name's id; 0 if it is not here. Without a branch by the place, which nobody can foretell.
  std::uint32_t find(std::uint64_t low_half, std::uint32_t more_bits) const {
    unsigned equal = 0;
#pragma GCC unroll 5  // or it depends on who else calls it whether it is
    for (std::size_t i = 0; i < kEntries; ++i) {
      equal |= static_cast<unsigned>(low[i].load(std::memory_order_relaxed) == low_half) << i;
    }
    // Two names of one lower half in a bucket are as likely as two names taken for one.
    for (; equal != 0; equal &= equal - 1) {
      const auto entry = static_cast<std::size_t>(std::countr_zero(equal));
      // First, as what it says of the entry is there once the id is.
      const std::uint32_t found = id[entry].load(std::memory_order_acquire);
      if (found != 0 && more_of(entry) == more_bits) return found;
    }
    return 0;
  }
  bool full() const { return id[kEntries - 1].load(std::memory_order_acquire) != 0; }

  std::uint32_t more_of(std::size_t entry) const {
    return more.load(std::memory_order_relaxed) >> (entry * kMoreBits) & ((1U << kMoreBits) - 1);
  }
};
static_assert(sizeof(KeyBucket) == 64);

std::uint32_t more_bits(std::uint64_t high) {
  return static_cast<std::uint32_t>(high) & ((1U << kMoreBits) - 1);
}

constexpr std::size_t kFirstBuckets = 512;
// Names that so many buckets take at most: 85 %. A hit then looks at 1.3 of them on average.
constexpr std::size_t full(std::size_t bucket_count) { return bucket_count * kEntries / 20 * 17; }
// A table that is full grows by a quarter: names go over in the order they lie in, which costs a
// few nanoseconds each, and memory is what a head of a million series has to save.
constexpr std::size_t grown(std::size_t bucket_count) { return bucket_count + bucket_count / 4; }

}  // namespace

// Memory comes from mmap: zeroed without touching it, in huge pages, given back at once.
struct KeyBuckets {
  explicit KeyBuckets(std::size_t bucket_count)
      : count(bucket_count), bytes(bucket_count * sizeof(KeyBucket)) {
    void* memory =
        ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VARVE_CHECK(memory != MAP_FAILED);  // as for operator new: no memory, no database
    ::madvise(memory, bytes, MADV_HUGEPAGE);
    buckets = static_cast<KeyBucket*>(memory);
  }
  ~KeyBuckets() { ::munmap(buckets, bytes); }
  KeyBuckets(const KeyBuckets&) = delete;
  KeyBuckets& operator=(const KeyBuckets&) = delete;

  // Where a name belongs: ascends with its low half, whatever the count is.
  std::size_t home(std::uint64_t low) const {
    // Its upper half times the count: a table of more than 2^32 buckets has no room for their ids.
    return static_cast<std::size_t>(((low >> 32) * count) >> 32);
  }
  std::size_t after(std::size_t at) const { return at + 1 == count ? 0 : at + 1; }

  void prefetch(const index::SeriesHash& hash) const {
    __builtin_prefetch(&buckets[home(hash.low)]);
  }
  SeriesId find(const index::SeriesHash& hash) const {
    const std::uint32_t more = more_bits(hash.high);
    for (std::size_t at = home(hash.low);; at = after(at)) {
      const KeyBucket& bucket = buckets[at];
      const std::uint32_t id = bucket.find(hash.low, more);
      if (id != 0 || !bucket.full()) return static_cast<SeriesId>(id);
    }
  }

  void put(std::uint64_t low, std::uint32_t more, std::uint32_t id) {
    for (std::size_t at = home(low);; at = after(at)) {
      KeyBucket& bucket = buckets[at];
      for (std::size_t i = 0; i < kEntries; ++i) {
        if (bucket.id[i].load(std::memory_order_relaxed) != 0) continue;
        bucket.low[i].store(low, std::memory_order_relaxed);
        bucket.more.store(bucket.more.load(std::memory_order_relaxed) | more << (i * kMoreBits),
                          std::memory_order_relaxed);
        bucket.id[i].store(id, std::memory_order_release);
        return;
      }
    }
  }
  // Calls visit(low, more, id) for all entries, in about the order of their homes.
  template <typename Visit>
  void visit(const Visit& visit) const {
    for (std::size_t at = 0; at < count; ++at) {
      const KeyBucket& bucket = buckets[at];
      for (std::size_t i = 0; i < kEntries; ++i) {
        const std::uint32_t id = bucket.id[i].load(std::memory_order_relaxed);
        if (id == 0) break;
        visit(bucket.low[i].load(std::memory_order_relaxed), bucket.more_of(i), id);
      }
    }
  }

  KeyBucket* buckets;
  std::size_t count;
  std::size_t bytes;
};

KeyTable::KeyTable(const index::SeriesHasher& hasher, base::MemoryAccount& account)
    : hasher_(hasher), account_(account) {
  auto* const first = new KeyBuckets(kFirstBuckets);
  account_.charge(static_cast<std::int64_t>(first->bytes));
  buckets_.store(first, std::memory_order_seq_cst);
}

KeyTable::~KeyTable() {
  KeyBuckets* buckets = buckets_.load(std::memory_order_acquire);
  account_.release(static_cast<std::int64_t>(buckets->bytes));
  delete buckets;
}

void KeyTable::Reader::prefetch(const index::SeriesHash& hash) const { buckets_->prefetch(hash); }

SeriesId KeyTable::Reader::find(const index::SeriesHash& hash) const {
  return buckets_->find(hash);
}

void KeyTable::prefetch(const index::SeriesHash& hash) const {
  buckets_.load(std::memory_order_relaxed)->prefetch(hash);
}

SeriesId KeyTable::find(const index::SeriesHash& hash) const {
  return buckets_.load(std::memory_order_relaxed)->find(hash);
}

void KeyTable::Reader::find(std::span<const index::SeriesHash> hashes, SeriesId* ids) const {
  VARVE_CHECK(hashes.size() <= kFindMax);
  std::array<std::uint16_t, kFindMax> further;
  std::size_t further_count = 0;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const std::size_t home = buckets_->home(hashes[i].low);
    const KeyBucket& bucket = buckets_->buckets[home];
    const std::uint32_t id = bucket.find(hashes[i].low, more_bits(hashes[i].high));
    ids[i] = static_cast<SeriesId>(id);
    if (id == 0 && bucket.full()) {
      further[further_count++] = static_cast<std::uint16_t>(i);
      __builtin_prefetch(&buckets_->buckets[buckets_->after(home)]);
    }
  }
  for (const std::uint16_t i : std::span(further).first(further_count)) ids[i] = find(hashes[i]);
}

template <typename Dead>
std::size_t KeyTable::rebuild(std::size_t bucket_count, const Dead& dead) {
  KeyBuckets* old = buckets_.load(std::memory_order_relaxed);
  auto* fresh = new KeyBuckets(bucket_count);
  account_.charge(static_cast<std::int64_t>(fresh->bytes));
  std::size_t removed = 0;
  old->visit([&](std::uint64_t low, std::uint32_t more, std::uint32_t id) {
    if (dead(static_cast<SeriesId>(id))) {
      ++removed;
    } else {
      fresh->put(low, more, id);
    }
  });
  buckets_.store(fresh, std::memory_order_seq_cst);
  quiescence_.wait();
  account_.release(static_cast<std::int64_t>(old->bytes));
  delete old;
  return removed;
}

void KeyTable::insert(const index::SeriesHash& hash, SeriesId id) {
  const std::size_t count = buckets_.load(std::memory_order_relaxed)->count;
  if (size_ >= full(count)) rebuild(grown(count), [](SeriesId) { return false; });
  buckets_.load(std::memory_order_relaxed)
      ->put(hash.low, more_bits(hash.high), static_cast<std::uint32_t>(id));
  ++size_;
}

std::size_t KeyTable::remove_if(const std::function<bool(SeriesId)>& dead) {
  std::size_t left = size_;
  buckets_.load(std::memory_order_relaxed)
      ->visit([&](std::uint64_t, std::uint32_t, std::uint32_t id) {
        if (dead(static_cast<SeriesId>(id))) --left;
      });
  if (left == size_) return 0;
  // Room for a third more, so that the next insertions do not make it grow at once.
  std::size_t bucket_count = kFirstBuckets;
  while (full(bucket_count) < left + left / 3) bucket_count = grown(bucket_count);
  const std::size_t removed = rebuild(bucket_count, dead);
  size_ -= removed;
  return removed;
}

}  // namespace varve::storage::head
