// SPDX-License-Identifier: Apache-2.0
#include "fs/matching_files.h"

#include <fnmatch.h>

#include "fs/file_system.h"

namespace varve::fs {

Result<std::vector<std::string>> matching_files(FileSystem& files, const std::string& pattern) {
  const std::string folder = parent_of(pattern);
  const std::size_t slash = pattern.rfind('/');
  const std::string name = slash == std::string::npos ? pattern : pattern.substr(slash + 1);
  std::vector<std::string> found;
  auto names = files.list(folder);
  if (!names.ok()) {
    if (names.error().code() == ErrorCode::kNotFound) return found;
    return std::move(names).error();
  }
  for (const std::string& candidate : *names) {
    if (::fnmatch(name.c_str(), candidate.c_str(), FNM_PERIOD) != 0) continue;
    found.push_back(slash == std::string::npos ? candidate : join(folder, candidate));
  }
  return found;
}

}  // namespace varve::fs
