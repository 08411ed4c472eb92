// SPDX-License-Identifier: Apache-2.0
// The opening of a block store: what the MANIFEST lists and what stands in dense/ are held against
// each other, and with --repair the one is made to fit the other.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "base/try.h"
#include "storage/block_folders.h"
#include "storage/block_store.h"
#include "storage/manifest_repair.h"

namespace varve::storage {
namespace {

bool contains(const std::vector<std::string>& sorted, const std::string& name) {
  return std::binary_search(sorted.begin(), sorted.end(), name);
}

// The MANIFEST, read or begun.
Result<Manifest> open_manifest(fs::FileSystem& files, const DataDirectory& directory,
                               Timestamp now_ms, bool repair, base::Logger& log, bool& fresh,
                               bool& damaged) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(directory.manifest));
  VARVE_TRY_ASSIGN(const bool blocks, has_blocks(files, directory));
  fresh = !exists && !blocks;
  if (fresh) {
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
  bool fresh = false;
  bool damaged = false;
  VARVE_TRY_ASSIGN(Manifest manifest,
                   open_manifest(files, directory, now_ms, repair, log, fresh, damaged));
  VARVE_TRY_ASSIGN(const index::SeriesHasher hasher,
                   index::SeriesHasher::from_hex(manifest.state().hash_secret));
  std::unique_ptr<BlockStore> store(
      new BlockStore(files, directory, log, hasher, std::move(manifest)));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory.dense));
  if (repair) {
    VARVE_TRY(store->adopt(names, damaged));
  } else {
    VARVE_TRY(store->check_unlisted(names));
  }
  VARVE_TRY(store->open_blocks(repair));
  keep_identity(files, directory.identity, store->manifest_.state(), !fresh, log);
  return store;
}

// A block gets its final name only after its edit is durable, so one that no edit knows was listed
// by a line that is gone without a trace.
Status BlockStore::check_unlisted(const std::vector<std::string>& names) const {
  const ManifestState& state = manifest_.state();
  for (const std::string& name : names) {
    if (!block::is_ulid(name) || state.blocks.count(name) > 0 || state.leaving.count(name) > 0) {
      continue;
    }
    return Error(
        ErrorCode::kCorruption,
        fmt::format("{}: a block that the MANIFEST does not list, so the MANIFEST has lost "
                    "its last lines; put it back from a copy, start once with --repair to "
                    "take the block in, or move it away if it was put there by hand",
                    fs::join(dense_, name)));
  }
  return {};
}

// Takes blocks in that a lost line may have listed: those that are not part of a listed one that is
// there. What is left is set aside, so that the next start does not find it unlisted. What the
// blocks do not say themselves is as the copy has it, unless the disk was full when it was to be
// written and a line that is left is younger.
Status BlockStore::adopt(const std::vector<std::string>& names, bool damaged) {
  std::optional<ManifestState> kept;
  if (damaged || !check_unlisted(names).ok()) {
    kept = kept_state(files_, identity_, manifest_.state());
    const std::optional<HeadCut>& own = manifest_.state().cut;
    if (kept && own && (!kept->cut || kept->cut->time_ms < own->time_ms)) kept.reset();
    if (!kept) {
      log_.warn(
          "storage: repair has no copy of what only the lost lines of the MANIFEST knew: samples "
          "that were deleted may come back from the log, and buckets of series that are kept "
          "shorter than others may go with their samples");
    }
  }
  std::set<std::string> covered;
  for (const auto& [ulid, meta] : manifest_.state().blocks) {
    if (!contains(names, ulid) && !contains(names, plus(ulid, kCreationSuffix))) continue;
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
  LadderState ladder =
      restored_ladder(kept ? kept->ladder : manifest_.state().ladder, names, edit.added);
  if (kept && kept->cut) edit.cut = kept->cut;
  for (const block::BlockMeta& meta : edit.added) {
    if (meta.resolution_ms == 0) ladder.mark_dirty(meta.range);
  }
  if (ladder != manifest_.state().ladder) edit.ladder = std::move(ladder);
  // Behind which no file with a block's deletes may have come back.
  if (kept) {
    for (const auto& [ulid, deletes] : kept->deletes) {
      const bool is_added =
          std::any_of(edit.added.begin(), edit.added.end(),
                      [&ulid = ulid](const auto& meta) { return meta.ulid == ulid; });
      if (!is_added && manifest_.state().blocks.count(ulid) == 0) continue;
      if (deletes.generation > deletes_of(ulid)) edit.deletes[ulid] = deletes;
    }
  }
  if (!edit.added.empty() || edit.ladder || edit.cut || !edit.deletes.empty()) {
    VARVE_TRY(manifest_.commit(edit));
  }
  bool changed = false;
  for (const std::string& name : names) {
    if (!block::is_ulid(name) || manifest_.state().blocks.count(name) > 0 || leaves(name)) continue;
    const std::string path = fs::join(dense_, name);
    log_.warn("storage: repair sets a folder aside that is no block or part of another one",
              {{"block", path}});
    VARVE_TRY_ASSIGN(const bool taken, files_.exists(plus(path, kCorruptSuffix)));
    if (taken) continue;
    VARVE_TRY(files_.rename(path, plus(path, kCorruptSuffix)));
    changed = true;
  }
  return changed ? files_.sync_directory(dense_) : Status();
}

// The line that is lost may have said how far levels have come: at least as far as their blocks,
// those that were listed and those of `added`.
LadderState BlockStore::restored_ladder(LadderState ladder, const std::vector<std::string>& names,
                                        const std::vector<block::BlockMeta>& added) const {
  std::vector<block::BlockMeta> there = added;
  for (const auto& [ulid, meta] : manifest_.state().blocks) {
    if (contains(names, ulid) || contains(names, plus(ulid, kCreationSuffix)))
      there.push_back(meta);
  }
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
  return block::Block::open(files_, fs::join(dense_, ulid), hasher_.fingerprint(),
                            deletes_of(ulid));
}

std::uint64_t BlockStore::deletes_of(const std::string& ulid) const {
  const auto found = manifest_.state().deletes.find(ulid);
  return found == manifest_.state().deletes.end() ? 0 : found->second.generation;
}

// Where the file with a block's deletes is missing, older than the MANIFEST says or damaged, the
// block goes on with what is left of them. The samples are worth more than what hid them: it is
// said whose deletes are to be repeated. Whether that was so.
Result<bool> BlockStore::mend_deletes(const std::string& folder, const block::BlockMeta& meta) {
  const std::string path = fs::join(dense_, folder);
  const std::uint64_t known = deletes_of(meta.ulid);
  const auto whole = block::Tombstones::read(files_, path, known);
  if (whole.ok() || whole.error().code() != ErrorCode::kCorruption) return false;
  auto left = block::Tombstones::read(files_, path);
  block::Tombstones mended = left.ok() ? std::move(*left) : block::Tombstones();
  if (!left.ok()) {
    const std::string file = fs::join(path, "tombstones");
    VARVE_TRY(files_.rename(file, plus(file, kCorruptSuffix)));
  }
  mended.set_generation(std::max<std::uint64_t>(known, 1));
  VARVE_TRY(mended.write(files_, path));
  const auto found = manifest_.state().deletes.find(meta.ulid);
  log_.error("storage: repair goes on without deletes of a block that are lost: what they hid is "
             "seen again until it is deleted once more",
             {{"err", whole.error().message()},
              {"series_with_deletes",
               found == manifest_.state().deletes.end() ? 0 : found->second.series},
              {"series_left", mended.series_count()},
              {"min_ms", meta.range.min_ms},
              {"max_ms", meta.range.max_ms}});
  return true;
}

Status BlockStore::open_blocks(bool repair) {
  VARVE_TRY_ASSIGN(std::vector<std::string> names, files_.list(dense_));
  BlockSet set;
  std::vector<std::shared_ptr<block::Block>> blocks;
  ManifestEdit repaired;
  for (const auto& [ulid, meta] : manifest_.state().blocks) {
    const std::string path = fs::join(dense_, ulid);
    bool there = contains(names, ulid);
    if (!there && contains(names, plus(ulid, kCreationSuffix))) {
      // Committed, but the crash was quicker than the renaming.
      VARVE_TRY(files_.rename(plus(path, kCreationSuffix), path));
      VARVE_TRY(files_.sync_directory(dense_));
      there = true;
    }
    bool set_aside = !there && contains(names, plus(ulid, kCorruptSuffix));
    if (repair && (there || set_aside)) {
      VARVE_TRY_ASSIGN(const bool mended,
                       mend_deletes(there ? ulid : plus(ulid, kCorruptSuffix), meta));
      if (mended && set_aside) {
        VARVE_TRY(files_.rename(plus(path, kCorruptSuffix), path));
        VARVE_TRY(files_.sync_directory(dense_));
        there = true;
        set_aside = false;
      }
    }
    if (!there && repair) {
      log_.error("storage: repair gives a block up", {{"block", path},
                                                      {"min_ms", meta.range.min_ms},
                                                      {"max_ms", meta.range.max_ms}});
      repaired.removed.push_back(ulid);
      if (!repaired.ladder) repaired.ladder = manifest_.state().ladder;
      if (LevelState* level = repaired.ladder->find(meta.resolution_ms))
        add_dirty(*level, meta.range);
      // Of what is left no bucket is made anew, and the ones that there are answer instead.
      if (meta.resolution_ms == 0 && !meta.out_of_order && !repaired.ladder->levels.empty()) {
        Gone gone = repaired.ladder->gone();
        if (gone.note(0, {}, 0, meta.range)) repaired.ladder->gone_of = std::move(gone.of);
      }
      continue;
    }
    if (set_aside) {
      log_.error("storage: a block is set aside; --repair gives it up",
                 {{"block", plus(path, kCorruptSuffix)}});
      set.unreadable.push_back(meta);
      continue;
    }
    if (!there) {
      return Error(
          ErrorCode::kCorruption,
          fmt::format("{}: missing, though the MANIFEST lists it; put it back from a copy, or "
                      "start once with --repair to go on without its samples ({} to {} ms)",
                      path, meta.range.min_ms, meta.range.max_ms));
    }
    auto opened = open_block(ulid);
    if (opened.ok()) {
      // A crash came between the file and the MANIFEST's line, or that is lost.
      if (const auto deletes = (*opened)->tombstones(); deletes->generation() > deletes_of(ulid)) {
        repaired.deletes[ulid] = {deletes->generation(), deletes->series_count()};
      }
      blocks.push_back(std::move(*opened));
      note_return(meta, repaired);
      continue;
    }
    // A folder without its files is as damaged as one with wrong bytes in them.
    const ErrorCode code = opened.error().code();
    if (code != ErrorCode::kCorruption && code != ErrorCode::kNotFound) return opened.error();
    log_.error("storage: a block cannot be read and is set aside",
               {{"block", path}, {"err", opened.error().message()}});
    VARVE_TRY(files_.rename(path, plus(path, kCorruptSuffix)));
    VARVE_TRY(files_.sync_directory(dense_));
    set.unreadable.push_back(meta);
  }
  if (repaired.ladder || !repaired.deletes.empty()) VARVE_TRY(manifest_.commit(repaired));
  VARVE_TRY(clean_up(names, repair));
  fill(set, std::move(blocks));
  sets_.publish(std::move(set));
  return {};
}

// What was made while a block was set aside was made without it, and what has changed since is not
// in the buckets of one.
void BlockStore::note_return(const block::BlockMeta& meta, ManifestEdit& edit) const {
  const std::vector<std::string>& aside = manifest_.state().ladder.aside;
  if (std::find(aside.begin(), aside.end(), meta.ulid) == aside.end()) return;
  log_.info("storage: a block that was set aside is back",
            {{"block", fs::join(dense_, meta.ulid)}});
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
    if (name.ends_with(kDeletionSuffix)) {
      VARVE_TRY(remove(name));
    } else if (name.ends_with(kCreationSuffix)) {
      // One that is listed has its final name by now.
      const std::string ulid = name.substr(0, name.size() - kCreationSuffix.size());
      if (manifest_.state().blocks.count(ulid) == 0 || contains(names, ulid))
        VARVE_TRY(remove(name));
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

}  // namespace varve::storage
