// SPDX-License-Identifier: Apache-2.0
// From the hash of a name of a series to its id. Names are the canonical labels and the raw keys of
// every protocol that wrote the series (aliases). Strings are not kept: names whose 128-bit keyed
// hashes agree are one name. The hash is seeded with a secret of the process, so nobody can make
// two names collide on purpose.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "base/memory_account.h"
#include "storage/head/quiescence.h"
#include "storage/write_batch.h"

namespace varve::storage::head {

struct KeyHash {
  std::uint64_t low = 0;
  std::uint64_t high = 0;
};

// Linear probing over 16-byte entries: 64 bits of the hash, 32 more of it, the id. 96 bits are
// compared; the slot agrees in further bits or lies a few probes beside.
// 1. Entries are never changed once published (a non-zero id is stored last, with release).
// 2. find() takes no lock; the caller holds a guard() for the batch.
// 3. insert() is called by one thread at a time (the head's creation lock), not under a guard.
class KeyTable {
 public:
  explicit KeyTable(base::MemoryAccount& account);
  ~KeyTable();
  KeyTable(const KeyTable&) = delete;
  KeyTable& operator=(const KeyTable&) = delete;

  class Reader {
   public:
    explicit Reader(const KeyTable& table)
        : guard_(table.quiescence_), slots_(table.slots_.load(std::memory_order_seq_cst)) {}
    void prefetch(const KeyHash& hash) const;
    SeriesId find(const KeyHash& hash) const;

   private:
    friend class KeyTable;
    Quiescence::Guard guard_;
    const struct KeySlots* slots_;
  };

  // A name of canonical labels, or of key bytes in the key space of a protocol.
  KeyHash hash_labels(std::string_view bytes) const;
  KeyHash hash_key(std::string_view key, std::uint64_t key_space) const;

  // Precondition: not present.
  void insert(const KeyHash& hash, SeriesId id);
  SeriesId find(const KeyHash& hash) const { return Reader(*this).find(hash); }
  std::size_t size() const { return size_; }

 private:
  void rebuild(std::size_t slot_count);

  alignas(64) std::uint8_t secret_[192];
  base::MemoryAccount& account_;
  std::atomic<struct KeySlots*> slots_{nullptr};
  std::size_t size_ = 0;
  mutable Quiescence quiescence_;
};

}  // namespace varve::storage::head
