// SPDX-License-Identifier: Apache-2.0
// What the parts of the write path tell each other about one batch.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "storage/write_path.h"

namespace varve::storage {

// What a refused sample is too old for.
enum class WritePath::Reach { kNone, kRetention, kOutOfOrderWindow };

// The first sample of a batch, in the batch's order, that was refused, and why.
struct WritePath::Refusal {
  std::uint32_t entry = 0xffffffff;
  SeriesId id = SeriesId::kNone;
  Timestamp timestamp_ms = 0;
  ErrorCode code = ErrorCode::kInvalidArgument;
  std::string text;
  Reach reach = Reach::kNone;
};

// What the shards of one batch have in common while they are applied.
struct WritePath::Run {
  WriteOutcome* outcome = nullptr;
  Refusal first;
  Timestamp newest_allowed_ms = 0;
  Timestamp oldest_allowed_ms = 0;
  Timestamp in_order_from_ms = 0;  // for all shards; rule has that of the shard at hand
  head::OutOfOrderRule rule;
  Timestamp min_ms = TimeRange::all().max_ms;
  Timestamp max_ms = TimeRange::all().min_ms;
  std::uint64_t ticket = 0;
  std::uint64_t late = 0, late_histograms = 0;

  // Of the shard at hand, whose mutex is held.
  head::Shard* shard = nullptr;
  Staging* staging = nullptr;
};

// Reused by the batches of a thread, so that appending allocates nothing once warm.
struct WritePath::Scratch {
  std::vector<index::SeriesHash> hashes;
  std::vector<SeriesId> ids;
  std::vector<std::uint32_t> missing;  // entries whose series is not known yet
  std::vector<std::uint32_t> retired;  // entries whose series left after they were resolved
  std::vector<std::uint32_t> sorted;   // entries by shard, in order within one
  std::array<std::uint32_t, head::kShards + 1> begins{};
};

}  // namespace varve::storage
