// SPDX-License-Identifier: Apache-2.0
// The blocks of one database: the folders, the MANIFEST that says which of them count, and the open
// blocks that readers see. Everything that changes the set (a cut, compaction, retention) ends in
// one commit() here, in the order FORMAT.md gives.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/log.h"
#include "fs/file_system.h"
#include "storage/block/block.h"
#include "storage/block/meta.h"
#include "storage/block_set.h"
#include "storage/directory.h"
#include "storage/manifest.h"
#include "varve/result.h"

namespace varve::storage {

// A block that is written and synced in its `.tmp-for-creation` folder.
struct FinishedBlock {
  std::string directory;
  block::BlockMeta meta;
};

struct BlockChange {
  std::vector<FinishedBlock> added;
  std::vector<std::string> removed;  // ULIDs
  std::optional<HeadCut> cut;
  std::optional<LadderState> ladder;
};

// current(), bytes() and sets() are thread-safe; the rest is for one caller at a time.
class BlockStore {
 public:
  // Opens what the MANIFEST lists, or begins a new one, and removes what a crash left over.
  // kCorruption, saying what to do, if a listed block is missing, one is there that is not listed,
  // or the MANIFEST is damaged or missing beside blocks, unless `repair`. A block that cannot be
  // read for its content is set aside (`.corrupt`), not an error.
  static Result<std::unique_ptr<BlockStore>> open(fs::FileSystem& files,
                                                  const DataDirectory& directory, Timestamp now_ms,
                                                  bool repair, base::Logger& log);

  const index::SeriesHasher& hasher() const { return hasher_; }
  const std::optional<HeadCut>& cut() const { return manifest_.state().cut; }
  const LadderState& ladder() const { return manifest_.state().ladder; }
  std::shared_ptr<const BlockSet> current() const { return sets_.current(); }
  BlockSets& sets() { return sets_; }
  // All that count, set aside ones too.
  std::vector<block::BlockMeta> metas() const;
  // On disk; the blocks as of now, or of one of them.
  std::uint64_t bytes() const;
  std::uint64_t bytes_of(const block::Block& block) const;

  // Where to write a new block with this ULID.
  std::string creation_path(std::string_view ulid) const;
  // Removes what was written for a block that is not to be.
  void discard(const FinishedBlock& block);

  // Makes the change durable, then visible: after it current() is the new set. What comes from the
  // head marks buckets of its time as out of date, in the same edit. After an error nothing
  // has changed for this process, and the added blocks are discarded where that is safe.
  Status commit(BlockChange change);
  // Has the MANIFEST know the deletes that were just written to these blocks; durable on return.
  Status note_deletes(std::span<const std::shared_ptr<block::Block>> blocks);
  // Sets a block aside that turned out to be unreadable; readers keep answering from the rest.
  Status quarantine(const std::string& ulid);

 private:
  BlockStore(fs::FileSystem& files, const DataDirectory& directory, base::Logger& log,
             const index::SeriesHasher& hasher, Manifest manifest)
      : files_(files),
        dense_(directory.dense),
        identity_(directory.identity),
        log_(log),
        hasher_(hasher),
        manifest_(std::move(manifest)) {}

  Status open_blocks(bool repair);
  void note_return(const block::BlockMeta& meta, ManifestEdit& edit) const;
  Status check_unlisted(const std::vector<std::string>& names) const;
  Status mark_dirty(const block::Block& block, ManifestEdit& edit) const;
  std::uint64_t deletes_of(const std::string& ulid) const;
  Result<bool> mend_deletes(const std::string& folder, const block::BlockMeta& meta);
  Status adopt(const std::vector<std::string>& names, bool damaged);
  LadderState restored_ladder(LadderState ladder, const std::vector<std::string>& names,
                              const std::vector<block::BlockMeta>& added) const;
  Result<std::shared_ptr<block::Block>> open_block(const std::string& ulid);
  Status clean_up(const std::vector<std::string>& names, bool repair);
  void remove_folder(const std::string& directory);
  void publish(std::vector<std::shared_ptr<block::Block>> blocks);
  void fill(BlockSet& set, std::vector<std::shared_ptr<block::Block>> blocks) const;

  fs::FileSystem& files_;
  const std::string dense_;
  const std::string identity_;
  base::Logger& log_;
  const index::SeriesHasher hasher_;
  Manifest manifest_;
  BlockSets sets_;
};

}  // namespace varve::storage
