// SPDX-License-Identifier: Apache-2.0
// What stands behind a block's ULID in the name of its folder while it comes, goes or is set aside.
#pragma once

#include <string>
#include <string_view>

namespace varve::storage {

inline constexpr std::string_view kCreationSuffix = ".tmp-for-creation";
inline constexpr std::string_view kDeletionSuffix = ".tmp-for-deletion";
inline constexpr std::string_view kCorruptSuffix = ".corrupt";

inline std::string plus(std::string_view name, std::string_view ending) {
  return std::string(name) + std::string(ending);
}

}  // namespace varve::storage
