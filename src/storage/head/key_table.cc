// SPDX-License-Identifier: Apache-2.0
#include "storage/head/key_table.h"

#include <sys/mman.h>

#include <new>

#include "base/check.h"

namespace varve::storage::head {

struct KeySlot {
  std::atomic<std::uint64_t> low;
  std::atomic<std::uint32_t> high;
  std::atomic<std::uint32_t> id;
};
static_assert(sizeof(KeySlot) == 16);

// Memory comes from mmap: zeroed without touching it, in huge pages, given back at once.
struct KeySlots {
  explicit KeySlots(std::size_t slot_count) : mask(slot_count - 1), bytes(slot_count * sizeof(KeySlot)) {
    void* memory = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    VARVE_CHECK(memory != MAP_FAILED);  // as for operator new: no memory, no database
    ::madvise(memory, bytes, MADV_HUGEPAGE);
    slots = static_cast<KeySlot*>(memory);
  }
  ~KeySlots() { ::munmap(slots, bytes); }
  KeySlots(const KeySlots&) = delete;
  KeySlots& operator=(const KeySlots&) = delete;

  void put(std::uint64_t low, std::uint32_t high, std::uint32_t id) {
    std::size_t at = low & mask;
    while (slots[at].id.load(std::memory_order_relaxed) != 0) at = (at + 1) & mask;
    slots[at].low.store(low, std::memory_order_relaxed);
    slots[at].high.store(high, std::memory_order_relaxed);
    slots[at].id.store(id, std::memory_order_release);
  }

  KeySlot* slots;
  std::size_t mask;
  std::size_t bytes;
};

namespace {
constexpr std::size_t kFirstSlots = 4096;
// Four fifths full at most: a hit then looks at 3 slots on average, mostly in one cache line.
constexpr std::size_t full(std::size_t slot_count) { return slot_count / 5 * 4; }
}  // namespace

KeyTable::KeyTable(const index::SeriesHasher& hasher, base::MemoryAccount& account)
    : hasher_(hasher), account_(account) {
  slots_.store(new KeySlots(kFirstSlots), std::memory_order_seq_cst);
  account_.charge(static_cast<std::int64_t>(kFirstSlots * sizeof(KeySlot)));
}

KeyTable::~KeyTable() {
  KeySlots* slots = slots_.load(std::memory_order_acquire);
  account_.release(static_cast<std::int64_t>(slots->bytes));
  delete slots;
}

void KeyTable::Reader::prefetch(const index::SeriesHash& hash) const {
  __builtin_prefetch(&slots_->slots[hash.low & slots_->mask]);
}

SeriesId KeyTable::Reader::find(const index::SeriesHash& hash) const {
  const auto high = static_cast<std::uint32_t>(hash.high);
  for (std::size_t at = hash.low & slots_->mask;; at = (at + 1) & slots_->mask) {
    const KeySlot& slot = slots_->slots[at];
    const std::uint32_t id = slot.id.load(std::memory_order_acquire);
    if (id == 0) return SeriesId::kNone;
    if (slot.low.load(std::memory_order_relaxed) == hash.low &&
        slot.high.load(std::memory_order_relaxed) == high) {
      return static_cast<SeriesId>(id);
    }
  }
}

template <typename Dead>
std::size_t KeyTable::rebuild(std::size_t slot_count, const Dead& dead) {
  KeySlots* old = slots_.load(std::memory_order_relaxed);
  auto* grown = new KeySlots(slot_count);
  account_.charge(static_cast<std::int64_t>(grown->bytes));
  std::size_t removed = 0;
  for (std::size_t i = 0; i <= old->mask; ++i) {
    const std::uint32_t id = old->slots[i].id.load(std::memory_order_relaxed);
    if (id == 0) continue;
    if (dead(static_cast<SeriesId>(id))) {
      ++removed;
      continue;
    }
    grown->put(old->slots[i].low.load(std::memory_order_relaxed),
               old->slots[i].high.load(std::memory_order_relaxed), id);
  }
  slots_.store(grown, std::memory_order_seq_cst);
  quiescence_.wait();
  account_.release(static_cast<std::int64_t>(old->bytes));
  delete old;
  return removed;
}

void KeyTable::insert(const index::SeriesHash& hash, SeriesId id) {
  KeySlots* slots = slots_.load(std::memory_order_relaxed);
  if (size_ >= full(slots->mask + 1)) {
    rebuild((slots->mask + 1) * 2, [](SeriesId) { return false; });
    slots = slots_.load(std::memory_order_relaxed);
  }
  slots->put(hash.low, static_cast<std::uint32_t>(hash.high), static_cast<std::uint32_t>(id));
  ++size_;
}

std::size_t KeyTable::remove_if(const std::function<bool(SeriesId)>& dead) {
  const KeySlots* slots = slots_.load(std::memory_order_relaxed);
  std::size_t left = size_;
  for (std::size_t i = 0; i <= slots->mask; ++i) {
    const std::uint32_t id = slots->slots[i].id.load(std::memory_order_relaxed);
    if (id != 0 && dead(static_cast<SeriesId>(id))) --left;
  }
  if (left == size_) return 0;
  // Room for a third more, so that the next insertions do not double it at once.
  std::size_t slot_count = kFirstSlots;
  while (full(slot_count) < left + left / 3) slot_count *= 2;
  const std::size_t removed = rebuild(slot_count, dead);
  size_ -= removed;
  return removed;
}

}  // namespace varve::storage::head
