// SPDX-License-Identifier: Apache-2.0
// What is known of a block without reading it. Stands in the block itself and in the MANIFEST.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage::block {

struct BlockMeta {
  std::string
      ulid;  // 26 characters, Crockford base 32: creation time and randomness; names the folder
  TimeRange range;  // of its samples, both ends included; empty for a block without samples
  // What it was cut or compacted for: [begin, end) aligned to a multiple of its length. Blocks of
  // one window belong together.
  Timestamp window_begin_ms = 0, window_end_ms = 0;
  std::uint32_t level = 1;           // 1: cut from the head
  bool out_of_order = false;         // has only samples that came behind the cut of their window
  std::vector<std::string> sources;  // ULIDs of the level-1 blocks it consists of
  std::uint64_t series = 0, chunks = 0, floats = 0, histograms = 0;
  std::uint64_t bytes = 0;             // of all its files, tombstones aside
  std::uint64_t hash_fingerprint = 0;  // index::SeriesHasher::fingerprint() of its database
  // Not 0: a block of a level. Its chunks are buckets (codec/bucket_chunk.h), its times their ends,
  // and its window has those that end in (window_begin_ms, window_end_ms].
  std::int64_t resolution_ms = 0;
};

// Whether of two samples of the same series and time that of `a` is the one that counts, for
// readers and for merges alike. What came in order counts before what came late, else what was cut
// first: the first sample stays. Blocks are as old as the oldest they were made of, so merging
// neighbours changes no answer. A strict weak order.
bool counts_before(const BlockMeta& a, const BlockMeta& b);

// One line of JSON, and back; from_json is for hostile text (kCorruption).
std::string to_json(const BlockMeta& meta);
Result<BlockMeta> meta_from_json(std::string_view text);

// A new ULID for this time.
std::string make_ulid(Timestamp now_ms);
// Whether `name` is a ULID in Crockford's upper-case alphabet.
bool is_ulid(std::string_view name);

}  // namespace varve::storage::block
