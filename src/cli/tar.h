// SPDX-License-Identifier: Apache-2.0
// Small archives in memory, in the ustar format.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "varve/result.h"
#include "varve/sample.h"

namespace varve::cli {

// Names are at most 100 bytes.
std::string tar_archive(const std::vector<std::pair<std::string, std::string>>& files,
                        Timestamp time_ms);
Result<std::string> gzip(std::string_view content);

}  // namespace varve::cli
