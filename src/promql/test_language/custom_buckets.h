// SPDX-License-Identifier: Apache-2.0
// Native histograms with custom buckets out of classic ones, for load_with_nhcb.
#pragma once

#include <span>

#include "promql/test_language/memory_storage.h"
#include "promql/test_language/series_notation.h"

namespace varve::promql::test_language {

// Adds to storage the series `x` for every classic histogram `x_bucket`, `x_sum`, `x_count` among
// the loaded lines, whose n-th value is for the time n * step_ms. A histogram whose cumulative
// counts fall is left out.
void load_custom_buckets(std::span<const SeriesLine> lines, std::int64_t step_ms,
                         MemoryStorage& storage);

}  // namespace varve::promql::test_language
