// SPDX-License-Identifier: Apache-2.0
// The part of a selection that one block answers: its chunks, decoded, without what is deleted.
// What cannot be read is left out and reported; it costs no more than the samples it had.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "storage/block/block.h"
#include "storage/chunk_decode.h"
#include "storage/querier.h"
#include "storage/read_context.h"

namespace varve::storage {

// "block 01… (2026-11-21T10:00:00Z to 2026-11-21T12:00:00Z)", for messages.
std::string describe(const block::BlockMeta& meta);

// Thread-safe. Time columns are decoded once: all series of a scrape share theirs.
class BlockReader {
 public:
  BlockReader(std::shared_ptr<block::Block> block, ReadContext& context);
  ~BlockReader();
  BlockReader(const BlockReader&) = delete;
  BlockReader& operator=(const BlockReader&) = delete;

  const block::Block& block() const { return *block_; }
  TimeRange time_range() const { return block_->meta().range; }

  // Appends the samples of a series in the range to what is in `out`, all of which must be older.
  // False if `out.times_id` no longer stands for the times.
  bool append(std::uint32_t ordinal, TimeRange range, SeriesSamples& out) const;
  // Makes `last` the newest sample in the range if that is newer; decodes one chunk as a rule.
  void read_last(std::uint32_t ordinal, TimeRange range, LastSample& last) const;
  // Of a block of a level: appends the buckets of a series that end in `ends`, the columns that are
  // asked for; all that is in `out` must be older. False if `out.ends_id` no longer stands for the
  // ends.
  bool append_buckets(std::uint32_t ordinal, TimeRange ends, BucketColumns columns,
                      SeriesBuckets& out) const;
  void damaged(const Error& error) const;

 private:
  struct TimesNode {
    DecodedTimes decoded;
    const TimesNode* next = nullptr;
  };
  struct Free {
    void operator()(void* memory) const { std::free(memory); }
  };

  Status append_chunk(const block::ChunkView& chunk, TimeRange range, SeriesSamples& out) const;
  Result<bool> append_float_buckets(const block::ChunkView& chunk, TimeRange ends,
                                    std::span<const TimeRange> deleted, BucketColumns columns,
                                    SeriesBuckets& out) const;
  Result<const DecodedTimes*> times(std::uint32_t column) const;

  const std::shared_ptr<block::Block> block_;
  const std::shared_ptr<const block::Tombstones> tombstones_;
  const std::size_t column_count_;
  ReadContext& context_;
  // By column. From calloc, so that a week's columns cost nothing until they are looked at.
  const std::unique_ptr<std::atomic<const TimesNode*>[], Free> columns_;
  mutable std::atomic<const TimesNode*> nodes_{nullptr};  // all of them
  mutable std::atomic<std::int64_t> charged_{0};
};

}  // namespace varve::storage
