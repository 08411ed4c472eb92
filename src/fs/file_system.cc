// SPDX-License-Identifier: Apache-2.0
// What can be said in terms of the primitives.
#include "fs/file_system.h"

#include <fmt/format.h>

#include "base/try.h"

namespace varve::fs {

Result<std::string> FileSystem::read_file(const std::string& path, std::uint64_t size_max) {
  VARVE_TRY_ASSIGN(const std::unique_ptr<File> file, open_read(path));
  VARVE_TRY_ASSIGN(const std::uint64_t size, file->size());
  if (size > size_max) {
    return Error(ErrorCode::kLimitExceeded,
                 fmt::format("{}: {} bytes, at most {} are read", path, size, size_max));
  }
  std::string content(size, '\0');
  VARVE_TRY_ASSIGN(const std::size_t got, file->read_at(0, content));
  content.resize(got);
  return content;
}

Status FileSystem::write_file_atomically(const std::string& path, std::string_view content) {
  const std::string staged = path + ".tmp";
  {
    VARVE_TRY_ASSIGN(const std::unique_ptr<File> file, open(staged, OpenMode::kTruncate));
    VARVE_TRY(file->append(content));
    VARVE_TRY(file->sync_data());
  }
  VARVE_TRY(rename(staged, path));
  return sync_directory(parent_of(path));
}

std::string join(std::string_view directory, std::string_view name) {
  std::string path(directory);
  if (!path.empty() && path.back() != '/') path += '/';
  path += name;
  return path;
}

std::string parent_of(std::string_view path) {
  while (path.size() > 1 && path.back() == '/') path.remove_suffix(1);
  const std::size_t slash = path.rfind('/');
  if (slash == std::string_view::npos) return ".";
  return std::string(path.substr(0, slash == 0 ? 1 : slash));
}

}  // namespace varve::fs
