// SPDX-License-Identifier: Apache-2.0
#include "storage/block_store.h"

#include <algorithm>
#include <utility>

#include "base/try.h"
#include "storage/block_folders.h"
#include "storage/manifest_repair.h"

namespace varve::storage {

std::vector<block::BlockMeta> BlockStore::metas() const {
  const std::shared_ptr<const BlockSet> set = current();
  std::vector<block::BlockMeta> metas = set->unreadable;
  for (const auto& block : set->blocks) metas.push_back(block->meta());
  for (const auto& block : set->levels) metas.push_back(block->meta());
  std::sort(metas.begin(), metas.end(), [](const auto& a, const auto& b) {
    return std::pair(a.range.min_ms, a.ulid) < std::pair(b.range.min_ms, b.ulid);
  });
  return metas;
}

std::uint64_t BlockStore::bytes_of(const block::Block& block) const {
  const auto tombstones = files_.size(fs::join(block.directory(), "tombstones"));
  return block.meta().bytes + (tombstones.ok() ? *tombstones : 0);
}

std::uint64_t BlockStore::bytes() const {
  std::uint64_t bytes = 0;
  const std::shared_ptr<const BlockSet> set = current();
  for (const auto& block : set->blocks) bytes += bytes_of(*block);
  for (const auto& block : set->levels) bytes += bytes_of(*block);
  return bytes;
}

std::string BlockStore::creation_path(std::string_view ulid) const {
  return fs::join(dense_, plus(ulid, kCreationSuffix));
}

void BlockStore::discard(const FinishedBlock& block) {
  // While it is not known whether the MANIFEST lists it, the next opening decides.
  if (!manifest_.certain()) return;
  if (Status removed = remove_tree(files_, block.directory);
      !removed.ok() && removed.error().code() != ErrorCode::kNotFound) {
    log_.warn("storage: cannot remove an unfinished block", {{"err", removed.error().message()}});
  }
}

Status BlockStore::commit(BlockChange change) {
  ManifestEdit edit;
  edit.removed = change.removed;
  edit.cut = change.cut;
  edit.ladder = std::move(change.ladder);
  Status status;
  for (const FinishedBlock& added : change.added) edit.added.push_back(added.meta);
  // Shows that what was written can be read before anything depends on it.
  std::vector<std::shared_ptr<block::Block>> fresh;
  for (const FinishedBlock& added : change.added) {
    auto opened = block::Block::open(files_, added.directory, hasher_.fingerprint());
    if (!opened.ok()) {
      status = std::move(opened).error();
      break;
    }
    if (change.removed.empty()) status = mark_dirty(**opened, edit);
    if (!status.ok()) break;
    fresh.push_back(std::move(*opened));
  }
  if (status.ok() && !change.added.empty()) status = files_.sync_directory(dense_);
  if (status.ok()) status = manifest_.commit(edit);
  if (!status.ok()) {
    fresh.clear();
    for (const FinishedBlock& added : change.added) discard(added);
    return status;
  }

  // From here on nothing may fail: what does not get its final name gets it at the next opening.
  bool named = true;
  for (std::shared_ptr<block::Block>& block : fresh) {
    const std::string final_path = fs::join(dense_, block->meta().ulid);
    Status renamed = files_.rename(block->directory(), final_path);
    if (!renamed.ok()) {
      named = false;
      log_.warn("storage: a new block keeps its temporary name",
                {{"err", renamed.error().message()}});
      continue;
    }
    auto opened = block::Block::open(files_, final_path, hasher_.fingerprint());
    if (opened.ok()) block = std::move(*opened);
  }
  if (!fresh.empty()) named = files_.sync_directory(dense_).ok() && named;
  // A cut is copied only once the blocks that take its place would be taken in without the
  // MANIFEST.
  if (named && (edit.cut || edit.ladder)) {
    keep_identity(files_, identity_, manifest_.state(), true, log_);
  }

  const std::shared_ptr<const BlockSet> before = current();
  std::vector<std::shared_ptr<block::Block>> kept;
  std::vector<std::shared_ptr<block::Block>> gone;
  for (const auto* blocks : {&before->blocks, &before->levels}) {
    for (const auto& block : *blocks) {
      const bool removed = std::find(edit.removed.begin(), edit.removed.end(),
                                     block->meta().ulid) != edit.removed.end();
      (removed ? gone : kept).push_back(block);
    }
  }
  kept.insert(kept.end(), fresh.begin(), fresh.end());
  publish(std::move(kept));
  for (const auto& block : gone) remove_folder(block->directory());
  return {};
}

Status BlockStore::note_deletes(std::span<const std::shared_ptr<block::Block>> blocks) {
  ManifestEdit edit;
  for (const auto& block : blocks) {
    const std::shared_ptr<const block::Tombstones> deletes = block->tombstones();
    edit.deletes[block->meta().ulid] = {deletes->generation(), deletes->series_count()};
  }
  if (edit.deletes.empty()) return {};
  VARVE_TRY(manifest_.commit(edit));
  keep_identity(files_, identity_, manifest_.state(), true, log_);
  return {};
}

// Only buckets that are written already can be out of date, so this is about what came late.
Status BlockStore::mark_dirty(const block::Block& block, ManifestEdit& edit) const {
  const block::BlockMeta& meta = block.meta();
  const LadderState& now = manifest_.state().ladder;
  if (meta.level != 1 || meta.resolution_ms != 0) return {};
  const bool touches =
      std::any_of(now.levels.begin(), now.levels.end(),
                  [&](const LevelState& level) { return meta.range.min_ms <= level.covered_ms; });
  if (!touches) return {};
  if (!edit.ladder) edit.ladder = now;
  // By column: one sample from long ago does not make all the time since out of date.
  for (std::uint32_t id = 0; id < block.column_count(); ++id) {
    VARVE_TRY_ASSIGN(const block::Column column, block.column(id));
    edit.ladder->mark_dirty(column.range);
  }
  return {};
}

void BlockStore::publish(std::vector<std::shared_ptr<block::Block>> blocks) {
  BlockSet set;
  for (const block::BlockMeta& meta : current()->unreadable) {
    if (manifest_.state().blocks.count(meta.ulid) > 0) set.unreadable.push_back(meta);
  }
  fill(set, std::move(blocks));
  sets_.publish(std::move(set));
}

void BlockStore::fill(BlockSet& set, std::vector<std::shared_ptr<block::Block>> blocks) const {
  if (manifest_.state().cut) set.head_from_ms = manifest_.state().cut->time_ms;
  set.ladder = manifest_.state().ladder;
  std::sort(blocks.begin(), blocks.end(), [](const auto& a, const auto& b) {
    return std::pair(a->meta().range.min_ms, a->meta().ulid) <
           std::pair(b->meta().range.min_ms, b->meta().ulid);
  });
  for (std::shared_ptr<block::Block>& block : blocks) {
    (block->meta().resolution_ms == 0 ? set.blocks : set.levels).push_back(std::move(block));
  }
}

Status BlockStore::quarantine(const std::string& ulid) {
  const std::shared_ptr<const BlockSet> before = current();
  BlockSet set = *before;
  for (auto* blocks : {&set.blocks, &set.levels}) {
    const auto found =
        std::find_if(blocks->begin(), blocks->end(),
                     [&ulid](const auto& block) { return block->meta().ulid == ulid; });
    if (found == blocks->end()) continue;
    VARVE_TRY(files_.rename((*found)->directory(), fs::join(dense_, plus(ulid, kCorruptSuffix))));
    VARVE_TRY(files_.sync_directory(dense_));
    set.unreadable.push_back((*found)->meta());
    blocks->erase(found);
    sets_.publish(std::move(set));
    return {};
  }
  return Error(ErrorCode::kNotFound, "no block " + ulid);
}

// Readers that still have the block open keep its content: a removed file lives as long as it is
// mapped.
void BlockStore::remove_folder(const std::string& directory) {
  const std::string ulid = directory.substr(directory.rfind('/') + 1).substr(0, 26);
  const std::string doomed = fs::join(dense_, plus(ulid, kDeletionSuffix));
  Status status = files_.rename(directory, doomed);
  if (status.ok()) status = files_.sync_directory(dense_);
  if (status.ok()) status = remove_tree(files_, doomed);
  if (!status.ok()) {
    log_.warn("storage: cannot remove a block's folder, the next start will",
              {{"err", status.error().message()}});
    return;
  }
  manifest_.forget(ulid);
}

}  // namespace varve::storage
