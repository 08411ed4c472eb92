// SPDX-License-Identifier: Apache-2.0
// A further value of SelectHints::max_source_resolution_ms, beside those of levels.h: as
// kSourceAuto, but of two levels the coarser one answers, up to a resolution. It is for windows
// that are whole multiples of that resolution: the finer buckets would give the same and be twelve
// times as many.
#pragma once

#include <cstdint>

#include "storage/levels.h"

namespace varve::storage {

// kSourceAuto if nothing is coarse: `resolution_ms` is 1 or less.
constexpr std::int64_t auto_up_to(std::int64_t resolution_ms) {
  return resolution_ms > 1 ? -resolution_ms : kSourceAuto;
}
constexpr bool is_auto(std::int64_t max_source_resolution_ms) {
  return max_source_resolution_ms < 0;
}
// Up to which resolution a coarser level goes before a finer one; 0: none does.
constexpr std::int64_t coarse_up_to(std::int64_t max_source_resolution_ms) {
  if (max_source_resolution_ms == kSourceAuto) return 0;
  return max_source_resolution_ms < 0 ? -max_source_resolution_ms : max_source_resolution_ms;
}

}  // namespace varve::storage
