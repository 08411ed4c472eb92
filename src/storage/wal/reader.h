// SPDX-License-Identifier: Apache-2.0
// Finds again what the log holds. The first pass maps every segment, checks every frame and sorts
// their sections by shard; replaying the sections (records.h) is the caller's second pass, one
// thread per shard if it likes. Changes nothing on disk.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "storage/wal/position.h"
#include "varve/result.h"

namespace varve::base {
class ThreadPool;
}  // namespace varve::base

namespace varve::storage::wal {

// The records of one shard (or the series records) in one frame, checksum verified.
struct Section {
  FramePosition position;
  std::string_view bytes;  // in the mapped segment
};

// Something that should not be: the log goes on behind it, but frames are missing. `message` names
// file, offset and what was found.
struct LogDamage {
  std::uint32_t segment = 0;
  std::uint64_t offset = 0;
  std::uint64_t frames_lost = 0;
  std::string message;
};

// Owns the mappings its sections point into.
struct Recovered {
  // In log order. Series records come before any run that uses them if all series sections are
  // replayed first.
  std::vector<Section> series;
  std::vector<std::vector<Section>> runs_by_shard;  // index: shard id

  FramePosition next;  // where the log continues: always a new segment
  std::uint64_t segments = 0;
  std::uint64_t frames = 0;
  std::uint64_t frames_lost = 0;  // of damages; a torn tail loses none that was acknowledged
  std::uint64_t torn_bytes = 0;   // of an unfinished last frame, which is left out
  std::vector<LogDamage> damages;

  std::vector<std::unique_ptr<fs::MappedFile>> files;
};

struct RecoverOptions {
  // Frames up to this one are covered by a snapshot: they may be missing and are left out.
  std::uint64_t after_seq = 0;
  // What stands before the first frame that is there is known to be missing, and has been said.
  bool begins_anywhere = false;
  // Something else names frames: a log that has nothing at all was taken away.
  bool used = false;
  // Sections of shards at or above this are corruption.
  std::uint32_t shards_max = 1024;
  base::ThreadPool* pool = nullptr;  // checks segments in parallel; nullptr: on this thread
};

// kIo if a file cannot be read. Damage is not an error: it is reported and recovery goes on with
// the next segment, whose records stand on their own.
Result<Recovered> recover(const std::string& directory, fs::FileSystem& files,
                          const RecoverOptions& options = {});

}  // namespace varve::storage::wal
