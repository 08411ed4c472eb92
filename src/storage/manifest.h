// SPDX-License-Identifier: Apache-2.0
// The MANIFEST: which blocks the database consists of, up to where they replace the head, and the
// secret that names series. Every change of the set of blocks is one edit appended to it; that the
// edit is durable is the moment at which the change has happened. See FORMAT.md.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "fs/file_system.h"
#include "storage/block/meta.h"
#include "storage/index/series_hash.h"
#include "storage/ladder_state.h"
#include "varve/result.h"
#include "varve/sample.h"

namespace varve::storage {

// Up to where blocks replace the head. Of what a shard held when it was frozen, which is what
// stands in frames up to and including seqs[shard] of the log, all samples before time_ms are in
// blocks.
struct HeadCut {
  Timestamp time_ms = TimeRange::all().min_ms;
  std::vector<std::uint64_t> seqs;  // by shard
};

// What the file with a block's deletes must be no older than, and of how many series it has some.
struct BlockDeletes {
  std::uint64_t generation = 0;  // block::Tombstones::generation()
  std::uint64_t series = 0;
};
using DeletesByBlock = std::map<std::string, BlockDeletes>;  // by ULID, of those that have some

struct ManifestEdit {
  std::vector<block::BlockMeta> added;
  std::vector<std::string> removed;  // ULIDs
  std::optional<HeadCut> cut;
  std::optional<LadderState> ladder;  // all of it, anew
  DeletesByBlock deletes = {};
};

// What the edits up to now add up to.
struct ManifestState {
  std::string hash_secret;  // index::SeriesHasher::to_hex()
  Timestamp created_ms = 0;
  std::map<std::string, block::BlockMeta> blocks;  // by ULID
  std::optional<HeadCut> cut;
  LadderState ladder;
  DeletesByBlock deletes;
  // Removed blocks whose folders may still be there.
  std::set<std::string> leaving;

  void apply(const ManifestEdit& edit);
};

// What a file says. A last line that is torn (a crash while it was written: it is cut short, or has
// zero bytes) does not count and is no damage; one that lacks nothing but its `\n` counts. Any
// other bad line is damage.
struct ManifestReading {
  ManifestState state;
  std::size_t edits = 0;
  bool torn = false;  // the file does not end as it should: to be written anew
  std::vector<Error> damage;  // bad lines, left out: file, line and byte, what
  std::size_t bytes = 0;      // of the file
};

// For anybody, also beside the process that owns the database. kNotFound; kCorruption if not even
// the first line can be read; kInvalidArgument for a newer format.
Result<ManifestReading> read_manifest(fs::FileSystem& files, const std::string& path);
// The same from memory; `path` is for messages.
Result<ManifestReading> parse_manifest(std::string_view text, const std::string& path);

// The first line, which says whose the rest is; and what such a line says, the MANIFEST's own or a
// copy of it. kCorruption; `checked`: also if the checksum is not that of the line.
std::string identity_line(const ManifestState& state);
// What the blocks do not say themselves: the MANIFEST without them.
std::string identity_text(const ManifestState& state);
Result<ManifestState> parse_identity(std::string_view line, const std::string& path, bool checked);

// The owner's view. Not thread-safe.
class Manifest {
 public:
  // A new one, durable on return.
  static Result<Manifest> create(fs::FileSystem& files, std::string path,
                                 const index::SeriesHasher& hasher, Timestamp now_ms,
                                 const ManifestEdit& first = {});
  // Opens what read_manifest() gave; what was torn is cut off by rewriting.
  static Result<Manifest> open(fs::FileSystem& files, std::string path, ManifestReading reading);

  const ManifestState& state() const { return state_; }

  // Durable on return. After an error the edit does not count for this process, but it is not known
  // whether a restart would find it while !certain(): until then no file that either outcome needs
  // may be removed. The next commit() first makes it certain.
  Status commit(const ManifestEdit& edit);
  bool certain() const { return file_ != nullptr; }
  // Tries to be certain again.
  Status settle();
  // The folder of a removed block is gone.
  void forget(const std::string& ulid) { state_.leaving.erase(ulid); }

 private:
  // Whether the file is much longer than what it says is looked at again when it has grown by this;
  // it is written anew when it is longer than twice that and this.
  static constexpr std::size_t kSlackBytes = 64 << 10;

  Manifest(fs::FileSystem& files, std::string path, ManifestState state)
      : files_(&files), path_(std::move(path)), state_(std::move(state)) {}
  Status rewrite();
  bool too_long() const;

  fs::FileSystem* files_;
  std::string path_;
  ManifestState state_;
  std::unique_ptr<fs::File> file_;  // null: its content is not known
  std::size_t bytes_ = 0;           // of the file
  std::size_t checked_bytes_ = 0;   // of it when it was not too long
};

}  // namespace varve::storage
