// SPDX-License-Identifier: Apache-2.0
// What a data directory has, and whether it is whole.
#include "storage/inspect.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/try.h"
#include "storage/block/block.h"
#include "storage/directory.h"
#include "storage/manifest.h"
#include "storage/open_blocks.h"

namespace varve::storage {
namespace {

// Folders within folders: a data directory has four levels of its own.
constexpr int kDepthMax = 8;

// Adds up files; a folder in a folder counts for the one it is in.
Status count_files(fs::FileSystem& files, const std::string& path, int depth, FileGroup& group) {
  const auto names = files.list(path);
  if (!names.ok()) {
    // A file, or something that has just gone.
    const auto size = files.size(path);
    if (!size.ok()) return {};
    ++group.files;
    group.bytes += *size;
    return {};
  }
  if (depth > kDepthMax) return {};
  for (const std::string& name : *names) {
    VARVE_TRY(count_files(files, fs::join(path, name), depth + 1, group));
  }
  return {};
}

Result<FileGroup> group_of(fs::FileSystem& files, std::string what, const std::string& path) {
  FileGroup group;
  group.what = std::move(what);
  VARVE_TRY(count_files(files, path, 0, group));
  return group;
}

bool is_own(std::string_view name) {
  static constexpr std::string_view kOwn[] = {"VERSION", "MANIFEST", "wal",   "head",    "snap",
                                              "dense",   "reserve",  "HOLDS", "IDENTITY"};
  return std::find(std::begin(kOwn), std::end(kOwn), name) != std::end(kOwn);
}

}  // namespace

Result<DirectoryListing> list_directory(fs::FileSystem& files, const std::string& path,
                                        bool with_head) {
  const DataDirectory paths = directory_paths(path);
  VARVE_TRY_ASSIGN(const OpenBlocks opened, open_blocks(files, path));
  DirectoryListing listing;
  listing.problems = opened.problems;
  std::set<std::string> counted;
  for (const OpenedBlock& one : opened.blocks) {
    BlockListing block;
    block.meta = one.block != nullptr ? one.block->meta() : one.meta;
    block.folder = one.folder;
    block.problem = one.problem;
    if (one.block != nullptr) {
      block.series_with_deletes = one.block->tombstones()->series_count();
    }
    counted.insert(one.folder);
    listing.bytes += block.meta.bytes;
    listing.blocks.push_back(std::move(block));
  }
  for (const auto& [what, where] : std::initializer_list<std::pair<const char*, std::string>>{
           {"log", paths.wal},
           {"head files", paths.head},
           {"head snapshots", paths.snap},
           {"manifest", paths.manifest},
           {"reserve for a full disk", paths.reserve},
           {"holds", paths.holds},
           {"snapshots taken", paths.snapshots}}) {
    VARVE_TRY_ASSIGN(FileGroup group, group_of(files, what, where));
    listing.bytes += group.bytes;
    listing.files.push_back(std::move(group));
  }
  // What nobody asked for: blocks set aside, being written, or put there by hand.
  const std::string own = fs::join(path, "varve");
  const auto others = files.list(paths.dense);
  if (others.ok()) {
    FileGroup rest{"other folders in varve/dense"};
    for (const std::string& name : *others) {
      if (!counted.contains(name)) {
        VARVE_TRY(count_files(files, fs::join(paths.dense, name), 0, rest));
      }
    }
    listing.bytes += rest.bytes;
    if (rest.files > 0) listing.files.push_back(std::move(rest));
  }
  VARVE_TRY_ASSIGN(const std::vector<std::string> in_own, files.list(own));
  FileGroup rest{"other files in varve"};
  for (const std::string& name : in_own) {
    if (!is_own(name)) VARVE_TRY(count_files(files, fs::join(own, name), 0, rest));
  }
  listing.bytes += rest.bytes;
  if (rest.files > 0) listing.files.push_back(std::move(rest));
  Result<HoldsState> held = read_holds(files, paths.holds);
  if (held.ok()) {
    listing.holds = std::move(held->records);
  } else {
    listing.problems.push_back(held.error().message());
  }
  if (with_head) {
    const auto archive = Archive::open(files, path);
    if (archive.ok()) {
      listing.head = (*archive)->head();
    } else {
      listing.problems.push_back(archive.error().message());
    }
  }
  return listing;
}

Result<std::size_t> verify_directory(fs::FileSystem& files, const std::string& path,
                                     const std::function<void(const Error&)>& report) {
  std::size_t findings = 0;
  const auto find = [&](const Error& error) {
    ++findings;
    report(error);
  };
  const std::string dense = directory_paths(path).dense;
  {
    VARVE_TRY_ASSIGN(const OpenBlocks opened, open_blocks(files, path));
    for (const std::string& problem : opened.problems) {
      find(Error(ErrorCode::kCorruption, problem));
    }
    for (const OpenedBlock& one : opened.blocks) {
      if (one.block == nullptr) {
        find(Error(ErrorCode::kCorruption, one.problem));
        continue;
      }
      findings += one.block->verify(report);
    }
  }
  if (const auto held = read_holds(files, directory_paths(path).holds); !held.ok()) {
    find(held.error());
  }
  const auto archive = Archive::open(files, path);
  if (!archive.ok()) {
    find(archive.error());
    return findings;
  }
  // Every sample of the head is read; blocks come along where they are of the same time.
  const HeadListing head = (*archive)->head();
  if (head.series > 0 && !head.range.empty()) {
    VARVE_TRY_ASSIGN(const auto querier, (*archive)->samples().querier(head.range));
    VARVE_TRY_ASSIGN(const model::Matcher all,
                     model::Matcher::create(model::MatchType::kRegex, "__name__", ".+"));
    VARVE_TRY_ASSIGN(const auto selection, querier->select(std::span(&all, 1), head.range));
    SeriesSamples samples;
    for (std::size_t i = 0; i < selection->size(); ++i) {
      const Status read = selection->read(i, head.range, samples);
      if (!read.ok()) find(read.error());
    }
  }
  for (const std::string& warning : (*archive)->warnings()) {
    // Blocks have been looked at already.
    if (warning.find(dense) == std::string::npos) find(Error(ErrorCode::kCorruption, warning));
  }
  return findings;
}

}  // namespace varve::storage
