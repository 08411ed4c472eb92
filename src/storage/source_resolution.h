// SPDX-License-Identifier: Apache-2.0
// A further value of SelectHints::max_source_resolution_ms, beside those of levels.h: as
// kSourceAuto, but of two levels the coarser one answers if a time is a whole multiple of its
// resolution. It is for windows that begin and end at multiples of that time: the finer buckets
// would give the same and be twelve times as many.
#pragma once

#include <cstdint>

#include "storage/levels.h"

namespace varve::storage {

// kSourceAuto if nothing divides it: `whole_ms` is 1 or less.
constexpr std::int64_t auto_in_whole(std::int64_t whole_ms) {
  return whole_ms > 1 ? -whole_ms : kSourceAuto;
}
constexpr bool is_auto(std::int64_t max_source_resolution_ms) {
  return max_source_resolution_ms < 0;
}
// Precondition: is_auto(). What coarse resolutions have to divide; 0: nothing is coarse.
constexpr std::int64_t whole_of(std::int64_t max_source_resolution_ms) {
  return max_source_resolution_ms == kSourceAuto ? 0 : -max_source_resolution_ms;
}

}  // namespace varve::storage
