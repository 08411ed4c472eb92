// SPDX-License-Identifier: Apache-2.0
// Which files a pattern names.
#pragma once

#include <string>
#include <vector>

#include "varve/result.h"

namespace varve::fs {

class FileSystem;

// Sorted. Wildcards may stand in the last part of the path only; a pattern without any names a file
// only if it is there.
Result<std::vector<std::string>> matching_files(FileSystem& files, const std::string& pattern);

}  // namespace varve::fs
