// SPDX-License-Identifier: Apache-2.0
#include "storage/open_blocks.h"

#include <algorithm>
#include <tuple>

#include "base/try.h"
#include "storage/block_folders.h"
#include "storage/directory.h"
#include "storage/manifest.h"

namespace varve::storage {
namespace {

// A block that is listed but gone may have been compacted meanwhile: the MANIFEST is read again.
constexpr int kAttempts = 3;

// The folder a listed block is in: its own, or where a crash or damage left it.
OpenedBlock open_one(fs::FileSystem& files, const std::string& dense,
                     const block::BlockMeta& meta, std::uint64_t deletes_min) {
  OpenedBlock one;
  one.meta = meta;
  one.folder = meta.ulid;
  for (const std::string_view suffix : {std::string_view(), kCreationSuffix, kCorruptSuffix}) {
    const std::string folder = plus(meta.ulid, suffix);
    const auto there = files.exists(fs::join(dense, folder));
    if (!there.ok() || !*there) continue;
    one.folder = folder;
    auto opened = block::Block::open(files, fs::join(dense, folder), 0, deletes_min);
    if (opened.ok()) {
      one.block = std::move(*opened);
    } else {
      one.problem = opened.error().message();
    }
    return one;
  }
  one.problem = fs::join(dense, meta.ulid) + ": missing, though the MANIFEST lists it";
  return one;
}

}  // namespace

Result<OpenBlocks> open_blocks(fs::FileSystem& files, const std::string& path) {
  const DataDirectory paths = directory_paths(path);
  VARVE_TRY_ASSIGN(const bool there, files.exists(fs::join(path, "varve")));
  if (!there) {
    return Error(ErrorCode::kNotFound, path + ": no data directory of Varve's: it has no varve/");
  }
  for (int attempt = 1;; ++attempt) {
    OpenBlocks result;
    auto reading = read_manifest(files, paths.manifest);
    if (!reading.ok() && reading.error().code() == ErrorCode::kInvalidArgument) {
      return reading.error();
    }
    if (!reading.ok()) {
      result.problems.push_back(reading.error().message());
      return result;
    }
    for (const Error& damage : reading->damage) result.problems.push_back(damage.message());
    for (const auto& [ulid, meta] : reading->state.blocks) {
      const auto deletes = reading->state.deletes.find(ulid);
      const bool any = deletes != reading->state.deletes.end();
      result.blocks.push_back(
          open_one(files, paths.dense, meta, any ? deletes->second.generation : 0));
    }
    const bool all = std::all_of(result.blocks.begin(), result.blocks.end(),
                                 [](const OpenedBlock& one) { return one.block != nullptr; });
    if (!all && attempt < kAttempts) continue;
    std::sort(result.blocks.begin(), result.blocks.end(),
              [](const OpenedBlock& a, const OpenedBlock& b) {
                return std::tie(a.meta.range.min_ms, a.meta.ulid) <
                       std::tie(b.meta.range.min_ms, b.meta.ulid);
              });
    return result;
  }
}

}  // namespace varve::storage
