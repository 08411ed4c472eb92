// SPDX-License-Identifier: Apache-2.0
#include "storage/directory.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string_view>
#include <vector>

#include "base/try.h"
#include "storage/block/meta.h"

namespace varve::storage {
namespace {

// The number of the layout, in the file varve/VERSION as one line. It grows when one version
// would misread what another one writes.
constexpr unsigned kLayoutVersion = 4;

std::string version_text() { return fmt::format("{}\n", kLayoutVersion); }

Status check_version(fs::FileSystem& files, const std::string& own, bool repair,
                     std::string& repaired) {
  const std::string path = fs::join(own, "VERSION");
  VARVE_TRY_ASSIGN(const bool exists, files.exists(path));
  if (!exists) {
    for (const char* name : {"MANIFEST", "wal"}) {
      VARVE_TRY_ASSIGN(const bool data, files.exists(fs::join(own, name)));
      if (!data) continue;
      if (repair) {
        repaired = fmt::format("{}: missing; the data are taken for version {}", path,
                               kLayoutVersion);
        continue;
      }
      return Error(
          ErrorCode::kCorruption,
          fmt::format("{}: missing, though the directory holds data ({}); put it back from "
                      "a copy, or start once with --repair to take the data for version {}",
                      path, name, kLayoutVersion));
    }
    return files.write_file_atomically(path, version_text());
  }
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, 4096));
  unsigned version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "\n") {
    if (repair) {
      repaired = fmt::format("{} at 0: not a version number; the data are taken for version {}",
                             path, kLayoutVersion);
      return files.write_file_atomically(path, version_text());
    }
    return Error(ErrorCode::kCorruption,
                 fmt::format("{} at 0: not a version number; start once with --repair to take the "
                             "data for version {}",
                             path, kLayoutVersion));
  }
  if (version == kLayoutVersion) return {};
  // Not with --repair either: head files and snapshots of another version count as damaged.
  return Error(ErrorCode::kInvalidArgument,
               fmt::format("{}: the data has layout version {}, this Varve reads version {} only; "
                           "use the Varve that wrote it, or another --storage.tsdb.path",
                           path, version, kLayoutVersion));
}

// Writing among another program's files would end badly for one of the two.
Status check_stranger(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(path));
  const auto refuse = [&path](std::string_view program, std::string_view name) {
    return Error(
        ErrorCode::kInvalidArgument,
        fmt::format("{}: holds the data of {} ({}), which Varve does not touch; give Varve a "
                    "directory of its own with --storage.tsdb.path",
                    path, program, name));
  };
  for (const std::string& name : names) {
    if (name == "varve") return {};
  }
  for (const std::string& name : names) {
    if (name == "chunks_head" || name == "queries.active" || block::is_ulid(name)) {
      return refuse("Prometheus", name);
    }
    if (name == "wal") {
      const auto inside = files.list(fs::join(path, name));
      if (inside.ok() && !inside->empty())
        return refuse("Prometheus", fs::join(name, inside->front()));
    }
    if (name == "indexdb" || name == "flock.lock") return refuse("VictoriaMetrics", name);
    if (name == "PG_VERSION") return refuse("PostgreSQL", name);
  }
  return {};
}

Status create_layout(fs::FileSystem& files, const DataDirectory& directory,
                     const std::string& path) {
  for (const std::string* inside :
       {&directory.wal, &directory.head, &directory.snap, &directory.dense}) {
    VARVE_TRY(files.create_directories(*inside));
  }
  // promtool refuses a directory without one; Varve keeps nothing in it.
  return files.create_directories(fs::join(path, "wal"));
}

Error unusable(Error error) {
  switch (error.code()) {
    case ErrorCode::kIo:
      return std::move(error).with("the data directory must be writable");
    case ErrorCode::kAlreadyExists:
      return std::move(error).with("the data directory must be a directory");
    case ErrorCode::kUnavailable:
      return std::move(error).with(
          "in use; stop that process, or choose another directory with --storage.tsdb.path");
    default:
      return std::move(error).with("cannot make the data directory");
  }
}

}  // namespace

DataDirectory directory_paths(const std::string& path) {
  DataDirectory directory;
  const std::string own = fs::join(path, "varve");
  directory.wal = fs::join(own, "wal");
  directory.head = fs::join(own, "head");
  directory.snap = fs::join(own, "snap");
  directory.dense = fs::join(own, "dense");
  directory.manifest = fs::join(own, "MANIFEST");
  directory.identity = fs::join(own, "IDENTITY");
  directory.reserve = fs::join(own, "reserve");
  directory.holds = fs::join(own, "HOLDS");
  directory.snapshots = fs::join(path, "snapshots");
  return directory;
}

Result<DataDirectory> prepare_directory(fs::FileSystem& files, const std::string& path, bool lock,
                                        bool repair) {
  DataDirectory directory = directory_paths(path);
  const std::string own = fs::join(path, "varve");
  if (Status made = files.create_directories(path); !made.ok()) {
    return unusable(std::move(made).error());
  }
  VARVE_TRY(check_stranger(files, path));
  if (lock) {
    auto locked = files.lock_directory(path);
    if (!locked.ok()) return unusable(std::move(locked).error());
    directory.lock = std::move(*locked);
  }
  if (Status made = files.create_directories(own); !made.ok()) {
    return unusable(std::move(made).error());
  }
  VARVE_TRY(check_version(files, own, repair, directory.repaired));
  VARVE_TRY(create_layout(files, directory, path));
  return directory;
}

Result<DataDirectory> create_directory(fs::FileSystem& files, const std::string& path) {
  DataDirectory directory = directory_paths(path);
  const std::string own = fs::join(path, "varve");
  VARVE_TRY(files.create_directories(own));
  VARVE_TRY(files.write_file_atomically(fs::join(own, "VERSION"), version_text()));
  VARVE_TRY(create_layout(files, directory, path));
  return directory;
}

Status remove_tree(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(path));
  for (const std::string& name : names) {
    const std::string inside = fs::join(path, name);
    // A file is what cannot be listed.
    if (files.list(inside).ok()) {
      VARVE_TRY(remove_tree(files, inside));
    } else {
      VARVE_TRY(files.remove(inside));
    }
  }
  return files.remove_directory(path);
}

Result<std::uint64_t> files_bytes(fs::FileSystem& files, const std::string& directory) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(directory));
  if (!exists) return std::uint64_t{0};
  VARVE_TRY_ASSIGN(const std::vector<std::string> names, files.list(directory));
  std::uint64_t bytes = 0;
  for (const std::string& name : names) {
    // A file may go while they are counted.
    const auto size = files.size(fs::join(directory, name));
    if (size.ok()) bytes += *size;
  }
  return bytes;
}

}  // namespace varve::storage
