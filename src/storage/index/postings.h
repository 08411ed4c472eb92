// SPDX-License-Identifier: Apache-2.0
// Postings: ascending, unique series ids, and the set algebra selecting is made of.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "storage/write_batch.h"

namespace varve::storage::index {

using Ids = std::vector<SeriesId>;
using IdSpan = std::span<const SeriesId>;

// The position of the first id >= target at or behind `from`, by galloping: O(log of the distance).
std::size_t gallop(IdSpan ids, std::size_t from, SeriesId target);

// Ids in both. O(short * log(long / short)).
Ids intersect(IdSpan a, IdSpan b);
// Ids in any of the lists, each once. O(total * log(lists)).
Ids unite(std::span<const IdSpan> lists);
// Ids of a that are not in b.
Ids subtract(IdSpan a, IdSpan b);

}  // namespace varve::storage::index
