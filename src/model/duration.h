// SPDX-License-Identifier: Apache-2.0
// Durations as Prometheus writes them: "1h30m", units y w d h m s ms, largest first, each once.
// A year is 365 days. No sign, no fractions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "varve/result.h"

namespace varve::model {

// Milliseconds. "0" is zero; "" and unknown or repeated units are kInvalidArgument, so is what
// exceeds an int64 of nanoseconds (292 years), Prometheus's bound.
Result<std::int64_t> parse_duration(std::string_view text);

// "1h30m"; "0s" for zero. Weeks and years only for whole multiples of them, as Prometheus prints.
// Negative durations get a leading "-".
std::string format_duration(std::int64_t duration_ms);

}  // namespace varve::model
