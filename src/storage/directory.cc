// SPDX-License-Identifier: Apache-2.0
#include "storage/directory.h"

#include <fmt/format.h>

#include <charconv>
#include <string_view>

#include "base/try.h"

namespace varve::storage {
namespace {

// The number of the layout, in the file varve/VERSION as one line. It grows when older versions
// would misread what a newer one writes.
constexpr unsigned kLayoutVersion = 1;

Status check_version(fs::FileSystem& files, const std::string& path) {
  VARVE_TRY_ASSIGN(const bool exists, files.exists(path));
  if (!exists) return files.write_file_atomically(path, fmt::format("{}\n", kLayoutVersion));
  VARVE_TRY_ASSIGN(const std::string text, files.read_file(path, 4096));
  unsigned version = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), version);
  if (error != std::errc() || std::string_view(end, text.data() + text.size()) != "\n") {
    return Error(ErrorCode::kCorruption, path + ": not a version number");
  }
  if (version != kLayoutVersion) {
    return Error(ErrorCode::kInvalidArgument,
                 fmt::format("{}: the data has layout version {}, this Varve reads version {}; use "
                             "the Varve that wrote it or a newer one",
                             path, version, kLayoutVersion));
  }
  return {};
}

}  // namespace

Result<DataDirectory> prepare_directory(fs::FileSystem& files, const std::string& path, bool lock) {
  DataDirectory directory;
  VARVE_TRY(files.create_directories(path));
  if (lock) {
    VARVE_TRY_ASSIGN(directory.lock, files.lock_directory(path));
  }
  const std::string own = fs::join(path, "varve");
  directory.wal = fs::join(own, "wal");
  directory.head = fs::join(own, "head");
  VARVE_TRY(files.create_directories(own));
  VARVE_TRY(check_version(files, fs::join(own, "VERSION")));
  VARVE_TRY(files.create_directories(directory.wal));
  // promtool refuses a directory without one; Varve keeps nothing in it.
  VARVE_TRY(files.create_directories(fs::join(path, "wal")));
  return directory;
}

}  // namespace varve::storage
