// SPDX-License-Identifier: Apache-2.0
#include "storage/block_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/try.h"
#include "storage/manifest_repair.h"

namespace varve::storage {
namespace {

constexpr std::string_view kCreation = ".tmp-for-creation";
constexpr std::string_view kDeletion = ".tmp-for-deletion";
constexpr std::string_view kCorrupt = ".corrupt";

bool contains(const std::vector<std::string>& sorted, const std::string& name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

std::string plus(std::string_view name, std::string_view ending) {
  return std::string(name) + std::string(ending);
}

// The MANIFEST, read or begun.
Result<Manifest> open_manifest(fs::FileSystem& files, const DataDirectory& directory,
                               Timestamp now_ms, bool repair, base::Logger& log, bool& damaged) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(directory.manifest));
  VARVE_TRY_ASSIGN(const bool blocks, has_blocks(files, directory));
  if (!exists && !blocks) {
    return Manifest::create(files, directory.manifest, index::SeriesHasher::random(), now_ms);
  }
  Result<ManifestReading> reading =
      exists
          ? read_manifest(files, directory.manifest)
          : Result<ManifestReading>(Error(
                ErrorCode::kCorruption, directory.manifest + ": missing, though there are blocks"));
  if (!reading.ok() && reading.error().code() == ErrorCode::kCorruption) {
    if (!repair) return unreadable_manifest(files, directory, std::move(reading).error());
    reading = rebuilt_manifest(files, directory, std::move(reading).error(), now_ms);
  }
  if (!reading.ok()) return std::move(reading).error();
  damaged = !reading->damage.empty();
  if (damaged && !repair) {
    return std::move(reading->damage.front())
        .with(
            "the list of blocks is damaged; start once with --repair to go on with what of it "
            "can be read and the blocks that are there");
  }
  for (const Error& error : reading->damage) {
    log.error("storage: repair goes on without a part of the MANIFEST", {{"err", error.message()}});
  }
  return Manifest::open(files, directory.manifest, std::move(*reading));
}

}  // namespace

Result<std::unique_ptr<BlockStore>> BlockStore::open(fs::FileSystem& files,
                                                     const DataDirectory& directory,
                                                     Timestamp now_ms, bool repair,
                                                     base::Logger& log) {
  bool damaged = false;
  VARVE_TRY_ASSIGN(Manifest manifest,
                   open_manifest(files, directory, now_ms, repair, log, damaged));
  keep_identity(files, directory, manifest.state(), log);
  VARVE_TRY_ASSIGN(const index::SeriesHasher hasher,
                   index::SeriesHasher::from_hex(manifest.state().hash_secret));
  std::unique_ptr<BlockStore> store(
      new BlockStore(files, directory.dense, log, hasher, std::move(manifest)));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory.dense));
  if (repair) {
    VARVE_TRY(store->adopt(names, damaged));
  } else {
    VARVE_TRY(store->check_unlisted(names));
  }
  VARVE_TRY(store->open_blocks(repair));
  return store;
}

// A block gets its final name only after its edit is durable, so one that no edit knows was listed by
// a line that is gone without a trace.
Status BlockStore::check_unlisted(const std::vector<std::string>& names) const {
  const ManifestState& state = manifest_.state();
  for (const std::string& name : names) {
    if (!block::is_ulid(name) || state.blocks.count(name) > 0 || state.leaving.count(name) > 0) {
      continue;
    }
    return Error(ErrorCode::kCorruption,
                 fmt::format("{}: a block that the MANIFEST does not list, so the MANIFEST has lost "
                             "its last lines; put it back from a copy, start once with --repair to "
                             "take the block in, or move it away if it was put there by hand",
                             fs::join(dense_, name)));
  }
  return {};
}

// Takes blocks in that a lost line may have listed: those that are not part of a listed one that is
// there. What is left is set aside, so that the next start does not find it unlisted.
Status BlockStore::adopt(const std::vector<std::string>& names, bool damaged) {
  std::set<std::string> covered;
  for (const auto& [ulid, meta] : manifest_.state().blocks) {
    if (!contains(names, ulid) && !contains(names, plus(ulid, kCreation))) continue;
    covered.insert(meta.sources.begin(), meta.sources.end());
  }
  // With a line lost it is not known whether one that leaves was taken in again.
  const auto leaves = [this](const std::string& name) {
    return manifest_.state().leaving.count(name) > 0;
  };
  std::vector<block::BlockMeta> found;
  for (const std::string& name : names) {
    if (!block::is_ulid(name) || manifest_.state().blocks.count(name) > 0) continue;
    if (leaves(name) && !damaged) continue;
    const auto opened = open_block(name);
    if (opened.ok()) found.push_back((*opened)->meta());
  }
  // The ones that consist of most come first: they cover the others.
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) {
    return a.sources.size() > b.sources.size();
  });
  ManifestEdit edit;
  for (const block::BlockMeta& meta : found) {
    const bool all_covered =
        !meta.sources.empty() &&
        std::all_of(meta.sources.begin(), meta.sources.end(),
                    [&covered](const std::string& source) { return covered.count(source) > 0; });
    if (all_covered) continue;
    covered.insert(meta.sources.begin(), meta.sources.end());
    log_.warn("storage: repair takes a block in", {{"block", fs::join(dense_, meta.ulid)}});
    edit.added.push_back(meta);
  }
  LadderState ladder = restored_ladder(names, edit.added);
  for (const block::BlockMeta& meta : edit.added) {
    if (meta.resolution_ms == 0) ladder.mark_dirty(meta.range);
  }
  if (ladder != manifest_.state().ladder) edit.ladder = std::move(ladder);
  if (!edit.added.empty() || edit.ladder) VARVE_TRY(manifest_.commit(edit));
  bool changed = false;
  for (const std::string& name : names) {
    if (!block::is_ulid(name) || manifest_.state().blocks.count(name) > 0 || leaves(name)) continue;
    const std::string path = fs::join(dense_, name);
    log_.warn("storage: repair sets a folder aside that is no block or part of another one",
              {{"block", path}});
    VARVE_TRY_ASSIGN(const bool taken, files_.exists(plus(path, kCorrupt)));
    if (taken) continue;
    VARVE_TRY(files_.rename(path, plus(path, kCorrupt)));
    changed = true;
  }
  return changed ? files_.sync_directory(dense_) : Status();
}

// The line that is lost may have said how far levels have come: at least as far as their blocks, those
// that were listed and those of `added`.
LadderState BlockStore::restored_ladder(const std::vector<std::string>& names,
                                        const std::vector<block::BlockMeta>& added) const {
  std::vector<block::BlockMeta> there = added;
  for (const auto& [ulid, meta] : manifest_.state().blocks) {
    if (contains(names, ulid) || contains(names, plus(ulid, kCreation))) there.push_back(meta);
  }
  LadderState ladder = manifest_.state().ladder;
  std::map<std::int64_t, std::vector<TimeRange>> windows;
  Timestamp samples_from_ms = TimeRange::all().max_ms;
  for (const block::BlockMeta& meta : there) {
    if (meta.resolution_ms == 0) {
      samples_from_ms = std::min(samples_from_ms, meta.range.min_ms);
    } else if (meta.window_begin_ms < meta.window_end_ms) {
      windows[meta.resolution_ms].push_back({meta.window_begin_ms, meta.window_end_ms});
    }
  }
  for (auto& [resolution_ms, of_level] : windows) {
    const bool lost = ladder.find(resolution_ms) == nullptr;
    restore_level(ladder, resolution_ms, std::move(of_level));
    // With the level it was lost what samples are gone: perhaps all from before those there are.
    if (lost && samples_from_ms != TimeRange::all().max_ms) {
      ladder.raw_gone_ms = std::max(ladder.raw_gone_ms, samples_from_ms - 1);
    }
  }
  return ladder;
}

Result<std::shared_ptr<block::Block>> BlockStore::open_block(const std::string& ulid) {
  return block::Block::open(files_, fs::join(dense_, ulid), hasher_.fingerprint());
}

Status BlockStore::open_blocks(bool repair) {
  VARVE_TRY_ASSIGN(std::vector<std::string> names, files_.list(dense_));
  BlockSet set;
  std::vector<std::shared_ptr<block::Block>> blocks;
  ManifestEdit repaired;
  for (const auto& [ulid, meta] : manifest_.state().blocks) {
    const std::string path = fs::join(dense_, ulid);
    bool there = contains(names, ulid);
    if (!there && contains(names, plus(ulid, kCreation))) {
      // Committed, but the crash was quicker than the renaming.
      VARVE_TRY(files_.rename(plus(path, kCreation), path));
      VARVE_TRY(files_.sync_directory(dense_));
      there = true;
    }
    const bool set_aside = !there && contains(names, plus(ulid, kCorrupt));
    if (!there && repair) {
      log_.error("storage: repair gives a block up", {{"block", path},
                                                      {"min_ms", meta.range.min_ms},
                                                      {"max_ms", meta.range.max_ms}});
      repaired.removed.push_back(ulid);
      if (!repaired.ladder) repaired.ladder = manifest_.state().ladder;
      if (LevelState* level = repaired.ladder->find(meta.resolution_ms)) add_dirty(*level, meta.range);
      continue;
    }
    if (set_aside) {
      log_.error("storage: a block is set aside; --repair gives it up",
                 {{"block", plus(path, kCorrupt)}});
      set.unreadable.push_back(meta);
      continue;
    }
    if (!there) {
      return Error(ErrorCode::kCorruption,
                   fmt::format("{}: missing, though the MANIFEST lists it; put it back from a copy, or "
                               "start once with --repair to go on without its samples ({} to {} ms)",
                               path, meta.range.min_ms, meta.range.max_ms));
    }
    auto opened = open_block(ulid);
    if (opened.ok()) {
      blocks.push_back(std::move(*opened));
      note_return(meta, repaired);
      continue;
    }
    // A folder without its files is as damaged as one with wrong bytes in them.
    const ErrorCode code = opened.error().code();
    if (code != ErrorCode::kCorruption && code != ErrorCode::kNotFound) return opened.error();
    log_.error("storage: a block cannot be read and is set aside",
               {{"block", path}, {"err", opened.error().message()}});
    VARVE_TRY(files_.rename(path, plus(path, kCorrupt)));
    VARVE_TRY(files_.sync_directory(dense_));
    set.unreadable.push_back(meta);
  }
  if (repaired.ladder) VARVE_TRY(manifest_.commit(repaired));
  VARVE_TRY(clean_up(names, repair));
  fill(set, std::move(blocks));
  sets_.publish(std::move(set));
  return {};
}

// What was made while a block was set aside was made without it, and what has changed since is not in
// the buckets of one.
void BlockStore::note_return(const block::BlockMeta& meta, ManifestEdit& edit) const {
  const std::vector<std::string>& aside = manifest_.state().ladder.aside;
  if (std::find(aside.begin(), aside.end(), meta.ulid) == aside.end()) return;
  log_.info("storage: a block that was set aside is back", {{"block", fs::join(dense_, meta.ulid)}});
  if (!edit.ladder) edit.ladder = manifest_.state().ladder;
  std::erase(edit.ladder->aside, meta.ulid);
  if (meta.resolution_ms == 0) {
    edit.ladder->mark_dirty(meta.range);
  } else {
    edit.ladder->mark_dirty({meta.window_begin_ms + 1, meta.window_end_ms});
  }
}

Status BlockStore::clean_up(const std::vector<std::string>& names, bool repair) {
  bool changed = false;
  const auto remove = [&](const std::string& name) {
    changed = true;
    return remove_tree(files_, fs::join(dense_, name));
  };
  for (const std::string& name : names) {
    if (name.ends_with(kDeletion)) {
      VARVE_TRY(remove(name));
    } else if (name.ends_with(kCreation)) {
      // One that is listed has its final name by now.
      const std::string ulid = name.substr(0, name.size() - kCreation.size());
      if (manifest_.state().blocks.count(ulid) == 0 || contains(names, ulid)) VARVE_TRY(remove(name));
    } else if (block::is_ulid(name) && manifest_.state().blocks.count(name) == 0) {
      if (manifest_.state().leaving.count(name) > 0 && !repair) {
        VARVE_TRY(remove(name));
      } else {
        log_.warn("storage: a block that the MANIFEST does not list is left alone",
                  {{"block", fs::join(dense_, name)}});
      }
    }
  }
  if (changed) VARVE_TRY(files_.sync_directory(dense_));
  const std::set<std::string> leaving = manifest_.state().leaving;
  for (const std::string& ulid : leaving) {
    if (!contains(names, ulid) || !repair) manifest_.forget(ulid);
  }
  return {};
}

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
  return fs::join(dense_, plus(ulid, kCreation));
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
  for (std::shared_ptr<block::Block>& block : fresh) {
    const std::string final_path = fs::join(dense_, block->meta().ulid);
    Status renamed = files_.rename(block->directory(), final_path);
    if (!renamed.ok()) {
      log_.warn("storage: a new block keeps its temporary name", {{"err", renamed.error().message()}});
      continue;
    }
    auto opened = block::Block::open(files_, final_path, hasher_.fingerprint());
    if (opened.ok()) block = std::move(*opened);
  }
  if (!fresh.empty()) (void)files_.sync_directory(dense_).ok();

  const std::shared_ptr<const BlockSet> before = current();
  std::vector<std::shared_ptr<block::Block>> kept;
  std::vector<std::shared_ptr<block::Block>> gone;
  for (const auto* blocks : {&before->blocks, &before->levels}) {
    for (const auto& block : *blocks) {
      const bool removed = std::find(edit.removed.begin(), edit.removed.end(), block->meta().ulid) !=
                           edit.removed.end();
      (removed ? gone : kept).push_back(block);
    }
  }
  kept.insert(kept.end(), fresh.begin(), fresh.end());
  publish(std::move(kept));
  for (const auto& block : gone) remove_folder(block->directory());
  return {};
}

// Only buckets that are written already can be out of date, so this is about what came late.
Status BlockStore::mark_dirty(const block::Block& block, ManifestEdit& edit) const {
  const block::BlockMeta& meta = block.meta();
  const LadderState& now = manifest_.state().ladder;
  if (meta.level != 1 || meta.resolution_ms != 0) return {};
  const bool touches = std::any_of(now.levels.begin(), now.levels.end(), [&](const LevelState& level) {
    return meta.range.min_ms <= level.covered_ms;
  });
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
    VARVE_TRY(files_.rename((*found)->directory(), fs::join(dense_, plus(ulid, kCorrupt))));
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
  const std::string doomed = fs::join(dense_, plus(ulid, kDeletion));
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
