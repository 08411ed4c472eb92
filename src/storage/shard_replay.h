// SPDX-License-Identifier: Apache-2.0
// One shard of the head filled again: what the snapshot has of it, then what the log has behind
// that, without what blocks have.
#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "storage/head/head.h"
#include "storage/manifest.h"
#include "storage/snapshot_reader.h"
#include "storage/wal/reader.h"
#include "storage/wal/records.h"

namespace varve::storage {

// What replaying one shard found. Exemplars wait: their ring wants them in the order of time, which
// only all shards together have.
struct ShardReplay {
  std::uint64_t samples = 0;
  std::uint64_t samples_lost = 0;
  Timestamp min_ms = TimeRange::all().max_ms;
  Timestamp max_ms = TimeRange::all().min_ms;
  std::uint64_t chunks_lost = 0;  // closed ones whose file or times are gone
  bool min_known = false;         // min_ms counts what the snapshot had, too
  std::uint32_t lost_id_max = 0;  // the largest id whose series record was lost
  std::vector<wal::ExemplarRecord> exemplars;
  std::vector<std::string> errors;  // sections that could not be decoded to their end

  void count(Timestamp t) {
    ++samples;
    min_ms = std::min(min_ms, t);
    max_ms = std::max(max_ms, t);
  }
};

// What is the same for all shards.
struct ReplayScope {
  std::uint32_t last_id = 0;             // of the series the head knows
  std::uint32_t first_column = 0;        // of the time columns there are
  const std::vector<SeriesId>& retired;  // ascending
  const std::optional<HeadCut>& cut;
};

// `sections` is what the log has of the shard, in its order; nullptr: nothing. Shards may be
// replayed at once, each by one thread.
void replay_shard(head::Head& head, unsigned shard, const ReplayScope& scope,
                  SnapshotReader& snapshot, const std::vector<wal::Section>* sections,
                  ShardReplay& out);

}  // namespace varve::storage
