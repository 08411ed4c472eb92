// SPDX-License-Identifier: Apache-2.0
// The ladder as a line of the MANIFEST has it (FORMAT.md).
#pragma once

#include <string>
#include <string_view>

#include "storage/ladder_state.h"
#include "varve/result.h"

namespace varve::storage {

// A JSON object, without line breaks.
std::string ladder_text(const LadderState& ladder);
// kCorruption for what ladder_text() does not write.
Result<LadderState> ladder_of(std::string_view text);

}  // namespace varve::storage
