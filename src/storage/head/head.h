// SPDX-License-Identifier: Apache-2.0
// The head: all recent samples, in memory and in the spill store. It owns the series (names, index,
// hot records) and the shards that hold their samples. It takes no decision about logging, and
// reads and writes through it are composed in storage/{write_path,read_path,recovery}.cc.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/memory_account.h"
#include "fs/file_system.h"
#include "storage/head/exemplar_ring.h"
#include "storage/head/key_table.h"
#include "storage/head/metadata_store.h"
#include "storage/head/reserved_memory.h"
#include "storage/head/series.h"
#include "storage/head/shard.h"
#include "storage/head/spill_store.h"
#include "storage/head/time_columns.h"
#include "storage/index/head_index.h"
#include "varve/labels.h"
#include "varve/result.h"

namespace varve::storage::head {

// The accounts of the head's parts, by owner (D7).
struct HeadMemory {
  base::MemoryAccount series{"head_series"};
  base::MemoryAccount chunks{"head_chunks"};
  base::MemoryAccount keys{"head_keys"};
  base::MemoryAccount index{"head_index"};
  base::MemoryAccount columns{"head_time_columns"};
  base::MemoryAccount spill{"head_spill_buffer"};
  base::MemoryAccount side{"head_histograms"};  // open histogram chunks and out-of-order samples
};

// Thread-safe where it says so. Lock order: create_mutex, a shard's mutex, then what the parts
// name.
class Head {
 public:
  // `directory` holds the spill files, which recovery adopts or removes (spill_store.h).
  static Result<std::unique_ptr<Head>> create(fs::FileSystem& files, const std::string& directory,
                                              const index::SeriesHasher& hasher,
                                              std::size_t exemplars_max);
  ~Head();

  // Series. -------------------------------------------------------------------------------------
  // Thread-safe. Whether the id has been given to a series (which may have been retired since).
  bool known(SeriesId id) const {
    return id != SeriesId::kNone &&
           static_cast<std::uint32_t>(id) <= bound_.load(std::memory_order_acquire);
  }
  // Precondition: known(id). Fields are guarded by shard(id).mutex.
  HotSeries& series(SeriesId id) const { return series_[static_cast<std::uint32_t>(id)]; }
  // Writers repeat their series in the order these were created in: so the series behind the one
  // that was found last is tried before the table is. Of each, half the hash of the name that it
  // last came by is remembered, side by side, where the table has its names anywhere in memory.
  // Thread-safe. False for an id that is not known. Precondition of remember(): id found by a
  // KeyTable::Reader.
  bool remembers(SeriesId id, const index::SeriesHash& hash) const {
    return known(id) && hash.low != 0 && name(id).load(std::memory_order_relaxed) == hash.low;
  }
  void remember(SeriesId id, const index::SeriesHash& hash) {
    name(id).store(hash.low, std::memory_order_relaxed);
  }
  Shard& shard(SeriesId id) const { return *shards_[shard_of(id)]; }
  Shard& shard_at(unsigned number) const { return *shards_[number]; }

  const KeyTable& keys() const { return keys_; }
  // As of now. Replaced by renew_index(), so who uses it more than once keeps the pointer.
  std::shared_ptr<const index::HeadIndex> index() const;

  std::mutex create_mutex;  // guards the three methods that follow

  // The id the next created series gets. kLimitExceeded when ids or memory are used up.
  Result<SeriesId> prepare_series();
  // Makes the prepared id a series: from here on readers and writers find it.
  void publish_series(SeriesId id, const Labels& labels, const index::SeriesHash& labels_hash);
  // Another name of the series. False if there are too many aliases to remember one more.
  bool add_alias(const index::SeriesHash& hash, SeriesId id);

  // For replay, by one thread and in this order: makes room for ids up to and including `last`,
  // lets samples of an id in, makes it findable (while other threads may add samples already).
  Status reserve_series(SeriesId last);
  void mark_known(SeriesId id);
  void restore_series(SeriesId id, const Labels& labels);
  // After the last restore_series(): series created later get ids above `last`.
  void use_up_ids(SeriesId last);

  // Retiring series, by one thread at a time. `dead` ascends and has been retired from its shards.
  // Under create_mutex: hides them from selections (labels stay readable) and forgets all their
  // names, so that a writer who comes by one makes a new series.
  void forget_series(index::IdSpan dead);
  // Then, under no lock: gives memory back. Hot structs go by pages without any live series; the
  // index is replaced by one without the dead when enough of it is theirs.
  void give_back(index::IdSpan dead);

  // Samples. ------------------------------------------------------------------------------------
  SpillStore& spill() const { return *spill_; }
  TimeColumns& columns() const { return *columns_; }
  ExemplarRing& exemplars() { return exemplars_; }
  const ExemplarRing& exemplars() const { return exemplars_; }
  MetadataStore& metadata() { return metadata_; }
  const MetadataStore& metadata() const { return metadata_; }

  // The bounds of all in-order samples: max below min if there is none. Thread-safe.
  Timestamp min_time_ms() const { return min_time_.load(std::memory_order_relaxed); }
  Timestamp max_time_ms() const { return max_time_.load(std::memory_order_relaxed); }
  void widen_times(Timestamp min_ms, Timestamp max_ms);
  // The oldest late sample after `after_ms` if it is not after `until_ms`; else any time after
  // that. Thread-safe; takes shards' mutexes, where there may be one each for as long as it takes
  // to look at its series that have late samples.
  Timestamp oldest_late_ms(Timestamp after_ms, Timestamp until_ms) const;
  // Nothing before this is given back any more. Thread-safe.
  void expire(Timestamp time_ms);
  // The end of a cut that every shard was frozen for: blocks have what was before it, and nobody
  // reads that here any more. By the thread that cuts; takes shards' mutexes, each for a moment.
  void trim(Timestamp before_ms);

  // Snapshots: appends all series of a shard to the image. The caller holds the shard's mutex.
  void copy_shard(unsigned shard, ShardImage& image) const;
  // The id the next created series gets at least. Under create_mutex.
  std::uint32_t next_id() const { return next_id_; }
  // For recovery: sets the bounds of in-order samples.
  void set_times(Timestamp min_ms, Timestamp max_ms) {
    min_time_.store(min_ms, std::memory_order_relaxed);
    max_time_.store(max_ms, std::memory_order_relaxed);
  }

  ShardCounts counts() const;
  std::uint64_t series_created() const { return created_.load(std::memory_order_relaxed); }
  HeadMemory& memory() const { return *memory_; }

 private:
  std::atomic<std::uint64_t>& name(SeriesId id) const {
    return names_[static_cast<std::uint32_t>(id)];
  }
  void discard_dead(ReservedMemory& memory, std::size_t bytes_per_series, index::IdSpan dead);

  // Keys a client invents for one series are kept up to this many per series, plus a base.
  static constexpr std::size_t kAliasesPerSeriesMax = 8;
  static constexpr std::size_t kAliasesBase = 1'000'000;

  Head(std::unique_ptr<HeadMemory> memory, const index::SeriesHasher& hasher,
       std::size_t exemplars_max);
  // Calls visit(shard, series, id) for all series, under the shard's mutex.
  template <typename Visit>
  void visit_series(const Visit& visit);

  std::unique_ptr<HeadMemory> memory_;
  KeyTable keys_;
  mutable std::mutex index_mutex_;  // guards index_; taken last, for a moment
  std::shared_ptr<index::HeadIndex> index_;  // added to under create_mutex
  std::atomic<std::uint32_t> bound_{0};      // the last id given
  ReservedMemory series_memory_;
  HotSeries* series_ = nullptr;
  ReservedMemory name_memory_;  // as large as series_memory_ is
  std::atomic<std::uint64_t>* names_ = nullptr;
  std::uint32_t next_id_ = 1;
  std::atomic<std::uint64_t> created_{0};

  std::unique_ptr<BlockMemory> blocks_;
  std::unique_ptr<SpillStore> spill_;
  std::unique_ptr<TimeColumns> columns_;
  std::array<std::unique_ptr<Shard>, kShards> shards_;
  ExemplarRing exemplars_;
  MetadataStore metadata_;
  std::atomic<Timestamp> min_time_{TimeRange::all().max_ms};
  std::atomic<Timestamp> max_time_{TimeRange::all().min_ms};
};

}  // namespace varve::storage::head
