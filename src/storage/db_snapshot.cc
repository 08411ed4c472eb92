// SPDX-License-Identifier: Apache-2.0
#include "storage/db_snapshot.h"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>
#include <random>
#include <utility>

#include "base/try.h"
#include "storage/block_folders.h"
#include "storage/head_blocks.h"
#include "storage/holds.h"

namespace varve::storage {
namespace {

// "20260314T091500Z-" and sixteen random digits.
std::string make_name(Timestamp now_ms) {
  const auto seconds = static_cast<std::time_t>(now_ms / 1000);
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  std::random_device device;
  const std::uint64_t random = (std::uint64_t{device()} << 32 | device()) >> 1;
  return fmt::format("{:%Y%m%dT%H%M%SZ}-{:016x}", utc, random);
}

Status link_block(const Engine& engine, const block::Block& block, const std::string& to) {
  VARVE_TRY(engine.files.create_directories(to));
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, engine.files.list(block.directory()));
  for (const std::string& name : names) {
    VARVE_TRY(engine.files.link(fs::join(block.directory(), name), fs::join(to, name)));
  }
  return engine.files.sync_directory(to);
}

Status add_block(const Engine& engine, const block::Block& block, const DataDirectory& copy,
                 ManifestEdit& edit) {
  VARVE_TRY(link_block(engine, block, fs::join(copy.dense, block.meta().ulid)));
  edit.added.push_back(block.meta());
  if (const auto deletes = block.tombstones(); deletes->generation() > 0) {
    edit.deletes[block.meta().ulid] = {deletes->generation(), deletes->series_count()};
  }
  return {};
}

Status fill(const Engine& engine, bool skip_head, const std::string& path) {
  VARVE_TRY_ASSIGN(const DataDirectory copy, create_directory(engine.files, path));
  ManifestEdit everything;
  const std::shared_ptr<const BlockSet> set = engine.blocks.current();
  if (!set->unreadable.empty()) {
    std::string names;
    for (const block::BlockMeta& meta : set->unreadable) {
      names += fmt::format("{}{} ({} to {} ms)", names.empty() ? "" : ", ", meta.ulid,
                           meta.range.min_ms, meta.range.max_ms);
    }
    return Error(
        ErrorCode::kCorruption,
        fmt::format("blocks that cannot be read would be missing from it: {}; put them back "
                    "from a copy, or start once with --repair to give them up",
                    names));
  }
  for (const auto& block : set->blocks) {
    if (engine.stop.load(std::memory_order_relaxed)) {
      return Error(ErrorCode::kCanceled, "the snapshot was stopped");
    }
    VARVE_TRY(add_block(engine, *block, copy, everything));
  }
  for (const auto& block : set->levels) VARVE_TRY(add_block(engine, *block, copy, everything));
  if (set->ladder != LadderState()) everything.ladder = set->ladder;
  if (!skip_head) {
    const std::shared_ptr<const index::HeadIndex> index = engine.head.index();
    const index::Ids ids = index->label_order(index->all(index->bound()));
    HeadBlocksRequest request;
    request.ids = ids;
    request.copy = true;
    request.path = [&copy](std::string_view ulid) { return fs::join(copy.dense, ulid); };
    request.now_ms = engine.clock.now_ms();
    request.stop = &engine.stop;
    VARVE_TRY_ASSIGN(const HeadBlocks written,
                     write_head_blocks(engine.files, engine.head, request, engine.log));
    for (const FinishedBlock& block : written.blocks) {
      everything.added.push_back(block.meta);
      if (everything.ladder) everything.ladder->mark_dirty(block.meta.range);
    }
  }
  VARVE_TRY(engine.files.sync_directory(copy.dense));
  VARVE_TRY_ASSIGN(const HoldsState held, read_holds(engine.files, engine.directory.holds));
  if (!held.records.empty()) {
    VARVE_TRY(engine.files.write_file_atomically(copy.holds, holds_text(held)));
  }
  auto manifest = Manifest::create(engine.files, copy.manifest, engine.blocks.hasher(),
                                   engine.clock.now_ms(), everything);
  if (!manifest.ok()) return std::move(manifest).error();
  return engine.files.write_file_atomically(copy.identity, identity_text(manifest->state()));
}

}  // namespace

Result<std::string> take_db_snapshot(const Engine& engine, bool skip_head) {
  const std::string name = make_name(engine.clock.now_ms());
  const std::string path = fs::join(engine.directory.snapshots, name);
  const std::string unfinished = plus(path, kCreationSuffix);
  VARVE_TRY(engine.files.create_directories(engine.directory.snapshots));
  Status filled = fill(engine, skip_head, unfinished);
  if (filled.ok()) filled = engine.files.rename(unfinished, path);
  if (filled.ok()) filled = engine.files.sync_directory(engine.directory.snapshots);
  if (!filled.ok()) {
    (void)remove_tree(engine.files, unfinished).ok();
    return std::move(filled).error().with("snapshot");
  }
  return name;
}

Status clean_db_snapshots(fs::FileSystem& files, const DataDirectory& directory) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(directory.snapshots));
  if (!exists) return {};
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory.snapshots));
  for (const std::string& name : names) {
    if (name.ends_with(kCreationSuffix))
      VARVE_TRY(remove_tree(files, fs::join(directory.snapshots, name)));
  }
  return {};
}

}  // namespace varve::storage
