// SPDX-License-Identifier: Apache-2.0
// Lists of series ordinals, ascending and unique: the postings of a block, as a compressed bitmap,
// in whichever form is smallest. And the algebra on them. See FORMAT.md, "Ordinals".
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "storage/block/paged_file.h"
#include "varve/result.h"

namespace varve::storage::block {

// Appends the list. Precondition: at least one, ascending, unique.
void write_ordinals(std::span<const std::uint32_t> ordinals, std::string& out);

// How many it has, without reading them: for planning, not checked.
Result<std::uint32_t> count_ordinals(const Extent& extent);
// Appends the list's ordinals; kCorruption unless they ascend and are below `limit`.
Status read_ordinals(const Extent& extent, std::uint32_t limit, std::vector<std::uint32_t>& out);

// Leaves in `ordinals` what is also in the other list; both ascend.
void keep_common(std::vector<std::uint32_t>& ordinals, std::span<const std::uint32_t> other);
// Leaves what is not.
void drop_common(std::vector<std::uint32_t>& ordinals, std::span<const std::uint32_t> other);

}  // namespace varve::storage::block
