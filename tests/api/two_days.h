// SPDX-License-Identifier: Apache-2.0
// The two days before now that long history is written for, from midnight to midnight.
#pragma once

#include "api/api_harness.h"

namespace varve::test {

inline constexpr Timestamp kMinute = 60'000;
inline constexpr Timestamp kHour = 60 * kMinute;
inline constexpr Timestamp kBegin = kNow - kNow % (24 * kHour) - 48 * kHour;
inline constexpr Timestamp kEnd = kBegin + 48 * kHour;

}  // namespace varve::test
