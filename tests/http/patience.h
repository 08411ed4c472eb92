// SPDX-License-Identifier: Apache-2.0
// How long tests wait for what takes a moment, on a machine that does other things too. Only a test
// that fails waits as long.
#pragma once

#include <chrono>

namespace varve::http::testing {

inline constexpr std::chrono::seconds kPatience{60};

}  // namespace varve::http::testing
